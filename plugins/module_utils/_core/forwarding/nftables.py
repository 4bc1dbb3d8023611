# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is forwarded, as one chain of our nft table: written as text, read back from JSON.

The chain drops what none of its rules accepts. A rule's comment is the checksum of its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import fields
from ..filters.nftables import Nftables
from ..filters.nftables_json import ip, read_prefix
from .backend import Standing, checksum
from .model import DROP, Forwarding, Passage

CHAIN = "forward"
_HOOK = {"type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}
_EVERYTHING = {"ipv4": "0.0.0.0/0", "ipv6": "::/0"}


@dataclass(frozen=True)
class NftStanding(Standing):
    """What stands in the table. ``shared`` tells whether anything but our chain is in it."""

    shared: bool = False


class NftForward:
    """The chain of both families."""

    backend = "nftables"
    families: tuple[int, ...] = (4, 6)

    def __init__(self, nftables: Nftables) -> None:
        self.nftables = nftables
        self.name = f"nftables table inet {nftables.table}, chain {CHAIN}"

    def read(self) -> NftStanding:
        """Return what stands; raises Unsupported when nft may not read."""
        return read_chain(self.nftables.read(terse=True) or ())

    def faults(self, _wanted: Forwarding) -> list[str]:
        """Return nothing: the model refuses what nft cannot say."""
        return []

    def write(self, standing: NftStanding, wanted: Forwarding | None) -> None:
        """Put ``wanted`` in place of what stands, in one transaction; raises ApplyFailed."""
        text = transaction(self.nftables.table, standing, wanted)
        if text:
            self.nftables.apply(text)


def transaction(table: str, standing: NftStanding, wanted: Forwarding | None) -> str:
    """Return the text for ``nft -f``. The table goes with our chain when nothing else is in it."""
    stands = standing.forwarding is not None
    if wanted is None:
        if not stands:
            return ""
        lines = [f"flush chain inet {table} {CHAIN}", f"delete chain inet {table} {CHAIN}"]
        return _text(lines if standing.shared else [f"delete table inet {table}"])
    lines = [f"add table inet {table}"]
    if stands:
        # Made anew, because it may be hooked elsewhere; in one transaction no packet meets the gap.
        lines += [f"flush chain inet {table} {CHAIN}", f"delete chain inet {table} {CHAIN}"]
    hook = f"type {_HOOK['type']} hook {_HOOK['hook']} priority {_HOOK['prio']}; policy {_HOOK['policy']};"
    lines.append(f"add chain inet {table} {CHAIN} {{ {hook} }}")
    lines += [f'add rule inet {table} {CHAIN} {rule} comment "{checksum(rule)}"' for rule in rules_of(wanted)]
    return _text(lines)


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def rules_of(forwarding: Forwarding) -> list[str]:
    """Return the rules of the chain. Only the first packet of a connection meets more than the first of them."""
    rules = ["ct state established,related counter accept"]
    for family in (4, 6):
        part = forwarding.of_family(family)
        mapped = part.mapped_to()
        # One lookup for all single addresses.
        single = [address for address in mapped if "/" not in address]
        targets = [f"{{ {', '.join(single)} }}"] if len(single) > 1 else single
        targets += [prefix for prefix in mapped if "/" in prefix]
        # Where a connection was translated to is where its replies come from.
        rules += [
            f"{_selected(family, f'ct reply {ip(family)} saddr', target)} ct status dnat counter accept"
            for target in targets
        ]
        # What comes in by a line with an address of the inside is forged.
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


def read_chain(objects: Iterable[Mapping[str, Any]]) -> NftStanding:
    """Return what the objects of ``nft -j list table`` say about our chain."""
    hook: Mapping[str, Any] | None = None
    rules: list[Mapping[str, Any]] = []
    shared = False
    for wrapped in objects:
        for kind, found in wrapped.items():
            if kind == "chain" and found["name"] == CHAIN:
                hook = {name: found.get(name) for name in _HOOK}
            elif kind == "rule" and found["chain"] == CHAIN:
                rules.append(found)
            elif kind not in ("metainfo", "table"):
                shared = True
    if hook is None:
        return NftStanding(shared=shared)
    passages = [passage for rule in rules for passage in _passages(rule.get("expr", []))]
    forwarding = Forwarding.of(DROP, passages)
    wanted = [checksum(rule) for rule in rules_of(forwarding)]
    is_whole = hook == _HOOK and [rule.get("comment") for rule in rules] == wanted
    return NftStanding(forwarding, () if is_whole else (f"chain {CHAIN} is not what it must be",), shared)


def _passages(expressions: Sequence[Mapping[str, Any]]) -> list[Passage]:
    """Return what a rule accepts, nothing when it is none of rules_of()."""
    values: dict[str, Any] = {}
    for expression in expressions:
        match = expression.get("match")
        if match:
            values.update(_read_match(match["left"], match["right"]))
    addresses = values.pop("addresses", [])
    mapped = values.pop("mapped", False)
    if not addresses or {"accept": None} not in expressions or mapped == bool(values):
        return []
    if mapped:
        return [Passage(mapped_to=address) for address in addresses]
    return [Passage(source=address, **values) for address in addresses]


def _read_match(left: Mapping[str, Any], right: Any) -> dict[str, Any]:
    """Return what one match says: ``addresses``, ``mapped`` or ``out_interface``."""
    meta, ct, payload = left.get("meta", {}), left.get("ct", {}), left.get("payload", {})
    if meta.get("key") == "oifname":
        return {"out_interface": right}
    if meta.get("key") == "nfproto":
        return {"addresses": [_EVERYTHING[right]]}
    if ct.get("key") == "status" and right == "dnat":
        return {"mapped": True}
    if ct.get("key") in ("ip saddr", "ip6 saddr") or payload.get("field") == "saddr":
        listed = right["set"] if isinstance(right, Mapping) and "set" in right else [right]
        return {"addresses": [read_prefix(value) for value in listed]}
    return {}
