# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One address translation as a plain, normalised, comparable value, and the faults of a list of them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import fields
from ..entries import Entry, Form, parse_fields, parse_list, where, without_none
from ..errors import InvalidInput
from . import protocols
from .entry_faults import (
    DESTINATION,
    SOURCE,
    TO_DESTINATION,
    Ports,
    faults_of_family,
    faults_of_fields,
    faults_of_ports,
    span,
)
from .expansion import Expansion, is_plain

TYPES = ("dnat", "snat", "masquerade", "exempt", "redirect")
# The prefix that netmap translates to itself: an exemption is such a translation.
EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}
MAX_ENTRIES = 100_000
# nft: NFTNL_UDATA_COMMENT_MAXLEN; names are kept as comments of elements and rules.
MAX_NAME_BYTES = 128
# nft numbers a concatenation's type in 32 bits, TYPE_BITS (6) a field; a longer key is taken, and printed as another.
MAX_KEY_FIELDS = 5
# Family, type and the whole match of a translation.
RuleKey = tuple[object, ...]

# The fields that match, each with its tokens in shapes and in names of maps: that for one exact value, and that for an
# interval (a prefix, a range of ports).
TOKENS: dict[str, tuple[str, str]] = {
    "in_interface": ("iif", "iif"),
    "out_interface": ("oif", "oif"),
    "source": ("saddr", "snet"),
    "destination": ("daddr", "dnet"),
    "protocol": ("proto", "proto"),
    "source_port": ("sport", "sports"),
    "destination_port": ("dport", "dports"),
}
FIELD_OF_TOKEN = {token: field for field, tokens in TOKENS.items() for token in tokens}
INTERVALS = frozenset(interval for exact, interval in TOKENS.values() if exact != interval)

_family_choice = fields.choice("ipv4", "ipv6")


def _cached(parser: fields.Parser) -> fields.Parser:
    """Return the parser with a cache: 10,000 entries repeat most of their values."""
    remembered = functools.lru_cache(maxsize=None)(parser)

    def parse(value: Any) -> Any:
        text = _as_text(value)
        return remembered(text) if isinstance(text, str) else parser(text)

    return parse


def _as_text(value: object) -> object:
    """Return a number as text, as it was before YAML read a number: all fields here are text."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _refuse_list(value: object, example: str) -> None:
    if isinstance(value, (list, tuple)):
        raise ValueError(f'a list; write one text with commas, such as "{example}"')


@_cached
def _prefix(value: object) -> str:
    """Return a prefix in canonical text; one of full length is the address alone."""
    _refuse_list(value, "192.0.2.0/24,198.51.100.7")
    return fields.short_prefix(fields.packet_prefix(value))


@_cached
def _target(value: object) -> str:
    written = str(_prefix(value))
    if fields.is_link_local(written.partition("/")[0]):
        raise ValueError("a link-local address, which no packet is forwarded to or from")
    if "/" in written:
        return written
    return fields.short_prefix(fields.host_address(written))


@_cached
def _ports(value: object) -> Ports:
    _refuse_list(value, "80,443")
    return fields.port_range(value)


@_cached
def _interface(value: object) -> str:
    name = fields.interface(value)
    if name.endswith(("+", "*")):
        # One is iptables' wildcard, the other nft's; each is an ordinary character for the other tool.
        raise ValueError("a wildcard, which maps cannot hold; give one entry for each interface")
    # nft has no way to write a quotation mark.
    if any(character in name for character in '"*\\'):
        raise ValueError('nft cannot match an interface with ", * or \\ in its name')
    return name


@_cached
def _protocol(value: object) -> str:
    return protocols.parse(fields.text(value))


def _name(value: object) -> str:
    name = fields.text(_as_text(value))
    if '"' in name:
        raise ValueError('nft comments cannot hold a quotation mark (")')
    if len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"longer than the {MAX_NAME_BYTES} bytes of an nft comment")
    return name


@dataclass(frozen=True)
class NatRule:
    """One translation. Addresses are canonical (a prefix of full length is its address), ports (first, last).

    ``None`` selects everything. ``to_address`` is an address, or a prefix for prefix-to-prefix translation; a
    ``to_port`` of None keeps the port. ``random`` and ``persistent`` say how the kernel chooses. ``name`` is a label.
    ``keeps`` is the address that an exemption without an interface keeps; None stands for both, which parse_rules()
    turns into one exemption each.
    """

    family: int
    type: str
    protocol: str = "any"
    source: str | None = None
    source_port: Ports | None = None
    destination: str | None = None
    destination_port: Ports | None = None
    in_interface: str | None = None
    out_interface: str | None = None
    to_address: str | None = None
    to_port: Ports | None = None
    random: bool = False
    persistent: bool = False
    keeps: str | None = None
    name: str | None = None

    FIELDS = {
        "type": fields.choice(*TYPES),
        "family": _family_choice,
        "protocol": _protocol,
        "source": _prefix,
        "source_port": _ports,
        "destination": _prefix,
        "destination_port": _ports,
        "in_interface": _interface,
        "out_interface": _interface,
        "to_address": _target,
        "to_port": _ports,
        "random": fields.boolean,
        "persistent": fields.boolean,
        "keeps": fields.choice(DESTINATION, SOURCE),
        "name": _name,
    }

    @classmethod
    def parse(cls, entry: object) -> NatRule:
        """Return the translation of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, cls.FIELDS, "destination", required=("type",))
        if isinstance(entry, Mapping):
            faults += faults_of_fields(entry, values)
            faults += faults_of_family(entry, values)
            faults += faults_of_ports(entry, values)
        if faults:
            raise InvalidInput(faults)
        for name in ("source", "destination"):
            if name in values and fields.is_everything(values[name]):
                del values[name]
        if values["type"] in TO_DESTINATION and values.get("to_port") == values.get("destination_port"):
            values.pop("to_port", None)
        if "in_interface" in values or "out_interface" in values:
            # The interface says which address an exemption keeps.
            values.pop("keeps", None)
        return cls(**values)

    @functools.cached_property
    def key(self) -> RuleKey:
        """Family, type and the whole match."""
        return (
            self.family,
            self.type,
            self.protocol,
            self.source,
            self.source_port,
            self.destination,
            self.destination_port,
            self.in_interface,
            self.out_interface,
            self.keeps,
        )

    @functools.cached_property
    def tokens(self) -> tuple[str, ...]:
        """The shape of the match: one token per field that it selects by, in the order of TOKENS."""
        shape = []
        for field, (exact, interval) in TOKENS.items():
            value = getattr(self, field)
            if value is None or value == "any":
                continue
            if exact == interval:
                is_exact = True
            elif isinstance(value, str):
                is_exact = "/" not in value
            else:
                is_exact = value[0] == value[1]
            shape.append(exact if is_exact else interval)
        return tuple(shape)

    @property
    def shifts_ports(self) -> bool:
        """Whether a range of ports goes to another range: each port has its own counterpart."""
        return self.to_port is not None and self.to_port[0] != self.to_port[1] and self.type == "dnat"

    @property
    def joins_ports(self) -> bool:
        """Whether all ports of a range go to one port."""
        ports = self.destination_port
        if self.type not in TO_DESTINATION or self.to_port is None or ports is None:
            return False
        return self.to_port[0] == self.to_port[1] and ports[0] != ports[1]

    def satisfied_by(self, other: NatRule) -> bool:
        """Return whether ``other``, of the same key, does the same; without a name any name is accepted."""
        return self.result == other.result and self.name in (None, other.name)

    @property
    def result(self) -> tuple[object, ...]:
        """What the translation does to what it matches."""
        return (self.to_address, self.to_port, self.random, self.persistent)

    @property
    def flags(self) -> tuple[str, ...]:
        """How the kernel chooses among several addresses or ports, in the words of nft."""
        return tuple(name for name in ("random", "persistent") if getattr(self, name))

    def as_input(self) -> Form:
        """Return the translation as an entry of ``rules``, without defaults and an implied family."""
        has_address = self.source or self.destination or self.to_address
        return without_none(
            name=self.name,
            type=self.type,
            family=None if has_address else f"ipv{self.family}",
            protocol=None if self.protocol == "any" else self.protocol,
            source=self.source,
            source_port=self.source_port and fields.port_text(self.source_port),
            destination=self.destination,
            destination_port=self.destination_port and fields.port_text(self.destination_port),
            in_interface=self.in_interface,
            out_interface=self.out_interface,
            to_address=self.to_address,
            to_port=self.to_port and fields.port_text(self.to_port),
            random=self.random or None,
            persistent=self.persistent or None,
            keeps=self.keeps,
        )

    def __str__(self) -> str:
        shown = {name: value for name, value in self.as_input().items() if name != "type"}
        return f"{self.type} ({', '.join(f'{name} {value}' for name, value in shown.items())})"


def parse_rules(
    entries: Iterable[object] | None, list_name: str = "rules", places: Sequence[str] | None = None
) -> list[Entry[NatRule]]:
    """Return the entries of a module's list; raises InvalidInput with every fault of the whole list.

    ``places`` are what messages call the entries.
    """
    listed = list(entries or ())
    if len(listed) > MAX_ENTRIES:
        raise InvalidInput(
            [f"{list_name} has {len(listed)} entries; at most {MAX_ENTRIES} are supported: use prefixes and ranges"]
        )
    parsed = _parsed(listed, list_name, places)
    faults = _overlapping_ranges(parsed, list_name) + _too_many_shifted(parsed, list_name)
    for entry in parsed:
        rule = entry.object
        if rule.shifts_ports and rule.name and len(rule.name.encode()) > MAX_NAME_BYTES - len("65535-65535 "):
            faults.append(f"{entry.where}: the name of a translation of port ranges has at most 116 bytes")
        if rule.shifts_ports and len(rule.tokens) > MAX_KEY_FIELDS:
            faults.append(
                f"{entry.where}: a range to another range by all of source, source_port, destination and interface is "
                "more than an nft map can match; leave one out, or give one entry for each port"
            )
    if faults:
        raise InvalidInput(faults)
    return parsed


def _parsed(listed: Sequence[object], list_name: str, named: Sequence[str] | None) -> list[Entry[NatRule]]:
    """Return the plain entries of a list, each with the place of the entry that it is a part of."""
    if all(map(is_plain, listed)):
        return parse_list(listed, list_name, NatRule.parse, "destination", lambda rule: rule.key, places=named)
    plain: list[object] = []
    places: list[str] = []
    faults: list[str] = []
    total = 0
    for index, entry in enumerate(listed):
        place = named[index] if named else where(list_name, index, entry, "destination")
        try:
            expansion = Expansion(entry)
        except InvalidInput as error:
            faults += [f"{place}: {fault}" for fault in error.faults]
            continue
        total += expansion.count
        if total <= MAX_ENTRIES:
            plain += expansion.parts()
            places += [place] * expansion.count
    if total > MAX_ENTRIES:
        faults.append(f"{list_name} has {total} combinations of sources and ports; at most {MAX_ENTRIES} are supported")
        raise InvalidInput(faults)
    # Each has a key of its own, as several entries may name the same combination.
    numbers = itertools.count()
    try:
        parsed = parse_list(plain, list_name, NatRule.parse, "destination", lambda _rule: next(numbers), places=places)
    except InvalidInput as error:
        # A fault of one field is found in each part.
        raise InvalidInput(list(dict.fromkeys([*faults, *error.faults]))) from None
    if faults:
        raise InvalidInput(faults)
    return _first_of_each(parsed)


def _first_of_each(parsed: Sequence[Entry[NatRule]]) -> list[Entry[NatRule]]:
    """Return the parts of entries without those that an earlier entry has, which decides about their packets.

    An entry that none is left of is a fault.
    """
    seen: dict[RuleKey, Entry[NatRule]] = {}
    hidden: dict[str, str] = {}
    for entry in parsed:
        earlier = seen.setdefault(entry.object.key, entry)
        if earlier is not entry:
            fault = f"{earlier.where} and {entry.where}: two entries for one {entry.object}; keep one of them"
            hidden.setdefault(entry.where, fault)
    kept = list(seen.values())
    left = {entry.where for entry in kept}
    faults = [fault for place, fault in hidden.items() if place not in left]
    if faults:
        raise InvalidInput(faults)
    return kept


def _too_many_shifted(parsed: list[Entry[NatRule]], list_name: str) -> list[str]:
    # Each port of such an entry is an element of its own.
    total = sum(span(e.object.to_port) for e in parsed if e.object.shifts_ports and e.object.to_port)
    if total <= MAX_ENTRIES:
        return []
    return [f"{list_name} shifts {total} single ports; at most {MAX_ENTRIES} are supported: keep the ports instead"]


def _overlapping_ranges(parsed: list[Entry[NatRule]], list_name: str) -> list[str]:
    """Two ranges of one match that share ports are a mistake; a single port taken out of a range is not."""
    groups: dict[tuple[str, RuleKey], list[tuple[Ports, int]]] = {}
    for index, entry in enumerate(parsed):
        rule = entry.object
        for field, place in (("source_port", 4), ("destination_port", 6)):
            ports = getattr(rule, field)
            if ports is not None and ports[0] != ports[1]:
                rest = rule.key[:place] + rule.key[place + 1 :]
                groups.setdefault((field, rest), []).append((ports, index))
    faults = []
    for (field, _rest), ranges in groups.items():
        ranges.sort()
        widest, widest_index = ranges[0]
        for ports, index in ranges[1:]:
            if ports[0] <= widest[1]:
                one, other = sorted((widest_index, index))
                faults.append(
                    f"{parsed[one].where} and {parsed[other].where}: the ranges {fields.port_text(widest)} and "
                    f"{fields.port_text(ports)} of {field} overlap, for one match; split them in {list_name}"
                )
            if ports[1] > widest[1]:
                widest, widest_index = ports, index
    return faults


def hook(rule: NatRule) -> str:
    """Return where a translation happens: ``destination`` or ``source``.

    An exemption keeps the source, or with the interface of incoming packets their destination.
    """
    if rule.type == "exempt":
        return rule.keeps or (DESTINATION if rule.in_interface is not None else SOURCE)
    return DESTINATION if rule.type in TO_DESTINATION else SOURCE
