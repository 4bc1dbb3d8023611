# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address translation by iptables: rules in chains of our own, changed by one transaction a family."""

from __future__ import annotations

from ..errors import ApplyFailed, MultihomeError, StepFailed, Unsupported
from ..filters.iptables import Iptables
from .backend import Wanted
from .iptables_chains import (
    Chains,
    Row,
    Standing,
    chain_names,
    faults_of_jumps,
    read_chains,
    target_chains,
    transaction,
)
from .iptables_text import faults, rule_text
from .maps import HOOKS
from .model import NatRule, hook
from .order import stable_order


class IptablesBackend:
    """The translations in two chains of each family's nat table. ``in_charge`` is false for one that is moved from."""

    name = "iptables"

    def __init__(self, table: str, iptables: Iptables | None = None, in_charge: bool = True) -> None:
        self.iptables = iptables or Iptables()
        self._names = chain_names(table)
        self._in_charge = in_charge
        self.place = f"iptables chains {' and '.join(self._names.values())}"

    def faults(self, rule: NatRule) -> list[str]:
        """Return what iptables cannot do."""
        return faults(rule)

    def read(self) -> Standing:
        """Return what stands in our chains; raises Unsupported where two variants of iptables are in use."""
        if self._in_charge:
            self.iptables.refuse_mixture()
        parts = {family: self._chains(family) for family in self.iptables.families()}
        return Standing(parts, [fault for part in parts.values() for fault in faults_of_jumps(part, self._names)])

    def _chains(self, family: int) -> Chains:
        try:
            return read_chains(self.iptables.read(family), family, self._names)
        except Unsupported:
            if self._in_charge:
                raise
            # A nat table that iptables cannot deal with holds nothing of ours.
            return Chains(family)

    def change(self, current: Standing, wanted: Wanted) -> dict[int, str] | None:
        """Return the transactions by family, None when nothing differs."""
        counted = current.counters()
        rows: dict[int, dict[str, list[Row]]] = {}
        standing = {rule.key: place for rule, place in current.rules()}
        for rule in stable_order(wanted.rules, wanted.overlaps, standing):
            count = (0, 0) if rule.key in wanted.fresh else counted.get(rule.key, (0, 0))
            row = Row(rule_text(rule), rule, count)
            rows.setdefault(rule.family, {name: [] for name in HOOKS})[hook(rule)].append(row)
        texts = {}
        for family in sorted({*rows, *current.families}):
            part = current.families.get(family, Chains(family))
            target = target_chains(part, rows.get(family, {}), self._names, wanted.purge)
            texts[family] = transaction(part, target, self._names)
        return {family: text for family, text in texts.items() if text} or None

    def apply(self, change: dict[int, str], _current: Standing) -> None:
        """Send the transactions; raises ApplyFailed when the first is refused, StepFailed when the second is."""
        done: list[str] = []
        for family, text in change.items():
            try:
                self.iptables.apply(family, text)
            except ApplyFailed as error:
                if not done:
                    raise
                raise StepFailed(error.failed, error.reason, done) from error
            done.append(f"iptables-restore of IPv{family}")

    def put_back(self, before: Standing) -> list[str]:
        """Put back what ``before`` holds, counters and strays included."""
        return [left for family in before.families for left in self._put_back(before, family)]

    def _put_back(self, before: Standing, family: int) -> list[str]:
        try:
            text = transaction(self._chains(family), before.families[family], self._names)
            if text:
                self.iptables.apply(family, text)
        except MultihomeError as error:
            return [str(error)]
        return []
