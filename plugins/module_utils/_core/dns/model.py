# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record sets: all addresses of one family of one domain. Parse, compare, and the form of a module's entry. No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..entries import Form, parse_fields
from ..errors import InvalidInput
from ..fields import family_of, integer, line_name, shown, unicast
from .names import domain_name

TYPES = {4: "A", 6: "AAAA"}
FAMILIES = {name: family for family, name in TYPES.items()}
DEFAULT_TTL = 60
LONGEST_TTL = 604800
# Domain and type of records.
Key = tuple[str, str]


@dataclass(frozen=True)
class Address:
    """An address of a record set, and the line that leads to it; empty where no line does."""

    address: str
    line: str = field(default="", compare=False)

    @classmethod
    def parse(cls, value: Any) -> Address:
        """Return the address of an entry: text, or a dictionary of address and line; raises ValueError."""
        if not isinstance(value, Mapping):
            return cls(unicast(value))
        unknown = sorted(set(value) - {"address", "line"}, key=str)
        if unknown:
            raise ValueError(f"unknown field {shown(unknown[0])}; known are address, line")
        line = value.get("line")
        return cls(unicast(value.get("address")), "" if line in (None, "") else line_name(line))

    def as_input(self) -> Form | str:
        """Return the address as an entry has it."""
        return {"address": self.address, "line": self.line} if self.line else self.address


@dataclass(frozen=True)
class RecordSet:
    """All A records of a domain, or all AAAA records. The set is one object: it is replaced as a whole."""

    domain: str
    type: str
    addresses: tuple[Address, ...]
    ttl: int = DEFAULT_TTL

    @classmethod
    def of(cls, domain: str, kind: str, addresses: Iterable[Address | str], ttl: int) -> RecordSet:
        """Return a set, its addresses in the order of their numbers."""
        given = [each if isinstance(each, Address) else Address(each) for each in addresses]
        unique = {each.address: each for each in reversed(given)}
        return cls(domain, kind, tuple(unique[name] for name in sorted(unique, key=_number)), ttl)

    @property
    def key(self) -> Key:
        """The identity: a domain has one set of a type."""
        return (self.domain, self.type)

    @property
    def family(self) -> int:
        """The address family."""
        return FAMILIES[self.type]

    @property
    def values(self) -> tuple[str, ...]:
        """The addresses alone."""
        return tuple(each.address for each in self.addresses)

    def satisfied_by(self, other: RecordSet) -> bool:
        """Tell whether another set answers a client the same."""
        return self.values == other.values and self.ttl == other.ttl

    def with_addresses(self, addresses: Iterable[Address]) -> RecordSet:
        """Return the set with other addresses."""
        return RecordSet.of(self.domain, self.type, addresses, self.ttl)

    def as_input(self) -> Form:
        """Return the set as an entry of ``records``."""
        return {"domain": self.domain, "addresses": [each.as_input() for each in self.addresses], "ttl": self.ttl}

    def __str__(self) -> str:
        return f"{self.domain} {self.type} {', '.join(self.values)} (TTL {self.ttl})"


def parse_record(entry: object) -> list[RecordSet]:
    """Return the sets of one entry of ``records``, one a family; raises InvalidInput with bare reasons."""
    parsers = {"domain": domain_name, "addresses": _addresses, "ttl": integer(1, LONGEST_TTL)}
    values, faults = parse_fields(entry, parsers, "domain", required=("domain", "addresses"))
    if faults:
        raise InvalidInput(faults)
    sets = []
    for family, kind in TYPES.items():
        addresses = [each for each in values["addresses"] if family_of(each.address) == family]
        if addresses:
            sets.append(RecordSet.of(values["domain"], kind, addresses, values.get("ttl", DEFAULT_TTL)))
    return sets


def _addresses(value: Any) -> Sequence[Address]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("not a list of addresses")
    if not value:
        raise ValueError("a name without any address answers nobody; list one, or remove the entry with purge: true")
    found: dict[str, Address] = {}
    for index, item in enumerate(value):
        try:
            address = Address.parse(item)
        except ValueError as error:
            raise ValueError(f"[{index}] {shown(item)}: {error}") from None
        if address.address in found:
            raise ValueError(f"[{index}] {shown(address.address)} is listed twice")
        found[address.address] = address
    return list(found.values())


def _number(address: str) -> tuple[int, bytes]:
    return family_of(address), ipaddress.ip_address(address).packed
