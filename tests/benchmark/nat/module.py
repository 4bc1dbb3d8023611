# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time goes within the module nat_rules: one process as Ansible starts it on the host, each step timed.

steps_of_change(10_000, 5)     {"arguments": [0.31, ...], "parse": [...], "read": [...], "plan": [...], ...}
"""

from __future__ import annotations

import functools
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STEPS = ("arguments", "parse", "read", "plan", "apply", "read_back", "result")


def steps_of_change(count: int, rounds: int) -> dict[str, list[float]]:
    """Change one of ``count`` mappings, again and again; return the seconds of every step, a list each.

    ``read_back`` is everything between the transaction and the result; ``work`` is the processor time of plan and
    apply, to which a busy machine adds less.
    """
    from ...integration.namespaces import Hosts  # noqa: PLC0415 - what is timed below must not import it
    from .site import mappings  # noqa: PLC0415 - as above

    taken: dict[str, list[float]] = {step: [] for step in (*STEPS, "work")}
    with Hosts("firewall") as hosts:
        for turn in range(rounds + 1):
            rules = mappings(count)
            rules[-1]["to_port"] = str(80 + turn)
            result, seconds = _run(hosts["firewall"].prefix, {"rules": rules, "purge": True})
            if len(result["actions"]) != (1 if turn else count):
                raise RuntimeError(f"{len(result['actions'])} actions in turn {turn}")
            for step in taken if turn else ():
                taken[step].append(seconds[step])
    return taken


def _run(prefix: list[str], arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    done = subprocess.run(
        [*prefix, sys.executable, str(Path(__file__).resolve())],
        input=json.dumps({**arguments, "_ansible_remote_tmp": os.devnull}),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f"nat_rules: {done.stdout[:500]}{done.stderr}")
    return json.loads(done.stdout), json.loads(done.stderr.splitlines()[-1])


class _Clock:
    """Notes when what begins and ends, in the order it does."""

    def __init__(self) -> None:
        self.events: list[tuple[str, float]] = []
        self.worked: dict[str, float] = {}
        """The processor time by then, of this process and of the programs that it has run."""

    def watch(self, owner: Any, name: str) -> None:
        """Have each call of a function noted."""
        called = getattr(owner, name)

        @functools.wraps(called)
        def timed(*arguments: Any, **named: Any) -> Any:
            self._note(f"{name} begins")
            try:
                return called(*arguments, **named)
            finally:
                self._note(f"{name} ends")

        setattr(owner, name, timed)

    def _note(self, event: str) -> None:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.worked.setdefault(event, time.process_time() + ended.ru_utime + ended.ru_stime)
        self.events.append((event, time.perf_counter()))

    def first(self, what: str) -> float:
        """Return when something happened for the first time."""
        return next(when for event, when in self.events if event == what)

    def steps(self, start: float, end: float) -> dict[str, float]:
        """Return the seconds of each step of a run that changed something."""
        return {
            "arguments": self.first("__init__ begins") - start,
            "parse": self.first("__init__ ends") - self.first("__init__ begins"),
            "read": self.first("read ends") - self.first("read begins"),
            "plan": self.first("plan ends") - self.first("plan begins"),
            "apply": self.first("apply ends") - self.first("apply begins"),
            "read_back": self.first("exit_json begins") - self.first("apply ends"),
            "result": end - self.first("exit_json begins"),
            "work": sum(self.worked[f"{step} ends"] - self.worked[f"{step} begins"] for step in ("plan", "apply")),
        }


def _main() -> None:
    # This script's own directory must not shadow what the module imports.
    sys.path[0:1] = []
    from ansible.module_utils.basic import AnsibleModule  # noqa: PLC0415 - after sys.path is right
    from ansible.module_utils.testing import patch_module_args  # noqa: PLC0415 - as above
    from ansible_collections.multihome.linux.plugins.module_utils._core.nat.engine import (  # noqa: PLC0415 - as above
        NatEngine,
    )
    from ansible_collections.multihome.linux.plugins.modules import nat_rules  # noqa: PLC0415 - as above

    clock = _Clock()
    for owner, names in ((NatEngine, ("__init__", "read", "plan", "apply")), (AnsibleModule, ("exit_json",))):
        for name in names:
            clock.watch(owner, name)
    arguments = json.load(sys.stdin)
    with patch_module_args(arguments):
        start = time.perf_counter()
        try:
            nat_rules.main()
        finally:
            end = time.perf_counter()
            print(json.dumps(clock.steps(start, end)), file=sys.stderr)


if __name__ == "__main__":
    _main()
