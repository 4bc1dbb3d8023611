# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arming: before the first change of a run, under the host's lock, the state to restore is recorded.

The program does it for a module (confirm.ConfirmGuard), which asks for it in one exchange, or the module itself where
it has the same code. Most modules of a run only extend its deadline, so the rest is loaded when it is needed.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from ..confirm import ARMED, Refused, refuse_ended
from ..errors import Busy
from ..lock import exclusive
from . import process
from .directory import Directory
from .installation import Installation
from .model import NONE, Confirm, Scope, Status, name_files

if TYPE_CHECKING:
    from .host_state import HostState
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

    def who(self) -> str:
        """Return the user."""


class Guard:
    """Protects one module's run. ``confirm`` is its option; without it, pending changes of a run are respected.

    ``scope`` has the objects that the module may change beyond the usual ones. ``writer`` is the module's process,
    number and start time, which is ended before a revert. ``lock`` is that of the host, unless the module holds it.
    """

    def __init__(
        self,
        confirm: Confirm | None,
        scope: Scope | None = None,
        writer: tuple[int, int] | None = None,
        lock: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
        directory: Directory | None = None,
        state: HostState | None = None,
        timer: Timer | None = None,
        clock: Clock = process,
        installation: Installation | None = None,
    ) -> None:
        self._confirm, self._scope, self._writer, self._lock = confirm, scope or Scope(), writer, lock
        self._directory = directory or Directory()
        self._state, self._given_timer = state, timer
        self._clock = clock
        self._installation = installation or Installation()

    def arm(self, check: bool = False) -> bool:
        """Arm before any module does; return whether that was to do. Raises MultihomeError."""
        is_new = self._confirm is not None and self._directory.state(self._confirm.run) == NONE
        if not check:
            self.before_write()
        elif self._confirm is not None:
            self._refuse(self._confirm)
        return is_new

    def before_write(self) -> None:
        """Arm, or extend the deadline; call it after planning and before the first change. Raises MultihomeError."""
        with self._lock():
            status, pending = self._refuse(self._confirm)
            if self._confirm is None:
                return
            try:
                if status is None or pending is None:
                    self._arm(self._confirm)
                else:
                    self._extend(self._confirm, status)
            except OSError as error:
                where = f" {error.filename}" if error.filename else ""
                reason = f"{error.strerror or error}{where}"
                raise Refused(f"cannot take a checkpoint: {reason}; nothing was changed") from error

    def _refuse(self, confirm: Confirm | None) -> tuple[Status | None, str | None]:
        """Refuse this run where it must not change anything; return its status, and the pending run."""
        pending = self._directory.pending()
        if pending is not None and (confirm is None or pending != confirm.run):
            self._refuse_other(pending)
        status = self._directory.status(confirm.run) if confirm else None
        self._refuse_ended(status, pending)
        return status, pending

    def _refuse_other(self, pending: str) -> None:
        status = self._directory.status(pending)
        if status is not None:
            raise Busy(f"{status.refusal(self._clock.now(), self._clock.boot())}; nothing was changed")

    def _refuse_ended(self, status: Status | None, pending: str | None) -> None:
        if status is None:
            return
        refuse_ended(status.run, status.state, status.ended_at)
        if status.state != ARMED or pending != status.run:
            # A run that was killed while it armed has changed nothing, and arms again.
            return
        if self._clock.boot() != status.boot:
            raise Refused(status.refusal(self._clock.now(), self._clock.boot()))
        if self._clock.now() >= status.deadline:
            raise Refused(f"the time to confirm run {status.run} is over; its changes are being reverted")

    def _arm(self, confirm: Confirm) -> None:
        run, state, timer = confirm.run, self._host_state(), self._timer()
        scope = state.usual_scope() | self._wanted()
        try:
            captured = {**state.capture(scope), "lines": state.lines_up(scope)}
            self._directory.make(run)
            self._installation.link_to(self._directory.path(run, "revert.pyz"))
            self._directory.write_json(run, "before.json", captured)
            self._directory.reserve(run, _size(captured) + _ROOM)
            now = self._clock.now()
            status = Status(
                run,
                ARMED,
                self._clock.who(),
                self._clock.utc(),
                now,
                now,
                self._clock.boot(),
                number=self._directory.next_number(),
            )
            self._directory.save(status.extended(now, confirm.timeout))
            self._register(run)
            # Nothing was changed yet. A run that is killed here waits for nothing, or is ended by its timer.
            timer.start(run, confirm.timeout)
            timer.install_boot_unit()
            self._directory.set_pending(run)
        except BaseException:
            with contextlib.suppress(OSError):
                timer.remove_boot_unit()
            timer.stop(run)
            self._directory.discard(run)
            raise

    def _register(self, run: str) -> None:
        if self._writer is not None:
            self._directory.register(run, self._writer)

    def _extend(self, confirm: Confirm, status: Status) -> None:
        captured = self._directory.load(confirm.run, "before.json")
        covered = Scope.of_json(captured["scope"])
        wanted = self._wanted().without(covered)
        if wanted:
            from .host_state import joined  # noqa: PLC0415 - most extensions need nothing of it

            more = self._host_state().capture(covered | wanted, only=wanted)
            self._directory.write_json(confirm.run, "before.json", joined(captured, more))
        self._register(confirm.run)
        self._directory.save(status.extended(self._clock.now(), confirm.timeout))

    def _wanted(self) -> Scope:
        return self._scope | name_files(list(self._scope.owners))

    def _host_state(self) -> HostState:
        if self._state is None:
            from .host_state import HostState  # noqa: PLC0415 - see the top of this file

            self._state = HostState()
        return self._state

    def _timer(self) -> Timer:
        from .timer import Timer  # noqa: PLC0415 - see the top of this file

        return self._given_timer or Timer(self._directory)


def arm(place: str, request: Mapping[str, Any], is_locked: bool) -> None:
    """Do what a module asks for before its first change, in the program or in the module's process.

    ``place`` is the directory of the checkpoints. ``is_locked`` says that this process holds the lock of the host.
    Raises MultihomeError.
    """
    confirm, (number, start) = request["confirm"], request["process"]
    Guard(
        Confirm(confirm["run"], confirm["timeout"]) if confirm else None,
        Scope.of_json(request["scope"]),
        (int(number), int(start)),
        contextlib.nullcontext if is_locked else exclusive,
        Directory(place),
    ).before_write()


def _size(captured: dict[str, Any]) -> int:
    """Return the number of bytes that the recorded files take."""
    records = captured["files"].values()
    return sum(len(base64.b64decode(record["data"])) for record in records if record["type"] == "file")
