# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program multihome-keeper: no options, no configuration but the stored state."""

from __future__ import annotations

import functools
import os

from ..errors import MultihomeError
from ..lock import exclusive
from ..store.persistence import DIRECTORY
from .keeper import Keeper
from .notify import Notifier
from .report import Report, log
from .stored_states import ENGINES, States
from .watch import Watch

# A module may hold the lock for long; meanwhile systemd wants to hear that the keeper is alive.
_PATIENCE = 5.0


def main() -> int:
    """Run until a signal says stop; return the exit status. What stands in the kernel stays."""
    notifier, report = Notifier(os.environ), Report()
    keeper = Keeper(States(DIRECTORY, ENGINES), functools.partial(exclusive, timeout=_PATIENCE))

    def after_look(content: dict[str, object]) -> None:
        try:
            report.write(content)
        except OSError as error:
            log("error", f"the report cannot be written: {error}")
        notifier.send(READY="1", WATCHDOG="1", STATUS=f"{content['repairs']} objects put back")

    try:
        with report.running(), Watch(DIRECTORY) as watch:
            keeper.run(watch, after_look, notifier.interval)
    except (OSError, MultihomeError) as error:
        log("error", str(error))
        return 1
    notifier.send(STOPPING="1")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
