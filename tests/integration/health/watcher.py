# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health service as a process of its own, to be run on a host of a test: told by JSON on its standard input.

The first line holds the lines to watch and the directories; each further one a command. What changes is written to
standard output, one JSON object a line, with the time of the monotonic clock.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import parse_lines
from ansible_collections.multihome.linux.plugins.module_utils._core.health.monitor import Service

_WRITING = threading.Lock()


def say(**what: Any) -> None:
    """Write one object."""
    with _WRITING:
        print(json.dumps({"at": time.monotonic(), **what}), flush=True)


def main() -> None:
    """Run until the end of standard input."""
    settings = json.loads(sys.stdin.readline())

    def changed() -> None:
        say(
            lines={
                f"{each.line} {each.family}": [each.shown, each.reason, each.alarm, each.degraded]
                for each in service.states()
            },
            usable={family: list(service.usable(family).lines) for family in (4, 6)},
        )

    service = Service(
        parse_lines(settings["lines"]),
        lambda level, text: say(log=f"{level}: {text}"),
        changed,
        settings.get("directory", "/run/multihome"),
        settings.get("hooks", "/etc/multihome/hooks.d"),
    )
    service.start()
    changed()
    for row in sys.stdin:
        command = json.loads(row)
        if "address" in command:
            service.loop.set_address(*command["address"])
        elif "gateways" in command:
            service.loop.set_gateways(*command["gateways"])
        elif "drained" in command:
            service.loop.set_drained(*command["drained"])
        elif "usage" in command:
            used = resource.getrusage(resource.RUSAGE_SELF)
            say(
                seconds=used.ru_utime + used.ru_stime,
                system=used.ru_stime,
                kilobytes=_resident(),
                lags=service.loop.lags,
            )
    service.stop()


def _resident() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmRSS:"))


if __name__ == "__main__":
    main()
