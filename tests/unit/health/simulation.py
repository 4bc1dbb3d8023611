# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line in simulated time: the watch as it runs on hosts, its probes answered, lost or late as chance has it."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field

from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import DOWN
from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import Line
from ansible_collections.multihome.linux.plugins.module_utils._core.health.probe_schedule import Watch

ADDRESSES = {4: "192.0.2.1", 6: "2001:db8::1"}
TARGETS = {
    4: ["198.51.100.1", "198.51.100.2", "198.51.100.3"],
    6: ["2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::3"],
}


def line(family: int = 4, targets: int = 3, **health: object) -> Line:
    """A line with so many targets."""
    entry = {"name": "unicom", "id": 1, "addresses": [ADDRESSES[family]]}
    return Line.parse({**entry, "health": {"targets": TARGETS[family][:targets], **health}})


@dataclass
class Network:
    """What is beyond the line: loss as a share, delay in seconds, what is dead from when on."""

    seed: int
    loss: float = 0.0
    delay: float = 0.03
    jitter: float = 0.0
    death: float = math.inf
    revival: float = math.inf
    dead_targets: frozenset[int] = frozenset()
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def answer(self, now: float, target: int) -> float | None:
        """The seconds until the answer to a probe sent now; None when there is none.

        Death is a black hole far away, the worst case: what is on its way back still arrives.
        """
        if target in self.dead_targets or self.chance.random() < self.loss:
            return None
        rtt = self.delay + self.chance.random() * self.jitter
        return None if self.death <= now + rtt / 2 < self.revival else rtt


class Simulation:
    """Drives a watch as the loop does; ``changes`` holds every state with its time."""

    def __init__(self, watch: Watch, network: Network, alone: bool = False) -> None:
        self.watch, self.network, self.alone = watch, network, alone
        self.changes: list[tuple[float, str]] = []
        self.degraded: list[tuple[float, bool]] = []
        self.now = watch.judge.since
        self.sent = 0
        self._arrivals: list[tuple[float, int, float]] = []

    def run(self, until: float, stop: str | None = None) -> None:
        """Go on until a time, or until the line gets into a state."""
        watch = self.watch
        judge = watch.judge
        while True:
            due = watch.next_time(self.now)
            arrival = self._arrivals[0][0] if self._arrivals else math.inf
            self.now = min(due, arrival)
            if self.now > until:
                self.now = until
                return
            while self._arrivals and self._arrivals[0][0] <= self.now:
                _time, target, took = heapq.heappop(self._arrivals)
                judge.answered(self.now, target, took)
                self._note()
            judge.advance(self.now, self.alone)
            self._note()
            for target in watch.due(self.now):
                watch.sent(self.now, target)
                self.sent += 1
                rtt = self.network.answer(self.now, target)
                if rtt is not None:
                    heapq.heappush(self._arrivals, (self.now + rtt, target, rtt))
            if stop is not None and judge.state == stop:
                return

    def _note(self) -> None:
        state = self.watch.judge.state
        if not self.changes or self.changes[-1][1] != state:
            self.changes.append((self.now, state))
        degraded = self.watch.judge.quality.degraded
        if not self.degraded or self.degraded[-1][1] != degraded:
            self.degraded.append((self.now, degraded))

    def times(self, state: str) -> list[float]:
        """When the line got into a state."""
        return [time for time, name in self.changes if name == state]


def detection(seed: int, family: int = 4, loss: float = 0.1, jitter: float = 0.0, **settings: object) -> float:
    """The seconds from a line's death to the verdict."""
    chance = random.Random(seed)
    death = 1000.0 + 8 + chance.random()
    watch = Watch(line(family, **settings), family, 1000.0, chance.random())  # type: ignore[arg-type]  # settings of health
    run = Simulation(watch, Network(seed, loss=loss, jitter=jitter, death=death))
    run.run(1030.0, stop=DOWN)
    assert run.times(DOWN), "never found dead"
    return run.now - death
