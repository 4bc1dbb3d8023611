# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether another program translates connections that the stored translations are for: looked at now and then."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import MultihomeError
from ..nat.engine import NatEngine
from ..nat.foreign import FIRST, Foreign
from ..nat.taken import taken_translations
from .recurring_check import RecurringCheck
from .report import log

# Reading all packet filters starts programs. Changes of nft and of iptables wake the keeper, but for iptables-legacy.
INTERVAL = 600.0
PAUSE = 1.0

Ask = Callable[[NatEngine], Sequence[Foreign]]


def ask(engine: NatEngine) -> list[Foreign]:
    """Return the third-party translations that are, or may be, asked before those of the engine."""
    return taken_translations([entry.object for entry in engine.desired], engine.selection.name, engine.table)


class TranslationCheck(RecurringCheck[Foreign]):
    """Looks at the translations of other programs."""

    def __init__(self, ask_for: Ask = ask) -> None:
        super().__init__(INTERVAL, PAUSE)
        self._ask = ask_for

    def check(self, engine: NatEngine, now: float) -> None:
        """Look at the translations of other programs."""
        self._begin(now)
        try:
            found = {(one.place, one.rule): one for one in self._ask(engine)}
        except (MultihomeError, OSError) as error:
            log("warning", f"translations of other programs: {error}")
            return
        self._update(found)

    def _came(self, one: Foreign) -> None:
        log("error" if one.order == FIRST else "warning", f"{one.place}: {one.message}; remedy: {one.remedy}")

    def _went(self, one: Foreign) -> None:
        log("info", f"{one.place}: rule {one.rule} takes no connection of an entry any more")
