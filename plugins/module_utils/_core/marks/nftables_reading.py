# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the nft table to a layout of connection marks, and from a layout to the marks. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from .. import fields
from ..filters.nftables_json import NftSet, NftTable, as_dict, concatenated
from ..routing.model import Neighbour
from .model import FAMILIES, BalanceLine, ConnectionMark, Marks, parse_prefixes
from .nftables_layout import PREFIX, SETS, Element, Layout, SetOrMap

_GATEWAY_NOTE = re.compile(r"(?:unknown|at ([0-9a-f:]{17}) on (\S+))(?:; (.*))?")
_WEIGHT_NOTE = re.compile(r"weight (\d+)(?:; (.*))?")
_RULE_NOTE = re.compile(r"mask (0x[0-9a-f]+), [0-9a-f]{8}")
Elements = Mapping[str, Element]


def read_layout(table: NftTable) -> tuple[Layout, bool]:
    """Return the own part of the table, and whether the table holds anything else."""
    layout = Layout()
    for chain in table.chains.values():
        if _is_own(chain.name):
            hook = (chain.type, chain.hook, chain.priority)
            layout.hooks[chain.name] = hook if any(hook) else None
            layout.rules.setdefault(chain.name, [])
    for rule in table.rules:
        if _is_own(rule.chain):
            layout.rules.setdefault(rule.chain, []).append(rule.comment)
    layout.sets = {name: _read_set(found) for name, found in table.sets.items() if _is_own(name)}
    return layout, table.is_shared(_is_own, lambda found: _is_own(found.name))


def _is_own(name: str) -> bool:
    return name.startswith(PREFIX)


def _read_set(found: NftSet) -> SetOrMap:
    elements: dict[str, Element] = {}
    for element in found.elements():
        parts = concatenated(element.key)
        types = found.key_types if len(parts) > 1 else (" . ".join(found.key_types),)
        key = " . ".join(_plain(part, one) for part, one in zip(parts, types))
        elements[key] = (None if element.value is None else _plain(element.value), element.comment)
    value_type = " . ".join(found.value_types) if found.kind == "map" else None
    return SetOrMap(found.kind, " . ".join(found.key_types), value_type, found.flags, elements)


def _plain(value: object, kind: str = "") -> str:
    """Return a key or value of an element as it is written; an interface's name is quoted."""
    if isinstance(value, dict):
        form, inner = next(iter(value.items()), ("", None))
        parts = as_dict(inner)
        if form == "prefix":
            return f"{_plain(parts.get('addr'))}/{parts.get('len')}"
        return f"goto {parts.get('target')}" if form == "goto" else str(value)
    if kind == "ifname":
        return f'"{value}"'
    # nft shows the last 32 bits of some IPv6 addresses as an IPv4 address.
    return str(ipaddress.ip_address(value)) if isinstance(value, str) and ":" in value and "." in value else str(value)


def recover(layout: Layout) -> Marks:
    """Return the marks of a layout; an unreadable part is left out, and shows as a difference."""
    # A set or map of another type is not the collection's own.
    held = {n: found.elements for n, found in layout.sets.items() if replace(found, elements={}) == SETS.get(n)}
    marks = list(_interface_marks(held.get("marks_interfaces", {})))
    for family in FAMILIES:
        marks += _source_marks(held.get(f"marks_addresses{family}", {}))
        marks += _gateway_marks(held.get(f"marks_gateways{family}", {}))

    def prefixes(name: str) -> tuple[str, ...]:
        keys = [key for family in FAMILIES for key in held.get(f"marks_{name}{family}", {})]
        return parse_prefixes([key for key in keys if _is_prefix(key)])

    return Marks(
        _mask(layout),
        tuple(marks),
        tuple(_recover_balance(held)),
        tuple(sorted(address for family in FAMILIES for address in held.get(f"marks_from{family}", {}))),
        prefixes("exclude"),
        prefixes("networks"),
        prefixes("keep"),
    )


def _mask(layout: Layout) -> int:
    """Return the mask that most rules were written with."""
    notes = [_RULE_NOTE.fullmatch(rule) for rules in layout.rules.values() for rule in rules if rule]
    masks = [int(note[1], 0) for note in notes if note]
    return max(set(masks), key=masks.count) if masks else Marks.mask


def _interface_marks(elements: Elements) -> Iterator[ConnectionMark]:
    for key, (verdict, comment) in elements.items():
        number = _number_of(verdict)
        if number is not None:
            yield ConnectionMark(number, in_interface=key.strip('"'), name=comment)


def _source_marks(elements: Elements) -> Iterator[ConnectionMark]:
    for key, (verdict, comment) in elements.items():
        number = _number_of(verdict)
        if number is not None and _is_prefix(key):
            yield ConnectionMark(number, name=comment, source=fields.prefix(key))


def _gateway_marks(elements: Elements) -> Iterator[ConnectionMark]:
    for key, (number, comment) in elements.items():
        note = _GATEWAY_NOTE.fullmatch(comment or "")
        if note and number:
            interface, _dot, gateway = key.partition(" . ")
            neighbour = Neighbour(note[2], note[1]) if note[1] else None
            on = None if interface == '"/"' else interface.strip('"')
            yield ConnectionMark(int(number), on, gateway, note[3], neighbour)


def _number_of(verdict: str | None) -> int | None:
    """Return the mark of the chain that a verdict goes to."""
    number = (verdict or "").rpartition("_")[2]
    return int(number) if number.isdecimal() else None


def _is_prefix(text: str) -> bool:
    try:
        return not fields.is_everything(fields.prefix(text))
    except ValueError:
        return False


def _recover_balance(held: Mapping[str, Elements]) -> list[BalanceLine]:
    shares: dict[int, tuple[int, str | None]] = {}
    sources: dict[int, tuple[str, ...]] = {}
    for family in FAMILIES:
        for key, (value, comment) in held.get(f"marks_sources{family}", {}).items():
            note = _WEIGHT_NOTE.fullmatch(comment or "")
            if note and value:
                shares[int(key)] = (int(note[1]), note[2])
                sources[int(key)] = (*sources.get(int(key), ()), value)
    return [BalanceLine(number, sources[number], *shares[number]) for number in sorted(shares)]
