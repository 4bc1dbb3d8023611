# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When which target of a line is asked: staggered, and faster while nothing answers. No I/O, no clock of its own."""

from __future__ import annotations

import math
import random

from .line_state import SUSPECT, UP, Judge, LineHealth
from .model import FAST_SHARE, Line
from .targets import Target

# So much of the time between two probes of a line is up to chance, so that hosts do not ask in step.
_JITTER = 0.1
# A target is not asked again before this share of its interval has passed.
_APART = 0.1


class Watch:
    """One line in one family: its judge, and the times at which its targets are asked."""

    __slots__ = (
        *("line", "family", "targets", "judge", "drained", "address", "is_fast"),
        *("_steady", "_fast", "_apart", "_slot_jitter", "_places", "_next"),
    )

    def __init__(self, line: Line, family: int, now: float, phase: float | None = None) -> None:
        """``phase`` is where in its interval the first target is asked; lines of one phase share the loop's rounds."""
        self.line, self.family = line, family
        self.targets: tuple[Target, ...] = line.health.targets_of(family)
        self.judge = Judge(line.health, len(self.targets), now)
        self.drained = line.drained
        self.address = line.source(family)
        if line.lacks_address(family):
            self.judge.address(now, present=False)
        self._steady = line.health.interval
        self._fast = FAST_SHARE * line.health.interval
        self._apart = _APART * self._steady
        slot = self._steady / max(1, len(self.targets))
        self._slot_jitter = _JITTER * slot
        start = random.random() if phase is None else phase
        # Where in its interval each target is asked: they keep their places, so they stay staggered.
        self._places = [start + target * slot for target in range(len(self.targets))]
        self.is_fast = False
        self._next: list[float] = self._steady_times(now)

    @property
    def key(self) -> tuple[str, int]:
        """The line's name and the family."""
        return (self.line.name, self.family)

    @property
    def gateways(self) -> tuple[str, ...]:
        """The next hops of its family: what those of the other one answer says nothing of it."""
        return tuple(each for each in self.line.gateways if (":" in each) == (self.family == 6))

    @property
    def is_up(self) -> bool:
        """Whether the line is known to carry traffic."""
        return self.judge.state in (UP, SUSPECT) and not self.drained

    def due(self, now: float) -> list[int]:
        """Return the targets to ask now, as numbers; call sent() or failed() for each. Call advance() before."""
        if not self.judge.can_ask:
            return []
        if self.judge.is_quiet(now) != self.is_fast:
            self._change_pace(now)
        return [target for target, planned in enumerate(self._next) if planned <= now]

    def sent(self, now: float, target: int) -> None:
        """A probe of ``target`` left now."""
        self._plan(now, target)
        self.judge.sent(now, target)

    def failed(self, now: float, target: int, trouble: str | None) -> None:
        """A probe of ``target`` could not be sent."""
        self._plan(now, target)
        self.judge.failed(now, target, trouble)

    def restart(self, now: float) -> None:
        """Begin again with staggered probes: the line has another address, or its carrier is back."""
        self.is_fast = False
        step = self._fast / max(1, len(self.targets))
        self._next = [now + place * step for place in range(len(self.targets))]

    def next_time(self, now: float) -> float:
        """Return when due() or the judge has something to do next."""
        due = min(self._next, default=math.inf) if self.judge.can_ask else math.inf
        return min(due, self.judge.next_time(now))

    def health(self) -> LineHealth:
        """Return what is known of the line now."""
        judge = self.judge
        figures = judge.quality.figures()
        return LineHealth(
            line=self.line.name,
            family=self.family,
            state=judge.state,
            reason=judge.reason,
            since=judge.since,
            degraded=judge.quality.degraded,
            drained=self.drained,
            alarm=judge.alarm,
            loss=figures.loss,
            rtt=figures.rtt,
            hold=judge.damping.hold,
            steps=judge.damping.steps,
            address=self.address,
        )

    def _change_pace(self, now: float) -> None:
        if self.is_fast:
            self._next = self._steady_times(now)
        else:
            step = self._fast / len(self.targets)
            self._next = [min(planned, now + place * step) for place, planned in enumerate(self._next)]
        self.is_fast = not self.is_fast

    def _plan(self, now: float, target: int) -> None:
        """Set when a target that was just asked is asked next."""
        if self.is_fast:
            chance = _JITTER * self._fast / len(self.targets)
            self._next[target] = now + self._fast + chance * (2 * _scattered(now + target) - 1)
        else:
            self._next[target] = self._steady_time(now, self._places[target])

    def _steady_time(self, now: float, place: float) -> float:
        planned = place + math.ceil((now + self._apart - place) / self._steady) * self._steady
        # As _scattered() does it: this is computed for every probe.
        return planned + self._slot_jitter * (2 * (planned * 997.31 % 1.0) - 1)

    def _steady_times(self, now: float) -> list[float]:
        return [self._steady_time(now, place) for place in self._places]


def _scattered(time: float) -> float:
    """Return a number from 0 to 1 that looks like chance, and is the same for lines that are asked at one time."""
    return (time * 997.31) % 1.0
