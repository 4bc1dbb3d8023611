# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A confirmed state is restored, as a change of its own: armed first, so that it is reverted unless it is confirmed."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ..confirm import CONFIRMED, Refused, own_process
from ..lock import exclusive
from . import process
from .directory import KEPT, Directory
from .ending import Ending
from .guard import Guard
from .host_state import DOMAINS, HostState
from .installation import Installation
from .model import Confirm, Scope, Status
from .timer import Timer

CONFIRMED_STATE, STATE_BEFORE = "confirmed.json", "before.json"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Restoration:
    """Restores one of the confirmed states. Tests replace the parts."""

    def __init__(
        self,
        directory: Directory | None = None,
        state: HostState | None = None,
        timer: Timer | None = None,
        lock: Callable[[], AbstractContextManager[object]] = exclusive,
        clock: Any = process,
        installation: Installation | None = None,
        ending: Ending | None = None,
    ) -> None:
        self._directory = directory or Directory()
        self._state = state or HostState()
        self._timer = timer or Timer(self._directory)
        self._lock, self._clock, self._installation = lock, clock, installation
        self._ending = ending or Ending(self._directory, self._state, self._timer)

    def find(self, wanted: str | None) -> Status:
        """Return the confirmed run that is meant; raises Refused.

        ``wanted`` is its name, 1 for the newest up to 5, or a time: the newest one that was confirmed until then.
        """
        listed = self._directory.all_in(CONFIRMED)[:KEPT]
        text = wanted or "1"
        found = [status for status in listed if status.run == text]
        if not found and re.fullmatch(r"[1-9]", text):
            found = listed[int(text) - 1 : int(text)]
        if not found and _TIME.fullmatch(text):
            found = [status for status in listed if status.ended_at <= text]
        if not found:
            known = ", ".join(f"{status.run} ({status.ended_at})" for status in listed) or "none"
            what = f'no confirmed state "{wanted}"' if wanted else "no confirmed state"
            raise Refused(f"this host has {what}; confirmed, the newest first: {known}")
        return found[0]

    def find_undone(self, run: str) -> list[str]:
        """Return the confirmed runs that have to be undone for the state before a run, the newest first."""
        listed = [status.run for status in self._directory.all_in(CONFIRMED)[:KEPT]]
        return listed[: listed.index(run) + 1] if run in listed else []

    def restore(self, run: str, confirm: Confirm, check: bool = False, record: str = CONFIRMED_STATE) -> bool:
        """Restore a recorded state of a confirmed run; return whether anything had to change. Raises MultihomeError.

        The change waits for its confirmation as the run of ``confirm``.
        """
        captured = self._directory.load(run, record)
        if record == CONFIRMED_STATE:
            captured["left_out"] = [DOMAINS]
        usual = self._state.usual_scope()
        # Objects of an owner that came later are removed. Later files and kernel parameters are not known then.
        recorded = Scope.of_json(captured["scope"])
        captured["scope"] = (recorded | Scope(owners=usual.owners)).as_json()
        guard = Guard(
            confirm,
            usual | Scope.of_json(captured["scope"]),
            own_process(),
            self._lock,
            self._directory,
            self._state,
            self._timer,
            self._clock,
            self._installation,
        )
        if not self._state.differences(captured) and not self._state.keeper_changes(captured):
            return False
        guard.arm(check)
        if not check:
            self._restore(captured, confirm.run)
        return True

    def _restore(self, captured: dict[str, Any], run: str) -> None:
        with self._lock():
            changed = self._state.keeper_changes(captured)
            failures = [] if changed else self._state.restore(captured)
        if changed:
            # The service takes the lock when it starts and when it stops.
            failures = self._state.stop_keeper(captured)
            with self._lock():
                failures += self._state.restore(captured)
            failures += self._state.start_keeper(captured, changed)
        if failures:
            self._ending.revert(run)
            reasons = "\n".join(failures)
            raise Refused(f"the confirmed state could not be restored; the host is as it was before:\n{reasons}")
