# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one nft transaction from what stands to what is wanted: only what differs, everything else is left untouched.

Elements and rules that have to move take their counters along; those that stay are not mentioned at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .longest_increasing_subsequence import longest_increasing_subsequence
from .maps import SHIFT, Item, Key, Layout, MapName
from .model import NatRule
from .nftables_reading import Counted, Element
from .nftables_table import ChainRule, Table
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

    All but the last only fill new maps, which nothing looks up yet; the last one changes what packets meet, at once.
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


def transaction(table: str, current: Table, target: Layout | None, counters: Counters, purge: bool = True) -> str:
    """Return the text for ``nft -f``, empty when nothing differs.

    A target of None takes our part away, and the table when nothing else is in it. ``purge`` tells whether strays go.
    """
    if target is None:
        if not current.exists:
            return ""
        return _text([f"delete table inet {table}"] if not current.shared else _removal(table, current))
    if not current.stands or current.faults:
        lines = [f"add table inet {table}", *_removal(table, current), *skeleton(table)]
        for name, held in target.maps.items():
            lines.append(map_definition(table, name))
            lines += _additions(table, name, held, counters)
        for hook, items in target.chains.items():
            lines += [f"add rule inet {table} {CHAINS[hook]} {item_text(i, counters.of_rule(i))}" for i in items]
        return _text(lines)
    return _text(_difference(table, current, target, counters, purge))


class Counters:
    """What each translation has counted so far, but for those that begin anew. Looked up only when one moves."""

    def __init__(self, current: Table, fresh: frozenset[Any] = frozenset()) -> None:
        self._current = current
        self._fresh = fresh
        self._counted: dict[Any, Counted] | None = None

    def of_rule(self, item: Item) -> Counted:
        """Return packets and bytes of a rule; a lookup counts nothing."""
        return (0, 0) if isinstance(item, MapName) else self._of(item, None)

    def of_element(self, name: MapName, key: Key, rule: NatRule) -> Counted:
        """Return packets and bytes of an element, which is one port where ports are shifted."""
        return self._of(rule, key[-1] if name.tokens[-1] == SHIFT else None)

    def _of(self, rule: NatRule, port: int | None) -> Counted:
        if rule.key in self._fresh:
            return 0, 0
        if self._counted is None:
            self._counted = {}
            for name, held in self._current.maps.items():
                shifted = name.tokens[-1] == SHIFT
                for key, (found, packets, count) in held.items():
                    self._counted[found.key, key[-1] if shifted else None] = (packets, count)
            for rules in self._current.chains.values():
                self._counted.update({(r.item.key, None): r.counted for r in rules if isinstance(r.item, NatRule)})
        return self._counted.get((rule.key, port), (0, 0))


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _removal(table: str, current: Table) -> list[str]:
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


def _difference(table: str, current: Table, target: Layout, counters: Counters, purge: bool) -> list[str]:
    removing: list[str] = []
    adding: list[str] = []
    deleted_rules: list[str] = []
    stray_elements: dict[MapName, list[Key]] = {}
    for name, key in current.stray_elements:
        stray_elements.setdefault(name, []).append(key)
    for name, held in current.maps.items():
        wanted = target.maps.get(name)
        stray = stray_elements.get(name, [])
        if wanted is None and (purge or not stray):
            removing.append(f"delete map inet {table} {name}")
            continue
        wanted = wanted or {}
        differing = _differing(held, wanted)
        gone = differing + [key for key in stray if purge or key in wanted]
        if gone:
            texts = ", ".join(key_text(name, key) for key in gone)
            removing.append(f"delete element inet {table} {name} {{ {texts} }}")
        replaced = set(differing)
        new = {key: rule for key, rule in wanted.items() if key not in held or key in replaced}
        adding += _additions(table, name, new, counters)
    for name, wanted in target.maps.items():
        if name not in current.maps:
            adding.append(map_definition(table, name))
            adding += _additions(table, name, wanted, counters)
    inserted: list[str] = []
    for hook, items in target.chains.items():
        # A lookup goes with its map, which stays while it holds strays that are to stay.
        leave = [None, *stray_elements] if not purge else []
        gone_rules, new_rules = _chain_difference(current.chains[hook], items, leave)
        deleted_rules += [f"delete rule inet {table} {rule.chain} handle {rule.handle}" for rule in gone_rules]
        for item, following in new_rules:
            place = f"insert rule inet {table} {CHAINS[hook]} handle {following}" if following else ""
            place = place or f"add rule inet {table} {CHAINS[hook]}"
            inserted.append(f"{place} {item_text(item, counters.of_rule(item))}")
    if purge:
        fixed = [rule for rule in current.stray_rules if rule.chain not in CHAINS.values()]
        deleted_rules += [f"delete rule inet {table} {rule.chain} handle {rule.handle}" for rule in fixed]
    return deleted_rules + removing + adding + inserted


def _differing(held: dict[Key, Element], wanted: dict[Key, NatRule]) -> list[Key]:
    """Return the keys that stand for something else than they are wanted for, or are not wanted."""
    found = []
    for key, (standing, _packets, _bytes) in held.items():
        rule = wanted.get(key)
        # Nearly all are the very same object: comparing those field by field would be most of the work of a run.
        if rule is not standing and rule != standing:
            found.append(key)
    return found


def _chain_difference(
    standing: Sequence[ChainRule], wanted: Sequence[Item], leave: Sequence[Item | None]
) -> tuple[list[ChainRule], list[tuple[Item, int | None]]]:
    """Return the rules to delete, and those to insert, each with the handle of the kept rule that follows it."""
    index = {rule.item: position for position, rule in enumerate(standing) if rule.item is not None}
    positions = [(index[item], place) for place, item in enumerate(wanted) if item in index]
    kept = {
        positions[i][1]: positions[i][0]
        for i in longest_increasing_subsequence([position for position, _place in positions])
    }
    stays = set(kept.values())
    wanted_items = set(wanted)
    gone = [r for i, r in enumerate(standing) if i not in stays and (r.item in wanted_items or r.item not in leave)]
    new: list[tuple[Item, int | None]] = []
    following: int | None = None
    for place in range(len(wanted) - 1, -1, -1):
        if place in kept:
            following = standing[kept[place]].handle
        else:
            new.append((wanted[place], following))
    return gone, new[::-1]
