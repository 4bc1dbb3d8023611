# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arming: before the first change of a run, under the host's lock, the state to restore is recorded."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..errors import Busy
from . import process
from .archive import archive
from .directory import Directory
from .host_state import HostState, joined, name_files
from .model import ARMED, FAILED, NONE, REVERTED, REVERTING, Confirm, Refused, Scope, Status
from .timer import Timer

_ROOM = 65536


class Clock(Protocol):
    """Times and the identity of this boot; tests replace it."""

    def now(self) -> float:
        """Return CLOCK_BOOTTIME."""

    def utc(self) -> str:
        """Return the time of day."""

    def boot(self) -> str:
        """Return the identity of this boot."""

    def process(self) -> tuple[int, int]:
        """Return number and start time of this process."""

    def who(self) -> str:
        """Return the user."""


class Guard:
    """Protects one module's run. ``confirm`` is its option; without it, pending changes of a run are respected.

    ``scope`` returns the objects that the module may change beyond the usual ones. ``code`` returns the engine's texts.
    ``lock`` is that of the host, for a module that runs under another one.
    """

    def __init__(
        self,
        confirm: Confirm | None,
        code: Callable[[], dict[str, str]],
        scope: Callable[[Any], Scope] = lambda _current: Scope(),
        lock: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
        directory: Directory | None = None,
        state: HostState | None = None,
        timer: Timer | None = None,
        clock: Clock = process,
    ) -> None:
        self._confirm, self._code, self._scope, self._lock = confirm, code, scope, lock
        self._directory = directory or Directory()
        self._state = state
        self._timer = timer or Timer(self._directory)
        self._clock = clock

    def begin(self) -> None:
        """Refuse a run that was reverted; one stat for all others."""
        if self._confirm is None or not self._directory.exists(self._confirm.run):
            return
        pending = self._directory.pending()
        self._refuse_ended(self._directory.status(self._confirm.run), pending)
        if pending == self._confirm.run:
            # From now on it is ended before a revert, also when it hangs. On a full disk it is noted when it writes.
            with contextlib.suppress(OSError):
                self._directory.register(pending, self._clock.process())

    def arm(self, check: bool = False) -> bool:
        """Arm before any module does; return whether that was to do. Raises MultihomeError."""
        self.begin()
        is_new = self._confirm is not None and self._directory.state(self._confirm.run) == NONE
        if not check:
            self.before_write(None)
        return is_new

    def before_write(self, current: Any) -> None:
        """Arm, or extend the deadline; call it after planning and before the first change. Raises MultihomeError.

        ``current`` is the state that the module has read.
        """
        with self._lock():
            pending = self._directory.pending()
            if pending is not None and (self._confirm is None or pending != self._confirm.run):
                self._refuse_other(pending)
            if self._confirm is None:
                return
            status = self._directory.status(self._confirm.run)
            self._refuse_ended(status, pending)
            try:
                if status is None or pending is None:
                    self._arm(self._confirm, current)
                else:
                    self._extend(self._confirm, status, current)
            except OSError as error:
                where = f" {error.filename}" if error.filename else ""
                reason = f"{error.strerror or error}{where}"
                raise Refused(f"cannot take a checkpoint: {reason}; nothing was changed") from error

    def _refuse_other(self, pending: str) -> None:
        status = self._directory.status(pending)
        if status is not None:
            raise Busy(f"{status.refusal(self._clock.now(), self._clock.boot())}; nothing was changed")

    def _refuse_ended(self, status: Status | None, pending: str | None) -> None:
        if status is None:
            return
        if status.state in (REVERTING, REVERTED, FAILED):
            how = "could not be reverted" if status.state == FAILED else "were reverted"
            when = f" at {status.ended_at}" if status.ended_at else ""
            raise Refused(f"the changes of run {status.run} {how}{when}; nothing more of it is applied")
        if status.state != ARMED or pending != status.run:
            # A run that was killed while it armed has changed nothing, and arms again.
            return
        if self._clock.boot() != status.boot:
            raise Refused(status.refusal(self._clock.now(), self._clock.boot()))
        if self._clock.now() >= status.deadline:
            raise Refused(f"the time to confirm run {status.run} is over; its changes are being reverted")

    def _arm(self, confirm: Confirm, current: Any) -> None:
        run, state = confirm.run, self._host_state()
        scope = state.usual_scope() | self._wanted(current)
        try:
            captured = state.capture(scope)
            self._directory.make(run)
            self._directory.write(run, "revert.pyz", archive(self._code()))
            self._directory.write_json(run, "before.json", captured)
            self._directory.reserve(run, _size(captured) + _ROOM)
            now = self._clock.now()
            status = Status(run, ARMED, self._clock.who(), self._clock.utc(), now, now, self._clock.boot())
            self._directory.save(status.extended(now, confirm.timeout))
            self._directory.register(run, self._clock.process())
            # Nothing was changed yet. A run that is killed here waits for nothing, or is ended by its timer.
            self._timer.start(run, confirm.timeout)
            self._timer.install_boot_unit()
            self._directory.set_pending(run)
        except BaseException:
            with contextlib.suppress(OSError):
                self._timer.remove_boot_unit()
            self._directory.discard(run)
            raise

    def _extend(self, confirm: Confirm, status: Status, current: Any) -> None:
        captured = self._directory.load(confirm.run, "before.json")
        covered = Scope.of_json(captured["scope"])
        wanted = self._wanted(current).without(covered)
        if wanted:
            more = self._host_state().capture(covered | wanted, only=wanted)
            self._directory.write_json(confirm.run, "before.json", joined(captured, more))
        self._directory.register(confirm.run, self._clock.process())
        self._directory.save(status.extended(self._clock.now(), confirm.timeout))

    def _wanted(self, current: Any) -> Scope:
        scope = self._scope(current)
        return scope | name_files(list(scope.owners))

    def _host_state(self) -> HostState:
        if self._state is None:
            self._state = HostState()
        return self._state


def _size(captured: dict[str, Any]) -> int:
    """Return the number of bytes that the recorded files take."""
    records = captured["files"].values()
    return sum(len(base64.b64decode(record["data"])) for record in records if record["type"] == "file")
