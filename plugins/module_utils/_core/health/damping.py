# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a line that came back has to prove itself: longer the more often it went. No I/O."""

from __future__ import annotations

from .model import LONGEST_HOLD

# One step is forgiven for every so many seconds without a break that the line is up.
FORGIVEN_AFTER = 600.0
# More are not counted: with the shortest hold time that makes sense, it is at its longest by then.
_MOST_STEPS = 12


class Damping:
    """The hold time of one line in one family; ``steps`` counts how often it went down, less what was forgiven."""

    def __init__(self, up_after: float, steps: int = 0) -> None:
        self._up_after = up_after
        self.steps = min(steps, self._most())
        self._up_since: float | None = None

    @property
    def hold(self) -> float:
        """Seconds of answers before the line is up again: doubled with each step after the first."""
        return min(self._up_after * float(1 << max(0, self.steps - 1)), max(LONGEST_HOLD, self._up_after))

    def went_up(self, now: float) -> None:
        """Note that the line is up from now on."""
        self._up_since = now

    def went_down(self, now: float) -> None:
        """Note that a line that was up is down."""
        self.advance(now)
        self._up_since = None
        self.steps = min(self.steps + 1, self._most())

    def advance(self, now: float) -> None:
        """Forgive what has to be forgiven by now."""
        if self._up_since is None:
            return
        forgiven = int((now - self._up_since) // FORGIVEN_AFTER)
        if forgiven > 0:
            self.steps = max(0, self.steps - forgiven)
            self._up_since += forgiven * FORGIVEN_AFTER

    def _most(self) -> int:
        """Return the number of steps from which on the hold time does not grow: no more have to be forgiven."""
        steps = 1
        while steps < _MOST_STEPS and 0 < self._up_after * (1 << (steps - 1)) < LONGEST_HOLD:
            steps += 1
        return steps
