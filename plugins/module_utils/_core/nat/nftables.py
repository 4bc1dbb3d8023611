# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address translation by nftables: maps in a table of our own, changed by one transaction."""

from __future__ import annotations

from ..errors import ApplyFailed, StepFailed
from ..filters.nftables import Nftables, TooLarge
from .backend import Wanted
from .maps import compile_rules
from .model import NatRule
from .nftables_table import Table, read_table
from .nftables_transaction import Counters, in_steps, transaction


class NftablesBackend:
    """The translations in one nft table."""

    name = "nftables"

    def __init__(self, nftables: Nftables) -> None:
        self.nftables = nftables
        self.place = f"nftables table inet {nftables.table}"

    def faults(self, _rule: NatRule) -> list[str]:
        """Return nothing: the model refuses what nft cannot do."""
        return []

    def read(self) -> Table:
        """Return what stands in our part of the table."""
        found = self.nftables.read()
        return Table() if found is None else read_table(found)

    def change(self, current: Table, wanted: Wanted) -> str | None:
        """Return the transaction, None when nothing differs."""
        target = None
        if wanted.rules or (current.strays() and not wanted.purge):
            target = compile_rules(wanted.rules, wanted.overlaps)
        counters = Counters(current, wanted.fresh)
        return transaction(self.nftables.table, current, target, counters, wanted.purge) or None

    def apply(self, change: str, _current: Table) -> None:
        """Send the transaction; nft carries it out whole or not at all, so there is nothing to undo.

        Only where it is larger than the process may send at once, as in a container, are new maps filled beforehand.
        """
        try:
            self.nftables.apply(change)
        except TooLarge as error:
            self._apply_in_steps(change, error)

    def _apply_in_steps(self, change: str, error: TooLarge) -> None:
        steps = in_steps(change)
        if not steps:
            raise error
        try:
            for step in steps:
                self.nftables.apply(step)
        except ApplyFailed as failed:
            raise StepFailed(failed.failed, failed.reason) from failed

    def put_back(self, before: Table) -> list[str]:
        """Put back what ``before`` holds, counters included; strays cannot be."""
        target = before.layout() if before.stands else None
        now = self.read()
        text = transaction(self.nftables.table, now, target, Counters(before))
        if before.exists and target is None:
            text += f"add table inet {self.nftables.table}\n"
        try:
            if text:
                self.nftables.apply(text)
        except ApplyFailed as error:
            return [str(error)]
        return [f"not put back: {stray}" for stray in before.strays() if stray not in now.strays()]
