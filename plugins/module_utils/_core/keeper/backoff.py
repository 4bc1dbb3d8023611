# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backs off from repairs of an object that another program keeps removing. No I/O; times are of the monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass

# So many repairs of one object are immediate; one more is allowed after each REFILL seconds.
BURST, REFILL = 10, 10.0
# Beyond that a repair is delayed, twice as long each time.
SHORTEST, LONGEST = 1.0, 300.0
# An object that stayed in place for twice its last delay and so many seconds is no longer delayed.
QUIET = 60.0


@dataclass
class _Object:
    allowance: float
    since: float  # of the allowance
    repairs: int = 0
    last: float = 0.0
    delay: float = 0.0


class Backoff:
    """Remembers when each object was repaired; objects are known by their names."""

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}

    def is_due(self, name: str, now: float) -> bool:
        """Tell whether a missing object may be restored now."""
        known = self._objects.get(name)
        return known is None or known.delay == 0 or now >= known.last + known.delay

    def repaired(self, name: str, now: float) -> float:
        """Record a repair; return by how many seconds the next one is delayed, 0 for none."""
        known = self._objects.setdefault(name, _Object(BURST, now))
        known.allowance = min(BURST, known.allowance + (now - known.since) / REFILL)
        known.since = known.last = now
        known.repairs += 1
        if known.delay:
            known.delay = min(2 * known.delay, LONGEST)
        elif known.allowance >= 1:
            known.allowance -= 1
        else:
            known.delay = SHORTEST
        return known.delay

    def expire(self, now: float) -> list[str]:
        """Drop the objects that stayed in place long enough; return the names of those that were delayed."""
        quiet = [name for name, known in self._objects.items() if now > known.last + 2 * known.delay + QUIET]
        return [name for name in quiet if self._objects.pop(name).delay]

    def delayed(self) -> dict[str, tuple[int, float]]:
        """Return the delayed objects: the number of repairs, and when the next one is allowed."""
        return {name: (known.repairs, known.last + known.delay) for name, known in self._objects.items() if known.delay}

    def next_time(self, checked: float) -> float | None:
        """Return the earliest time after ``checked`` at which a delayed object may be restored, or None."""
        times = [due for _repairs, due in self.delayed().values() if due > checked]
        return min(times, default=None)
