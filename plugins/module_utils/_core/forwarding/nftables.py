# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forward policy as one chain of the collection's nft table: written as text, read from JSON.

The chain drops everything that none of its rules accepts. A rule's comment is the checksum of its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import fields
from ..filters.backend import checksum
from ..filters.nftables import Nftables
from ..filters.nftables_json import NftChain, NftMatch, NftRule, NftTable, as_text, ip, read_prefix, values
from .backend import State, restore
from .model import DROP, Forwarding, Passage

CHAIN = "forward"
_HOOK = NftChain(CHAIN, "filter", "forward", 0, "drop")
_EVERYTHING = {"ipv4": "0.0.0.0/0", "ipv6": "::/0"}


@dataclass(frozen=True)
class NftablesState(State):
    """The chain. ``is_shared`` says whether the table holds anything else."""

    is_shared: bool = False


class NftablesForward:
    """The chain of both families."""

    name = "nftables"
    clamps = False
    families: tuple[int, ...] = (4, 6)

    def __init__(self, nftables: Nftables) -> None:
        self.nftables = nftables
        self.place = f"nftables table inet {nftables.table}, chain {CHAIN}"

    def read(self) -> NftablesState:
        """Return the state of the chain; raises Unsupported when nft may not read."""
        return read_state(self.nftables.read(terse=True) or NftTable())

    def faults(self, _desired: Forwarding) -> list[str]:
        """Return nothing: the model refuses what nft cannot express."""
        return []

    def change(self, current: NftablesState, desired: Forwarding | None) -> str | None:
        """Return the transaction, None when there is nothing to send."""
        return transaction(current, desired, self.nftables.table) or None

    def apply(self, change: str, _current: NftablesState) -> None:
        """Send the transaction; raises ApplyFailed."""
        self.nftables.apply(change)

    def restore(self, before: NftablesState) -> list[str]:
        """Restore the forwarding of ``before``; return what could not be restored."""
        return restore(self, before)


def transaction(current: NftablesState, desired: Forwarding | None, table: str) -> str:
    """Return the text for ``nft -f`` that turns ``current`` into ``desired``.

    The table is removed with the own chain when nothing else is in it.
    """
    removal = [f"flush chain inet {table} {CHAIN}", f"delete chain inet {table} {CHAIN}"]
    if current.forwarding is None:
        removal = []
    if desired is None:
        return _text(removal if current.is_shared or not removal else [f"delete table inet {table}"])
    # An existing chain is made again, because it may be hooked elsewhere; in one transaction no packet meets the gap.
    hook = f"type {_HOOK.type} hook {_HOOK.hook} priority {_HOOK.priority}; policy {_HOOK.policy};"
    lines = [f"add table inet {table}", *removal, f"add chain inet {table} {CHAIN} {{ {hook} }}"]
    lines += [f'add rule inet {table} {CHAIN} {rule} comment "{checksum(rule)}"' for rule in rules_of(desired)]
    return _text(lines)


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def rules_of(forwarding: Forwarding) -> list[str]:
    """Return the rules of the chain. Only the first packet of a connection gets past the first rule."""
    rules = ["ct state established,related counter accept"]
    for family in (4, 6):
        part = forwarding.of_family(family)
        mapped = part.mapped_to()
        # One lookup for all single addresses.
        single = [address for address in mapped if "/" not in address]
        targets = [f"{{ {', '.join(single)} }}"] if len(single) > 1 else single
        targets += [prefix for prefix in mapped if "/" in prefix]
        # Replies come from the address that a connection was translated to.
        rules += [
            f"{_selected(family, f'ct reply {ip(family)} saddr', target)} ct status dnat counter accept"
            for target in targets
        ]
        # A packet that arrives by a line with an address of the inside is forged.
        inside = f"iifname != {{ {', '.join(_quoted(name) for name in forwarding.out_interfaces())} }}"
        rules += [
            f"{_selected(family, f'{ip(family)} saddr', passage.address)} {inside} "
            f"oifname {_quoted(str(passage.out_interface))} counter accept"
            for passage in part.outbound()
        ]
    return [*rules, "counter"]


def _selected(family: int, expression: str, target: str) -> str:
    return f"meta nfproto ipv{family}" if fields.is_everything(target) else f"{expression} {target}"


def _quoted(name: str) -> str:
    return f'"{name}"'


def read_state(table: NftTable) -> NftablesState:
    """Return the state of the own chain in the table."""
    is_shared = table.is_shared(CHAIN.__eq__, lambda _set: False)
    if CHAIN not in table.chains:
        return NftablesState(is_shared=is_shared)
    rules = table.rules_of(CHAIN)
    forwarding = Forwarding.of(DROP, [passage for rule in rules for passage in _passages(rule)])
    expected = [checksum(rule) for rule in rules_of(forwarding)]
    is_whole = table.chains[CHAIN] == _HOOK and [rule.comment for rule in rules] == expected
    return NftablesState(forwarding, () if is_whole else (f"chain {CHAIN} is not what it must be",), is_shared)


def _passages(rule: NftRule) -> list[Passage]:
    """Return the passages that a rule accepts, nothing when it is none of rules_of()."""
    found: dict[str, Any] = {}
    for expression in rule.expressions:
        match = expression.match()
        if match:
            found.update(_read_match(match))
    addresses = found.pop("addresses", [])
    mapped = found.pop("mapped", False)
    accepts = any(expression.kind == "accept" for expression in rule.expressions)
    if not addresses or not accepts or mapped == bool(found):
        return []
    if mapped:
        return [Passage(mapped_to=address) for address in addresses]
    return [Passage(source=address, **found) for address in addresses]


def _read_match(match: NftMatch) -> dict[str, object]:
    """Return what one comparison selects: ``addresses``, ``mapped`` or ``out_interface``."""
    if match.selector == "meta oifname":
        return {"out_interface": match.right}
    if match.selector == "meta nfproto":
        return {"addresses": [_EVERYTHING[as_text(match.right)]]}
    if match.selector == "ct status" and match.right == "dnat":
        return {"mapped": True}
    if match.selector.endswith(" saddr"):
        return {"addresses": [read_prefix(value) for value in values(match.right)]}
    return {}
