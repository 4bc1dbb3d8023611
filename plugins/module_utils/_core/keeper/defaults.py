# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a default route of another program takes the host's own connections from the lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import MultihomeError
from ..plan import Existing
from ..routing.engine import RoutingEngine
from ..routing.executor import Executor
from ..routing.foreign_defaults import ForeignDefault, foreign_defaults, is_default_in_main, read_defaults
from ..routing.model import Route
from .recurring_check import RecurringCheck
from .report import log

# A new default route wakes the keeper; this is for a message of the kernel that was lost.
INTERVAL = 300.0
PAUSE = 1.0

Read = Callable[[Executor], Sequence[Existing[Route]]]


class DefaultCheck(RecurringCheck[ForeignDefault]):
    """Looks at the default routes. ``on_taken`` is called once for each finding; it must return at once."""

    def __init__(
        self, read: Read = read_defaults, on_taken: Callable[[ForeignDefault], None] = lambda _finding: None
    ) -> None:
        super().__init__(INTERVAL, PAUSE)
        self._read, self._on_taken = read, on_taken

    def check(self, engine: RoutingEngine, now: float) -> None:
        """Compare the default routes of other programs with those that are stored for the lines."""
        self._begin(now)
        own = [entry.object for entry in engine.routes or () if is_default_in_main(entry.object)]
        try:
            found = foreign_defaults(self._read(engine.executor), own, engine.owner) if own else []
        except (MultihomeError, OSError) as error:
            log("warning", f"default routes of other programs: {error}")
            return
        self._update({one: one for one in found})

    def _came(self, one: ForeignDefault) -> None:
        log("warning", f"{one.message}; remedy: {one.remedy}")
        self._on_taken(one)

    def _went(self, one: ForeignDefault) -> None:
        log("info", f"the {one.text} does not come before those of the lines any more")
