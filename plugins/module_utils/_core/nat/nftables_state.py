# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAT part of the nft table as it is, and whether it is complete.

Chains and maps of other names in the table are not looked at. Elements and rules in an own chain or map that belong to
no entry are unmanaged.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..filters.nftables_json import Counted, NftChain, NftSet, NftTable
from .maps import HOOKS, SHIFT, Item, Key, Layout, MapName
from .model import NatRule, RuleKey
from .nftables_reading import Element, fixed_text, parse_rule, read_elements
from .nftables_text import BASE_CHAINS, CHAINS, FIXED_RULES, key_text, types

_HOOK_OF_CHAIN = {chain: hook for hook, chain in CHAINS.items()}


@dataclass(frozen=True)
class ChainRule:
    """One rule of a chain. ``item`` is a lookup or a translation, None in an unmanaged rule."""

    chain: str
    handle: int
    item: Item | None
    counted: Counted = (0, 0)


@dataclass
class NftablesState:
    """The NAT part of the table. ``exists`` is whether the table exists, ``is_present`` whether the NAT part does.

    ``is_shared`` says whether anything else is in the table. ``faults`` say why the fixed part is not as required.
    """

    exists: bool = False
    is_present: bool = False
    is_shared: bool = False
    chains: dict[str, list[ChainRule]] = field(default_factory=lambda: {hook: [] for hook in HOOKS})
    maps: dict[MapName, dict[Key, Element]] = field(default_factory=dict)
    unmanaged_elements: list[tuple[MapName, Key]] = field(default_factory=list)
    unmanaged_rules: list[ChainRule] = field(default_factory=list)
    present_chains: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def layout(self) -> Layout:
        """Return the state as a layout, without unmanaged objects."""
        layout = Layout(maps={name: {key: e[0] for key, e in held.items()} for name, held in self.maps.items()})
        for hook, rules in self.chains.items():
            layout.chains[hook] = [rule.item for rule in rules if rule.item is not None]
        return layout

    def unmanaged(self) -> list[str]:
        """Return the elements and rules that belong to no entry, one text each."""
        found = [f"rule {rule.handle} of chain {rule.chain}" for rule in self.unmanaged_rules]
        return found + [f"element {key_text(name, key)} of map {name}" for name, key in self.unmanaged_elements]

    def unmanaged_to_remove(self, purge: bool) -> list[str]:
        """Return the unmanaged objects that a change removes: after a fault in the fixed part all is made again."""
        return self.unmanaged() if purge or self.faults else []

    def counters(self) -> dict[RuleKey, Counted]:
        """Return packets and bytes by key; only the first packet of a connection is translated, and so counted."""
        result: dict[RuleKey, Counted] = {}
        for name, held in self.maps.items():
            for rule, (packets, count) in held.values():
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


def read_state(table: NftTable) -> NftablesState:
    """Return the state of the NAT part of a table."""
    state = NftablesState(exists=True)
    for chain in table.chains.values():
        if chain.name in BASE_CHAINS:
            state.present_chains.append(chain.name)
            state.faults += _faults_of_chain(chain)
    for printed in table.sets.values():
        name = _map_name(printed)
        if name is not None:
            _read_map(state, name, printed)
    state.is_shared = table.is_shared(BASE_CHAINS.__contains__, lambda one: _map_name(one) is not None)
    state.is_present = bool(state.present_chains or state.maps)
    fixed = _read_rules(state, table)
    if state.is_present:
        _note_faults(state, fixed)
        _set_aside_unknown_rules(state)
        _set_aside_duplicates(state)
    return state


def _map_name(printed: NftSet) -> MapName | None:
    return MapName.parse(printed.name) if printed.kind == "map" else None


def _faults_of_chain(chain: NftChain) -> list[str]:
    base = BASE_CHAINS[chain.name]
    expected = ("nat", *base, "accept") if base else (None, None, None, None)
    actual = (chain.type, chain.hook, chain.priority, chain.policy)
    return [] if actual == expected else [f"chain {chain.name} is not hooked where it must be"]


def _read_rules(state: NftablesState, table: NftTable) -> dict[str, list[str]]:
    """Read the rules of all chains; return those of the fixed part by chain."""
    fixed: dict[str, list[str]] = {chain: [] for chain, _text in FIXED_RULES}
    for rule in table.rules:
        hook = _HOOK_OF_CHAIN.get(rule.chain)
        if hook is not None:
            state.chains[hook].append(ChainRule(rule.chain, rule.handle, parse_rule(rule, hook), rule.counted))
        elif (rule.chain, fixed_text(rule)) in FIXED_RULES:
            fixed[rule.chain].append(fixed_text(rule))
        elif rule.chain in BASE_CHAINS:
            state.unmanaged_rules.append(ChainRule(rule.chain, rule.handle, None))
    return fixed


def _read_map(state: NftablesState, name: MapName, printed: NftSet) -> None:
    keys, values = types(name)
    flags = ("interval",) if name.has_intervals else ()
    if (printed.key_types, printed.value_types, printed.flags) != (tuple(keys), tuple(values), flags):
        state.faults.append(f"map {name} is not of its type")
        state.maps[name] = {}
        return
    state.maps[name], unmanaged = read_elements(name, printed.elements())
    state.unmanaged_elements += [(name, key) for key in unmanaged]


def _note_faults(state: NftablesState, fixed: dict[str, list[str]]) -> None:
    """Note what is wrong with the fixed part."""
    state.faults += [f"chain {chain} is missing" for chain in BASE_CHAINS if chain not in state.present_chains]
    for chain, found in fixed.items():
        if chain in state.present_chains and found != [text for place, text in FIXED_RULES if place == chain]:
            state.faults.append(f"the rules of chain {chain} are not what they must be")


def _set_aside_unknown_rules(state: NftablesState) -> None:
    """Take rules that are no entry, and repeated ones, for unmanaged."""
    seen: set[Item] = set()
    for hook, rules in state.chains.items():
        kept = []
        for rule in rules:
            if rule.item is None or rule.item in seen:
                kept.append(ChainRule(rule.chain, rule.handle, None))
                state.unmanaged_rules.append(kept[-1])
            else:
                kept.append(rule)
                seen.add(rule.item)
        state.chains[hook] = kept


def _set_aside_duplicates(state: NftablesState) -> None:
    """Keep the first translation of each key; a later one with the same key never matches."""
    seen: dict[RuleKey, NatRule] = {}
    for rules in state.chains.values():
        for position, rule in enumerate(rules):
            if isinstance(rule.item, NatRule):
                if seen.setdefault(rule.item.key, rule.item) is not rule.item:
                    rules[position] = ChainRule(rule.chain, rule.handle, None)
                    state.unmanaged_rules.append(rules[position])
            elif rule.item is not None:
                held = state.maps.get(rule.item, {})
                duplicates = [k for k, e in held.items() if seen.setdefault(e[0].key, e[0]) is not e[0]]
                for key in duplicates:
                    del held[key]
                state.unmanaged_elements += [(rule.item, key) for key in duplicates]
