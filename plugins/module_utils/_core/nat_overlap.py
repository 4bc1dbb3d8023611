# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which translations can match one packet: only between those does the order of the list mean anything.

Asking every pair would take 50 million comparisons for 10,000 entries. Entries are grouped by their shape, the set of
fields they match; two entries can overlap only if they agree on the fields that both match exactly, which an index
per pair of shapes finds at once.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Sequence
from typing import Any, Callable

from .nat_model import FIELD_OF_TOKEN, INTERVALS, NatRule


def hook(rule: NatRule) -> str:
    """Return where a translation happens: ``destination`` or ``source``."""
    return "destination" if rule.type == "dnat" else "source"


@functools.cache
def bounds(prefix: str) -> tuple[int, int]:
    """Return the first and the last address of a prefix or address, as numbers."""
    network = ipaddress.ip_network(prefix)
    return int(network.network_address), int(network.broadcast_address)


def _share(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    return one is None or other is None or (one[0] <= other[1] and other[0] <= one[1])


def _share_addresses(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other or _share(bounds(one), bounds(other))


def overlap(one: NatRule, other: NatRule) -> bool:
    """Tell whether some packet is matched by both, at the same hook."""
    return (
        one.family == other.family
        and hook(one) == hook(other)
        and (one.protocol == other.protocol or "any" in (one.protocol, other.protocol))
        and (one.in_interface is None or other.in_interface in (None, one.in_interface))
        and (one.out_interface is None or other.out_interface in (None, one.out_interface))
        and _share(one.source_port, other.source_port)
        and _share(one.destination_port, other.destination_port)
        and _share_addresses(one.source, other.source)
        and _share_addresses(one.destination, other.destination)
    )


class _Shape:
    """The entries so far that match by the same fields, found by the values of any subset of the exact ones."""

    def __init__(self) -> None:
        self._all: list[int] = []
        self._indexes: dict[tuple[str, ...], tuple[Callable[[NatRule], Any], dict[Any, list[int]]]] = {}

    def add(self, rules: Sequence[NatRule], position: int) -> None:
        self._all.append(position)
        for values_of, index in self._indexes.values():
            index.setdefault(values_of(rules[position]), []).append(position)

    def candidates(self, rules: Sequence[NatRule], rule: NatRule, common: tuple[str, ...]) -> list[int]:
        if not common:
            return self._all
        if common not in self._indexes:
            values_of = _values(common)
            built: dict[Any, list[int]] = {}
            for position in self._all:
                built.setdefault(values_of(rules[position]), []).append(position)
            self._indexes[common] = (values_of, built)
        values_of, index = self._indexes[common]
        return index.get(values_of(rule), [])


def _values(common: tuple[str, ...]) -> Callable[[NatRule], Any]:
    names = tuple(FIELD_OF_TOKEN[token] for token in common)
    return lambda rule: tuple(getattr(rule, name) for name in names)


def earlier_overlaps(rules: Sequence[NatRule]) -> dict[int, list[int]]:
    """Return, for each position whose entry overlaps earlier ones, their positions in ascending order."""
    groups: dict[tuple[int, str], dict[tuple[str, ...], _Shape]] = {}
    shared: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[str, ...]] = {}
    result: dict[int, list[int]] = {}
    for position, rule in enumerate(rules):
        shapes = groups.setdefault((rule.family, hook(rule)), {})
        shape = rule.tokens
        found: list[int] = []
        for other, members in shapes.items():
            if other == shape and rule.type == "dnat" and INTERVALS.isdisjoint(shape):
                # Keys are unique, so two such entries differ in some field; snat and masquerade may share a match.
                continue
            common = shared.get((other, shape))
            if common is None:
                common = tuple(t for t in other if t in shape and t not in INTERVALS)
                shared[(other, shape)] = common
            for candidate in members.candidates(rules, rule, common):
                if overlap(rules[candidate], rule):
                    found.append(candidate)
        if shape not in shapes:
            shapes[shape] = _Shape()
        shapes[shape].add(rules, position)
        if found:
            result[position] = sorted(found)
    return result
