# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Checks across the lists of the declaration.

A check is silent where a faulty field leaves its question open: a fault is reported once, at its cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ...module_utils._core.fields import short, shown
from .._firewall.limits import limit_faults
from .._input.addresses import FAMILIES, family_name, is_link_local, of_family
from .._input.faults import DeclarationError, Place
from .._input.reading import AUTO, Auto, report_repeated, report_twice
from .._roles.texts import plain
from .._roles.untranslated import report_untranslated
from .both_roles import check_both_roles, check_own_line
from .conflicts import check_claims, check_holders
from .lists import LISTS, read_lists
from .model import Declaration, Line, Server, line_ends, next_hops
from .name_server_checks import check_name_servers
from .network_checks import check_networks
from .outgoing_checks import check_outgoing
from .service_checks import check_service
from .zones import check_zones

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork

# The groups of the inventory that the playbooks use by default.
FIREWALL_GROUP, SERVER_GROUP = "isp_firewall", "multihomed_web"
POSITION = re.compile(r"multihome_(lines|servers|services|zones|networks)\[([0-9]+)\]")


# The declaration that was read last. A task of a role reads it for each of its variables, several times.
_READ: dict[str, Declaration] = {}


def read_declaration(data: object) -> Declaration:
    """The declaration, without any fault.

    Raises DeclarationError with every fault at once.
    """
    key = text_of(data)
    if key is not None and key in _READ:
        return _READ[key]
    declaration, faults = examine(data)
    if faults:
        raise DeclarationError(faults)
    if key is not None:
        # One is enough: all hosts have the same.
        _READ.clear()
        _READ[key] = declaration
    return declaration


def text_of(data: object) -> str | None:
    """A text that only equal data has; None for lists that contain themselves, and enormous numbers."""
    try:
        return repr(plain(data))
    except (RecursionError, ValueError):
        return None


def examine(
    data: object,
    groups: Mapping[str, Iterable[str]] | None = None,
    names: tuple[str, str] = (FIREWALL_GROUP, SERVER_GROUP),
) -> tuple[Declaration, list[str]]:
    """The declaration as far as it can be read, and all its faults by their places.

    With ``groups``, those of the inventory, a host that is not in the group of its role is a fault too. ``names`` are
    the groups of the firewalls and of the servers.
    """
    faults: list[str] = []
    declaration = read_lists(data, faults)
    lists = (declaration.lines, declaration.servers, declaration.services, declaration.zones, declaration.networks)
    for part in lists:
        report_repeated([each.entry for each in part], "name", "id", "zone")
    for line in declaration.lines:
        _check_line(line, declaration)
    _check_shared_firewalls(declaration)
    for server in declaration.servers:
        _check_server(server, declaration)
    for service in declaration.services:
        check_service(service, declaration)
    check_both_roles(declaration)
    check_holders(declaration)
    check_claims(declaration)
    check_zones(declaration)
    check_name_servers(declaration)
    check_outgoing(declaration)
    check_networks(declaration)
    if not faults:
        faults += limit_faults(declaration)
    if groups is not None:
        _check_groups(declaration, groups, *names)
    return declaration, sorted(faults, key=_position)


def _position(fault: str) -> tuple[int, int]:
    """Which list and which entry a fault is about, so that the faults of one entry are listed together."""
    found = POSITION.match(fault)
    return (list(LISTS).index(found[1]), int(found[2])) if found else (-1, 0)


def _check_line(line: Line, declaration: Declaration) -> None:
    _check_gateways(line)
    _check_auto(line)
    report_twice(line.entry.place, "public_addresses", [address.ip for address in line.public_addresses])
    _check_outside(line)
    if line.firewall:
        if not line.inside_addresses and "inside_addresses" not in line.entry.broken:
            line.entry.place.fault('"inside_addresses" is needed: the servers behind the firewall send to them')
    elif "firewall" not in line.entry.broken:
        _check_end(line, declaration)


def _check_gateways(line: Line) -> None:
    """At most one gateway of a family; without a firewall, one of each family of the public addresses."""
    place, broken = line.entry.place, line.entry.broken
    for family in FAMILIES:
        gateways = of_family(line.gateway, family)
        if len(gateways) > 1:
            place.fault(f"gateway: one per family is enough, not {' and '.join(map(str, gateways))}")
        for gateway in gateways:
            _check_gateway(line, gateway)
        given = gateways or isinstance(line.gateway, Auto) or "gateway" in broken
        needed = of_family(line.public_addresses, family) and not line.firewall and "firewall" not in broken
        if needed and not given:
            place.fault(f"has no firewall, so it needs the ISP's {family_name(family)} gateway")


def _check_end(line: Line, declaration: Declaration) -> None:
    """A line without firewall ends on one server."""
    if line.inside_addresses:
        line.entry.place.fault('"inside_addresses" belong to a firewall, and the line has none')
    ends = line_ends(line, list(declaration.servers), declaration.services)
    listed = any(line.name in server.entry.values.get("addresses", {}) for server in declaration.servers)
    if len(ends) > 1 and not listed and line.name:
        line.entry.place.fault('has no firewall, and may end on several servers: list it in the "addresses" of one')


def _check_outside(line: Line) -> None:
    """Outside addresses replace public ones of their family, on a firewall."""
    place, broken = line.entry.place, line.entry.broken
    report_twice(place, "outside_addresses", [address.ip for address in line.outside_addresses])
    if line.outside_addresses and not line.firewall and "firewall" not in broken:
        place.fault('"outside_addresses" belong to a firewall, and the line has none')
    if line.untranslated and not line.firewall and "firewall" not in broken:
        place.fault('"untranslated" belongs to a firewall, and the line has none')
    for family in FAMILIES:
        outside = of_family(line.outside_addresses, family)
        if outside and not of_family(line.public_addresses, family) and "public_addresses" not in broken:
            place.fault(f"outside_addresses: {outside[0].ip} replaces no public {family_name(family)} address")


def _check_auto(line: Line) -> None:
    """Only the host that a line ends on knows the addresses of its interface."""
    place, broken = line.entry.place, line.entry.broken
    if isinstance(line.public_addresses, Auto) and line.outside_addresses:
        place.fault(f"outside_addresses: an address behind another translation is not {AUTO}")
    given = isinstance(line.gateway, Auto) or line.gateway or "gateway" in broken
    if isinstance(line.public_addresses, Auto) and not line.firewall and not given:
        place.fault(f'"gateway" is needed beside public_addresses: {AUTO}; it may be {AUTO} too')


def _check_shared_firewalls(declaration: Declaration) -> None:
    """A firewall of several lines knows them by their interfaces, and sends to each by its gateway."""
    ends: dict[str, list[Line]] = {}
    for line in declaration.lines:
        if line.firewall:
            ends.setdefault(line.firewall, []).append(line)
    served = {server.name for server in declaration.servers if declaration.served_lines(server)}
    for firewall, lines in ends.items():
        report_untranslated(lines)
        interfaces: dict[str, Line] = {}
        for line in lines if len(lines) > 1 or firewall in served else ():
            other = interfaces.setdefault(line.interface, line)
            if other is not line and line.interface:
                line.entry.place.fault(
                    f"interface {shown(line.interface)} of {firewall} is taken by {other.entry.place.text}:"
                    " connections are assigned to a line by it"
                )
            for family in FAMILIES:
                needed = of_family(line.public_addresses, family) and "gateway" not in line.entry.broken
                given = of_family(line.gateway, family) or isinstance(line.gateway, Auto)
                if needed and not given:
                    line.entry.place.fault(
                        f"is one of several lines of {firewall}, so it needs the ISP's {family_name(family)} gateway"
                    )


def _check_gateway(line: Line, gateway: IPAddress) -> None:
    own = of_family(line.held_addresses, gateway.version)
    if any(gateway == address.ip for address in [*line.public_addresses, *line.outside_addresses]):
        line.entry.place.fault(f"gateway: {gateway} is the line's own address")
    elif line.public_addresses and not own and "public_addresses" not in line.entry.broken:
        name = family_name(gateway.version)
        line.entry.place.fault(f"gateway: {gateway} is useless, the line has no public {name} address")
    elif is_link_local(gateway) or isinstance(line.public_addresses, Auto) or line.onlink is not False:
        return
    elif not any(gateway in a for a in own) and not line.entry.broken & {"public_addresses", "outside_addresses"}:
        kind = "outside" if of_family(line.outside_addresses, gateway.version) else "public"
        reason = f"is not in a network of the line's {kind} addresses, so onlink cannot be false"
        line.entry.place.fault(f"gateway: {gateway} {reason}")


def _check_server(server: Server, declaration: Declaration) -> None:
    lines = declaration.line_named
    place = server.entry.place
    listed = server.entry.values.get("addresses", {})
    for name in listed:
        where = place.at("addresses").key(short(name))
        line = lines.get(name)
        if line is None:
            place.fault(f"line {shown(name)} is not in multihome_lines")
            continue
        if line.ends_on_firewall(server):
            check_own_line(line, listed[name], where)
            continue
        addresses = server.addresses[name]
        report_twice(place, f"addresses.{name}", [address.ip for address in addresses])
        if "firewall" in line.entry.broken:
            continue
        if line.firewall:
            if isinstance(addresses, Auto):
                where.fault(f"{AUTO} is for a line without firewall, which ends on the server")
                continue
            _check_alias_family(addresses, line, where)
            _check_next_hops(server, line, where)
        elif "public_addresses" not in line.entry.broken:
            if isinstance(addresses, Auto) and not isinstance(line.public_addresses, Auto):
                where.fault(f"{AUTO} is for a line whose public_addresses are {AUTO}")
            public = {str(address) for address in line.public_addresses}
            for address in addresses:
                if str(address) not in public:
                    where.fault(f"{address} is not a public address of the line, which has no firewall")
    behind = [name for name in listed if name in lines and lines[name].firewall not in ("", server.name)]
    _check_interfaces(server, behind, declaration)


def _check_interfaces(server: Server, behind: Iterable[str], declaration: Declaration) -> None:
    """An interface towards each line behind a firewall."""
    lines, place = declaration.line_named, server.entry.place
    lacking = [name for name in sorted(behind) if not server.interface_to(lines[name])]
    if lacking and "interface" not in server.entry.broken:
        place.fault(f'"interface" is needed for the addresses of line {shown(lacking[0])}')
    for name in server.interfaces:
        if name and name not in lines:
            place.fault(f"interface: line {shown(name)} is not in multihome_lines")
        elif name and lines[name].ends_on_firewall(server):
            place.fault(f"interface: {server.name} is the firewall of line {shown(name)}, so the line's own is used")
        elif name and not lines[name].firewall and "firewall" not in lines[name].entry.broken:
            place.fault(f"interface: line {shown(name)} has no firewall, so its own interface is used")


def _check_alias_family(addresses: Iterable[IPNetwork], line: Line, where: Place) -> None:
    """An alias needs public addresses of its family; without any, it would attract traffic that cannot leave."""
    if isinstance(line.public_addresses, Auto):
        return
    for family in FAMILIES:
        aliases = of_family(addresses, family)
        if aliases and not of_family(line.public_addresses, family) and "public_addresses" not in line.entry.broken:
            name = family_name(family)
            where.fault(f"line {shown(line.name)} has no public {name} address, so {aliases[0].ip} cannot be its alias")


def _check_next_hops(server: Server, line: Line, where: Place) -> None:
    addresses = server.addresses[line.name]
    if not line.inside_addresses or "inside_addresses" in line.entry.broken or "addresses" in server.entry.broken:
        return  # reported there
    for family in FAMILIES:
        if not of_family(addresses, family) or not of_family(line.public_addresses, family):
            continue
        hops = next_hops(line, addresses, family)
        if not hops:
            where.fault(
                f'no {family_name(family)} address in "inside_addresses" of line {shown(line.name)}'
                " is in the network of the server's address"
                if of_family(line.inside_addresses, family)
                else f'line {shown(line.name)} has no {family_name(family)} address in "inside_addresses"'
            )
        elif len(hops) > 1:
            text = " and ".join(map(str, hops))
            where.fault(f"the next hop is not clear: line {shown(line.name)} has {text} as inside addresses")


def _check_groups(
    declaration: Declaration, groups: Mapping[str, Iterable[str]], firewall_group: str, server_group: str
) -> None:
    """Each host in the inventory group that its role is deployed to."""
    firewalls = set(groups.get(firewall_group, ()))
    servers = set(groups.get(server_group, ()))
    for line in declaration.lines:
        if line.firewall and line.firewall not in firewalls:
            line.entry.place.fault(f"firewall {shown(line.firewall)} is not in inventory group {firewall_group}")
    for server in declaration.servers:
        if server.name and server.name not in servers:
            server.entry.place.fault(f"{shown(server.name)} is not in inventory group {server_group}")
