# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record sets: all addresses of one family of one domain. Parse, compare, and the form of a module's entry. No I/O."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..entries import Form, parse_fields
from ..errors import InvalidInput
from ..fields import choice, family_of, integer, line_name, shown, unicast
from ..reference_texts import parse_reference
from .names import domain_name

TYPES = {4: "A", 6: "AAAA"}
FAMILIES = {name: family for family, name in TYPES.items()}
DEFAULT_TTL = 60
LONGEST_TTL = 604800
# Domain and type of records.
Key = tuple[str, str]
_FAMILY_NAMES = {"ipv4": 4, "ipv6": 6}
# A name, and no address with a typing error.
_NAME = re.compile(r"(?=.*[a-z])[^:/]+\.[^:/]+", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """An address of a record set, and the line that leads to it; empty where no line does.

    It may be a reference to an interface of this host, or a name of the zone, of one ``family`` or of both.
    """

    address: str
    line: str = field(default="", compare=False)
    family: int = 0

    @classmethod
    def parse(cls, value: Any) -> Address:
        """Return the address of an entry: text, or a dictionary of address, line and family; raises ValueError."""
        if not isinstance(value, Mapping):
            return cls(_address(value))
        unknown = sorted(set(value) - {"address", "line", "family"}, key=str)
        if unknown:
            raise ValueError(f"unknown field {shown(unknown[0])}; known are address, line, family")
        line, family = value.get("line"), value.get("family")
        found = cls(_address(value.get("address")), "" if line in (None, "") else line_name(line))
        if family in (None, ""):
            return found
        if not found.is_name:
            raise ValueError("family is only for a name: an address says itself of which family it is")
        return replace(found, family=_FAMILY_NAMES[choice(*_FAMILY_NAMES)(family)])

    @property
    def is_name(self) -> bool:
        """Whether the addresses are those of another name."""
        return bool(_NAME.fullmatch(self.address))

    @property
    def families(self) -> tuple[int, ...]:
        """The address families that it may give addresses of."""
        found = parse_reference(self.address)
        if found:
            return (found[1],)
        if self.is_name:
            return (self.family,) if self.family else (4, 6)
        return (family_of(self.address),)

    def as_input(self) -> Form | str:
        """Return the address as an entry has it."""
        form: Form = {"address": self.address}
        if self.line:
            form["line"] = self.line
        if self.family:
            form["family"] = f"ipv{self.family}"
        return form if len(form) > 1 else self.address


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
        addresses = [each for each in values["addresses"] if family in each.families]
        if addresses:
            sets.append(RecordSet.of(values["domain"], kind, addresses, values.get("ttl", DEFAULT_TTL)))
    return sets


def _addresses(value: Any) -> Sequence[Address]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("not a list of addresses")
    if not value:
        raise ValueError("a name without any address answers nobody; list one, or remove the entry with purge: true")
    found: dict[tuple[str, int], Address] = {}
    for index, item in enumerate(value):
        try:
            address = Address.parse(item)
        except ValueError as error:
            raise ValueError(f"[{index}] {shown(item)}: {error}") from None
        for family in address.families:
            if (address.address, family) in found:
                raise ValueError(f"[{index}] {shown(address.address)} is listed twice")
            found[address.address, family] = address
    return list(dict.fromkeys(found.values()))


def _address(value: Any) -> str:
    """Return an address, a reference, or a name."""
    if parse_reference(value):
        return str(value)
    if isinstance(value, str) and _NAME.fullmatch(value):
        return domain_name(value)
    return unicast(value)


def _number(address: str) -> tuple[int, bytes]:
    if parse_reference(address) or _NAME.fullmatch(address):
        # After the addresses that are known.
        return 9, address.encode()
    return family_of(address), ipaddress.ip_address(address).packed
