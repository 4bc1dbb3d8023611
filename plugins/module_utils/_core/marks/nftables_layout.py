# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chains, sets and maps of connection marks in nftables, as they are written. Pure.

Every name begins with ``marks_``. docs/marks.md says what the chains do. The declaration is kept in the maps' elements,
and the rest of it (names, weights, hardware addresses) in their comments, so that reading needs no other record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from .. import fields
from ..filters.backend import checksum
from ..filters.nftables_json import ip
from .model import FAMILIES, Marks

PREFIX = "marks_"
# Type, hook and priority of a base chain.
Hook = tuple["str | None", "str | None", "int | None"]
# name -> type, hook, priority. Marks are set after connections are tracked (-200), before destinations are translated
# (-100) and routes looked up; sources are translated before the administrator's own source NAT (100).
BASE_CHAINS: dict[str, Hook] = {
    "marks_prerouting": ("filter", "prerouting", -150),
    "marks_output": ("route", "output", -150),
    "marks_postrouting": ("nat", "postrouting", 90),
    # Before sources are translated.
    "marks_leaving": ("filter", "postrouting", -150),
}
# An element's value and comment.
Element = tuple["str | None", "str | None"]


@dataclass(frozen=True)
class SetOrMap:
    """A set or map: ``kind``, the types of key and (of a map) value, flags, and elements by key."""

    kind: str
    key: str
    value: str | None = None
    flags: tuple[str, ...] = ()
    elements: Mapping[str, Element] = field(default_factory=dict)


SETS = {
    "marks_interfaces": SetOrMap("map", "ifname", "verdict"),
    "marks_neighbours": SetOrMap("map", "ifname . ether_addr", "verdict"),
    "marks_packets": SetOrMap("map", "mark", "verdict"),
}
for _family in FAMILIES:
    _address = f"ipv{_family}_addr"
    SETS[f"marks_gateways{_family}"] = SetOrMap("map", f"ifname . {_address}", "mark")
    SETS[f"marks_addresses{_family}"] = SetOrMap("map", _address, "verdict", flags=("interval",))
    SETS[f"marks_sources{_family}"] = SetOrMap("map", "mark", _address)
    SETS[f"marks_from{_family}"] = SetOrMap("set", _address)
    SETS[f"marks_networks{_family}"] = SetOrMap("set", _address, flags=("interval",))
    SETS[f"marks_keep{_family}"] = SetOrMap("set", _address, flags=("interval",))
    SETS[f"marks_exclude{_family}"] = SetOrMap("set", _address, flags=("interval",))


@dataclass
class Layout:
    """The own part of the table: sets and maps, base chains by their hook, the rules of every chain.

    A rule that is read is only its comment, which identifies its text; None is a rule without one.
    """

    sets: dict[str, SetOrMap] = field(default_factory=dict)
    hooks: dict[str, Hook | None] = field(default_factory=dict)
    rules: dict[str, list[str | None]] = field(default_factory=dict)

    def differences(self, other: Layout) -> list[str]:
        """Return the parts in which the two differ, as messages name them."""
        parts = []
        for kind, mine, its in (("chain", self._chains(), other._chains()), ("set", self.sets, other.sets)):
            names = sorted({*mine, *its})
            parts += [f"{kind} {name}" for name in names if mine.get(name) != its.get(name)]
        return parts

    def _chains(self) -> dict[str, object]:
        return {name: (hook, self.rules.get(name, [])) for name, hook in self.hooks.items()}


def layout_of(marks: Marks) -> tuple[Layout, dict[str, list[str]]]:
    """Return the layout of ``marks``, and the rules of its chains as text."""
    layout = Layout(_sets(marks))
    unused = {"marks_postrouting": not marks.balance, "marks_leaving": not marks.keep_networks}
    layout.hooks = {name: hook for name, hook in BASE_CHAINS.items() if not unused.get(name)}
    texts = _rules(marks)
    for name, rules in texts.items():
        layout.hooks.setdefault(name, None)
        # The comment holds the mask, and a checksum that identifies the text of the rule.
        layout.rules[name] = [f"mask 0x{marks.mask:x}, {checksum(text)}" for text in rules]
    return layout, texts


def _sets(marks: Marks) -> dict[str, SetOrMap]:
    interfaces: dict[str, Element] = {}
    neighbours: dict[str, Element] = {}
    gateways: dict[int, dict[str, Element]] = {4: {}, 6: {}}
    addresses: dict[int, dict[str, Element]] = {4: {}, 6: {}}
    for entry in sorted(marks.marks, key=lambda entry: (entry.gateway or "", entry.in_interface or "")):
        if entry.source:
            verdict = f"goto marks_packet_{entry.mark}"
            addresses[fields.family_of(entry.source)][fields.short_prefix(entry.source)] = (verdict, entry.name)
            continue
        target = f"goto marks_connection_{entry.mark}"
        if entry.gateway is None:
            interfaces[f'"{entry.in_interface}"'] = (target, entry.name)
            continue
        note = f"at {entry.neighbour.address} on {entry.neighbour.interface}" if entry.neighbour else "unknown"
        # "/" cannot be the name of an interface: here it means a gateway on any interface.
        key = f'"{entry.in_interface or "/"}" . {entry.gateway}'
        full_note = f"{note}; {entry.name}" if entry.name else note
        gateways[fields.family_of(entry.gateway)][key] = (str(entry.mark), full_note)
        if entry.neighbour:
            neighbours[f'"{entry.neighbour.interface}" . {entry.neighbour.address}'] = (target, None)
    elements = {"marks_interfaces": interfaces, "marks_neighbours": neighbours}
    elements["marks_packets"] = {str(number): (f"goto marks_packet_{number}", None) for number in marks.numbers}
    for family in FAMILIES:
        elements[f"marks_gateways{family}"] = gateways[family]
        if addresses[family]:
            elements[f"marks_addresses{family}"] = addresses[family]
        if marks.balance:
            elements.update(_balance_elements(marks, family))
        for name, prefixes in (("networks", marks.balance_networks), ("keep", marks.keep_networks)):
            held = _of_family(prefixes, family)
            if held:
                elements[f"marks_{name}{family}"] = {fields.short_prefix(prefix): (None, None) for prefix in held}
    return {name: replace(SETS[name], elements=held) for name, held in elements.items()}


def _of_family(prefixes: Iterable[str], family: int) -> list[str]:
    return [prefix for prefix in prefixes if fields.family_of(prefix) == family]


def _balance_elements(marks: Marks, family: int) -> dict[str, dict[str, Element]]:
    sources: dict[str, Element] = {}
    for line in marks.balance:
        source = line.source(family)
        if source:
            note = f"weight {line.weight}"
            sources[str(line.mark)] = (source, f"{note}; {line.name}" if line.name else note)
    prefixes = _of_family(marks.balance_exclude, family)
    return {
        f"marks_sources{family}": sources,
        f"marks_from{family}": {a: (None, None) for a in marks.balance_from if fields.family_of(a) == family},
        f"marks_exclude{family}": {fields.short_prefix(prefix): (None, None) for prefix in prefixes},
    }


def _rules(marks: Marks) -> dict[str, list[str]]:
    mask, rest = f"0x{marks.mask:x}", f"0x{marks.mask ^ 0xFFFFFFFF:x}"
    restore = f"ct mark & {mask} vmap @marks_packets"
    rules = {
        "marks_prerouting": [
            "ct direction original iifname . ether saddr vmap @marks_neighbours",
            "ct direction original iifname vmap @marks_interfaces",
            restore,
        ],
        "marks_output": [restore],
    }
    families = {fields.family_of(mark.source) for mark in marks.marks if mark.source}
    sources = [f"meta mark & {mask} == 0 {ip(f)} saddr vmap @marks_addresses{f}" for f in sorted(families)]
    rules = {chain: held + sources for chain, held in rules.items()}
    for number in marks.numbers:
        # A connection that has a mark gets another: to a server with one address, packets that a client sends from one
        # port by another line belong to the same connection, also after it was closed.
        rules[f"marks_connection_{number}"] = [f"ct mark set ct mark & {rest} | 0x{number:x}"]
        rules[f"marks_packet_{number}"] = [f"meta mark set meta mark & {rest} | 0x{number:x}"]
    if marks.keep_networks:
        rules["marks_leaving"] = [
            f"{ip(f)} saddr @marks_keep{f} ct direction original ct mark & {mask} == 0 oifname vmap @marks_interfaces"
            for f in FAMILIES
            if _of_family(marks.keep_networks, f)
        ]
    if marks.balance:
        rules["marks_postrouting"] = []
        for line in marks.balance:
            rules[f"marks_new_{line.mark}"] = [
                f"ct mark set ct mark & {rest} | 0x{line.mark:x}",
                f"goto marks_packet_{line.mark}",
            ]
        for family in FAMILIES:
            _add_balance(rules, marks, family, mask)
    return rules


def _add_balance(rules: dict[str, list[str]], marks: Marks, family: int, mask: str) -> None:
    word = ip(family)
    shares = []
    total = 0
    for line in sorted(marks.balance, key=lambda line: line.mark):
        if line.source(family) and line.weight:
            first, total = total, total + line.weight
            turns = str(first) if line.weight == 1 else f"{first}-{total - 1}"
            shares.append(f"{turns} : goto marks_new_{line.mark}")
    if shares:
        # Only the first packet of a connection is not confirmed yet.
        new = (
            f"{word} daddr != @marks_exclude{family} fib daddr type unicast "
            f"ct direction original ct status & confirmed == 0 meta mark & {mask} == 0 "
            f"numgen inc mod {total} vmap {{ {', '.join(shares)} }}"
        )
        rules["marks_output"].append(f"{word} saddr @marks_from{family} {new}")
        if _of_family(marks.balance_networks, family):
            rules["marks_prerouting"].append(f"{word} saddr @marks_networks{family} {new}")
    source = f"snat {word} to ct mark & {mask} map @marks_sources{family}"
    rules["marks_postrouting"].append(f"{word} saddr @marks_from{family} fib saddr type local {source}")
