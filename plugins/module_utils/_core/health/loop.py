# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that drives all probes of a host, in one thread: it sends, hears, judges, and says what changed.

Everything that touches a line happens in this thread. Other threads hand in what they know with post(), and read
``states``, which is replaced as a whole.
"""

from __future__ import annotations

import contextlib
import heapq
import math
import random
import resource
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .gateway_watch import Addresses, Gateways
from .icmp_channel import IcmpChannels
from .line_probes import LineProbes
from .line_state import DOWN, RECOVERING, LineHealth
from .link_monitor import Carriers, Links
from .model import Line
from .probe_schedule import Watch
from .resolver import Names
from .targets import HTTP, is_address

# A loop that is so late cannot tell silence from its own: all silences are counted from then on.
LAG = 0.1
# Standings are renewed after so many seconds also when nothing changed, for loss and latency.
REFRESH = 5.0
# Carriers are asked for at least so often.
ASK_CARRIERS = 0.08
# With more lines than these, answers are gathered for a moment, longer with more of them: a round costs less for each
# packet when there are many.
_FEW, _GATHER, _GATHER_MOST = 16, 0.0002, 0.02
# Descriptors for everything else in the process.
_OTHER_DESCRIPTORS = 256


@dataclass(frozen=True)
class Change:
    """What became of a line in one family; ``before`` and ``after`` differ in state, quality, address or alarm."""

    before: LineHealth
    after: LineHealth


OnChange = Callable[[Sequence[Change]], None]


class Loop:
    """Watches ``lines`` until stop(); ``on_change`` is called in the loop's thread and must not block.

    ``resume`` is what an earlier run remembered, by line and family, and ``passed`` how many seconds ago.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        on_change: OnChange | None = None,
        clock: Callable[[], float] = time.monotonic,
        resume: Mapping[tuple[str, int], Mapping[str, Any]] | None = None,
        passed: float = 0.0,
        names: Names | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._on_change, self._clock = on_change, clock
        self._epoll = select.epoll()
        self._ready: dict[int, Callable[[float], None]] = {}
        # Descriptors watched since the last round: an event of that round is of an older socket of the same number.
        self._fresh: set[int] = set()
        self._posted: deque[Callable[[float], None]] = deque()
        self._stopping = False
        self._ear, self._voice = socket.socketpair()
        for end in (self._ear, self._voice):
            end.setblocking(False)
        self.watch(self._ear, self._heard_post)
        targets = [target for line in lines for target in line.health.targets]
        named = [(each.host, family) for each in targets if not is_address(each.host) for family in (4, 6)]
        self._names = names or Names(named)
        if context is None and any(each.kind == HTTP and each.tls for each in targets):
            context = ssl.create_default_context()
        now = clock()
        # Lines are asked together, so that the loop wakes less often; many in groups, so that no burst is large.
        phases = [random.random() for _group in range(1 + len(lines) // _FEW)]
        watches = [
            Watch(line, family, now, phases[place % len(phases)])
            for place, line in enumerate(lines)
            for family in line.families
        ]
        for watch in watches:
            known = (resume or {}).get(watch.key)
            if known:
                watch.judge.resume(now, known, passed)
        self._touched: set[LineProbes] = set()
        channels = IcmpChannels(self)
        self._probes = [LineProbes(self, channels, watch, self._names, context, self._touched.add) for watch in watches]
        many = len(self._probes) > _FEW
        self._gather = min(_GATHER * len(self._probes), _GATHER_MOST) if many else 0.0
        self._reported = {probes.watch.key: probes.watch.health() for probes in self._probes}
        # The times at which something is due, and what. Lines of one phase are due at the same times.
        self._times: list[float] = []
        self._due: dict[float, list[LineProbes]] = {}
        for probes in self._probes:
            self._schedule(probes, now)
        self._gateways, self._addresses = Gateways(watches, now), Addresses(watches)
        self._links: Links | None = None
        self._carriers: Carriers | None = None
        self._asked_carriers = now
        self._renewed = now
        self.lags = 0
        self.states: tuple[LineHealth, ...] = tuple(self._reported.values())
        _allow_sockets(8 * len(self._probes) + 16 * sum(each.kind not in ("icmp", "dns") for each in targets))

    # ---------------------------------------------------------------- for other threads
    def post(self, doing: Callable[[float], None]) -> None:
        """Have something done in the loop's thread; it is called with the time."""
        self._posted.append(doing)
        # A full buffer means that the loop is going to look anyway; a closed one, that it has ended.
        with contextlib.suppress(OSError):
            self._voice.send(b"\0")

    def stop(self) -> None:
        """Have run() return."""
        self._stopping = True
        self.post(_do_nothing)

    def set_address(self, line: str, family: int, address: str | None) -> None:
        """Tell which address a line has now; None for none."""
        self.post(lambda now: self._each(lambda probes: probes.move(now, address), now, line, family))

    def set_gateways(self, line: str, gateways: Sequence[str]) -> None:
        """Tell which next hops a line has now."""

        def set_(now: float, probes: LineProbes) -> None:
            before = probes.watch.gateways
            probes.watch.line = replace(probes.watch.line, gateways=tuple(gateways))
            if probes.watch.gateways != before:
                # What is known is of the one before.
                probes.watch.judge.gateway(now, None)

        self.post(lambda now: self._each(lambda probes: set_(now, probes), now, line))

    def set_drained(self, line: str, drained: bool) -> None:
        """Take a line out of service, or back in."""

        def set_(probes: LineProbes) -> None:
            probes.watch.drained = drained
            probes.watch.judge.changed = True

        self.post(lambda now: self._each(set_, now, line))

    def set_carrier(self, interface: str, present: bool) -> None:
        """Tell whether an interface has its carrier; the loop also hears that from the kernel itself."""
        self.post(lambda now: self._carrier(now, interface, present))

    def set_gateway(self, line: str, family: int, reachable: bool) -> None:
        """Tell whether a line's gateway answers; the loop also hears that from the kernel itself."""
        self.post(lambda now: self._each(lambda probes: probes.watch.judge.gateway(now, reachable), now, line, family))

    def remember(self, then: Callable[[dict[tuple[str, int], dict[str, Any]]], None]) -> None:
        """Call ``then``, in the loop's thread, with what a later run resumes from."""
        self.post(lambda now: then(self.remembered(now)))

    def remembered(self, now: float) -> dict[tuple[str, int], dict[str, Any]]:
        """Return what a later run resumes from; only in the loop's thread, or once that has ended."""
        return {probes.watch.key: probes.watch.judge.remember(now) for probes in self._probes}

    # ---------------------------------------------------------------- for probes
    def watch(self, connection: Any, ready: Callable[[float], None], write: bool = False) -> None:
        """Call ``ready`` with the time when a socket can be read from, or written to."""
        descriptor = connection.fileno()
        self._epoll.register(descriptor, select.EPOLLOUT if write else select.EPOLLIN)
        self._ready[descriptor] = ready
        self._fresh.add(descriptor)

    def unwatch(self, connection: Any) -> None:
        """Stop that; call it before the socket is closed."""
        descriptor = connection.fileno()
        if self._ready.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    # ---------------------------------------------------------------- the loop
    def run(self) -> None:
        """Watch the lines until stop() is called; raises OSError where the kernel tells nothing of links."""
        try:
            interfaces = {name for name in (probes.watch.line.interface for probes in self._probes) if name}
            self._links = Links(self._heard_carrier, self._heard_neighbour, interfaces, self._heard_addresses)
            self.watch(self._links, self._links.take)
            self._carriers = Carriers(interfaces, self._heard_carrier)
            self._names.start()
            while not self._stopping:
                self._round()
        finally:
            self.close()

    def close(self) -> None:
        """Close all sockets; what was judged stays readable."""
        self._names.stop()
        for probes in self._probes:
            probes.close()
        for source in (self._links, self._carriers):
            if source is not None:
                source.close()
        for end in (self._ear, self._voice):
            end.close()
        self._epoll.close()

    def _round(self) -> None:
        planned = min(self._times[0] if self._times else math.inf, self._renewed + REFRESH)
        planned = min(planned, self._gateways.next_time, self._addresses.next_time)
        if self._carriers:
            planned = min(planned, self._asked_carriers + ASK_CARRIERS)
        events = self._epoll.poll(max(0.0, planned - self._clock()))
        now = self._clock()
        self._fresh.clear()
        for descriptor, _events in events:
            ready = self._ready.get(descriptor)
            if ready is not None and descriptor not in self._fresh:
                ready(now)
        now = self._clock()
        if now - planned >= LAG:
            self.lags += 1
            for probes in self._probes:
                probes.watch.judge.restart(now)
        if self._carriers and now - self._asked_carriers >= 0.75 * ASK_CARRIERS:
            self._asked_carriers = now
            self._carriers.ask()
        self._ask_gateways(now)
        if now >= self._addresses.next_time:
            self._look_at_addresses(now)
        while self._times and self._times[0] <= now:
            due = heapq.heappop(self._times)
            for probes in self._due.pop(due):
                # Meanwhile it may have got another time.
                if probes.due == due:
                    self._look(probes, now)
        self._report(now)
        if self._gather:
            time.sleep(self._gather)

    def _ask_gateways(self, now: float) -> None:
        if self._links is not None and now >= self._gateways.next_time:
            for interface, address in self._gateways.look(now, self._links.solicit):
                self._judge_gateway(now, interface, address, answers=False)

    def _look(self, probes: LineProbes, now: float) -> None:
        """Do what is due for a line."""
        watch = probes.watch
        judge = watch.judge
        if watch.is_fast:
            # A verdict may be near, and an answer that waits in a socket is an answer.
            probes.drain(now)
        judge.advance(now, judge.state == RECOVERING and self._is_alone(watch))
        probes.ask(now)
        if judge.changed:
            self._touched.add(probes)
        self._schedule(probes, now)

    def _schedule(self, probes: LineProbes, now: float) -> None:
        probes.due = due = probes.watch.next_time(now)
        if due == math.inf:
            return
        if due in self._due:
            self._due[due].append(probes)
        else:
            self._due[due] = [probes]
            heapq.heappush(self._times, due)

    def _report(self, now: float) -> None:
        """Say what changed, of those lines that something happened to."""
        changes: list[Change] = []
        while self._touched:
            touched, lonely = list(self._touched), set()
            self._touched.clear()
            for probes in touched:
                change = self._change_of(probes)
                if change is not None:
                    changes.append(change)
                    lonely.add(probes.watch.family)
            # With the last other line down, a line that recovers has nothing to wait for.
            for probes in self._probes if lonely else ():
                if probes.watch.family in lonely and probes.watch.judge.state == RECOVERING:
                    self._look(probes, now)
        if changes or now - self._renewed >= REFRESH:
            self._renewed = now
            for probes in self._probes:
                # Loss and latency change also while nothing else happens.
                if probes.watch.judge.quality.advance(now):
                    self._touched.add(probes)
            self.states = tuple(probes.watch.health() for probes in self._probes)
        if changes and self._on_change is not None:
            self._on_change(changes)

    def _change_of(self, probes: LineProbes) -> Change | None:
        watch, judge = probes.watch, probes.watch.judge
        judge.changed = False
        before = self._reported[watch.key]
        if (
            before.state == judge.state
            and before.degraded == judge.quality.degraded
            and before.alarm == judge.alarm
            and before.drained == watch.drained
            and before.address == watch.address
            and (judge.state != DOWN or before.reason == judge.reason)
        ):
            return None
        after = self._reported[watch.key] = watch.health()
        return Change(before, after)

    def _is_alone(self, watch: Watch) -> bool:
        """Tell whether no other line of the family is up."""
        others = (probes.watch for probes in self._probes if probes.watch is not watch)
        return not any(other.is_up for other in others if other.family == watch.family)

    # ---------------------------------------------------------------- what others tell
    def _heard_post(self, now: float) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._ear.recv(4096):
                pass
        while self._posted:
            self._posted.popleft()(now)

    def _each(
        self, doing: Callable[[LineProbes], None], now: float, line: str | None = None, family: int | None = None
    ) -> None:
        """Do something to the lines of this name and family, and look at them at once."""
        for probes in self._probes:
            if line in (None, probes.watch.line.name) and family in (None, probes.watch.family):
                doing(probes)
                self._look(probes, now)

    def _heard_carrier(self, interface: str, present: bool) -> None:
        self._carrier(self._clock(), interface, present)

    def _carrier(self, now: float, interface: str, present: bool) -> None:
        for probes in self._probes:
            if probes.watch.line.interface == interface:
                had = probes.watch.judge.can_ask
                probes.watch.judge.carrier(now, present)
                if present and not had and probes.watch.judge.can_ask:
                    # The interface of this name may be another one than that which sockets are bound to.
                    probes.renew()
                    probes.watch.restart(now)
                self._look(probes, now)

    def _heard_addresses(self) -> None:
        self._look_at_addresses(self._clock())

    def _look_at_addresses(self, now: float) -> None:
        if self._links is not None:
            for watch, present in self._addresses.look(now, self._links.has_address):
                watch.judge.address(now, present)
                self._each(_do_nothing, now, *watch.key)

    def _heard_neighbour(self, interface: str, address: str, answers: bool) -> None:
        now = self._clock()
        if answers:
            self._gateways.answered((interface, address))
        elif self._links is not None and not self._gateways.is_dead(now, (interface, address), self._links.solicit):
            return
        self._judge_gateway(now, interface, address, answers)

    def _judge_gateway(self, now: float, interface: str, address: str, answers: bool) -> None:
        for probes in self._probes:
            watch = probes.watch
            if address in watch.gateways and watch.line.interface in (None, interface):
                watch.judge.gateway(now, answers)
                self._look(probes, now)


def _do_nothing(_given: object) -> None:
    """Only wake the loop, or have it look at a line."""


def _allow_sockets(wanted: int) -> None:
    """Raise the process's limit of descriptors as far as needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (needed if hard == resource.RLIM_INFINITY else min(needed, hard), hard)
            )
