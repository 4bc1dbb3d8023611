# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The declaration: lines, servers and services, and the offers that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict

from .._input.addresses import (
    FAMILIES,
    everyone_of,
    has_network,
    held_addresses,
    is_everyone,
    is_link_local,
    of_family,
)
from .._input.ports import PortMapping
from .._input.reading import Auto, Entry
from .._input.ways_out import FAILOVER, WayOut
from .zones import Zone

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork


class HealthVariables(TypedDict, total=False):
    """The part of a role's line that is about its health."""

    drained: bool
    flows: str
    health: Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """One ISP line. ``firewall`` is empty where the line ends on the server itself.

    The ISP translates the public addresses to the ``outside_addresses``, where the firewall does not hold the former.
    Packets to the ``untranslated`` networks leave by the line as they are.
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
    onlink: bool | None = None
    mss: str = "off"
    drained: bool = False
    flows: str = "forget"
    health: Mapping[str, Any] | None = field(default=None, compare=False)
    untranslated: tuple[IPNetwork, ...] = ()

    @property
    def held_addresses(self) -> list[IPNetwork]:
        """The addresses that the firewall itself holds on the line."""
        return held_addresses(self.public_addresses, self.outside_addresses)

    def ends_on_firewall(self, server: Server) -> bool:
        """Whether a server is the firewall of the line; it then answers at the public addresses itself."""
        return bool(self.firewall) and self.firewall == server.name

    def add_health(self, entry: HealthVariables) -> None:
        """Add what a role gets of the line's health: the keys that the declaration gives."""
        if self.drained:
            entry["drained"] = True
        if self.flows != "forget":
            entry["flows"] = self.flows
        if self.health is not None:
            entry["health"] = self.health


@dataclass(frozen=True)
class Server:
    """One server: its aliases by the name of the line that each belongs to.

    ``interfaces`` are by line too; the one of "" is for all other lines. ``not_held`` are the aliases that another
    program adds and removes. ``outgoing`` are the public addresses by line that its own connections leave with, at
    most one of each family.
    """

    entry: Entry = field(compare=False)
    name: str = ""
    interfaces: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, tuple[IPNetwork, ...]] = field(default_factory=dict)
    not_held: Mapping[str, tuple[IPNetwork, ...]] = field(default_factory=dict)
    outgoing: Mapping[str, tuple[IPAddress, ...]] = field(default_factory=dict)

    def interface_to(self, line: Line) -> str:
        """The interface towards a line that ends on a firewall; empty where none is given."""
        return self.interfaces.get(line.name, self.interfaces.get("", ""))

    def outgoing_by(self, line: Line, family: int) -> IPAddress | None:
        """The public address that the server's own connections leave by a line with; None for the line's first."""
        return next(iter(of_family(self.outgoing.get(line.name, ()), family)), None)


@dataclass(frozen=True)
class Service:
    """One service. ``lines``, ``public_addresses`` and ``verify_ports`` are None where they are left out."""

    entry: Entry = field(compare=False)
    name: str = ""
    server: str = ""
    ports: tuple[PortMapping, ...] = ()
    lines: tuple[str, ...] | None = None
    sources: tuple[IPNetwork, ...] | None = None
    domain: str = ""
    verify_ports: tuple[PortMapping, ...] | None = None
    public_addresses: tuple[IPAddress, ...] | None = None

    def sources_of(self, family: int) -> list[IPNetwork]:
        """The networks that may use the service by one family; nobody may when there is none."""
        return sources_of_family(self.sources, family)


@dataclass(frozen=True)
class Network:
    """Clients behind the firewalls, and how they leave."""

    entry: Entry = field(compare=False)
    name: str = ""
    networks: tuple[IPNetwork, ...] = ()
    outgoing: WayOut = FAILOVER


@dataclass(frozen=True)
class Offer:
    """A service on one line by one family: reached at ``public``, served at ``private``.

    ``public`` is empty where only the firewall knows it.

    ``ports`` are those of the service that the family has.
    """

    service: Service
    line: Line
    server: Server
    family: int
    public: tuple[IPAddress, ...]
    private: IPAddress
    sources: tuple[IPNetwork, ...]
    ports: tuple[PortMapping, ...]


@dataclass(frozen=True)
class Declaration:
    """The lists, the zones, and what follows from them."""

    lines: tuple[Line, ...]
    servers: tuple[Server, ...]
    services: tuple[Service, ...]
    zones: tuple[Zone, ...] = ()
    networks: tuple[Network, ...] = ()

    @cached_property
    def line_named(self) -> Mapping[str, Line]:
        """The lines by their names, where they have one; of two with one name, the first."""
        return {line.name: line for line in reversed(self.lines) if line.name}

    @cached_property
    def server_named(self) -> Mapping[str, Server]:
        """The servers by their names, where they have one; of two with one name, the first."""
        return {server.name: server for server in reversed(self.servers) if server.name}

    def servers_of(self, line: Line) -> list[Server]:
        """The servers that have an address on a line, without its firewall."""
        return [
            server for server in self.servers if line.name in server.addresses and not line.ends_on_firewall(server)
        ]

    def lines_of(self, server: Server) -> list[Line]:
        """The lines on which a server has an address, by id."""
        lines = (self.line_named[name] for name in server.addresses if name in self.line_named)
        return sorted(lines, key=lambda line: line.id)

    def served_lines(self, server: Server) -> list[Line]:
        """The same without those that the server itself terminates as their firewall."""
        return [line for line in self.lines_of(server) if not line.ends_on_firewall(server)]

    def ambiguous(self, server: Server) -> set[IPAddress]:
        """The addresses of a server that belong to lines of different firewalls, so that only marks tell the line."""
        firewalls: dict[IPAddress, set[str]] = {}
        for line in self.served_lines(server):
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
            if (
                isinstance(self.server_named[service.server].addresses[line.name], Auto)
                or (line.firewall and isinstance(line.public_addresses, Auto) and service.public_addresses is None)
            )
            and (service.lines is None or line.name in service.lines)
        ]


def offers_on(service: Service, line: Line, server: Server) -> list[Offer]:
    """A service on one line, by each family that both line and server have and some source may use."""
    found = []
    for family in FAMILIES:
        aliases = of_family(server.addresses.get(line.name, ()), family)
        # On a line without firewall nothing translates: the public addresses are the server's own.
        public = of_family(line.public_addresses, family) if line.firewall else aliases
        chosen = service.public_addresses
        addresses = tuple(address.ip for address in public if chosen is None or address.ip in chosen)
        sources = tuple(service.sources_of(family))
        ports = tuple(mapping for mapping in service.ports if mapping.exists_in(family))
        # Only the firewall knows the addresses that its ISP assigns; a service that names its own has none there.
        assigned = bool(line.firewall) and isinstance(line.public_addresses, Auto) and chosen is None
        if aliases and (addresses or assigned) and sources and (ports or not service.ports):
            found.append(Offer(service, line, server, family, addresses, aliases[0].ip, sources, ports))
    return found


def sources_of_family(sources: tuple[IPNetwork, ...] | None, family: int) -> list[IPNetwork]:
    """The networks that may use a service by one family.

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
    names no network, so any inside address is accepted. A line that ends on the server has the gateway of the ISP.
    """
    if not line.firewall:
        return of_family(line.gateway, family)
    networks = [address for address in of_family(addresses, family) if has_network(address)]
    inside = [address.ip for address in of_family(line.inside_addresses, family)]
    found = [address for address in inside if not networks or any(address in network for network in networks)]
    # A link-local next hop works in every network; it is used where no other one does.
    routable = [address for address in found if not is_link_local(address)]
    return routable or [address for address in inside if is_link_local(address)]


def line_ends(line: Line, servers: list[Server], services: tuple[Service, ...]) -> list[str]:
    """The servers on which a line without firewall may end.

    Those that list an address for it, else those with a service that names it, else the only server there is.
    """
    listed = [server.name for server in servers if line.name in server.addresses]
    named = {service.server for service in services if service.lines and line.name in service.lines}
    tied = [server.name for server in servers if server.name in named]
    return listed or tied or [server.name for server in servers][:2]
