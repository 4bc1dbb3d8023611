# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address translation by iptables: rules in the collection's own chains, changed by one transaction a family."""

from __future__ import annotations

from functools import partial

from ..errors import MultihomeError, Unsupported
from ..filters.backend import Step, apply_all
from ..filters.iptables import Iptables
from .backend import Desired
from .iptables_chains import (
    Chains,
    IptablesState,
    Row,
    chain_names,
    desired_chains,
    faults_of_jumps,
    read_chains,
    transaction,
)
from .iptables_text import faults, rule_text
from .maps import HOOKS
from .model import NatRule, hook
from .order import stable_order


class IptablesBackend:
    """The translations in two chains of each family's nat table.

    ``in_charge`` is False for a backend that the host is moved from.
    """

    name = "iptables"

    def __init__(self, table: str, iptables: Iptables | None = None, in_charge: bool = True) -> None:
        self.iptables = iptables or Iptables()
        self._names = chain_names(table)
        self._in_charge = in_charge
        self.place = f"iptables chains {' and '.join(self._names.values())}"

    def faults(self, rule: NatRule) -> list[str]:
        """Return the parts of a translation that iptables cannot do."""
        return faults(rule)

    def read(self) -> IptablesState:
        """Return the state of the own chains; raises Unsupported where two variants of iptables are in use."""
        if self._in_charge:
            self.iptables.refuse_mixture()
        parts = {family: self._chains(family) for family in self.iptables.families()}
        return IptablesState(parts, [fault for part in parts.values() for fault in faults_of_jumps(part, self._names)])

    def _chains(self, family: int) -> Chains:
        try:
            return read_chains(self.iptables.read(family), family, self._names)
        except Unsupported:
            if self._in_charge:
                raise
            # A nat table that iptables cannot handle holds no chain of the collection.
            return Chains(family)

    def change(self, current: IptablesState, desired: Desired) -> dict[int, str] | None:
        """Return the transactions by family, None when nothing differs."""
        counted = current.counters()
        rows: dict[int, dict[str, list[Row]]] = {}
        positions = {rule.key: place for rule, place in current.rules()}
        for rule in stable_order(desired.rules, desired.overlaps, positions):
            count = (0, 0) if rule.key in desired.fresh else counted.get(rule.key, (0, 0))
            row = Row(rule_text(rule), rule, count)
            rows.setdefault(rule.family, {name: [] for name in HOOKS})[hook(rule)].append(row)
        texts = {}
        for family in sorted({*rows, *current.families}):
            part = current.families.get(family, Chains(family))
            chains = desired_chains(part, rows.get(family, {}), self._names, desired.purge)
            texts[family] = transaction(part, chains, self._names)
        return {family: text for family, text in texts.items() if text} or None

    def apply(self, change: dict[int, str], current: IptablesState) -> None:
        """Send the transactions; raises ApplyFailed when the first is refused, StepFailed when the second is."""
        apply_all(
            Step(
                f"iptables-restore of IPv{family}",
                partial(self.iptables.apply, family, text),
                partial(self._restore, current, family),
            )
            for family, text in change.items()
        )

    def restore(self, before: IptablesState) -> list[str]:
        """Restore the state ``before``, with counters and unmanaged rules."""
        return [left for family in before.families for left in self._restore(before, family)]

    def _restore(self, before: IptablesState, family: int) -> list[str]:
        try:
            text = transaction(self._chains(family), before.families[family], self._names)
            if text:
                self.iptables.apply(family, text)
        except MultihomeError as error:
            return [str(error)]
        return []
