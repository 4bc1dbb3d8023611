# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""The declaration: lines, servers and services, read from what the inventory says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ._addresses import (
    FAMILIES,
    everyone_of,
    has_network,
    held,
    is_everyone,
    of_family,
    read_gateway,
    read_inside_address,
    read_interface_address,
    read_prefix,
)
from ._faults import Place, shown
from ._ports import PortMapping, read_port_mapping
from ._reading import (
    Auto,
    Entry,
    Field,
    integer,
    list_of,
    or_auto,
    read_domain,
    read_entries,
    read_interface,
    read_line_name,
    read_text,
)

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork


@dataclass(frozen=True)
class Line:
    """One ISP line. ``firewall`` is empty where the line ends on the server itself.

    ``outside_addresses`` are what the ISP translates the public addresses to, where the firewall does not hold those.
    """

    entry: Entry = field(compare=False)
    name: str = ""
    id: int = 0
    firewall: str = ""
    interface: str = ""
    public_addresses: tuple[IPNetwork, ...] = ()
    outside_addresses: tuple[IPNetwork, ...] = ()
    gateway: tuple[IPAddress, ...] = ()
    inside_addresses: tuple[IPNetwork, ...] = ()
    weight: int = 1

    @property
    def held_addresses(self) -> list[IPNetwork]:
        """The addresses that the firewall itself holds on the line."""
        return held(self.public_addresses, self.outside_addresses)


@dataclass(frozen=True)
class Server:
    """One server: its aliases by the name of the line for which each stands."""

    entry: Entry = field(compare=False)
    name: str = ""
    interface: str = ""
    addresses: Mapping[str, tuple[IPNetwork, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Service:
    """One service. ``lines`` and ``verify_ports`` are None where the declaration leaves the choice to us."""

    entry: Entry = field(compare=False)
    name: str = ""
    server: str = ""
    ports: tuple[PortMapping, ...] = ()
    lines: tuple[str, ...] | None = None
    sources: tuple[IPNetwork, ...] | None = None
    domain: str = ""
    verify_ports: tuple[PortMapping, ...] | None = None

    def sources_of(self, family: int) -> list[IPNetwork]:
        """Who may use the service by one family; nobody when empty."""
        return sources_of_family(self.sources, family)


@dataclass(frozen=True)
class Offer:
    """A service on one line by one family: asked for at ``public``, served at ``private``."""

    service: Service
    line: Line
    server: Server
    family: int
    public: tuple[IPAddress, ...]
    private: IPAddress
    sources: tuple[IPNetwork, ...]


@dataclass(frozen=True)
class Declaration:
    """The three lists, with what follows from them."""

    lines: tuple[Line, ...]
    servers: tuple[Server, ...]
    services: tuple[Service, ...]

    @cached_property
    def line_named(self) -> Mapping[str, Line]:
        """The lines by their names, where they have one; of two with one name, the first."""
        return {line.name: line for line in reversed(self.lines) if line.name}

    @cached_property
    def server_named(self) -> Mapping[str, Server]:
        """The servers by their names, where they have one; of two with one name, the first."""
        return {server.name: server for server in reversed(self.servers) if server.name}

    def servers_of(self, line: Line) -> list[Server]:
        """The servers that have an address on a line."""
        return [server for server in self.servers if line.name in server.addresses]

    def lines_of(self, server: Server) -> list[Line]:
        """The lines on which a server has an address, by id."""
        lines = (self.line_named[name] for name in server.addresses if name in self.line_named)
        return sorted(lines, key=lambda line: line.id)

    def undecided(self, server: Server) -> set[IPAddress]:
        """The addresses of a server that stand for lines of different firewalls, so that only marks tell the line."""
        firewalls: dict[IPAddress, set[str]] = {}
        for line in self.lines_of(server):
            for address in server.addresses[line.name]:
                firewalls.setdefault(address.ip, set()).add(line.firewall)
        return {address for address, names in firewalls.items() if len(names) > 1}

    def offers(self) -> list[Offer]:
        """Every service on every line by every family, whatever the order of the lists."""
        found = [
            offer
            for service in self.services
            if service.server in self.server_named
            for line in self.lines_of(self.server_named[service.server])
            if service.lines is None or line.name in service.lines
            for offer in offers_on(service, line, self.server_named[service.server])
        ]
        return sorted(found, key=lambda offer: (offer.line.id, offer.service.name, offer.family))

    def offers_unknown(self) -> list[tuple[Line, Service]]:
        """Every service on every line whose addresses only the server knows."""
        return [
            (line, service)
            for service in self.services
            if service.server in self.server_named
            for line in self.lines_of(self.server_named[service.server])
            if isinstance(self.server_named[service.server].addresses[line.name], Auto)
            and (service.lines is None or line.name in service.lines)
        ]


def offers_on(service: Service, line: Line, server: Server) -> list[Offer]:
    """A service on one line, by each family that both line and server have and somebody may use."""
    found = []
    for family in FAMILIES:
        aliases = of_family(server.addresses.get(line.name, ()), family)
        # On a line without firewall nothing translates: the public addresses are the server's own.
        public = of_family(line.public_addresses, family) if line.firewall else aliases
        sources = service.sources_of(family)
        if aliases and public and sources:
            addresses = tuple(address.ip for address in public)
            found.append(Offer(service, line, server, family, addresses, aliases[0].ip, tuple(sources)))
    return found


def sources_of_family(sources: tuple[IPNetwork, ...] | None, family: int) -> list[IPNetwork]:
    """Who may use a service by one family.

    Left out means everyone. So does a prefix of length 0 of one family where the list has none of the other.
    """
    everyone = everyone_of(family)
    if sources is None:
        return [everyone]
    named = of_family(sources, family)
    if named:
        return [everyone] if any(is_everyone(source) for source in named) else named
    return [everyone] if any(is_everyone(source) for source in sources) else []


def next_hops(line: Line, addresses: tuple[IPNetwork, ...], family: int) -> list[IPAddress]:
    """The next hops that ``addresses`` of a server can use on a line; one when the declaration is sound.

    Behind a firewall that is its inside address in the network of an alias; an alias of full prefix length
    does not say its network, so any inside address will do. A line that ends on the server has the gateway
    of the ISP.
    """
    if not line.firewall:
        return of_family(line.gateway, family)
    networks = [address for address in of_family(addresses, family) if has_network(address)]
    inside = [address.ip for address in of_family(line.inside_addresses, family)]
    return [address for address in inside if not networks or any(address in network for network in networks)]


def read_server_addresses(value: object, place: Place) -> Mapping[str, tuple[IPNetwork, ...]] | None:
    """A dictionary from the name of a line to a list of addresses with prefix length."""
    if not isinstance(value, Mapping):
        place.fault(f"must be a dictionary from line to addresses, not {shown(value)}")
        return None
    read = or_auto(list_of(read_interface_address, least=1))
    addresses = {}
    for line, given in value.items():
        if not isinstance(line, str):
            place.fault(f"{shown(line)} is not the name of a line")
            continue
        addresses[line] = read(given, place.key(shown(line)[1:-1])) or ()
    return addresses


LINE_FIELDS = {
    "name": Field(read_line_name, required=True),
    "id": Field(integer(1, 250), required=True),
    "firewall": Field(read_text),
    "interface": Field(read_interface, required=True),
    "public_addresses": Field(or_auto(list_of(read_interface_address, least=1)), required=True),
    "outside_addresses": Field(list_of(read_interface_address)),
    "gateway": Field(or_auto(list_of(read_gateway, single=True))),
    "inside_addresses": Field(list_of(read_inside_address)),
    "weight": Field(integer(1, 256)),
}
SERVER_FIELDS = {
    "name": Field(read_text, required=True),
    "interface": Field(read_interface),
    "addresses": Field(read_server_addresses),
}
SERVICE_FIELDS = {
    "name": Field(read_text, required=True),
    "server": Field(read_text, required=True),
    "ports": Field(list_of(read_port_mapping, least=1), required=True),
    "lines": Field(list_of(read_line_name)),
    "sources": Field(list_of(read_prefix, least=1)),
    "domain": Field(read_domain),
    "verify_ports": Field(list_of(read_port_mapping)),
}
LISTS = {"lines": LINE_FIELDS, "servers": SERVER_FIELDS, "services": SERVICE_FIELDS}


def read_lists(data: object, faults: list[str]) -> Declaration:
    """The three lists as far as they can be read; what cannot is added to ``faults``."""
    if not isinstance(data, Mapping):
        faults.append(f"the declaration must be a dictionary of lines, servers and services, not {shown(data)}")
        return Declaration((), (), ())
    for key in data:
        if key not in LISTS:
            faults.append(f"the declaration has an unknown key {shown(key)} (known: {', '.join(LISTS)})")
    entries = {
        name: read_entries(data.get(name), fields, Place(f"multihome_{name}", faults)) for name, fields in LISTS.items()
    }
    lines = tuple(Line(entry, **entry.values) for entry in entries["lines"])
    services = tuple(Service(entry, **entry.values) for entry in entries["services"])
    servers = [Server(entry, **entry.values) for entry in entries["servers"]]
    return Declaration(lines, _with_line_addresses(lines, servers, services), services)


def line_ends(line: Line, servers: list[Server], services: tuple[Service, ...]) -> list[str]:
    """The servers on which a line without firewall may end.

    Those that list an address for it, else those with a service that names it, else the only server there is.
    """
    listed = [server.name for server in servers if line.name in server.addresses]
    named = {service.server for service in services if service.lines and line.name in service.lines}
    tied = [server.name for server in servers if server.name in named]
    return listed or tied or [server.name for server in servers][:2]


def _with_line_addresses(
    lines: tuple[Line, ...], servers: list[Server], services: tuple[Service, ...]
) -> tuple[Server, ...]:
    """Give each server the public addresses of the lines that end on it and that it does not list."""
    added: dict[str, dict[str, Any]] = {}
    for line in lines:
        if line.name and not line.firewall and "firewall" not in line.entry.broken:
            ends = line_ends(line, servers, services)
            if len(ends) == 1:
                added.setdefault(ends[0], {})[line.name] = line.public_addresses
    return tuple(replace(server, addresses={**added.get(server.name, {}), **server.addresses}) for server in servers)
