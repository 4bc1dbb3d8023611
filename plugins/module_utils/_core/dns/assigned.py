# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record sets with addresses that an ISP assigns: from what is listed to the addresses of now. Pure: no I/O.

An entry may be a reference to an interface of this host, or a name of the zone that another host keeps up to date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ..entries import Options
from ..reference_texts import parse_reference, references
from ..references import Learned, values
from .model import Address, Key, RecordSet
from .transport import Source


class Assigned(Protocol):
    """Knows the addresses that other programs gave the interfaces of this host."""

    def now(self) -> Learned:
        """Return what they have now."""

    def earlier(self) -> Mapping[str, Sequence[Mapping[str, Sequence[str]]]]:
        """Return what they had, by name."""


def interfaces(options: Options) -> set[str]:
    """Return the interfaces that stored options refer to."""
    return {found[0] for found in map(parse_reference, references(options)) if found}


def names(sets: Iterable[RecordSet]) -> list[Key]:
    """Return the sets that have to be read to know the addresses of these."""
    return sorted({(each.address, listed.type) for listed in sets for each in listed.addresses if each.is_name})


def bound(sets: Iterable[RecordSet], learned: Learned, published: Mapping[Key, RecordSet]) -> list[RecordSet]:
    """Return the sets with the addresses of now; one is empty while nobody knows any address of it."""
    return [
        listed.with_addresses(one for each in listed.addresses for one in _values(each, listed, learned, published))
        for listed in sets
    ]


def bound_sources(sources: Iterable[Source], learned: Learned) -> tuple[Source, ...]:
    """Return the sources with the addresses of now, without those of interfaces that have none."""
    return tuple(replace(each, address=value) for each in sources for value in values(each.address, learned)[:1])


def earlier_values(sets: Iterable[RecordSet], assigned: Assigned) -> set[str]:
    """Return the addresses that the interfaces had to which the sets refer."""
    found = {parse_reference(each.address) for listed in sets for each in listed.addresses}
    known = assigned.earlier() if found - {None} else {}
    return {
        value.partition("/")[0]
        for reference in found
        if reference
        for state in known.get(reference[0], ())
        for value in state.get("addresses", ())
    }


def _values(
    each: Address, listed: RecordSet, learned: Learned, published: Mapping[Key, RecordSet]
) -> Sequence[Address]:
    if each.is_name:
        there = published.get((each.address, listed.type))
        return [Address(value, each.line) for value in there.values] if there else []
    return [replace(each, address=value) for value in values(each.address, learned)]
