# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an ordered list of translations to stages of nft maps and rules with the same meaning. Pure.

Entries that match by the same fields share a map, so a packet costs one lookup per shape in use, however many entries
there are. A stage never holds two entries that overlap. Where entries of different stages overlap, the earlier entry
is in the earlier stage, so the first match of the list is the first match in the kernel. The stages depend only on
the entries and on the order of those that overlap: any other change of order changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Union

from .entry_faults import Ports
from .model import INTERVALS, MAX_KEY_FIELDS, TOKENS, NatRule, hook

HOOKS = ("destination", "source")
# In place of "dports" where a range is translated to another range: each port is an element of its own.
SHIFT = "dshift"
# In place of "dports" where a range is translated to one port.
JOIN = "djoin"
_ALL_TOKENS = (*dict.fromkeys(token for pair in TOKENS.values() for token in pair), SHIFT, JOIN)
_INTERVALS = INTERVALS | {JOIN}
_NAME = re.compile(
    rf"(dnat|snat|redirect)_ipv([46])((?:_(?:{'|'.join(_ALL_TOKENS)}))+)(?:_([2-9]|[1-9]\d+))?",
)
# A part of an element's key: text, a port, or a range of ports.
KeyPart = Union[str, int, Ports, None]
Key = tuple[KeyPart, ...]
# A shape's place within a level: exact maps, maps with intervals, rules; more specific ones first.
Rank = tuple[int, int, tuple[str, ...], str]
# The part of an element's key that belongs to a token.
_VALUES: dict[str, Callable[[NatRule], KeyPart]] = {
    "iif": lambda rule: rule.in_interface,
    "oif": lambda rule: rule.out_interface,
    **dict.fromkeys(("saddr", "snet"), lambda rule: rule.source),
    **dict.fromkeys(("daddr", "dnet"), lambda rule: rule.destination),
    "proto": lambda rule: rule.protocol,
    "sport": lambda rule: rule.source_port and rule.source_port[0],
    "sports": lambda rule: rule.source_port,
    "dport": lambda rule: rule.destination_port and rule.destination_port[0],
    **dict.fromkeys(("dports", SHIFT, JOIN), lambda rule: rule.destination_port),
}


@dataclass(frozen=True)
class MapName:
    """A map of translations, named after its contents; ``level`` counts from 1."""

    type: str
    family: int
    tokens: tuple[str, ...]
    level: int = 1

    @classmethod
    def parse(cls, name: str) -> MapName | None:
        """Return the map of a name, None when it is not the name of such a map."""
        match = _NAME.fullmatch(name)
        if not match:
            return None
        return cls(match[1], int(match[2]), tuple(match[3][1:].split("_")), int(match[4] or 1))

    def __str__(self) -> str:
        level = f"_{self.level}" if self.level > 1 else ""
        return f"{self.type}_ipv{self.family}_{'_'.join(self.tokens)}{level}"

    @property
    def hook(self) -> str:
        """``destination`` or ``source``."""
        return "source" if self.type == "snat" else "destination"

    @property
    def has_intervals(self) -> bool:
        """Whether keys hold prefixes or ranges."""
        return not _INTERVALS.isdisjoint(self.tokens)

    @property
    def has_port_value(self) -> bool:
        """Whether the map gives an address and a port, not an address alone."""
        return self.type == "dnat" and self.tokens[-1] in ("dport", SHIFT, JOIN)

    @property
    def has_only_ports(self) -> bool:
        """Whether the map gives a port alone: the address is one of this host."""
        return self.type == "redirect"

    @property
    def needs_protocol(self) -> bool:
        """Whether nft takes the lookup only after a match of the protocol: a port alone, or in an interval map."""
        return self.has_only_ports or (self.has_intervals and self.has_port_value)


Item = Union[MapName, NatRule]


@dataclass
class Layout:
    """The contents of the table: per hook the lookups and rules in order, and the elements of each map."""

    chains: dict[str, list[Item]] = field(default_factory=lambda: {name: [] for name in HOOKS})
    maps: dict[MapName, dict[Key, NatRule]] = field(default_factory=dict)


def map_tokens(rule: NatRule) -> tuple[str, ...] | None:
    """Return the tokens of the map that a translation belongs to, or None when it is a rule.

    Rules are: masquerading, exemptions, prefix to prefix, a choice of source ports, ``random`` and ``persistent``, and
    entries that match by no or by all fields.
    """
    shape = rule.tokens
    if rule.type in ("masquerade", "exempt") or not 0 < len(shape) <= MAX_KEY_FIELDS or "/" in (rule.to_address or ""):
        return None
    if (rule.type == "snat" and rule.to_port) or rule.flags:
        return None
    if rule.type == "redirect" and not (shape[-1] == "dport" or rule.joins_ports):
        # The port stays, which no map says.
        return None
    if rule.joins_ports:
        return (*shape[:-1], JOIN)
    return (*shape[:-1], SHIFT) if rule.shifts_ports else shape


def elements(rule: NatRule, shape: Sequence[str]) -> list[Key]:
    """Return the keys of a translation in its map: one, or one per port where ports are shifted."""
    key = tuple([_VALUES[token](rule) for token in shape])
    ports = rule.destination_port
    if shape[-1] != SHIFT or ports is None:
        return [key]
    return [(*key[:-1], port) for port in range(ports[0], ports[1] + 1)]


def port_of(key: Key) -> int:
    """Return the port at the end of a key."""
    port = key[-1]
    return port if isinstance(port, int) else 0


def _rank(shape: tuple[str, ...] | None, kind: str) -> Rank:
    """Return the rank of a shape of a type; None is that of a rule."""
    if shape is None:
        return (2, 0, (), "")
    return (0 if _INTERVALS.isdisjoint(shape) else 1, -len(shape), shape, kind)


def sort_key(rule: NatRule) -> tuple[str, ...]:
    """Return a sort key for rules that do not overlap; it does not depend on the order of the list."""
    return tuple("" if part is None else str(part) for part in rule.key)


def compile_rules(rules: Sequence[NatRule], overlaps: Mapping[int, Sequence[int]]) -> Layout:
    """Return the stages for a list whose first match counts.

    ``overlaps`` gives, per position of the list, the positions of earlier entries that it overlaps.
    """
    layout = Layout()
    ranks: dict[tuple[tuple[str, ...] | None, str], Rank] = {}
    places: list[tuple[int, Rank, int]] = []
    staged: dict[tuple[str, int, int, Rank], list[int]] = {}
    stages: dict[tuple[str, int, tuple[str, ...], int], dict[Key, NatRule]] = {}
    for position, rule in enumerate(rules):
        shape = map_tokens(rule)
        rank = ranks.get((shape, rule.type)) or ranks.setdefault((shape, rule.type), _rank(shape, rule.type))
        level, depth = 1, 0
        if position in overlaps:
            level, depth = _behind([places[earlier] for earlier in overlaps[position]], rank, shape is None)
        places.append((level, rank, depth))
        if shape is None:
            staged.setdefault((hook(rule), rule.family, level, rank), []).append(position)
            continue
        stage = stages.get((rule.type, rule.family, shape, level))
        if stage is None:
            name = MapName(rule.type, rule.family, shape, level)
            stage = stages[rule.type, rule.family, shape, level] = layout.maps[name] = {}
            staged[name.hook, rule.family, level, rank] = []
        for key in elements(rule, shape):
            stage[key] = rule
    for where in sorted(staged):
        chain, family, level, rank = where
        if rank[0] < 2:
            layout.chains[chain].append(MapName(rank[3], family, rank[2], level))
        else:
            ordered = sorted(staged[where], key=lambda position: (places[position][2], sort_key(rules[position])))
            layout.chains[chain].extend(rules[position] for position in ordered)
    return layout


def _behind(earlier: Sequence[tuple[int, Rank, int]], rank: Rank, is_rule: bool) -> tuple[int, int]:
    """Return the first level, and for a rule the depth among its level's rules, that comes after all of ``earlier``."""
    level = 1
    for other_level, other_rank, _depth in earlier:
        in_front = other_rank < rank or (is_rule and other_rank == rank)
        level = max(level, other_level if in_front else other_level + 1)
    depths = [depth for other, other_rank, depth in earlier if is_rule and (other, other_rank) == (level, rank)]
    return level, max(depths, default=-1) + 1
