# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loss and latency of a line over the last half minute and minute. No I/O; times are of the monotonic clock.

Probes are counted in buckets of one second, in which they were sent. A bucket is closed when its probes had time to be
answered; sums over closed buckets move on with each second, so that nothing is added up twice.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from .model import Degraded

# A line gets degraded by what the last SHORT seconds were like, and is not any more by the last LONG.
SHORT, LONG = 30, 60
# From which share of the limits on it is not degraded any more: with 25 % loss, that is 15 %.
CLEAR_SHARE = 0.6
# A probe is lost when it is unanswered in the second after the next one.
_GRACE = 2
_RING = 64  # more than LONG and _GRACE


class _Counts:
    """Probes sent and answered by one target, and the seconds that the answers took, in a ring of buckets."""

    __slots__ = ("answered", "seconds", "sent", "sums")

    def __init__(self) -> None:
        self.sent = array("H", bytes(2 * _RING))
        self.answered = array("H", bytes(2 * _RING))
        self.seconds = array("d", bytes(8 * _RING))
        # By window: sent, answered, seconds.
        self.sums: dict[int, tuple[int, int, float]] = {SHORT: (0, 0, 0.0), LONG: (0, 0, 0.0)}

    def begin(self, second: int) -> None:
        """Make the bucket of a second empty, add the one whose time is over to the sums, and drop what is too old."""
        sent, answered, seconds = self.sent, self.answered, self.seconds
        place = second % _RING
        sent[place] = answered[place] = 0
        seconds[place] = 0.0
        place = (second - _GRACE) % _RING
        more_sent, more_answered, more_seconds = sent[place], answered[place], seconds[place]
        # Written out, as this is done for every target in every second.
        old = (second - _GRACE - SHORT) % _RING
        sums = self.sums[SHORT]
        self.sums[SHORT] = (
            sums[0] + more_sent - sent[old],
            sums[1] + more_answered - answered[old],
            sums[2] + more_seconds - seconds[old],
        )
        old = (second - _GRACE - LONG) % _RING
        sums = self.sums[LONG]
        self.sums[LONG] = (
            sums[0] + more_sent - sent[old],
            sums[1] + more_answered - answered[old],
            sums[2] + more_seconds - seconds[old],
        )


@dataclass(frozen=True)
class Figures:
    """Loss as a share of 1, and the mean seconds until an answer; None where nothing was asked or answered."""

    loss: float | None = None
    rtt: float | None = None


class Quality:
    """The quality of a line in one family, pooled over those of its targets that answer at all."""

    __slots__ = ("_counts", "_limits", "_second", "_since", "_targets", "closes", "degraded")

    def __init__(self, targets: int, limits: Degraded, now: float) -> None:
        self._limits = limits
        self._targets = targets
        self.degraded = False
        self.reset(now)

    def reset(self, now: float) -> None:
        """Start again: nothing was asked yet. Whether the line is degraded stays until there is enough to tell."""
        self._counts = [_Counts() for _target in range(self._targets)]
        self._second = int(now)
        # Until then advance() has nothing to do.
        self.closes = self._second + 1
        self._since = now

    def sent(self, now: float, target: int) -> None:
        """Count a probe."""
        self._counts[target].sent[int(now) % _RING] += 1

    def answered(self, now: float, target: int, rtt: float) -> None:
        """Count the answer to a probe that was sent ``rtt`` seconds ago; one that came too late counts as lost."""
        second = int(now - rtt)
        if second <= self._second - _GRACE or now - rtt < self._since:
            return
        counts = self._counts[target]
        place = second % _RING
        # What was not sent since the start of the counts cannot have been answered.
        if counts.answered[place] < counts.sent[place]:
            counts.answered[place] += 1
            counts.seconds[place] += rtt

    def advance(self, now: float) -> bool:
        """Go on to ``now``; return whether the line got degraded, or is not any more. Cheap within one second."""
        second = int(now)
        if second == self._second:
            return False
        if second - self._second > _RING:
            self.reset(now)
            return False
        for each in range(self._second + 1, second + 1):
            for counts in self._counts:
                counts.begin(each)
        self._second, self.closes = second, second + 1
        return self._judge(now)

    def figures(self, window: int = SHORT) -> Figures:
        """Return loss and latency over a window; a target that answered nothing in it says nothing of the line."""
        sent = answered = 0.0
        seconds = 0.0
        for counts in self._counts:
            sums = counts.sums[window]
            if sums[1]:
                sent += sums[0]
                answered += sums[1]
                seconds += sums[2]
        if not answered:
            return Figures(1.0 if any(counts.sums[window][0] for counts in self._counts) else None)
        return Figures(max(0.0, 1 - answered / sent), seconds / answered)

    def answered_share(self, now: float, seconds: float) -> float:
        """Return the share of probes that were answered within the last ``seconds``, at most SHORT of them.

        The newest second is left out, as its answers may still be on their way.
        """
        first = max(int(now) - int(min(max(seconds, 2), SHORT)), int(self._since) + 1)
        places = [second % _RING for second in range(first, int(now) - 1)]
        totals = [(sum(c.sent[p] for p in places), sum(c.answered[p] for p in places)) for c in self._counts]
        alive = [(sent, answered) for sent, answered in totals if answered]
        return sum(answered for _sent, answered in alive) / sum(sent for sent, _answered in alive) if alive else 0.0

    def _judge(self, now: float) -> bool:
        if now - self._since < (LONG if self.degraded else SHORT) + _GRACE:
            return False
        figures = self.figures(LONG if self.degraded else SHORT)
        if figures.loss is None:
            return False
        loss, rtt = 100 * figures.loss, 1000 * (figures.rtt or 0.0)
        if self.degraded:
            clear = loss <= CLEAR_SHARE * self._limits.loss and rtt <= CLEAR_SHARE * self._limits.rtt
            self.degraded = not clear
            return clear
        self.degraded = loss >= self._limits.loss or rtt >= self._limits.rtt
        return self.degraded
