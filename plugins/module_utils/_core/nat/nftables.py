# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address translation by nftables: maps in the collection's own table, changed by one transaction."""

from __future__ import annotations

from ..errors import ApplyFailed, StepFailed
from ..filters.nftables import Nftables, TooLarge
from .backend import Desired
from .maps import compile_rules
from .model import NatRule
from .nftables_state import NftablesState, read_state
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

    def read(self) -> NftablesState:
        """Return the state of the NAT part of the table."""
        table = self.nftables.read()
        return NftablesState() if table is None else read_state(table)

    def change(self, current: NftablesState, desired: Desired) -> str | None:
        """Return the transaction, None when nothing differs."""
        layout = None
        if desired.rules or (current.unmanaged() and not desired.purge):
            layout = compile_rules(desired.rules, desired.overlaps)
        counters = Counters(current, desired.fresh)
        return transaction(current, layout, self.nftables.table, counters, desired.purge) or None

    def apply(self, change: str, _current: NftablesState) -> None:
        """Send the transaction; nft applies all of it or nothing, so there is nothing to undo.

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

    def restore(self, before: NftablesState) -> list[str]:
        """Restore the translations of ``before`` with their counters; unmanaged objects cannot be restored."""
        layout = before.layout() if before.is_present else None
        now = self.read()
        text = transaction(now, layout, self.nftables.table, Counters(before))
        if before.exists and layout is None:
            text += f"add table inet {self.nftables.table}\n"
        try:
            if text:
                self.nftables.apply(text)
        except ApplyFailed as error:
            return [str(error)]
        return [f"not restored: {lost}" for lost in before.unmanaged() if lost not in now.unmanaged()]
