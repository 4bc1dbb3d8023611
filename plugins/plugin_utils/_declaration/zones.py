# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The list of zones: how the domains of services are published. Reading, and the checks against the other lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...module_utils._core import fields as parsers
from ...module_utils._core.dns import keys, names
from ...module_utils._core.dns.model import DEFAULT_TTL, LONGEST_TTL
from ...module_utils._core.fields import short, shown
from .._input.faults import Place
from .._input.reading import Auto, Entry, Field, choice, integer, list_of, read_entry, reader_of

if TYPE_CHECKING:
    from .model import Declaration

UPDATE, NAMESERVERS = "update", "nameservers"


@dataclass(frozen=True)
class ZoneKey:
    """A TSIG key; the secret is not shown."""

    name: str
    algorithm: str = keys.DEFAULT_ALGORITHM
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Secondary:
    """A name server elsewhere, which transfers the zone."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Zone:
    """One zone. ``primary`` are the addresses of its primary server.

    With ``publish: nameservers``, ``nameservers`` are the names of those on the lines, by line; ``secondaries`` are
    elsewhere.
    """

    entry: Entry = field(compare=False)
    zone: str = ""
    publish: str = "update"
    primary: tuple[str, ...] = ()
    port: int = 53
    key: ZoneKey | None = None
    ttl: int = DEFAULT_TTL
    empty_family: str = "keep"
    nameservers: Mapping[str, str] = field(default_factory=dict)
    secondaries: tuple[Secondary, ...] = ()

    @property
    def on_lines(self) -> bool:
        """Whether its name servers are on the lines."""
        return self.publish == NAMESERVERS


def _read_secret(value: object, place: Place) -> str | None:
    try:
        return keys.parse_secret(value)
    except ValueError as error:
        # Without the value: it may be a secret with a typing error.
        place.fault(str(error))
        return None


KEY_FIELDS = {
    "name": Field(reader_of(names.domain_name), required=True),
    "algorithm": Field(choice(*keys.ALGORITHMS)),
    "secret": Field(_read_secret),
}


def _read_key(value: object, place: Place) -> ZoneKey | None:
    if not isinstance(value, Mapping):
        place.fault("must be a dictionary of name, algorithm and secret")
        return None
    values = read_entry(value, KEY_FIELDS, place).values
    return ZoneKey(**values) if "name" in values else None


def _read_nameservers(value: object, place: Place) -> Mapping[str, str] | None:
    """A dictionary from line to the name of its name server; ``ns-a`` means that name in the zone."""
    if not isinstance(value, Mapping) or not value:
        place.fault("must be a dictionary from line to the name of its name server")
        return None
    read = reader_of(names.domain_name)
    found = {}
    for line, given in value.items():
        if not isinstance(line, str):
            place.fault(f"{shown(line)} is not the name of a line")
        elif (name := read(given, place.key(short(line)))) is not None:
            found[line] = name
    return found


SECONDARY_FIELDS = {
    "name": Field(reader_of(names.domain_name), required=True),
    "addresses": Field(list_of(reader_of(parsers.host), least=1, distinct=True), required=True),
}


def _read_secondary(value: object, place: Place) -> Secondary | None:
    if not isinstance(value, Mapping):
        place.fault("must be a dictionary of name and addresses")
        return None
    values = read_entry(value, SECONDARY_FIELDS, place).values
    return Secondary(**values) if len(values) == len(SECONDARY_FIELDS) else None


ZONE_FIELDS = {
    "zone": Field(reader_of(names.zone_name), required=True),
    "publish": Field(choice(UPDATE, NAMESERVERS)),
    "primary": Field(list_of(reader_of(parsers.host), least=1, distinct=True)),
    "port": Field(integer(1, 65535)),
    "key": Field(_read_key),
    "ttl": Field(integer(1, LONGEST_TTL)),
    "empty_family": Field(choice("keep", "drop")),
    "nameservers": Field(_read_nameservers),
    "secondaries": Field(list_of(_read_secondary)),
}


def read_zone(entry: Entry) -> Zone:
    """A zone with the whole names of its name servers."""
    zone = Zone(entry, **entry.values)
    whole = {line: name if "." in name else f"{name}.{zone.zone}" for line, name in zone.nameservers.items()}
    for line, name in whole.items():
        if zone.zone and not names.is_in(name, zone.zone):
            entry.place.at("nameservers").key(short(line)).fault(f"{name} is not in the zone {zone.zone}")
    return replace(zone, nameservers=whole)


def zone_of(domain: str, zones: Sequence[Zone]) -> Zone | None:
    """The zone that a domain is in: the one with the longest name."""
    found = [zone for zone in zones if zone.zone and names.is_in(names.domain_name(domain), zone.zone)]
    return max(found, key=lambda zone: len(zone.zone), default=None)


def line_name(number: int, zone: Zone) -> str:
    """The name in a zone that has the addresses of a line while only the host knows them that it ends on."""
    return f"line-{number}.{zone.zone}"


def check_zones(declaration: Declaration) -> None:
    """Each domain is in a zone, where there are zones. Without any, the records are printed."""
    if not declaration.zones or any("zone" in zone.entry.broken for zone in declaration.zones):
        return
    taken = {
        line_name(line.id, zone): line
        for line in declaration.lines
        if isinstance(line.public_addresses, Auto)
        for zone in declaration.zones
    }
    for service in declaration.services:
        if service.domain and (line := taken.get(names.domain_name(service.domain))):
            service.entry.place.fault(
                f"domain {shown(service.domain)} is the name that the addresses of line {shown(line.name)} have in the"
                " zone; choose another one"
            )
        if service.domain and zone_of(service.domain, declaration.zones) is None:
            listed = ", ".join(zone.zone for zone in declaration.zones)
            service.entry.place.fault(
                f"domain {shown(service.domain)} is in no zone of multihome_zones ({listed}); add its zone, or make it "
                "a CNAME of a name in one of them and name that here"
            )
