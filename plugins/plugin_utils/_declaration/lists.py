# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Reading of the lists of the inventory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...module_utils._core.fields import short, shown
from .._input.addresses import read_address, read_gateway, read_inside_address, read_interface_address, read_prefix
from .._input.faults import Place
from .._input.ports import read_port_mapping
from .._input.reading import (
    Auto,
    Entry,
    Field,
    integer,
    list_of,
    or_auto,
    read_domain,
    read_entries,
    read_entry,
    read_flag,
    read_interface,
    read_line_name,
    read_segment_size,
    read_service_name,
    read_text,
)
from .._input.ways_out import read_way_out
from .._roles.line_health import HEALTH_FIELDS
from .model import Declaration, Line, Network, Server, Service, line_ends
from .zones import ZONE_FIELDS, read_zone

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork


@dataclass(frozen=True)
class ServerAddress:
    """An address of a server for a line. Without ``hold`` another program adds and removes it."""

    address: IPNetwork
    hold: bool = True


SERVER_ADDRESS_FIELDS = {"address": Field(read_interface_address, required=True), "hold": Field(read_flag)}


def read_server_address(value: object, place: Place) -> ServerAddress | None:
    """An address with prefix length, or a dictionary of ``address`` and ``hold``."""
    if isinstance(value, Mapping):
        values = read_entry(value, SERVER_ADDRESS_FIELDS, place).values
        return ServerAddress(**values) if "address" in values else None
    address = read_interface_address(value, place)
    return None if address is None else ServerAddress(address)


def read_server_interfaces(value: object, place: Place) -> Mapping[str, str] | None:
    """The name of an interface, for all lines, or a dictionary from the name of a line to its interface."""
    if not isinstance(value, Mapping):
        name = read_interface(value, place)
        return None if name is None else {"": name}
    found = {}
    for line, given in value.items():
        if not isinstance(line, str):
            place.fault(f"{shown(line)} is not the name of a line")
            continue
        name = read_interface(given, place.key(short(line)))
        if name is not None:
            found[line] = name
    return found


def read_outgoing(value: object, place: Place) -> Mapping[str, tuple[IPAddress, ...]] | None:
    """A dictionary from the name of a line to an address, or to a list of one of each family."""
    if not isinstance(value, Mapping):
        place.fault(f"must be a dictionary from line to public address, not {shown(value)}")
        return None
    read = list_of(read_address, least=1)
    found = {}
    for line, given in value.items():
        if not isinstance(line, str):
            place.fault(f"{shown(line)} is not the name of a line")
            continue
        addresses = read(given, place.key(short(line)))
        found[line] = addresses or ()
    return found


def read_server_addresses(value: object, place: Place) -> Mapping[str, tuple[ServerAddress, ...]] | None:
    """A dictionary from the name of a line to a list of addresses with prefix length."""
    if not isinstance(value, Mapping):
        place.fault(f"must be a dictionary from line to addresses, not {shown(value)}")
        return None
    read = or_auto(list_of(read_server_address, least=1))
    addresses = {}
    for line, given in value.items():
        if not isinstance(line, str):
            place.fault(f"{shown(line)} is not the name of a line")
            continue
        found = read(given, place.key(short(line)))
        addresses[line] = () if found is None else found
    return addresses


LINE_FIELDS = {
    "name": Field(read_line_name, required=True),
    "id": Field(integer(1, 250), required=True),
    "firewall": Field(read_text),
    "interface": Field(read_interface, required=True),
    "public_addresses": Field(or_auto(list_of(read_interface_address, least=1)), required=True),
    "outside_addresses": Field(list_of(read_interface_address)),
    "gateway": Field(or_auto(list_of(read_gateway))),
    "inside_addresses": Field(list_of(read_inside_address)),
    "weight": Field(integer(1, 256)),
    "onlink": Field(read_flag),
    "mss": Field(read_segment_size),
    **HEALTH_FIELDS,
    "untranslated": Field(list_of(read_prefix, distinct=True)),
}
SERVER_FIELDS = {
    "name": Field(read_text, required=True),
    "interface": Field(read_server_interfaces),
    "addresses": Field(read_server_addresses),
    "outgoing": Field(read_outgoing),
}
SERVICE_FIELDS = {
    "name": Field(read_service_name, required=True),
    "server": Field(read_text, required=True),
    "ports": Field(list_of(read_port_mapping, least=1), required=True),
    "lines": Field(list_of(read_line_name, least=1)),
    "sources": Field(list_of(read_prefix, least=1, distinct=True)),
    "public_addresses": Field(list_of(read_address, least=1)),
    "domain": Field(read_domain),
    "verify_ports": Field(list_of(read_port_mapping)),
}
NETWORK_FIELDS = {
    "name": Field(read_text, required=True),
    "networks": Field(list_of(read_prefix, least=1, distinct=True), required=True),
    "outgoing": Field(read_way_out),
}
LISTS = {
    "lines": LINE_FIELDS,
    "servers": SERVER_FIELDS,
    "services": SERVICE_FIELDS,
    "zones": ZONE_FIELDS,
    "networks": NETWORK_FIELDS,
}
# Playbooks give None for lists that the inventory does not define.
NEEDED = ("lines", "servers", "services")
_WHERE = "define it for all hosts, for example in group_vars/all/multihome.yml beside the inventory"


def read_lists(data: object, faults: list[str]) -> Declaration:
    """The lists as far as they can be read; faults are added to ``faults``."""
    if not isinstance(data, Mapping):
        faults.append(f"the declaration must be a dictionary of lines, servers and services, not {shown(data)}")
        return Declaration((), (), ())
    for key in data:
        if key not in LISTS:
            faults.append(f"the declaration has an unknown key {shown(key)} (known: {', '.join(LISTS)})")
    absent = [name for name in NEEDED if name in data and data[name] is None]
    faults += [f"multihome_{name} is not defined: {_WHERE}" for name in absent]
    entries = {
        name: read_entries([] if name in absent else data.get(name), fields, Place(f"multihome_{name}", faults))
        for name, fields in LISTS.items()
    }
    lines = tuple(Line(entry, **entry.values) for entry in entries["lines"])
    services = tuple(Service(entry, **entry.values) for entry in entries["services"])
    servers = [_server(entry) for entry in entries["servers"]]
    zones = tuple(read_zone(entry) for entry in entries["zones"])
    networks = tuple(Network(entry, **entry.values) for entry in entries["networks"])
    return Declaration(lines, _with_line_addresses(lines, servers, services), services, zones, networks)


def _server(entry: Entry) -> Server:
    values = entry.values
    given: Mapping[str, tuple[ServerAddress, ...]] = values.get("addresses", {})
    return Server(
        entry,
        values.get("name", ""),
        values.get("interface", {}),
        {line: own if isinstance(own, Auto) else tuple(one.address for one in own) for line, own in given.items()},
        {line: tuple(one.address for one in own if not one.hold) for line, own in given.items()},
        values.get("outgoing", {}),
    )


def _with_line_addresses(
    lines: Sequence[Line], servers: list[Server], services: tuple[Service, ...]
) -> tuple[Server, ...]:
    """Give each server the addresses of the lines that end on it and that it does not list itself.

    Those of a line whose firewall it is are always the ones that it holds there.
    """
    added: dict[str, dict[str, tuple[IPNetwork, ...]]] = {}
    own: dict[str, dict[str, tuple[IPNetwork, ...]]] = {}
    for line in lines:
        if not line.name or "firewall" in line.entry.broken:
            continue
        if line.firewall:
            held = line.public_addresses
            own.setdefault(line.firewall, {})[line.name] = (
                held if isinstance(held, Auto) else tuple(line.held_addresses)
            )
        elif len(ends := line_ends(line, servers, services)) == 1:
            added.setdefault(ends[0], {})[line.name] = line.public_addresses
    return tuple(
        replace(server, addresses={**added.get(server.name, {}), **server.addresses, **own.get(server.name, {})})
        for server in servers
    )
