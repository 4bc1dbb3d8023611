# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which translations can match the same packet: only between those does the order of the list matter.

Comparing every pair would take 50 million comparisons for 10,000 entries. Entries are grouped by the fields they match;
two entries can overlap only if they agree on the fields that both match, which an index per pair of groups finds at
once. Only ranges of ports are compared one by one, among entries that agree on all else.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Sequence
from typing import Callable

from .entry_faults import TO_DESTINATION
from .model import FIELD_OF_TOKEN, INTERVALS, NatRule, hook

_BITS = {4: 32, 6: 128}


@functools.cache
def network(prefix: str) -> tuple[int, int]:
    """Return the first address of a prefix or address as a number, and its length in bits."""
    parsed = ipaddress.ip_network(prefix)
    return int(parsed.network_address), parsed.prefixlen


def _share(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    return one is None or other is None or (one[0] <= other[1] and other[0] <= one[1])


def _share_addresses(family: int, one: str | None, other: str | None) -> bool:
    if one is None or other is None or one == other:
        return True
    (first, length), (other_first, other_length) = network(one), network(other)
    cut = _BITS[family] - min(length, other_length)
    return first >> cut == other_first >> cut


def overlap(one: NatRule, other: NatRule) -> bool:
    """Return whether both match some packet, at the same hook."""
    return (
        one.family == other.family
        and hook(one) == hook(other)
        and (one.protocol == other.protocol or "any" in (one.protocol, other.protocol))
        and (one.in_interface is None or other.in_interface in (None, one.in_interface))
        and (one.out_interface is None or other.out_interface in (None, one.out_interface))
        and _share(one.source_port, other.source_port)
        and _share(one.destination_port, other.destination_port)
        and _share_addresses(one.family, one.source, other.source)
        and _share_addresses(one.family, one.destination, other.destination)
    )


# How exactly an entry matches, field by field: the length of a prefix, 0 for any other value. A range of ports is no
# exact value (-1). Addresses of two lengths are compared by the shorter one, so prefixes are found like exact values.
_Profile = tuple[tuple[str, int], ...]


def _profile(rule: NatRule) -> _Profile:
    return _profile_of_single_values(rule.tokens, rule.family) or _profile_of_values(rule)


@functools.cache
def _profile_of_single_values(tokens: tuple[str, ...], family: int) -> _Profile | None:
    """Return the profile that all entries of a shape without prefixes and ranges have; None for other shapes."""
    if not INTERVALS.isdisjoint(tokens):
        return None
    fields = [FIELD_OF_TOKEN[token] for token in tokens]
    return tuple((field, _BITS[family] if field in ("source", "destination") else 0) for field in fields)


def _profile_of_values(rule: NatRule) -> _Profile:
    result = []
    for token in rule.tokens:
        field = FIELD_OF_TOKEN[token]
        if field in ("source", "destination"):
            length = getattr(rule, field).partition("/")[2]
            result.append((field, int(length) if length else _BITS[rule.family]))
        else:
            result.append((field, -1 if token in INTERVALS else 0))
    return tuple(result)


def _common(one: _Profile, other: _Profile) -> _Profile:
    lengths = dict(other)
    shared = [(field, min(length, lengths[field])) for field, length in one if field in lengths]
    return tuple((field, length) for field, length in shared if length >= 0)


def _values(common: _Profile) -> Callable[[NatRule], tuple[object, ...]]:
    """Return a function that reads the values of some fields, addresses cut to their length."""

    def read(rule: NatRule) -> tuple[object, ...]:
        values = []
        for field, length in common:
            value = getattr(rule, field)
            if field in ("source", "destination"):
                values.append(network(value)[0] >> (_BITS[rule.family] - length))
            else:
                values.append(value)
        return tuple(values)

    return read


class _Alike:
    """The entries so far with one profile, found by their values of any part of it."""

    def __init__(self) -> None:
        self._all: list[int] = []
        self._indexes: dict[_Profile, tuple[Callable[[NatRule], tuple[object, ...]], dict[object, list[int]]]] = {}

    def add(self, rules: Sequence[NatRule], position: int) -> None:
        """Add the entry at a position."""
        self._all.append(position)
        for values_of, index in self._indexes.values():
            index.setdefault(values_of(rules[position]), []).append(position)

    def candidates(self, rules: Sequence[NatRule], rule: NatRule, common: _Profile) -> list[int]:
        """Return the positions of the entries that have the values of ``rule`` in the ``common`` fields."""
        if not common:
            return self._all
        if common not in self._indexes:
            values_of = _values(common)
            built: dict[object, list[int]] = {}
            for position in self._all:
                built.setdefault(values_of(rules[position]), []).append(position)
            self._indexes[common] = (values_of, built)
        values_of, index = self._indexes[common]
        return index.get(values_of(rule), [])


def earlier_overlaps(rules: Sequence[NatRule]) -> dict[int, list[int]]:
    """Return, for each position whose entry overlaps earlier ones, their positions in ascending order."""
    shapes: dict[tuple[int, str], set[tuple[str, tuple[str, ...]]]] = {}
    for family, side, kind, tokens in {(rule.family, hook(rule), rule.type, rule.tokens) for rule in rules}:
        shapes.setdefault((family, side), set()).add((kind, tokens))
    # Keys are unique: forwards that all match by the same single values never meet, and need no index.
    apart = {
        where
        for where, used in shapes.items()
        if len(used) == 1 and all(kind in TO_DESTINATION and INTERVALS.isdisjoint(tokens) for kind, tokens in used)
    }
    if len(apart) == len(shapes):
        return {}
    groups: dict[tuple[int, str], dict[tuple[str, _Profile], _Alike]] = {}
    shared: dict[tuple[_Profile, _Profile], _Profile] = {}
    result: dict[int, list[int]] = {}
    for position, rule in enumerate(rules):
        place = (rule.family, hook(rule))
        if place in apart:
            continue
        profiles = groups.setdefault(place, {})
        profile = _profile(rule)
        # Keys are unique, so two such entries of one profile differ; those of two types may share a match.
        unique = rule.type in TO_DESTINATION and all(length >= 0 for _field, length in profile)
        found: list[int] = []
        for (kind, other), members in profiles.items():
            if unique and (kind, other) == (rule.type, profile):
                continue
            common = shared.get((other, profile))
            if common is None:
                common = shared[other, profile] = _common(other, profile)
            found += [c for c in members.candidates(rules, rule, common) if overlap(rules[c], rule)]
        profiles.setdefault((rule.type, profile), _Alike()).add(rules, position)
        if found:
            result[position] = sorted(found)
    return result
