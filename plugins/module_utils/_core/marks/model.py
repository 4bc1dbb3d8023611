# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection marks as plain, comparable values: the line of a connection, and how new connections are spread."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .. import fields
from ..entries import Entry, Form, parse_fields, parse_list, without_none
from ..errors import InvalidInput
from ..routing.model import Neighbour

DEFAULT_MASK = 0xFF
FAMILIES = (4, 6)
# Names are kept in comments, next to an interface and a hardware address: nft allows 128 bytes in all.
MAX_NAME_BYTES = 64
MAX_WEIGHT = 256


def _interface(value: object) -> str:
    name = fields.interface(value)
    if any(character in name for character in '"*\\+'):
        raise ValueError('nft and iptables cannot match an interface with ", *, + or \\ in its name')
    return name


def _name(value: object) -> str:
    name = fields.text(value)
    if '"' in name or "\\" in name:
        raise ValueError('a name that is kept in the kernel cannot hold " or \\')
    if len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"longer than {MAX_NAME_BYTES} bytes")
    return name


def _host(value: object) -> str:
    """Return one address of a host, without a prefix length."""
    return fields.host_address(fields.address(value)).partition("/")[0]


def _source(value: object) -> str:
    """Return a prefix that is not the one of all addresses."""
    written = fields.prefix(value)
    if fields.is_everything(written):
        raise ValueError("every source address is within it; give the prefixes of the line")
    return written


def _one_per_family(value: object) -> tuple[str, ...]:
    """Return at most one address of each family, IPv4 first."""
    if not isinstance(value, (list, tuple)):
        raise ValueError("not a list of addresses")
    found: dict[int, str] = {}
    for written in value:
        try:
            address = _host(written)
        except ValueError as error:
            raise ValueError(f"{fields.short(written)}: {error}") from None
        earlier = found.setdefault(fields.family_of(address), address)
        if earlier != address:
            raise ValueError(f"{earlier} and {address}: connections leave with one address of a family")
    return tuple(found[family] for family in sorted(found))


@dataclass(frozen=True)
class ConnectionMark:
    """The connections that arrive by an interface, or through a gateway (on that interface, if one is given).

    With ``source``, a prefix: the packets from that prefix that belong to no such connection.
    ``neighbour`` is where the gateway was found; it is not declared but learned, and None while it is unknown.
    """

    mark: int
    in_interface: str | None = None
    gateway: str | None = None
    name: str | None = None
    neighbour: Neighbour | None = None
    source: str | None = None

    FIELDS = {"mark": fields.mark_number, "in_interface": _interface, "gateway": _host, "source": _source}

    @classmethod
    def parse(cls, entry: object) -> ConnectionMark:
        """Return the mark of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, {**cls.FIELDS, "name": _name}, "mark", required=("mark",))
        if isinstance(entry, dict):
            given = [name for name in ("in_interface", "gateway", "source") if entry.get(name) is not None]
            if not given:
                faults.append("give in_interface, gateway or source, by which the line is known")
            if "source" in given and len(given) > 1:
                faults.append(f"source alone identifies the line; leave {given[0]} out, or give it its own entry")
            gateway = values.get("gateway")
            if gateway and ipaddress.ip_address(gateway).is_link_local and "in_interface" not in given:
                faults.append(f"gateway {gateway} is link-local: give its in_interface")
        if faults:
            raise InvalidInput(faults)
        return cls(**values)

    @property
    def key(self) -> tuple[Any, ...]:
        """The match."""
        return (None, None, self.source) if self.source else (self.gateway, self.in_interface)

    def satisfied_by(self, other: ConnectionMark) -> bool:
        """Return whether ``other`` gives the same mark; an unknown gateway is satisfied by any neighbour."""
        return self.mark == other.mark and self.name in (None, other.name) and self.neighbour in (None, other.neighbour)

    def as_input(self) -> Form:
        """Return the mark as an entry of ``marks``."""
        source = self.source and fields.short_prefix(self.source)
        return without_none(
            mark=self.mark, in_interface=self.in_interface, gateway=self.gateway, source=source, name=self.name
        )

    def match_text(self) -> str:
        """Return the match as messages name it."""
        if self.source:
            return f"source {fields.short_prefix(self.source)}"
        words = [f"gateway {self.gateway}"] if self.gateway else []
        return " on ".join([*words, f"interface {self.in_interface}"] if self.in_interface else words)

    def __str__(self) -> str:
        where = ""
        if self.gateway:
            found = self.neighbour
            where = f" at {found.address}" if found else ", hardware address unknown"
            if found and self.in_interface is None:
                where += f" on {found.interface}"
        label = f" ({self.name})" if self.name else ""
        return f"mark 0x{self.mark:x} for {self.match_text()}{where}{label}"


@dataclass(frozen=True)
class BalanceLine:
    """A line's share of new connections, and the address of each family that they leave with."""

    mark: int
    sources: tuple[str, ...]
    weight: int = 1
    name: str | None = None

    FIELDS = {"mark": fields.mark_number, "weight": fields.integer(0, MAX_WEIGHT), "sources": _one_per_family}

    @classmethod
    def parse(cls, entry: object) -> BalanceLine:
        """Return the line of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, {**cls.FIELDS, "name": _name}, "mark", required=("mark",))
        if isinstance(entry, dict) and not entry.get("sources"):
            faults.append("sources is missing: the addresses that this line's connections leave with")
        if faults:
            raise InvalidInput(faults)
        return cls(**values)

    @property
    def key(self) -> tuple[object, ...]:
        """The mark."""
        return (self.mark,)

    def satisfied_by(self, other: BalanceLine) -> bool:
        """Return whether ``other`` is the same share with the same addresses."""
        return (self.weight, self.sources) == (other.weight, other.sources) and self.name in (None, other.name)

    def source(self, family: int) -> str | None:
        """Return the address that connections of a family leave with, None when the line has none."""
        return next((source for source in self.sources if fields.family_of(source) == family), None)

    def as_input(self) -> Form:
        """Return the line as an entry of ``balance``."""
        shown = {"mark": self.mark, "weight": self.weight, "sources": list(self.sources)}
        return {**shown, "name": self.name} if self.name else shown

    def __str__(self) -> str:
        label = f" ({self.name})" if self.name else ""
        return f"balance mark 0x{self.mark:x}, weight {self.weight}, as {', '.join(self.sources)}{label}"


@dataclass(frozen=True)
class Marks:
    """All marks and shares of a host: a backend writes them and reads them back.

    New connections from an address of ``balance_from`` are spread, and those forwarded from ``balance_networks``,
    except those to ``balance_exclude``. Connections from ``keep_networks`` keep the line that they left by.
    """

    mask: int = DEFAULT_MASK
    marks: tuple[ConnectionMark, ...] = ()
    balance: tuple[BalanceLine, ...] = ()
    balance_from: tuple[str, ...] = ()
    balance_exclude: tuple[str, ...] = ()
    balance_networks: tuple[str, ...] = ()
    keep_networks: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.marks or self.balance)

    @property
    def numbers(self) -> list[int]:
        """Every mark in use, in ascending order."""
        return sorted({mark.mark for mark in self.marks} | {line.mark for line in self.balance})

    def as_input(self) -> Form:
        """Return the marks as the options of connection_marks."""
        return {
            "mask": f"0x{self.mask:x}",
            "marks": [mark.as_input() for mark in self.marks],
            "balance": [line.as_input() for line in self.balance],
            "balance_from": list(self.balance_from),
            "balance_exclude": list(self.balance_exclude),
            "balance_networks": list(self.balance_networks),
            "keep_networks": list(self.keep_networks),
        }


def parse_marks(entries: Sequence[object]) -> list[Entry[ConnectionMark]]:
    """Return the entries of ``marks``; raises InvalidInput with every fault."""
    return parse_list(entries, "marks", ConnectionMark.parse, "mark", lambda mark: mark.key, ConnectionMark.match_text)


def nested_sources(marks: Iterable[ConnectionMark]) -> list[tuple[ConnectionMark, ConnectionMark]]:
    """Return each pair of marks of which the second one's source is within the first one's: the line is ambiguous."""
    found = []
    outer: tuple[Any, ConnectionMark] | None = None
    networks = [(ipaddress.ip_network(mark.source), mark) for mark in marks if mark.source]
    for network, mark in sorted(networks, key=lambda pair: (pair[0].version, pair[0])):
        if outer and outer[0].version == network.version and network.subnet_of(outer[0]):
            found.append((outer[1], mark))
        else:
            outer = (network, mark)
    return found


def parse_balance(entries: Sequence[object]) -> list[Entry[BalanceLine]]:
    """Return the entries of ``balance``; raises InvalidInput with every fault."""
    return parse_list(
        entries, "balance", BalanceLine.parse, "mark", lambda line: line.key, lambda line: f"mark 0x{line.mark:x}"
    )


def parse_mask(value: object) -> int:
    """Return the mask: the bits that a host's marks may use."""
    try:
        return fields.mark_number(value)
    except ValueError as error:
        raise InvalidInput([f"mask {fields.shown(value)}: {error}"]) from None


def parse_addresses(values: Sequence[object], option: str = "balance_from") -> tuple[str, ...]:
    """Return a list of addresses in canonical order; raises InvalidInput with every fault."""
    return tuple(sorted(dict.fromkeys(_judged(values, option, _host))))


def parse_prefixes(values: Sequence[object], option: str = "balance_exclude") -> tuple[str, ...]:
    """Return a list of prefixes, adjacent and nested ones merged; raises InvalidInput."""

    def prefix(value: object) -> str:
        written = fields.prefix(value)
        if fields.is_everything(written):
            excludes = option == "balance_exclude"
            raise ValueError(
                "leaves nothing to balance; leave the list balance empty instead"
                if excludes
                else "every address is within it; give the networks behind this host"
            )
        return written

    written = _judged(values, option, prefix)
    of4 = ipaddress.collapse_addresses(ipaddress.IPv4Network(value) for value in written if ":" not in value)
    of6 = ipaddress.collapse_addresses(ipaddress.IPv6Network(value) for value in written if ":" in value)
    return (*map(str, of4), *map(str, of6))


def _judged(values: Sequence[object], option: str, parser: Callable[[object], str]) -> list[str]:
    parsed, faults = [], []
    for index, value in enumerate(values):
        try:
            parsed.append(parser(value))
        except ValueError as error:
            faults.append(f"{option}[{index}] ({fields.short(value)}): {error}")
    if faults:
        raise InvalidInput(faults)
    return parsed


def outside_mask(entries: Iterable[Entry[ConnectionMark] | Entry[BalanceLine]], mask: int) -> list[str]:
    """Return a fault for each entry whose mark has bits outside the mask."""
    return [
        f"{entry.where}: mark 0x{entry.object.mark:x} has bits outside the mask 0x{mask:x}"
        for entry in entries
        if entry.object.mark & ~mask
    ]
