# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of the segment size as a chain of the nft table, or of each family's mangle table. Each does nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import InvalidInput
from ..filters.iptables import MAX_CHAIN_NAME, NAMES, TAG, Iptables
from ..filters.iptables_save import interface_faults, quoted, split
from ..filters.nftables import Nftables
from ..filters.nftables_json import NftChain, NftTable
from .backend import State, restore
from .clamps import iptables_rules, nft_rules, recovered
from .model import LEAVE, Forwarding

CHAIN = "mss"
# The priority of mangle: before filters, as with iptables.
_HOOK = NftChain(CHAIN, "filter", "forward", -150, "accept")
_FORWARD = "FORWARD"
_LINE = re.compile(r"(?:\[\d+:\d+\] )?-A (\S+) (.*)")


class NftablesClamps:
    """The chain of both families."""

    name = "nftables"
    families: tuple[int, ...] = (4, 6)
    clamps = True

    def __init__(self, nftables: Nftables) -> None:
        self.nftables = nftables
        self.place = f"nftables table inet {nftables.table}, chain {CHAIN}"

    def read(self) -> State:
        """Return the state of the chain; raises Unsupported when nft may not read."""
        table = self.nftables.read(terse=True) or NftTable()
        if CHAIN not in table.chains:
            return State()
        comments = [rule.comment for rule in table.rules_of(CHAIN)]
        forwarding = Forwarding(LEAVE, (), recovered(comments))
        expected = [comment for _rule, comment in nft_rules(forwarding.clamps)]
        is_whole = table.chains[CHAIN] == _HOOK and comments == expected
        return State(forwarding, () if is_whole else (f"chain {CHAIN} is not what it must be",))

    def faults(self, _desired: Forwarding) -> list[str]:
        """Return nothing: the model refuses what nft cannot express."""
        return []

    def change(self, current: State, desired: Forwarding | None) -> str | None:
        """Return the transaction, None when there is nothing to send."""
        own = f"inet {self.nftables.table} {CHAIN}"
        lines = [f"flush chain {own}", f"delete chain {own}"] if current.forwarding is not None else []
        if desired is not None:
            hook = f"type {_HOOK.type} hook {_HOOK.hook} priority {_HOOK.priority}; policy {_HOOK.policy};"
            lines = [f"add table inet {self.nftables.table}", *lines, f"add chain {own} {{ {hook} }}"]
            lines += [f'add rule {own} {rule} comment "{comment}"' for rule, comment in nft_rules(desired.clamps)]
        return "".join(f"{line}\n" for line in lines) or None

    def apply(self, change: str, _current: State) -> None:
        """Send the transaction; raises ApplyFailed. A table that holds nothing any more is removed."""
        self.nftables.apply(change)
        if change.startswith("flush "):
            table = self.nftables.read(terse=True)
            if table is not None and not table.is_shared(lambda _chain: False, lambda _set: False):
                self.nftables.apply(f"delete table inet {self.nftables.table}\n")

    def restore(self, before: State) -> list[str]:
        """Restore the limits of ``before``; return what could not be restored."""
        return restore(self, before)


class IptablesClamps:
    """The chain of one family, with one jump to it from FORWARD. ``in_charge`` says that iptables is the backend."""

    name = "iptables"
    clamps = True

    def __init__(self, table: str, family: int, iptables: Iptables | None = None, in_charge: bool = False) -> None:
        self.iptables = iptables or Iptables()
        self.family = family
        self._in_charge = in_charge
        self.families: tuple[int, ...] = (family,)
        self.chain = f"{table}-{CHAIN}"
        if len(self.chain) > MAX_CHAIN_NAME:
            most = MAX_CHAIN_NAME - len(CHAIN) - 1
            raise InvalidInput(
                [f'table "{table}": with iptables at most {most} characters, as chains are named after it']
            )
        self.place = f"{NAMES[family]} table mangle, chain {self.chain}"
        self._jump = f"-m comment --comment {quoted(TAG)} -j {self.chain}"

    def read(self) -> State:
        """Return the state; raises Unsupported when iptables is missing or not in charge of the table."""
        if self._in_charge:
            self.iptables.refuse_mixture()
        saved = self.iptables.read(self.family, "mangle")
        exists = any(line.startswith(f":{self.chain} ") for line in saved)
        rules = [(match[1], split(match[2])) for match in map(_LINE.fullmatch, saved) if match]
        jumps = [chain for chain, words in rules if words[-1] == self.chain and "-j" in words]
        if not exists:
            return State()
        comments = [_comment(words) for chain, words in rules if chain == self.chain]
        forwarding = Forwarding(LEAVE, (), recovered(comments))
        is_whole = comments == [comment for _rule, comment in iptables_rules(forwarding.clamps)]
        faults = [] if is_whole else [f"chain {self.chain} is not what it must be"]
        faults += [] if jumps == [_FORWARD] else [f"{len(jumps)} jumps to {self.chain}, not one from {_FORWARD}"]
        return State(forwarding, tuple(faults))

    def faults(self, desired: Forwarding) -> list[str]:
        """Return the interfaces that iptables cannot match."""
        return [fault for clamp in desired.clamps for fault in interface_faults(interface=clamp.interface)]

    def change(self, current: State, desired: Forwarding | None) -> str | None:
        """Return the transaction, None when there is nothing to send."""
        has_jump = current.forwarding is not None and not any("jumps to" in fault for fault in current.faults)
        if desired is None:
            if current.forwarding is None:
                return None
            jump = [f"-D {_FORWARD} {self._jump}"] if has_jump else []
            lines = [*jump, f"-F {self.chain}", f"-X {self.chain}"]
        else:
            lines = [f":{self.chain} - [0:0]"]
            lines += [
                f"-A {self.chain} -m comment --comment {quoted(comment)} {rule}"
                for rule, comment in iptables_rules(desired.clamps)
            ]
            lines += [] if has_jump else [f"-A {_FORWARD} {self._jump}"]
        return "\n".join(["*mangle", *lines, "COMMIT", ""])

    def apply(self, change: str, _current: State) -> None:
        """Send the transaction; raises ApplyFailed."""
        self.iptables.apply(self.family, change)

    def restore(self, before: State) -> list[str]:
        """Restore the limits of ``before``; return what could not be restored."""
        return restore(self, before)


def _comment(words: Sequence[str]) -> str | None:
    return words[words.index("--comment") + 1] if "--comment" in words[:-1] else None
