# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper itself: when to look at which state, and what comes of it. Its clock is the monotonic one."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..errors import Busy, MultihomeError
from ..routing.model import Alias
from .backoff import Backoff
from .reconcile import look
from .report import log, now_text
from .startup_delay import StartupDelay
from .stored_states import TOLD_BY, State, States
from .watch import FILES, FILTERS, ROUTES, STOP

# Events that come within so many seconds of each other make one look; longer than that nobody waits.
QUIET, PATIENCE = 0.02, 0.1
# Looking takes at most one part in so many of the time while events pour in, and then no longer than this.
SHARE, LONGEST_PAUSE = 5, 0.5
# Without any event, this often: what iptables' legacy variant loses is told by nobody.
IDLE = 300.0
# What waits is tried again after this, then after twice as long, and so on up to IDLE.
FIRST_RETRY = 1.0


class Waiting(Protocol):
    """Where events come from."""

    def wait(self, timeout: float) -> set[str]:
        """Return what happened within ``timeout`` seconds."""


class Keeper:
    """Keeps the stored states of a host. ``lock`` is that of the modules."""

    def __init__(
        self,
        states: States,
        lock: Callable[[], AbstractContextManager[None]],
        clock: Callable[[], float] = time.monotonic,
        settling: StartupDelay | None = None,
    ) -> None:
        self._states, self._lock, self._clock = states, lock, clock
        self._damping = Backoff()
        self._settling = settling or StartupDelay(clock())
        self._since, self._repairs = now_text(), 0
        self._last_repair: Mapping[str, str] | None = None
        self._last_error: Mapping[str, str] | None = None
        self._waiting: dict[str, dict[str, str]] = {}
        self._faults: dict[str, str] = {}
        self._next_tries: dict[str, str] = {}
        self._busy, self._waited = False, ""
        self._retry, self._retry_at = FIRST_RETRY, float("inf")
        self._looked, self._took = float("-inf"), 0.0
        self._looked_at_all = float("-inf")

    def run(self, events: Waiting, after_look: Callable[[dict[str, Any]], None], alive: float | None = None) -> None:
        """Look at once, then whenever something happens, until told to stop.

        ``after_look`` gets the report; it is called after every look, and at least every ``alive`` seconds.
        """
        happened = {FILES}
        while True:
            self.look(happened)
            after_look(self.report())
            happened = self._next(events, after_look, alive)
            if STOP in happened:
                return

    def look(self, happened: set[str]) -> None:
        """Look at the states that what happened is about, all of them for what is no event of the kernel's."""
        begun = self._clock()
        for name in self._damping.forgive(begun):
            log("info", f"{name}: stands; is put back at once again")
            self._next_tries.pop(name, None)
        self._busy = False
        try:
            with self._lock():
                everything = not happened <= {ROUTES, FILTERS}
                if everything:
                    self._looked_at_all = begun
                for state in self._read():
                    if everything or TOLD_BY[state.kind] in happened:
                        self._look_at(state)
        except Busy as error:
            self._busy = True
            self._fail("the lock", str(error), for_now=True)
        self._looked = self._clock()
        self._took = self._looked - begun
        self._plan_retry()

    def report(self) -> dict[str, Any]:
        """Return what the state file says."""
        damped = self._damping.damped()
        return {
            "since": self._since,
            "repairs": self._repairs,
            "last_repair": self._last_repair,
            "damped": [
                {"object": name, "repairs": damped[name][0], "next_try": self._next_tries.get(name, "")}
                for name in sorted(damped)
            ],
            "waiting": [
                {"file": file, "object": name, "reason": reason}
                for file, found in sorted(self._waiting.items())
                for name, reason in sorted(found.items())
            ],
            "refused": [{"file": file, "reason": reason} for file, reason in sorted(self._faults.items())],
            "last_error": self._last_error,
        }

    def _read(self) -> list[State]:
        states = self._states.reload()
        files = {state.file for state in states}
        self._waiting = {file: found for file, found in self._waiting.items() if file in files}
        faults = {state.file: state.fault for state in states if state.fault}
        for file, fault in faults.items():
            if self._faults.get(file) != fault:
                self._fail(file, f"not applied, and left as it is: {fault}")
        self._faults = faults
        return [state for state in states if state.engine is not None]

    def _look_at(self, state: State) -> None:
        hooks: list[Callable[..., Any]] = []
        if state.kind == "ip_aliases":
            hooks = [functools.partial(self._too_early, state.engine.owner), state.remembering]
        try:
            found = look(state.engine, state.kind, self._is_due, *hooks)
        except MultihomeError as error:
            # Another program may be in between; it is tried again, as everything that waits.
            if self._waiting.get(state.file, {}).get("") != str(error):
                self._fail(state.file, str(error))
            self._waiting[state.file] = {"": str(error)}
            return
        for name, done in found.repaired.items():
            self._note_repair(state.kind, name, done)
        known = self._waiting.get(state.file, {})
        for name, reason in found.waiting.items():
            if known.get(name) != reason:
                log("warning", f"{name}: waits: {reason}")
        self._waiting[state.file] = found.waiting

    def _is_due(self, name: str) -> bool:
        return self._damping.is_due(name, self._clock())

    def _too_early(self, owner: int, aliases: list[Alias], current: Any) -> dict[Alias, str]:
        return self._settling.unsettled(aliases, current, owner, self._clock())

    def _note_repair(self, kind: str, name: str, done: str) -> None:
        self._repairs += 1
        self._last_repair = {"time": now_text(), "kind": kind, "object": name}
        delay = self._damping.repaired(name, self._clock())
        log("info", f"{kind}: {done} {name}")
        if delay:
            self._next_tries[name] = now_text(delay)
            log("warning", f"{name}: another program removes it again and again; next time it stays away {delay:g} s")

    def _fail(self, what: str, text: str, for_now: bool = False) -> None:
        self._last_error = {"time": now_text(), "error": f"{what}: {text}"}
        log("warning" if for_now else "error", f"{what}: {text}")

    def _plan_retry(self) -> None:
        """Set when what waits is tried again: soon, and then less and less often, until something else waits."""
        now, waits = self._clock(), repr((self._waiting, self._faults))
        if self._busy or waits != self._waited:
            self._retry, self._waited = FIRST_RETRY, waits
        elif now < self._retry_at:
            return
        if self._busy or any(self._waiting.values()) or self._faults:
            self._retry_at = now + self._retry
            self._retry = min(2 * self._retry, IDLE)
        else:
            self._retry_at = float("inf")

    def _next(self, events: Waiting, still_alive: Callable[[dict[str, Any]], None], alive: float | None) -> set[str]:
        """Wait for something to do; return what happened, FILES when it is time to look at everything."""
        while True:
            now = self._clock()
            # A look at some states may last over the time at which an object of another one may be put back.
            damped = self._damping.next_time(self._looked_at_all)
            due = min(self._looked + IDLE, self._retry_at, float("inf") if damped is None else damped)
            happened = events.wait(max(0.0, min(due - now, alive or IDLE)))
            if happened:
                return self._gathered(events, happened)
            if self._clock() >= due:
                return {FILES}
            still_alive(self.report())

    def _gathered(self, events: Waiting, happened: set[str]) -> set[str]:
        """Return what happened, with what follows at once; longer while events pour in."""
        earliest = self._looked + min(SHARE * self._took, LONGEST_PAUSE)
        latest = max(self._clock() + PATIENCE, earliest)
        while STOP not in happened and self._clock() < latest:
            now = self._clock()
            more = events.wait(min(max(QUIET, earliest - now), latest - now))
            if not more and self._clock() >= earliest:
                break
            happened |= more
        return happened
