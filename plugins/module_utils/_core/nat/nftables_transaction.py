# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one nft transaction from the current state to the desired one: only differences, the rest is left untouched.

Elements and rules that have to move keep their counters; those that stay are not mentioned at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..filters.nftables_json import Counted
from .longest_increasing_subsequence import longest_increasing_subsequence
from .maps import SHIFT, Item, Key, Layout, MapName, port_of
from .model import NatRule, RuleKey
from .nftables_reading import Element
from .nftables_state import ChainRule, NftablesState
from .nftables_text import (
    BASE_CHAINS,
    CHAINS,
    element_text,
    item_text,
    key_text,
    map_definition,
    skeleton,
)

# So many elements, with IPv6 and the longest names, are well below the send buffer that any process may have.
_ELEMENTS_A_LINE = 250


def in_steps(text: str) -> list[str]:
    """Return a transaction cut into steps small enough for a process that may not enlarge its send buffer.

    All but the last only fill new maps, which no rule looks up yet; the last one switches to them at once.
    An empty list says that there is nothing to fill beforehand.
    """
    lines = text.splitlines()
    gone = {tuple(line.split()[2:5]) for line in lines if line.startswith("delete map ")}
    new = {tuple(line.split()[2:5]) for line in lines if line.startswith("add map ")} - gone
    filling: list[str] = []
    rest: list[str] = []
    for line in lines:
        is_map = line.startswith(("add map ", "add element ")) and tuple(line.split(maxsplit=5)[2:5]) in new
        (filling if is_map else rest).append(line)
    if not filling:
        return []
    table = [line for line in rest if line.startswith("add table ")]
    return [f"{line}\n" for line in table + filling] + [_text(rest)]


def transaction(
    current: NftablesState, desired: Layout | None, table: str, counters: Counters, purge: bool = True
) -> str:
    """Return the text for ``nft -f`` that turns ``current`` into ``desired``, empty when nothing differs.

    A ``desired`` of None removes the NAT part, and the table when nothing else is in it. ``purge`` says whether
    unmanaged objects are removed.
    """
    if desired is None:
        if not current.exists:
            return ""
        return _text(_removal(table, current) if current.is_shared else [f"delete table inet {table}"])
    if not current.is_present or current.faults:
        return _text([f"add table inet {table}", *_removal(table, current), *_creation(table, desired, counters)])
    return _text(_difference(table, current, desired, counters, purge))


def _creation(table: str, desired: Layout, counters: Counters) -> list[str]:
    lines = skeleton(table)
    for name, held in desired.maps.items():
        lines.append(map_definition(table, name))
        lines += _additions(table, name, held, counters)
    for hook, items in desired.chains.items():
        lines += [f"add rule inet {table} {CHAINS[hook]} {item_text(i, counters.of_rule(i))}" for i in items]
    return lines


class Counters:
    """The counters of each translation, but for those that start at zero. Looked up only when one moves."""

    def __init__(self, current: NftablesState, fresh: frozenset[object] = frozenset()) -> None:
        self._current = current
        self._fresh = fresh
        self._counted: dict[RuleKey, Counted] | None = None

    def of_rule(self, item: Item) -> Counted:
        """Return packets and bytes of a rule; a lookup counts nothing."""
        return (0, 0) if isinstance(item, MapName) else self._of(item, None)

    def of_element(self, name: MapName, key: Key, rule: NatRule) -> Counted:
        """Return packets and bytes of an element, which is one port where ports are shifted."""
        return self._of(rule, port_of(key) if name.tokens[-1] == SHIFT else None)

    def _of(self, rule: NatRule, port: int | None) -> Counted:
        if rule.key in self._fresh:
            return 0, 0
        if self._counted is None:
            self._counted = {}
            for name, held in self._current.maps.items():
                shifted = name.tokens[-1] == SHIFT
                for key, (found, counted) in held.items():
                    self._counted[found.key, key[-1] if shifted else None] = counted
            for rules in self._current.chains.values():
                self._counted.update({(r.item.key, None): r.counted for r in rules if isinstance(r.item, NatRule)})
        return self._counted.get((rule.key, port), (0, 0))


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _removal(table: str, current: NftablesState) -> list[str]:
    chains = [chain for chain in BASE_CHAINS if chain in current.present_chains]
    lines = [f"flush chain inet {table} {chain}" for chain in chains]
    lines += [f"delete chain inet {table} {chain}" for chain in chains]
    return lines + [f"delete map inet {table} {name}" for name in current.maps]


def _additions(table: str, name: MapName, held: dict[Key, NatRule], counters: Counters) -> list[str]:
    if not held:
        return []
    texts = [element_text(name, key, rule, counters.of_element(name, key, rule)) for key, rule in held.items()]
    parts = [texts[start : start + _ELEMENTS_A_LINE] for start in range(0, len(texts), _ELEMENTS_A_LINE)]
    return [f"add element inet {table} {name} {{ {', '.join(part)} }}" for part in parts]


def _difference(table: str, current: NftablesState, desired: Layout, counters: Counters, purge: bool) -> list[str]:
    """Return the lines for all differences: rules are deleted before their maps, and added after them."""
    unmanaged: dict[MapName, list[Key]] = {}
    for name, key in current.unmanaged_elements:
        unmanaged.setdefault(name, []).append(key)
    deleted, inserted = _rule_lines(table, current, desired, counters, [] if purge else [None, *unmanaged])
    removing: list[str] = []
    adding: list[str] = []
    for name, held in current.maps.items():
        others = unmanaged.get(name, [])
        if name not in desired.maps and (purge or not others):
            removing.append(f"delete map inet {table} {name}")
            continue
        elements = desired.maps.get(name, {})
        differing = _differing(held, elements)
        gone = differing + [key for key in others if purge or key in elements]
        if gone:
            texts = ", ".join(key_text(name, key) for key in gone)
            removing.append(f"delete element inet {table} {name} {{ {texts} }}")
        replaced = set(differing)
        new = {key: rule for key, rule in elements.items() if key not in held or key in replaced}
        adding += _additions(table, name, new, counters)
    for name, elements in desired.maps.items():
        if name not in current.maps:
            adding += [map_definition(table, name), *_additions(table, name, elements, counters)]
    if purge:
        fixed = [rule for rule in current.unmanaged_rules if rule.chain not in CHAINS.values()]
        deleted += [_deletion(table, rule) for rule in fixed]
    return deleted + removing + adding + inserted


def _rule_lines(
    table: str, current: NftablesState, desired: Layout, counters: Counters, leave: Sequence[Item | None]
) -> tuple[list[str], list[str]]:
    """Return the lines that delete rules, and those that insert some.

    Of ``leave`` none is deleted: a lookup goes with its map, which stays while it keeps unmanaged elements.
    """
    deleted: list[str] = []
    inserted: list[str] = []
    for hook, items in desired.chains.items():
        gone, new = _chain_difference(current.chains[hook], items, leave)
        deleted += [_deletion(table, rule) for rule in gone]
        for item, following in new:
            place = f"{table} {CHAINS[hook]}"
            start = f"insert rule inet {place} handle {following}" if following else f"add rule inet {place}"
            inserted.append(f"{start} {item_text(item, counters.of_rule(item))}")
    return deleted, inserted


def _deletion(table: str, rule: ChainRule) -> str:
    return f"delete rule inet {table} {rule.chain} handle {rule.handle}"


def _differing(held: dict[Key, Element], desired: dict[Key, NatRule]) -> list[Key]:
    """Return the keys whose translation is not the desired one, or that are not desired."""
    found = []
    for key, (configured, _counted) in held.items():
        rule = desired.get(key)
        # Nearly all are the very same object: comparing those field by field would be most of the work of a run.
        if rule is not configured and rule != configured:
            found.append(key)
    return found


def _chain_difference(
    current: Sequence[ChainRule], desired: Sequence[Item], leave: Sequence[Item | None]
) -> tuple[list[ChainRule], list[tuple[Item, int | None]]]:
    """Return the rules to delete, and those to insert, each with the handle of the kept rule that follows it."""
    index = {rule.item: position for position, rule in enumerate(current) if rule.item is not None}
    positions = [(index[item], place) for place, item in enumerate(desired) if item in index]
    kept = {
        positions[i][1]: positions[i][0]
        for i in longest_increasing_subsequence([position for position, _place in positions])
    }
    stays = set(kept.values())
    desired_items = set(desired)
    gone = [r for i, r in enumerate(current) if i not in stays and (r.item in desired_items or r.item not in leave)]
    new: list[tuple[Item, int | None]] = []
    following: int | None = None
    for place in range(len(desired) - 1, -1, -1):
        if place in kept:
            following = current[kept[place]].handle
        else:
            new.append((desired[place], following))
    return gone, new[::-1]
