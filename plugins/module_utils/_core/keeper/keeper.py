# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper: when it checks which state, and the result. It uses the monotonic clock."""

from __future__ import annotations

import functools
import resource
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..errors import Busy, MultihomeError
from ..routing import changes
from ..routing.model import Alias
from ..routing.snapshot import Snapshot
from . import parameters
from .backoff import Backoff
from .defaults import DefaultCheck
from .error_text import error_text
from .interest import ADDRESSES, ROUTES, Interest
from .line_health import LineHealth
from .parameters import ParameterCheck
from .publishing import KIND as ZONES
from .publishing import Publishing
from .reconcile import Policy, reconcile
from .replies import ReplyCheck
from .report import log, now_text
from .startup_delay import StartupDelay
from .stored_states import EVENTS, LIMITED, State, States
from .translations import TranslationCheck
from .watch import FILES, FILTERS, HEALTH, STOP

# The first event starts a check at once. While events keep coming, the pause before the next check doubles.
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.1
# Checks take at most one part in so many of a processor's time; this pause is limited too.
SHARE, LONGEST_REST = 5, 0.5
# A check without any event: iptables' legacy variant sends none.
IDLE = 300.0
# Waiting objects are tried again after this, then after twice as long, and so on up to IDLE.
FIRST_RETRY = 1.0
# It is time to ask what sends no events.
POLL = "poll"
# Loaded at the start: a repair takes no time for that, and loads no newer code.
LOADED = (changes,)
KeeperReport = Mapping[str, Any]


def processor_seconds() -> float:
    """Return the processor time of this process and of the programs that it ran."""
    own, programs = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + programs.ru_utime + programs.ru_stime


class Waiting(Protocol):
    """The source of events."""

    def wait(self, timeout: float) -> set[str]:
        """Return the kinds of events within ``timeout`` seconds."""

    def attend(self, interest: Interest) -> None:
        """Report events of these routes only."""


class Keeper:
    """Keeps the stored states of a host. ``lock`` is the one that modules take."""

    def __init__(
        self,
        states: States,
        lock: Callable[[], AbstractContextManager[object]],
        clock: Callable[[], float] = time.monotonic,
        startup_delay: StartupDelay | None = None,
        spent: Callable[[], float] = processor_seconds,
        replies: ReplyCheck | None = None,
        translations: TranslationCheck | None = None,
        defaults: DefaultCheck | None = None,
        parameters: ParameterCheck | None = None,
        publishing: Publishing | None = None,
        health: LineHealth | None = None,
    ) -> None:
        self._states, self._lock, self._clock, self._spent = states, lock, clock, spent
        self._backoff, self._replies, self._parameters = Backoff(), replies, parameters
        self._publishing, self._health = publishing or Publishing(), health
        self._translations, self._defaults = translations, defaults
        self._startup_delay = startup_delay or StartupDelay(clock())
        self._since, self._repairs = now_text(), 0
        self._last_repair: Mapping[str, str] | None = None
        self._last_error: Mapping[str, str] | None = None
        self._waiting: dict[str, dict[str, str]] = {}
        self._faults: dict[str, str] = {}
        self._next_tries: dict[str, str] = {}
        self._busy, self._waited = False, ""
        self._retry, self._retry_at = FIRST_RETRY, float("inf")
        self._checked, self._cost = float("-inf"), 0.0
        self._checked_all = float("-inf")
        self._pause = FIRST_PAUSE

    def run(self, events: Waiting, after_check: Callable[[KeeperReport], None], alive: float | None = None) -> None:
        """Check at once, then after each event, until a signal says stop.

        ``after_check`` gets the report; it is called after every check, and at least every ``alive`` seconds.
        """
        happened = {FILES}
        while True:
            self.check(happened)
            events.attend(self._states.interest())
            after_check(self.report())
            happened = self._next(events, after_check, alive)
            if STOP in happened:
                return

    def check(self, happened: set[str]) -> None:
        """Check the states that these events concern; all of them unless the kernel sent the events."""
        started, spent = self._clock(), self._spent()
        for name in self._backoff.expire(started):
            log("info", f"{name}: stayed in place; it is restored at once again")
            self._next_tries.pop(name, None)
        self._busy = False
        try:
            with self._lock():
                everything = not happened <= {ADDRESSES, ROUTES, FILTERS, POLL, HEALTH}
                if everything:
                    self._checked_all = started
                for kind, fault in self._states.roll_back():
                    self._note_rollback(kind, fault)
                states = self._states.reload()
                zones = [state for state in states if state.kind == ZONES]
                published = {state.file: state.stored.options for state in zones if state.stored}
                moved = bool(happened & {ADDRESSES, ROUTES, FILES})
                self._publishing.attend(published, self._states.learned, moved)
                if self._health:
                    self._health.update(states, started, self._states.learned)
                # First: an interface without IPv6 takes no address.
                self._check_parameters(happened)
                for state in states:
                    # A state that refers to addresses of this host is checked when these have changed.
                    rebound = self._states.rebind(state, happened)
                    if everything or rebound or EVENTS.get(state.kind, frozenset()) & happened:
                        self._check_state(state, rebound)
                self._note_faults(states)
                self._check_others(states, happened)
            if self._health:
                self._health.end_flows()
        except (Busy, OSError, MultihomeError) as error:
            self._busy = True
            self._fail("the lock", error_text(error), for_now=True)
        self._checked = self._clock()
        self._cost = self._spent() - spent
        self._plan_retry()

    def report(self) -> KeeperReport:
        """Return the content of the report file."""
        delayed = self._backoff.delayed()
        return {
            "since": self._since,
            "repairs": self._repairs,
            "last_repair": self._last_repair,
            "damped": [
                {"object": name, "repairs": delayed[name][0], "next_try": self._next_tries.get(name, "")}
                for name in sorted(delayed)
            ],
            "waiting": [
                {"file": file, "object": name, "reason": reason}
                for file, found in sorted(self._waiting.items())
                for name, reason in sorted(found.items())
            ],
            "zones": self._publishing.report(),
            "taken": self._replies.report() if self._replies else [],
            "taken_translations": self._translations.report() if self._translations else [],
            "taken_defaults": self._defaults.report() if self._defaults else [],
            "refused": [{"file": file, "reason": reason} for file, reason in sorted(self._faults.items())],
            "last_error": self._last_error,
        }

    def _check_parameters(self, happened: set[str]) -> None:
        """Set kernel parameters that have another value: after events of interfaces, and now and then."""
        if self._parameters is None:
            return
        if happened & {ADDRESSES, FILES}:
            self._parameters.changed(self._clock())
        if POLL in happened or self._clock() >= self._parameters.next_time:
            for name in self._parameters.check(self._clock(), self._is_due):
                self._note_repair(parameters.KIND, name, "set")

    def _check_others(self, states: list[State], happened: set[str]) -> None:
        """Look for what other programs do to the stored lists: after changes that matter to it, and now and then."""
        for check, kind, causes in (
            (self._replies, "policy_routing", {ROUTES, FILES}),
            (self._translations, "nat_rules", {FILTERS, FILES}),
            (self._defaults, "policy_routing", {ADDRESSES, ROUTES, FILES}),
        ):
            engines = [state.engine for state in states if state.kind == kind and state.engine is not None]
            if check is None:
                continue
            if not engines:
                check.forget()
                continue
            if happened & causes:
                check.changed(self._clock())
            if self._clock() >= check.next_time:
                check.check(engines[0], self._clock())

    def _note_faults(self, states: list[State]) -> None:
        files = {state.file for state in states if state.engine is not None}
        self._waiting = {file: found for file, found in self._waiting.items() if file in files}
        faults = {state.file: state.fault for state in states if state.fault}
        for file, fault in faults.items():
            if self._faults.get(file) != fault:
                self._fail(file, f"not applied, and left unchanged: {fault}")
        self._faults = faults

    def _check_state(self, state: State, moved: bool = False) -> None:
        # Just before its check: what creates an engine may take time, and must not hold up the states before it.
        if not self._states.prepare(state):
            return
        try:
            if state.kind == "ip_aliases":
                delayed = functools.partial(self._delayed, state.engine.owner)
                policy = Policy(self._is_due, delayed, state.completed)
            else:
                policy = Policy(self._is_due)
            switches = moved or self._switches(state)
            if switches:
                # What the lines' health or addresses change is no repair, and never waits for the backoff of one.
                policy = Policy(follows=True)
            result = reconcile(state.engine, state.kind, policy)
        except Exception as error:  # pylint: disable=broad-exception-caught  # it must not stop the other states
            # Another program may be the cause for a moment; the state is tried again, like waiting objects.
            text = error_text(error)
            if self._waiting.get(state.file, {}).get("") != text:
                self._fail(state.file, text)
            self._waiting[state.file] = {"": text}
            return
        if self._health:
            state.observed = self._health.observed
        for name, verb in result.repaired.items():
            if switches:
                log("info", f"{state.kind}: {verb} {name}, as the {'addresses' if moved else 'lines'} are now")
            else:
                self._note_repair(state.kind, name, verb)
        known = self._waiting.get(state.file, {})
        for name, reason in result.waiting.items():
            if known.get(name) != reason:
                log("warning", f"{name}: waits: {reason}")
        self._waiting[state.file] = result.waiting

    def _switches(self, state: State) -> bool:
        """Tell whether the lines allow something else than at the last check of a state."""
        return self._health is not None and state.kind in LIMITED and state.observed is not self._health.observed

    def _is_due(self, name: str) -> bool:
        return self._backoff.is_due(name, self._clock())

    def _delayed(self, owner: int, aliases: list[Alias], current: Snapshot) -> dict[Alias, str]:
        return self._startup_delay.delayed(aliases, current, owner, self._clock())

    def _note_repair(self, kind: str, name: str, verb: str) -> None:
        self._repairs += 1
        self._last_repair = {"time": now_text(), "kind": kind, "object": name}
        delay = self._backoff.repaired(name, self._clock())
        log("info", f"{kind}: {verb} {name}")
        if delay:
            self._next_tries[name] = now_text(delay)
            log("warning", f"{name}: another program keeps removing it; the next repair waits {delay:g} s")

    def _note_rollback(self, kind: str, fault: str) -> None:
        if fault:
            self._fail(kind, f"a run was killed while it changed this host, and could not be rolled back: {fault}")
        else:
            log("warning", f"{kind}: a run was killed while it changed this host; its changes are rolled back")

    def _fail(self, subject: str, text: str, for_now: bool = False) -> None:
        self._last_error = {"time": now_text(), "error": f"{subject}: {text}"}
        log("warning" if for_now else "error", f"{subject}: {text}")

    def _plan_retry(self) -> None:
        """Set the time of the next retry: soon, then less and less often, until the set of waiting objects changes."""
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

    def _next(self, events: Waiting, still_alive: Callable[[KeeperReport], None], alive: float | None) -> set[str]:
        """Wait for the next check; return the events, FILES when it is time to check everything."""
        while True:
            now = self._clock()
            # A check of some states may last beyond the time at which an object of another one is due.
            delayed = self._backoff.next_time(self._checked_all)
            idle = max(self._checked_all + IDLE, self._checked + FIRST_RETRY)
            due = min(idle, self._retry_at, float("inf") if delayed is None else delayed)
            polled = min([max(each.next_time, self._checked + FIRST_PAUSE) for each in self._polled()], default=due)
            happened = events.wait(max(0.0, min(due - now, polled - now, alive or IDLE)))
            if happened:
                return self._gathered(events, happened)
            now = self._clock()
            if now >= due:
                return {FILES}
            if any(each and now >= each.next_time for each in (self._replies, self._translations, self._defaults)):
                return {POLL}
            if self._health and now >= self._health.next_time:
                return {HEALTH}
            # Without the lock, which a module may hold for long: mostly there is nothing to do.
            if self._parameters and now >= self._parameters.next_time and self._parameters.differ(now, self._is_due):
                return {POLL}
            still_alive(self.report())

    def _polled(self) -> list[ReplyCheck | ParameterCheck | TranslationCheck | DefaultCheck | LineHealth]:
        every = (self._replies, self._parameters, self._translations, self._defaults, self._health)
        return [each for each in every if each]

    def _gathered(self, events: Waiting, happened: set[str]) -> set[str]:
        """Return these events at once if the last check is long past; else after a pause, with those that follow."""
        now = self._clock()
        if HEALTH in happened:
            # Traffic goes into a dead line until the switch.
            return happened
        pause = max(self._pause, min(SHARE * self._cost, LONGEST_REST))
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if now < self._checked + 2 * pause else FIRST_PAUSE
        while STOP not in happened and now < self._checked + pause:
            happened |= events.wait(self._checked + pause - now)
            now = self._clock()
        return happened
