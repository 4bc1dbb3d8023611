# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When which target of a line is asked: staggered, and faster while nothing answers. No I/O, no clock of its own."""

from __future__ import annotations

import math
import random

from .model import FAST_SHARE, Line
from .targets import Target
from .verdict import SUSPECT, UP, Judge, LineHealth

# So much of the time between two probes of a line is up to chance, so that hosts do not ask in step.
_JITTER = 0.1


class Watch:
    """One line in one family: its judge, and the times at which its targets are asked."""

    def __init__(self, line: Line, family: int, now: float, chance: random.Random | None = None) -> None:
        self.line, self.family = line, family
        self.targets: tuple[Target, ...] = line.health.targets_of(family)
        self.judge = Judge(line.health, len(self.targets), now)
        self.drained = line.drained
        self.address = line.source(family)
        self._random = (chance or random.Random()).random
        self._steady = line.health.interval
        self._fast = FAST_SHARE * line.health.interval
        self.is_fast = False
        self._next: list[float] = []
        self._planned: list[float] = []
        self._spread(now, self._steady, first=self._random() * self._steady / max(1, len(self.targets)))

    @property
    def key(self) -> tuple[str, int]:
        """The line's name and the family."""
        return (self.line.name, self.family)

    @property
    def is_up(self) -> bool:
        """Whether the line is known to carry traffic."""
        return self.judge.state in (UP, SUSPECT) and not self.drained

    def due(self, now: float) -> list[int]:
        """Return the targets to ask now, as numbers; call sent() or failed() for each. Call advance() before."""
        if not self.judge.can_ask:
            return []
        quiet = self.judge.is_quiet(now)
        if quiet and not self.is_fast:
            step = self._fast / len(self.targets)
            self._next = [min(planned, now + place * step) for place, planned in enumerate(self._next)]
            self._planned = list(self._next)
        elif self.is_fast and not quiet:
            self._spread(now, self._steady, first=self._steady / len(self.targets))
        self.is_fast = quiet
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
        self._spread(now, self._fast)

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

    def _plan(self, now: float, target: int) -> None:
        step = self._fast if self.is_fast else self._steady
        # On from the plan, not from now: else chance would add up, and the targets would not stay staggered.
        planned = self._planned[target] + step
        if planned <= now or planned > now + 2 * step:
            planned = now + step
        self._planned[target] = planned
        self._next[target] = planned + (2 * self._random() - 1) * _JITTER * step / len(self.targets)

    def _spread(self, now: float, interval: float, first: float = 0.0) -> None:
        count = len(self.targets)
        self._next = [now + first + place * interval / count for place in range(count)]
        self._planned = list(self._next)
