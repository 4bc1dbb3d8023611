# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program multihome-keeper: no options; its configuration is the stored state."""

from __future__ import annotations

import functools
import os

from ..errors import MultihomeError
from ..host import programs
from ..lock import exclusive
from ..store.persistence import DIRECTORY
from .defaults import DefaultCheck
from .keeper import Keeper, KeeperReport
from .line_health import LineHealth
from .notify import Notifier
from .parameters import ParameterCheck
from .publishing import Publishing
from .replies import ReplyCheck
from .report import Report, log
from .stored_states import ENGINES, States
from .taken_hooks import TakenHooks
from .translations import TranslationCheck
from .watch import Watch

# A module may hold the lock for long; meanwhile the watchdog of systemd has to be answered.
_PATIENCE = 5.0
# A hanging program is started once a check, and has to be killed before the watchdog (60 s) ends the keeper.
_PROGRAM_TIMEOUT = 10.0


def main() -> int:
    """Run until a signal stops it; return the exit status. The kernel keeps all objects."""
    notifier, report, watch = Notifier(os.environ), Report(), Watch(DIRECTORY)
    hooks, health = TakenHooks(), LineHealth(watch.wake)
    keeper = Keeper(
        States(DIRECTORY, ENGINES, ask_limits=health.allowed),
        functools.partial(exclusive, timeout=_PATIENCE),
        replies=ReplyCheck(on_taken=hooks.taken),
        translations=TranslationCheck(),
        defaults=DefaultCheck(on_taken=hooks.default_taken),
        parameters=ParameterCheck(),
        publishing=Publishing(watch.wake),
        health=health,
    )

    def after_check(content: KeeperReport) -> None:
        try:
            report.write(content)
        except OSError as error:
            log("error", f"the report cannot be written: {error}")
        notifier.send(READY="1", WATCHDOG="1", STATUS=f"{content['repairs']} objects restored")

    try:
        with report.running(), programs.limited(_PROGRAM_TIMEOUT), watch:
            try:
                keeper.run(watch, after_check, notifier.interval)
            finally:
                health.stop()
    except (OSError, MultihomeError) as error:
        log("error", str(error))
        return 1
    finally:
        hooks.stop()
    notifier.send(STOPPING="1")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
