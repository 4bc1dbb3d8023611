# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ends of a checkpoint: its changes are confirmed, or reverted."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from ..confirm import ARMED, CONFIRMED, FAILED, OPEN, REVERTED, REVERTING, Refused
from ..errors import Busy, MultihomeError
from ..lock import exclusive, holders
from . import process
from .attempts import attempted
from .directory import Directory
from .host_state import HostState
from .model import NONE, Scope, Status
from .timer import Timer

ATTEMPTS, PAUSE = 5, 10.0
_PATIENCE = 10.0
_RESTORED = "the earlier state is restored, but that cannot be recorded: "


class Ending:
    """Confirms or reverts. Tests replace the parts."""

    def __init__(
        self,
        directory: Directory | None = None,
        state: HostState | None = None,
        timer: Timer | None = None,
        lock: Callable[[float], AbstractContextManager[object]] = lambda patience: exclusive(timeout=patience),
        clock: Any = process,
        sleep: Callable[[float], None] = time.sleep,
        end_holders: Callable[[], None] = lambda: process.end(holders()),
    ) -> None:
        self._directory = directory or Directory()
        self._made = state
        self._timer = timer or Timer(self._directory)
        self._lock, self._clock, self._sleep, self._end_holders = lock, clock, sleep, end_holders

    @property
    def _state(self) -> HostState:
        if self._made is None:
            self._made = HostState()
        return self._made

    def find(self, run: str | None) -> Status | None:
        """Return the checkpoint of a run, by default of the pending one; raises Refused while another one is pending.

        None stands for a run without a checkpoint: it has changed nothing.
        """
        pending = self._directory.pending()
        status = self._directory.status(run or pending or "") if run or pending else None
        if run and pending and pending != run and (status is None or status.state == CONFIRMED):
            other = self._directory.status(pending)
            if other is not None:
                raise Refused(f"not run {run}: {other.refusal(self._clock.now(), self._clock.boot())}")
        return status

    def refuse_late(self, status: Status) -> None:
        """Raise Refused if it is too late to confirm."""
        if status.state in (REVERTED, REVERTING, FAILED):
            how = {REVERTED: "was reverted", REVERTING: "is being reverted", FAILED: "could not be reverted"}
            when = f" at {status.ended_at}" if status.ended_at else ""
            why = f" ({'; '.join(status.failures)})" if status.failures else ""
            raise Refused(f"run {status.run} {how[status.state]}{when}{why}; it cannot be confirmed")
        if status.state == ARMED and status.boot != self._clock.boot():
            raise Refused(status.refusal(self._clock.now(), self._clock.boot()))
        if status.state == ARMED and self._clock.now() >= status.deadline:
            raise Refused(f"the time to confirm run {status.run} is over; its changes are being reverted")

    def confirm(self, run: str | None, check: bool = False, unproven: Sequence[str] = ()) -> bool:
        """Keep the changes of a run; return whether it had any to keep. Raises Refused.

        ``unproven`` says what could not be checked, and is recorded. A run is not confirmed when a line is down that
        was up before.
        """
        self._refuse_lost_lines(run)
        with self._lock(_PATIENCE):
            status = self.find(run)
            if status is None:
                return False
            self.refuse_late(status)
            if check:
                return status.state != CONFIRMED
            is_new = status.state != CONFIRMED
            if is_new:
                self._record_confirmed(status, unproven)
            # Also for a run that was confirmed before: the process that did it may have been killed here.
            self._clean(status.run, "reserve", "revert.pyz")
        if is_new:
            self._timer.stop(status.run)
        return is_new

    def _record_confirmed(self, status: Status, unproven: Sequence[str]) -> None:
        text = self._keep_state(status.run)
        ended = status.ended(CONFIRMED, self._clock.utc())
        try:
            self._directory.save(dataclasses.replace(ended, summary=text, unproven=tuple(unproven)))
        except OSError as error:
            # The confirmed state, which is only for later, may have taken the last room.
            self._try_to_release(status.run, "confirmed.json")
            try:
                self._directory.save(dataclasses.replace(ended, unproven=tuple(unproven)))
            except OSError:
                raise Refused(
                    f"run {status.run} is not confirmed, because that cannot be recorded: {_reason(error)}; it is "
                    "reverted when its time is over"
                ) from error

    def _refuse_lost_lines(self, run: str | None) -> None:
        status = self.find(run)
        if status is None or status.state != ARMED:
            return
        # Without the lock: gateways have a second to answer.
        down = self._state.lines_down(self._directory.load(status.run, "before.json"))
        if down:
            raise Refused(f"run {status.run} is not confirmed, because a line was up before it: {'; '.join(down)}")

    def _keep_state(self, run: str) -> str:
        """Write the confirmed state, to restore it later; a full disk must not prevent a confirmation.

        Returns a summary of the run.
        """
        self._try_to_release(run, "reserve")
        with contextlib.suppress(OSError, MultihomeError):
            before = self._directory.load(run, "before.json")
            after = self._state.capture(Scope.of_json(before["scope"]))
            self._directory.write_json(run, "confirmed.json", after)
            return self._state.summary(before, after)
        return ""

    def revert(self, run: str | None, check: bool = False) -> bool:
        """Restore the state before a run now; return whether there was something to restore. Raises Refused."""
        status = self.find(run)
        if status is None and run and not check:
            # A module of the run may still plan, after its connection was lost: it has changed something in a moment.
            with self._lock(_PATIENCE):
                status = self.find(run)
        if status is None:
            return False
        if status.state == REVERTED:
            if not check and self._directory.is_linked(status.run):
                # The process that reverted it was killed before it had cleaned up.
                with self._lock(_PATIENCE):
                    self._clean(status.run, "revert.pyz", "before.json", "reserve")
            return False
        if status.state == CONFIRMED:
            raise Refused(f"run {status.run} was confirmed at {status.ended_at}; it is not reverted")
        if check:
            return True
        failures = self.attempt(status.run)
        status = self._directory.status(status.run) or status
        if status.state == CONFIRMED:
            raise Refused(f"run {status.run} was confirmed at {status.ended_at}; it is not reverted")
        if failures:
            self._finish(status.run, FAILED, failures)
            raise Refused("\n".join([f"run {status.run} could not be reverted:", *failures]))
        self._timer.stop(status.run)
        return True

    def expire(self, run: str, at_boot: bool = False) -> list[str]:
        """Revert a run whose time is over, with several attempts; return what could not be restored."""
        failures: list[str] = []
        for number in range(ATTEMPTS):
            if number:
                self._sleep(PAUSE)
            failures = self.attempt(run, at_boot, only_late=not at_boot)
            if not failures:
                return []
            self._finish(run, REVERTING, failures)
        self._finish(run, FAILED, failures)
        return failures

    def attempt(self, run: str, at_boot: bool = False, only_late: bool = False) -> list[str]:
        """Restore the state before a run once; return what could not be restored.

        With ``only_late``, a run that has more time by now, or is confirmed, is left alone.
        """
        return attempted(lambda: self._attempt(run, at_boot, only_late))

    def _attempt(self, run: str, at_boot: bool, only_late: bool) -> list[str]:
        status = self._directory.status(run)
        if status is None or not self._is_due(status, only_late):
            return []
        for found in self._directory.processes(run) if status.boot == self._clock.boot() else ():
            # A module that hangs holds the lock; and nothing of this run may be written any more.
            process.kill(found)
        failures = self._restore(run, at_boot or status.boot != self._clock.boot(), only_late)
        if failures == [] and self._directory.state(run) == REVERTING:
            self._finish(run, REVERTED)
            if self._directory.state(run) == REVERTING:
                return [f"{_RESTORED}{self._directory.path(run)}"]
        return failures

    def _is_due(self, status: Status, only_late: bool) -> bool:
        if status.state not in OPEN:
            return False
        return not only_late or status.state != ARMED or self._clock.now() >= status.deadline

    def _restore(self, run: str, files_only: bool, only_late: bool) -> list[str]:
        captured = self._directory.load(run, "before.json")
        with self._lock_in_time(run):
            status = self._directory.status(run)
            if status is None or not self._is_due(status, only_late):
                return []
            self._try_to_release(run, "reserve")
            unrecorded = self._record_start(status)
            if files_only:
                return self._state.restore_at_boot(captured) or unrecorded
            changed, unknown = self._keeper_changes(captured)
            failures = unknown if changed else unknown + self._state.restore(captured)
        if changed:
            # The service takes the lock when it starts and when it stops.
            failures += self._state.stop_keeper(captured)
            with self._lock_in_time(run):
                failures += self._state.restore(captured)
            failures += self._state.start_keeper(captured, changed)
        if failures and self._state.stop_misled_keeper(captured):
            with self._lock_in_time(run):
                # It has applied the other state again, before it ended.
                failures = self._state.restore(captured)
            failures.append("multihome-keeper is stopped, because it would apply the stored state of the run again")
        return failures or unrecorded

    def _keeper_changes(self, captured: dict[str, Any]) -> tuple[bool, list[str]]:
        """Tell whether the keeper differs, and why that is unknown: systemd may not answer. The rest is restored."""
        try:
            return self._state.keeper_changes(captured), []
        except OSError as error:
            return False, [_reason(error)]

    def _record_start(self, status: Status) -> list[str]:
        """Record that the run is being reverted. Where that is impossible, it is reverted all the same."""
        try:
            self._directory.save(status.ended(REVERTING, ""))
        except OSError as error:
            return [f"{_RESTORED}{_reason(error)}"]
        return []

    @contextlib.contextmanager
    def _lock_in_time(self, run: str) -> Iterator[None]:
        """Hold the lock. A process that does not release it in time hangs, and is ended: nothing prevents a revert.

        Another process that reverts the run may take long, and is not ended.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._lock(_PATIENCE))
            except Busy:
                if self._directory.state(run) == REVERTING:
                    raise
                self._end_holders()
                stack.enter_context(self._lock(_PATIENCE))
            yield

    def _try_to_release(self, run: str, *names: str) -> None:
        with contextlib.suppress(OSError):
            self._directory.release(run, *names)

    def _finish(self, run: str, state: str, failures: list[str] | None = None) -> None:
        """Write the last state of a run. A run whose revert failed stays pending, so that nothing else is changed."""
        with contextlib.suppress(Busy), self._lock(_PATIENCE):
            status = self._directory.status(run)
            if status is None or status.state not in OPEN:
                return
            try:
                self._directory.save(status.ended(state, self._clock.utc(), failures or ()))
            except OSError:
                # The next attempt needs the record.
                return
            if state == REVERTED:
                self._clean(run, "revert.pyz", "before.json")

    def _clean(self, run: str, *names: str) -> None:
        """Remove all that a run has only while it waits, each part for itself."""
        steps: tuple[Callable[[], None], ...] = (
            lambda: self._directory.clear_pending(run),
            self._timer.remove_boot_unit,
            lambda: self._directory.release(run, *names),
            lambda: self._directory.unregister(run),
            self._directory.prune,
        )
        for step in steps:
            with contextlib.suppress(OSError, MultihomeError):
                step()

    def states(self) -> dict[str, Any]:
        """Return the pending run and the confirmed ones, the newest first."""
        pending = self._directory.pending()
        return {
            "pending": pending,
            "state": self._directory.state(pending) if pending else NONE,
            "confirmed": [{"run": s.run, "time": s.ended_at} for s in self._directory.all_in(CONFIRMED)],
        }


def _reason(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
