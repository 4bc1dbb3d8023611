# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of address translation: what converge() drives, on nft's own table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .entries import collect
from .errors import ApplyFailed
from .nat_compile import SHIFT
from .nat_model import NatRule, parse_rules
from .nat_plan import NatPlan, plan_rules
from .nat_table import Table, read_table
from .nat_transaction import Counters, in_steps, transaction
from .nftables import Nftables, TooLarge

DEFAULT_TABLE = "multihome"


class NatEngine:
    """Converges the translations in one nft table. ``rules`` are entries as in the module's option."""

    def __init__(
        self,
        rules: Sequence[Any],
        table: str = DEFAULT_TABLE,
        purge: bool = False,
        nftables: Nftables | None = None,
    ) -> None:
        parts: list[Any] = [lambda: parse_rules(rules), lambda: nftables or Nftables(table)]
        self.desired, self.nftables = collect(*parts)
        self.purge = purge

    def read(self) -> Table:
        """Return what stands in our part of the table."""
        found = self.nftables.read()
        return Table() if found is None else read_table(found)

    def plan(self, current: Table) -> NatPlan:
        """Return the plan, with the one transaction that carries it out."""
        return plan_rules(self.nftables.table, self.desired, current, self.purge)

    def apply(self, plan: NatPlan, current: Table) -> None:
        """Send the transaction; nft carries it out whole or not at all, so there is nothing to undo.

        Only where it is larger than the process may send at once, as in a container, are new maps filled beforehand.
        """
        if not plan.text:
            return
        try:
            self.nftables.apply(plan.text)
        except TooLarge as error:
            self._apply_in_steps(plan, current, error)

    def _apply_in_steps(self, plan: NatPlan, current: Table, error: TooLarge) -> None:
        steps = in_steps(plan.text)
        if not steps:
            raise error
        try:
            for step in steps:
                self.nftables.apply(step)
        except ApplyFailed as failed:
            not_undone = self.undo(plan, current)
            raise ApplyFailed(failed.failed, failed.reason, not_undone=not_undone) from failed

    def undo(self, _plan: NatPlan, current: Table) -> list[str]:
        """Put back what ``current`` holds, counters included."""
        before = current.layout() if current.stands else None
        text = transaction(self.nftables.table, self.read(), before, Counters(current))
        if current.exists and before is None:
            text += f"add table inet {self.nftables.table}\n"
        try:
            if text:
                self.nftables.apply(text)
        except ApplyFailed as error:
            return [str(error)]
        return [f"not put back: {stray}" for stray in current.strays()]

    def before(self, plan: NatPlan) -> list[dict[str, Any]]:
        """Return the translations that stood, as entries of ``rules``."""
        return [rule.as_input() for rule in plan.before]

    def after(self, plan: NatPlan) -> list[dict[str, Any]]:
        """Return the translations that stand after the plan, as entries of ``rules``, in the order they are tried."""
        return [rule.as_input() for rule in plan.after]

    def lines(self, plan: NatPlan) -> dict[str, list[str]]:
        """Return one line a translation for the diff."""
        return {"before": [str(rule) for rule in plan.before], "after": [str(rule) for rule in plan.after]}

    def form(self, current: Table) -> list[dict[str, Any]]:
        """Return what stands as entries of ``rules``, in the order they are tried."""
        return [rule.as_input() for rule, _position in current.rules()]

    def entries_with_counters(self, current: Table) -> list[dict[str, Any]]:
        """Return what stands as entries of ``rules`` in the order they are tried, each with ``packets``, ``bytes``."""
        counted = counters(current)
        return [
            {**rule.as_input(), "packets": counted[rule.key][0], "bytes": counted[rule.key][1]}
            for rule, _position in current.rules()
        ]


def counters(current: Table) -> dict[Any, tuple[int, int]]:
    """Return packets and bytes by key; nft counts the first packet of each connection, as only that is translated."""
    result: dict[Any, tuple[int, int]] = {}
    for name, held in current.maps.items():
        for rule, packets, count in held.values():
            earlier = result.get(rule.key, (0, 0)) if name.tokens[-1] == SHIFT else (0, 0)
            result[rule.key] = (earlier[0] + packets, earlier[1] + count)
    for rules in current.chains.values():
        result.update({rule.item.key: rule.counted for rule in rules if isinstance(rule.item, NatRule)})
    return result
