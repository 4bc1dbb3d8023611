# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The declaration -> the variables of role isp_firewall on one host."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from .._declaration.model import Declaration, HealthVariables, Line, Offer
from .._input.addresses import FAMILIES, has_network, is_link_local, of_family
from .._input.ports import PortMapping
from .._input.reading import AUTO, Auto, texts_or_auto
from .._input.ways_out import FAILOVER
from .._server import variables as server
from .._server.variables import ServerLineVariables
from . import own_services

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork


class FirewallLineVariables(HealthVariables, total=False):
    """An entry of ``isp_firewall_lines``."""

    name: str
    id: int
    interface: str
    public_addresses: list[str]
    outside_addresses: list[str]
    gateway: str | list[str]
    weight: int
    onlink: bool
    mss: str
    untranslated: list[str]


class PortVariables(TypedDict, total=False):
    """The part that ``isp_firewall_forwards`` and ``isp_firewall_hairpins`` share."""

    protocol: str
    port: str
    to_address: str
    to_port: str
    sources: list[str]


class ForwardVariables(PortVariables, total=False):
    """An entry of ``isp_firewall_forwards``."""

    name: str
    line: str
    public_addresses: list[str]


class HairpinVariables(PortVariables, total=False):
    """An entry of ``isp_firewall_hairpins``."""

    name: str
    public_address: str


class NetworkVariables(TypedDict):
    """An entry of ``isp_firewall_networks``."""

    name: str
    networks: list[str]
    outgoing: str | list[str]


class SnatVariables(TypedDict, total=False):
    """An entry of ``isp_firewall_snat``."""

    line: str
    source: str
    to_address: str


def own_lines(declaration: Declaration, host: str) -> list[Line]:
    """The lines that a host terminates, by id."""
    return sorted((line for line in declaration.lines if line.firewall == host), key=lambda line: line.id)


def lines(declaration: Declaration, host: str) -> list[FirewallLineVariables]:
    """``isp_firewall_lines``; ``gateway`` is one address, or a list of one per family, or left out.

    A line has a ``weight`` only where the host has several lines.
    """
    mine = own_lines(declaration, host)
    entries = [_line(line) for line in mine]
    for entry, line in zip(entries, mine, strict=True):
        if len(mine) > 1:
            entry["weight"] = line.weight
    return entries


def forwards(declaration: Declaration, host: str) -> list[ForwardVariables]:
    """``isp_firewall_forwards``: one for each port of each service on each line by each family.

    The host's own services are there only where their packets would go to another server otherwise.
    """
    offers = [offer for offer in declaration.offers() if offer.line.firewall == host]
    taken = own_services.addresses_of_any(offers)
    entries: list[ForwardVariables] = []
    for offer in offers:
        shared: ForwardVariables = {"name": offer.service.name, "line": offer.line.name}
        if own_services.is_own(offer):
            for public, held, mapping in own_services.kept(offer, taken):
                entries.append({**shared, "public_addresses": [str(public)], **_port(mapping, offer, held)})
        else:
            entries += [{**shared, **_chosen(offer), **port} for port in _ports(offer)]
    return entries


def hairpins(declaration: Declaration, host: str) -> list[HairpinVariables]:
    """``isp_firewall_hairpins``: services at the public addresses of lines that end elsewhere.

    A client on the LAN has one default gateway, whichever line's public address it asks for. So each firewall
    translates the public addresses of all lines whose servers are in one of its inside networks.
    """
    inside = _inside(declaration, host)
    return [
        {"name": offer.service.name, "public_address": str(public), **port}
        for offer in declaration.offers()
        if offer.line.firewall not in ("", host) and any(offer.private in network for network in inside)
        for public in offer.public
        for port in _ports(offer)
    ]


def snat(declaration: Declaration, host: str) -> list[SnatVariables]:
    """``isp_firewall_snat``: the aliases whose own connections leave with a public address of their line."""
    entries: list[SnatVariables] = []
    for line in own_lines(declaration, host):
        outgoing = {
            address.ip: server.outgoing_by(line, address.version)
            for server in declaration.servers_of(line)
            for address in server.addresses[line.name]
            if of_family(line.public_addresses, address.version) or isinstance(line.public_addresses, Auto)
        }
        for source, public in sorted(outgoing.items()):
            entry: SnatVariables = {"line": line.name, "source": str(source)}
            entries.append(entry if public is None else {**entry, "to_address": str(public)})
    return entries


def networks(declaration: Declaration, host: str) -> list[NetworkVariables]:
    """``isp_firewall_networks``: the networks of clients, each with those of the host's lines that it leaves by.

    A host that has none of its lines sends by its own what reaches it.
    """
    mine = {line.name for line in own_lines(declaration, host)}
    entries: list[NetworkVariables] = []
    for entry in declaration.networks if mine else ():
        way: str | list[str] = entry.outgoing if isinstance(entry.outgoing, str) else []
        if not isinstance(entry.outgoing, str):
            way = [name for name in entry.outgoing if name in mine] or FAILOVER
        prefixes = [str(network) for network in entry.networks]
        entries.append({"name": entry.name, "networks": prefixes, "outgoing": way})
    return entries


def server_lines(declaration: Declaration, host: str) -> list[ServerLineVariables]:
    """``isp_firewall_server_lines``: the lines of other firewalls on which a firewall is a server."""
    return server.lines(declaration, host) if own_lines(declaration, host) else []


def inside_networks(declaration: Declaration, host: str) -> list[str]:
    """``isp_firewall_inside_networks``: the networks that servers and inside addresses of the host's lines are in."""
    return [str(network) for network in _inside(declaration, host)]


def _inside(declaration: Declaration, host: str) -> list[IPNetwork]:
    mine = own_lines(declaration, host)
    addresses = [address for line in mine for address in line.inside_addresses if not is_link_local(address.ip)]
    addresses += [
        address for line in mine for server in declaration.servers_of(line) for address in server.addresses[line.name]
    ]
    itself = declaration.server_named.get(host)
    if mine and itself:
        served = [line for line in declaration.served_lines(itself) if line.firewall]
        addresses += [address for line in served for address in itself.addresses[line.name]]
    return sorted({address.cidr for address in addresses if has_network(address)})


def _line(line: Line) -> FirewallLineVariables:
    entry: FirewallLineVariables = {
        "name": line.name,
        "id": line.id,
        "interface": line.interface,
        "public_addresses": texts_or_auto(line.public_addresses),
    }
    if line.outside_addresses:
        entry["outside_addresses"] = [str(address) for address in line.outside_addresses]
    if line.onlink is not None:
        entry["onlink"] = line.onlink
    if line.mss != "off":
        entry["mss"] = line.mss
    if line.untranslated:
        entry["untranslated"] = [str(network) for network in line.untranslated]
    gateways = [str(gateway) for family in FAMILIES for gateway in of_family(line.gateway, family)]
    if isinstance(line.gateway, Auto):
        entry["gateway"] = AUTO
    elif gateways:
        entry["gateway"] = gateways[0] if len(gateways) == 1 else gateways
    line.add_health(entry)
    return entry


def _chosen(offer: Offer) -> ForwardVariables:
    """The public addresses of an offer, where the service does not use all of its line's."""
    if offer.service.public_addresses is None:
        return {}
    return {"public_addresses": [str(address) for address in offer.public]}


def _ports(offer: Offer) -> list[PortVariables]:
    return [_port(mapping, offer, offer.private) for mapping in sorted(offer.ports)]


def _port(mapping: PortMapping, offer: Offer, target: IPAddress) -> PortVariables:
    ports: PortVariables = {"port": str(mapping.public)} if mapping.has_ports else {}
    to_ports: PortVariables = {"to_port": str(mapping.private)} if mapping.has_ports else {}
    return {
        "protocol": mapping.protocol,
        **ports,
        "to_address": str(target),
        **to_ports,
        "sources": [str(source) for source in offer.sources],
    }
