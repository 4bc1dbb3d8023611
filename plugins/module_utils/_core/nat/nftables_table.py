# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in our part of the nft table, and whether it is whole.

nft 1.0.2 to 1.1.3 print our objects alike but for the type of a map's value and the order of objects. Chains and maps
of other names in the table are not looked at. What nobody's entry explains in a chain or map of ours is a stray.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .maps import HOOKS, SHIFT, Item, Key, Layout, MapName
from .model import NatRule
from .nftables_reading import Counted, Element, parse_rule, plain, read_elements
from .nftables_text import BASE_CHAINS, CHAINS, key_text, types

_HOOK_OF_CHAIN = {chain: hook for hook, chain in CHAINS.items()}
# What nft prints for FIXED_RULES of nftables_text.py.
_JUMP: dict[str, Any] = {"jump": {"target": "nat_destination"}}
_LOCAL: dict[str, Any] = {
    "match": {"op": "==", "left": {"fib": {"result": "type", "flags": "daddr"}}, "right": "local"}
}


def _not_loopback(protocol: str, right: Any) -> dict[str, Any]:
    left = {"payload": {"protocol": protocol, "field": "daddr"}}
    return {"match": {"op": "!=", "left": left, "right": right}}


_FIXED_RULES: dict[str, list[list[dict[str, Any]]]] = {
    "nat_prerouting": [[_JUMP]],
    "nat_output": [
        [_not_loopback("ip", {"prefix": {"addr": "127.0.0.0", "len": 8}}), _LOCAL, _JUMP],
        [_not_loopback("ip6", "::1"), _LOCAL, _JUMP],
    ],
}


@dataclass(frozen=True)
class ChainRule:
    """One rule of a chain: a lookup, a translation, or None when it is neither. ``counted`` is packets, bytes."""

    chain: str
    handle: int
    item: Item | None
    counted: Counted = (0, 0)


@dataclass
class Table:
    """What stands in our part of the table. ``exists`` is whether the table does, ``stands`` whether our part does.

    ``faults`` say why the fixed part is not what it must be. ``stray`` elements and rules are nobody's entry.
    """

    exists: bool = False
    stands: bool = False
    shared: bool = False
    chains: dict[str, list[ChainRule]] = field(default_factory=lambda: {hook: [] for hook in HOOKS})
    maps: dict[MapName, dict[Key, Element]] = field(default_factory=dict)
    stray_elements: list[tuple[MapName, Key]] = field(default_factory=list)
    stray_rules: list[ChainRule] = field(default_factory=list)
    present_chains: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def layout(self) -> Layout:
        """Return what stands as a layout, strays left out."""
        layout = Layout(maps={name: {key: e[0] for key, e in held.items()} for name, held in self.maps.items()})
        for hook, rules in self.chains.items():
            layout.chains[hook] = [rule.item for rule in rules if rule.item is not None]
        return layout

    def strays(self) -> list[str]:
        """Return what stands without being anybody's entry, one text each."""
        found = [f"rule {rule.handle} of chain {rule.chain}" for rule in self.stray_rules]
        return found + [f"element {key_text(name, key)} of map {name}" for name, key in self.stray_elements]

    def leaving_strays(self, purge: bool) -> list[str]:
        """Return the strays that a change takes away: with a fault in the fixed part all is made anew."""
        return self.strays() if purge or self.faults else []

    def counters(self) -> dict[Any, Counted]:
        """Return packets and bytes by key; only the first packet of a connection is translated, and so counted."""
        result: dict[Any, Counted] = {}
        for name, held in self.maps.items():
            for rule, packets, count in held.values():
                earlier = result.get(rule.key, (0, 0)) if name.tokens[-1] == SHIFT else (0, 0)
                result[rule.key] = (earlier[0] + packets, earlier[1] + count)
        for rules in self.chains.values():
            result.update({rule.item.key: rule.counted for rule in rules if isinstance(rule.item, NatRule)})
        return result

    def rules(self) -> list[tuple[NatRule, int]]:
        """Return the translations in the order they are tried, each with the position of its rule or lookup."""
        found: list[tuple[NatRule, int]] = []
        position = 0
        for rules in self.chains.values():
            for rule in rules:
                position += 1
                if isinstance(rule.item, NatRule):
                    found.append((rule.item, position))
                elif rule.item is not None:
                    held = [element[0] for element in self.maps[rule.item].values()]
                    if rule.item.tokens[-1] == SHIFT:
                        held = list({id(entry): entry for entry in held}.values())
                    found.extend((entry, position) for entry in held)
        return found


def read_table(objects: Iterable[Mapping[str, Any]]) -> Table:
    """Return what the objects of ``nft -j list table`` hold (the value of its "nftables")."""
    table = Table(exists=True)
    fixed: dict[str, list[list[Any]]] = {chain: [] for chain in _FIXED_RULES}
    for wrapped in objects:
        for kind, found in wrapped.items():
            if kind == "chain" and found["name"] in BASE_CHAINS:
                table.present_chains.append(found["name"])
                table.faults += _faults_of_chain(found)
            elif kind == "rule" and found["chain"] in BASE_CHAINS:
                _take_rule(table, fixed, found)
            elif kind == "map" and (name := MapName.parse(found["name"])):
                _take_map(table, name, found)
            elif kind not in ("metainfo", "table"):
                table.shared = True
    table.stands = bool(table.present_chains or table.maps)
    if table.stands:
        _judge(table, fixed)
    return table


def _faults_of_chain(found: Mapping[str, Any]) -> list[str]:
    base = BASE_CHAINS[found["name"]]
    expected = {"type": "nat", "hook": base[0], "prio": base[1], "policy": "accept"} if base else {}
    actual = {name: found[name] for name in ("type", "hook", "prio", "policy") if name in found}
    return [] if actual == expected else [f"chain {found['name']} is not hooked where it must be"]


def _take_rule(table: Table, fixed: dict[str, list[list[Any]]], found: Mapping[str, Any]) -> None:
    chain, expressions = found["chain"], found.get("expr", [])
    hook = _HOOK_OF_CHAIN.get(chain)
    if hook is None:
        printed = plain(expressions)
        if printed in _FIXED_RULES[chain]:
            fixed[chain].append(printed)
        else:
            table.stray_rules.append(ChainRule(chain, found["handle"], None))
        return
    item, counted = parse_rule(expressions, hook, found.get("comment"))
    table.chains[hook].append(ChainRule(chain, found["handle"], item, counted))


def _take_map(table: Table, name: MapName, found: Mapping[str, Any]) -> None:
    keys, values = types(name)
    flags = ["interval"] if name.has_intervals else []
    actual = (_type_list(found["type"]), _type_list(found["map"]), _as_list(found.get("flags", [])))
    if actual != (keys, values, flags):
        table.faults.append(f"map {name} is not of its type")
        table.maps[name] = {}
        return
    table.maps[name], stray = read_elements(name, found.get("elem", []))
    table.stray_elements += [(name, key) for key in stray]


def _judge(table: Table, fixed: Mapping[str, list[list[Any]]]) -> None:
    """Note what is wrong with the fixed part and take what stands twice for a stray."""
    table.faults += [f"chain {chain} is missing" for chain in BASE_CHAINS if chain not in table.present_chains]
    for chain, expected in _FIXED_RULES.items():
        if chain in table.present_chains and fixed[chain] != expected:
            table.faults.append(f"the rules of chain {chain} are not what they must be")
    seen: set[Any] = set()
    for hook, rules in table.chains.items():
        kept = []
        for rule in rules:
            if rule.item is None or rule.item in seen:
                kept.append(ChainRule(rule.chain, rule.handle, None))
                table.stray_rules.append(kept[-1])
            else:
                kept.append(rule)
                seen.add(rule.item)
        table.chains[hook] = kept
    _set_doubles_aside(table)


def _set_doubles_aside(table: Table) -> None:
    """Keep the first translation of each key; what stands later under the same key never matches."""
    seen: dict[Any, NatRule] = {}
    for rules in table.chains.values():
        for position, rule in enumerate(rules):
            if isinstance(rule.item, NatRule):
                if seen.setdefault(rule.item.key, rule.item) is not rule.item:
                    rules[position] = ChainRule(rule.chain, rule.handle, None)
                    table.stray_rules.append(rules[position])
            elif rule.item is not None:
                held = table.maps.get(rule.item, {})
                doubles = [k for k, e in held.items() if seen.setdefault(e[0].key, e[0]) is not e[0]]
                for key in doubles:
                    del held[key]
                table.stray_elements += [(rule.item, key) for key in doubles]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _type_list(value: Any) -> list[str]:
    # nft 1.0 prints a concatenated value type as one string, 1.1 as a list.
    return value if isinstance(value, list) else str(value).split(" . ")
