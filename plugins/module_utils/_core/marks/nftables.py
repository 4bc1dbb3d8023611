# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection marks in nftables: what of our table is theirs, written as text, read back from JSON.

Every name begins with ``marks_``; nothing else in the table is looked at. What the chains do is told in docs/marks.md.
What was declared is in the maps' elements, what is a number of its own (names, weights, hardware addresses) in their
comments, so that reading needs no record outside the kernel.
"""

from __future__ import annotations

import ipaddress
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .. import fields
from ..errors import ApplyFailed
from ..filters.nftables import Nftables
from ..routing.model import Neighbour
from .backend import Standing
from .model import FAMILIES, BalanceLine, ConnectionMark, Marks, parse_prefixes

PREFIX = "marks_"
# name -> type, hook, priority. Marks are set after connections are tracked (-200), before destinations are translated
# (-100) and routes looked up; sources are translated before the administrator's own source NAT (100).
BASE_CHAINS = {
    "marks_prerouting": ("filter", "prerouting", -150),
    "marks_output": ("route", "output", -150),
    "marks_postrouting": ("nat", "postrouting", 90),
}
_IP = {4: "ip", 6: "ip6"}
_GATEWAY_NOTE = re.compile(r"(?:unknown|at ([0-9a-f:]{17}) on (\S+))(?:; (.*))?")
_WEIGHT_NOTE = re.compile(r"weight (\d+)(?:; (.*))?")
_RULE_NOTE = re.compile(r"mask (0x[0-9a-f]+), [0-9a-f]{8}")
# An element's value and comment.
Element = tuple["str | None", "str | None"]


@dataclass(frozen=True)
class Holder:
    """A set or map: ``kind``, the types of key and (of a map) value, flags, and elements by key."""

    kind: str
    key: str
    value: str | None = None
    flags: tuple[str, ...] = ()
    elements: Mapping[str, Element] = field(default_factory=dict)


HOLDERS = {
    "marks_interfaces": Holder("map", "ifname", "verdict"),
    "marks_neighbours": Holder("map", "ifname . ether_addr", "verdict"),
    "marks_packets": Holder("map", "mark", "verdict"),
}
for _family in FAMILIES:
    _address = f"ipv{_family}_addr"
    HOLDERS[f"marks_gateways{_family}"] = Holder("map", f"ifname . {_address}", "mark")
    HOLDERS[f"marks_addresses{_family}"] = Holder("map", _address, "verdict", flags=("interval",))
    HOLDERS[f"marks_sources{_family}"] = Holder("map", "mark", _address)
    HOLDERS[f"marks_from{_family}"] = Holder("set", _address)
    HOLDERS[f"marks_exclude{_family}"] = Holder("set", _address, flags=("interval",))


@dataclass
class Layout:
    """Our part of the table: sets and maps, base chains by what they are hooked to, the rules of every chain.

    A rule that is read is its comment alone, which tells the text it was made of; None is a rule of somebody else.
    """

    holders: dict[str, Holder] = field(default_factory=dict)
    hooks: dict[str, tuple[Any, ...] | None] = field(default_factory=dict)
    rules: dict[str, list[str | None]] = field(default_factory=dict)

    def differences(self, other: Layout) -> list[str]:
        """Return the parts in which the two differ, as messages name them."""
        parts = []
        for kind, mine, its in (("chain", self._chains(), other._chains()), ("set", self.holders, other.holders)):
            names = sorted({*mine, *its})
            parts += [f"{kind} {name}" for name in names if mine.get(name) != its.get(name)]
        return parts

    def _chains(self) -> dict[str, tuple[Any, ...]]:
        return {name: (hook, self.rules.get(name, [])) for name, hook in self.hooks.items()}


@dataclass(frozen=True)
class NftablesStanding(Standing):
    """What stands in our table, with what is needed to replace it."""

    exists: bool = False
    shared: bool = False
    layout: Layout = field(default_factory=Layout)


class NftablesMarks:
    """Reads and writes marks in one nft table of family inet."""

    name = "nftables"

    def __init__(self, table: str, nftables: Nftables | None = None) -> None:
        self.nftables = nftables or Nftables(table)

    def read(self) -> NftablesStanding:
        """Return what stands; raises Unsupported when nft is missing or may not read."""
        objects = self.nftables.read()
        if objects is None:
            return NftablesStanding(Marks())
        layout, shared = read_layout(objects)
        marks = recover(layout)
        written = layout_of(marks)[0] if marks else Layout()
        return NftablesStanding(marks, tuple(layout.differences(written)), True, shared, layout)

    def write(self, standing: NftablesStanding, marks: Marks) -> None:
        """Put ``marks`` in place of what stands, in one transaction; raises ApplyFailed."""
        text = transaction(self.nftables.table, standing, marks)
        if text:
            self.nftables.apply(text)

    def undo(self, before: NftablesStanding) -> list[str]:
        """Put back what stood; return what could not be."""
        try:
            self.write(self.read(), before.marks)
            if before.exists and not before.marks:
                self.nftables.apply(f"add table inet {self.nftables.table}\n")
        except ApplyFailed as error:
            return [str(error)]
        return [f"{part} was not whole before" for part in before.faults]


def transaction(table: str, standing: NftablesStanding, marks: Marks) -> str:
    """Return the text for ``nft -f``: our part is emptied and filled again, and the kernel switches at once.

    Chains that are hooked where they must be stay hooked. Without marks our part goes, and the table with it when
    nothing else is in it.
    """
    if not marks and not standing.shared:
        return f"delete table inet {table}\n" if standing.exists else ""
    wanted, texts = layout_of(marks) if marks else (Layout(), {})
    here = standing.layout
    kept = {name for name, hook in wanted.hooks.items() if name in here.hooks and here.hooks[name] == hook}
    lines = [f"add table inet {table}"]
    lines += [f"flush chain inet {table} {name}" for name in here.hooks]
    lines += [f"delete {holder.kind} inet {table} {name}" for name, holder in here.holders.items()]
    lines += [f"delete chain inet {table} {name}" for name in here.hooks if name not in kept]
    for name, hook in wanted.hooks.items():
        if name not in kept:
            definition = f" {{ type {hook[0]} hook {hook[1]} priority {hook[2]}; policy accept; }}" if hook else ""
            lines.append(f"add chain inet {table} {name}{definition}")
    for name, holder in wanted.holders.items():
        types = f"{holder.key} : {holder.value}" if holder.value else holder.key
        flags = f" flags {', '.join(holder.flags)};" if holder.flags else ""
        lines.append(f"add {holder.kind} inet {table} {name} {{ type {types};{flags} }}")
        if holder.elements:
            elements = ", ".join(_element_text(key, *element) for key, element in holder.elements.items())
            lines.append(f"add element inet {table} {name} {{ {elements} }}")
    for name, rules in texts.items():
        for text, comment in zip(rules, wanted.rules[name]):
            lines.append(f'add rule inet {table} {name} {text} comment "{comment}"')
    return "".join(f"{line}\n" for line in lines)


def _element_text(key: str, value: str | None, comment: str | None) -> str:
    note = f' comment "{comment}"' if comment else ""
    return f"{key}{note} : {value}" if value else f"{key}{note}"


def layout_of(marks: Marks) -> tuple[Layout, dict[str, list[str]]]:
    """Return the layout that stands for ``marks``, and the rules of its chains as text."""
    layout = Layout(_holders(marks))
    layout.hooks = {name: hook for name, hook in BASE_CHAINS.items() if name != "marks_postrouting" or marks.balance}
    texts = _rules(marks)
    for name, rules in texts.items():
        layout.hooks.setdefault(name, None)
        # The comment tells the mask, and by its checksum that the rule is of this text.
        layout.rules[name] = [f"mask 0x{marks.mask:x}, {zlib.crc32(text.encode()):08x}" for text in rules]
    return layout, texts


def _holders(marks: Marks) -> dict[str, Holder]:
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
        # No interface's name can be "/": it stands for a gateway that may be on any.
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
    return {name: replace(HOLDERS[name], elements=held) for name, held in elements.items()}


def _balance_elements(marks: Marks, family: int) -> dict[str, dict[str, Element]]:
    sources: dict[str, Element] = {}
    for line in marks.balance:
        source = line.source(family)
        if source:
            note = f"weight {line.weight}"
            sources[str(line.mark)] = (source, f"{note}; {line.name}" if line.name else note)
    prefixes = [prefix for prefix in marks.balance_exclude if fields.family_of(prefix) == family]
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
    sources = [f"meta mark & {mask} == 0 {_IP[f]} saddr vmap @marks_addresses{f}" for f in sorted(families)]
    rules = {chain: held + sources for chain, held in rules.items()}
    for number in marks.numbers:
        # Also of a connection that has one: to a server with one address, what a client sends from one port by another
        # line is the same connection, and so is what follows in its last state.
        rules[f"marks_connection_{number}"] = [f"ct mark set ct mark & {rest} | 0x{number:x}"]
        rules[f"marks_packet_{number}"] = [f"meta mark set meta mark & {rest} | 0x{number:x}"]
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
    ip = _IP[family]
    shares = []
    total = 0
    for line in sorted(marks.balance, key=lambda line: line.mark):
        if line.source(family) and line.weight:
            first, total = total, total + line.weight
            turns = str(first) if line.weight == 1 else f"{first}-{total - 1}"
            shares.append(f"{turns} : goto marks_new_{line.mark}")
    if shares:
        # Only the first packet of a connection is not confirmed yet.
        rules["marks_output"].append(
            f"{ip} saddr @marks_from{family} {ip} daddr != @marks_exclude{family} fib daddr type unicast "
            f"ct direction original ct status & confirmed == 0 meta mark & {mask} == 0 "
            f"numgen inc mod {total} vmap {{ {', '.join(shares)} }}"
        )
    rules["marks_postrouting"].append(
        f"{ip} saddr @marks_from{family} fib saddr type local snat {ip} to ct mark & {mask} map @marks_sources{family}"
    )


def read_layout(objects: Iterable[Mapping[str, Any]]) -> tuple[Layout, bool]:
    """Return our part of the objects of ``nft -j list table``, and whether the table holds anything else."""
    layout = Layout()
    shared = False
    for wrapped in objects:
        for kind, found in wrapped.items():
            name = found.get("chain") if kind == "rule" else found.get("name", "")
            if kind in ("metainfo", "table"):
                continue
            if kind not in ("chain", "rule", "set", "map") or not str(name).startswith(PREFIX):
                shared = True
            elif kind == "chain":
                hook = tuple(found.get(part) for part in ("type", "hook", "prio"))
                layout.hooks[name] = hook if any(hook) else None
                layout.rules.setdefault(name, [])
            elif kind == "rule":
                layout.rules.setdefault(name, []).append(found.get("comment"))
            else:
                layout.holders[name] = _read_holder(kind, found)
    return layout, shared


def _read_holder(kind: str, found: Mapping[str, Any]) -> Holder:
    elements: dict[str, Element] = {}
    for element in found.get("elem", []):
        key, value = element if kind == "map" else (element, None)
        comment = None
        if isinstance(key, dict) and "elem" in key:
            key, comment = key["elem"]["val"], key["elem"].get("comment")
        elements[_plain(key, _type(found["type"]))] = (None if value is None else _plain(value), comment)
    flags = found.get("flags", ())
    return Holder(
        kind,
        _type(found["type"]),
        _type(found["map"]) if kind == "map" else None,
        tuple([flags] if isinstance(flags, str) else flags),
        elements,
    )


def _type(printed: Any) -> str:
    return printed if isinstance(printed, str) else " . ".join(printed)


def _plain(value: Any, types: str = "") -> str:
    """Return a key or value of an element as it is written; a name of an interface is quoted."""
    if isinstance(value, dict):
        kind, inner = next(iter(value.items()))
        if kind == "concat":
            return " . ".join(_plain(part, one) for part, one in zip(inner, types.split(" . ")))
        if kind == "prefix":
            return f"{_plain(inner['addr'])}/{inner['len']}"
        return f"goto {inner['target']}" if kind == "goto" else str(value)
    if types == "ifname":
        return f'"{value}"'
    # nft shows the last 32 bits of some IPv6 addresses as an IPv4 address.
    return str(ipaddress.ip_address(value)) if ":" in str(value) and "." in str(value) else str(value)


def recover(layout: Layout) -> Marks:
    """Return the marks that a layout tells of; what it cannot tell is left out, and shows as a difference."""
    # A set or map of another type is somebody else's.
    held = {n: h.elements for n, h in layout.holders.items() if replace(h, elements={}) == HOLDERS.get(n)}
    notes = [_RULE_NOTE.fullmatch(rule) for rules in layout.rules.values() for rule in rules if rule]
    masks = [int(note[1], 0) for note in notes if note]
    marks = [
        ConnectionMark(int(value.rpartition("_")[2]), in_interface=key.strip('"'), name=comment)
        for key, (value, comment) in held.get("marks_interfaces", {}).items()
        if value and value.rpartition("_")[2].isdecimal()
    ]
    for family in FAMILIES:
        marks += [
            ConnectionMark(int(value.rpartition("_")[2]), name=comment, source=fields.prefix(key))
            for key, (value, comment) in held.get(f"marks_addresses{family}", {}).items()
            if value and value.rpartition("_")[2].isdecimal() and _is_prefix(key)
        ]
        for key, (value, comment) in held.get(f"marks_gateways{family}", {}).items():
            note = _GATEWAY_NOTE.fullmatch(comment or "")
            if note and value:
                interface, _dot, gateway = key.partition(" . ")
                neighbour = Neighbour(note[2], note[1]) if note[1] else None
                on = None if interface == '"/"' else interface.strip('"')
                marks.append(ConnectionMark(int(value), on, gateway, note[3], neighbour))
    return Marks(
        max(set(masks), key=masks.count) if masks else Marks.mask,
        tuple(marks),
        tuple(_recover_balance(held)),
        tuple(sorted(address for family in FAMILIES for address in held.get(f"marks_from{family}", {}))),
        parse_prefixes([p for family in FAMILIES for p in held.get(f"marks_exclude{family}", {}) if _is_prefix(p)]),
    )


def _is_prefix(text: str) -> bool:
    try:
        return not fields.is_everything(fields.prefix(text))
    except ValueError:
        return False


def _recover_balance(held: Mapping[str, Mapping[str, Element]]) -> list[BalanceLine]:
    shares: dict[int, tuple[int, str | None]] = {}
    sources: dict[int, tuple[str, ...]] = {}
    for family in FAMILIES:
        for key, (value, comment) in held.get(f"marks_sources{family}", {}).items():
            note = _WEIGHT_NOTE.fullmatch(comment or "")
            if note and value:
                shares[int(key)] = (int(note[1]), note[2])
                sources[int(key)] = (*sources.get(int(key), ()), value)
    return [BalanceLine(number, sources[number], *shares[number]) for number in sorted(shares)]
