# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often an object is put back that somebody removes again and again. No I/O; times are of the monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass

# An object may be put back this often at once, and once more for every so many seconds that pass.
BURST, REFILL = 10, 10.0
# What is removed more often than that waits, twice as long each time.
SHORTEST, LONGEST = 1.0, 300.0
# What has stood for so long besides twice its last delay is as good as new.
QUIET = 60.0


@dataclass
class _Object:
    allowance: float
    since: float  # of the allowance
    repairs: int = 0
    last: float = 0.0
    delay: float = 0.0


class Backoff:
    """Remembers what was put back when; objects are known by their names."""

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}

    def is_due(self, name: str, now: float) -> bool:
        """Tell whether an object that is missing may be put back now."""
        known = self._objects.get(name)
        return known is None or known.delay == 0 or now >= known.last + known.delay

    def repaired(self, name: str, now: float) -> float:
        """Note that an object was put back; return how long it stays away if it goes again, 0 for not at all."""
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

    def forgive(self, now: float) -> list[str]:
        """Forget what has stood long enough; return the names of those that were damped."""
        quiet = [name for name, known in self._objects.items() if now > known.last + 2 * known.delay + QUIET]
        return [name for name in quiet if self._objects.pop(name).delay]

    def damped(self) -> dict[str, tuple[int, float]]:
        """Return the damped objects: how often each was put back, and when it may be again."""
        return {name: (known.repairs, known.last + known.delay) for name, known in self._objects.items() if known.delay}

    def next_time(self, looked: float) -> float | None:
        """Return when the first damped object may be put back that might not yet when all was ``looked`` at.

        None when there is none.
        """
        times = [due for _repairs, due in self.damped().values() if due > looked]
        return min(times, default=None)
