# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether another program translates connections that the stored translations are for: looked at now and then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import MultihomeError
from ..filters.reader import read_filters, run
from ..nat.engine import NatEngine
from ..nat.foreign import LATER, Foreign, foreign_translations
from .report import log

# Reading all packet filters starts programs. Changes of nft and of iptables wake the keeper, but for iptables-legacy.
INTERVAL = 600.0
PAUSE = 1.0

Ask = Callable[[NatEngine], Sequence[Foreign]]


def ask(engine: NatEngine) -> list[Foreign]:
    """Return the third-party translations that are, or may be, asked before those of the engine."""
    tables = read_filters(run, {}, [])
    rules = [entry.object for entry in engine.desired]
    found = foreign_translations(tables, rules, engine.selection.name, engine.table)
    return [one for one in found if one.order != LATER]


class TranslationCheck:
    """Looks, and remembers what it found: a finding is logged once, and once more when it is gone."""

    def __init__(self, ask_for: Ask = ask) -> None:
        self._ask = ask_for
        self._taken: dict[tuple[str, str], Foreign] = {}
        self.next_time = self._last = float("-inf")

    def check(self, engine: NatEngine, now: float) -> None:
        """Look at the translations of other programs."""
        self._last, self.next_time = now, now + INTERVAL
        try:
            found = {(one.place, one.rule): one for one in self._ask(engine)}
        except (MultihomeError, OSError) as error:
            log("warning", f"translations of other programs: {error}")
            return
        for key, one in found.items():
            if key not in self._taken:
                log("error", f"{one.place}: {one.message}")
        for key, one in self._taken.items():
            if key not in found:
                log("info", f"{one.place}: rule {one.rule} takes no connection of an entry any more")
        self._taken = found

    def changed(self, now: float) -> None:
        """Look soon, as rules of a packet filter changed."""
        self.next_time = min(self.next_time, max(now, self._last + PAUSE))

    def forget(self) -> None:
        """No translations are stored any more."""
        self._taken = {}
        self.next_time = float("inf")

    def report(self) -> list[dict[str, Any]]:
        """Return the findings as the report shows them."""
        return [one.as_result() for one in self._taken.values()]
