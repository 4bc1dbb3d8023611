# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The routing of a firewall: the variables of role isp_firewall -> the lists that its modules take.

A firewall of one line sends everything there. One of several lines knows a connection's line by the interface that it
came in by, and the line of a connection that it or a server initiates by the source address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...module_utils._core.fields import shown
from .._input.addresses import FAMILIES, family_name, of_family, prefix_text, without
from .._input.faults import Place, sound
from .._input.reading import report_repeated
from .._input.ways_out import BALANCE
from .._roles import line_routing
from .._roles.module_lists import FirewallMarkLists, InterfaceGroup, Mark, Route, Rule, Table
from .._roles.untranslated import report_untranslated
from . import networks as client_networks
from .lines import ROLE, FirewallLine, are_several, line_of, read_inside_networks, read_lines, read_snat

if TYPE_CHECKING:
    from netaddr import IPNetwork


def tables(
    lines: object,
    table_base: object = line_routing.TABLE_BASE,
    interface_group: object = line_routing.INTERFACE_GROUP,
    inside_networks: object = (),
    networks: object = (),
) -> list[Table]:
    """The tables of policy_routing: in main a default route by each gateway that is given.

    Of several lines each has a table of its own too, with the line's own networks, and its metric in main follows from
    its weight.
    """
    with sound() as faults:
        found = _read(lines, faults)
        base = line_routing.read_table_base(table_base, ROLE, found, faults)
        clients = _clients(networks, found, faults)
        alone = {entry["interface"] for entry in _groups(found, interface_group, inside_networks, faults)}
    several = are_several(found)
    entries = [
        line_routing.table(base, line, _routes(line) + _connected(line, line.interface in alone))
        for line in found
        if several
    ]
    routes = [route for line in found for route in _main_routes(line, several)]
    if routes:
        entries.append({"id": line_routing.MAIN_TABLE, "name": "main", "routes": routes})
    return entries + (client_networks.tables(clients, base) if several else [])


def rules(
    lines: object,
    snat: object = (),
    table_base: object = line_routing.TABLE_BASE,
    priority_base: object = line_routing.PRIORITY_BASE,
    source_priority_base: object = line_routing.SOURCE_PRIORITY_BASE,
    mark_mask: object = line_routing.MARK_MASK,
    interface_group: object = line_routing.INTERFACE_GROUP,
    inside_networks: object = (),
    networks: object = (),
) -> list[Rule]:
    """The rules of policy_routing, none for a single line.

    By mark: packets of a connection that came in by a line. By source: packets of the firewall itself from a line's
    public address, and those of a server from an address that belongs to one line alone.
    """
    with sound() as faults:
        found = _read(lines, faults)
        base = line_routing.read_table_base(table_base, ROLE, found, faults)
        first, source_first = line_routing.read_priorities(priority_base, source_priority_base, ROLE, faults)
        mask = line_routing.read_mark_mask(mark_mask, ROLE, found, faults)
        sources = _sources(found, snat, faults)
        groups = _groups(found, interface_group, inside_networks, faults)
        clients = _clients(networks, found, faults)
    if not are_several(found):
        return []
    entries = line_routing.main_rules(first, line_routing.families_of(found), groups)
    for line in found:
        entries += _untranslated(line, first, base)
    for line in found:
        entries += line_routing.mark_rules(first, line, line.families, base, mask)
    for line in found:
        own = [str(address.ip) for address in line.held_addresses]
        selectors = line_routing.by_source([*own, *map(prefix_text, sources[line.name])])
        entries += line_routing.source_rules(source_first, line, selectors, base)
    named = {line.name: line for line in found}
    servers = [e.values["source"] for e in read_snat(snat, []) if line_of(e, named) and "source" in e.values]
    alone = {source for own in sources.values() for source in own}
    return entries + client_networks.rules(clients, base, source_first, [s for s in servers if s not in alone])


def _untranslated(line: FirewallLine, first: int, base: int) -> list[Rule]:
    """The rules that send packets to a line's untranslated destinations by it, whatever their mark or source."""
    return [
        {"name": line.name, "destination": prefix_text(network), "priority": first + 1, "table": base + line.id}
        for network in line.untranslated
    ]


def interface_groups(
    lines: object, inside_networks: object = (), interface_group: object = line_routing.INTERFACE_GROUP
) -> list[InterfaceGroup]:
    """The interface_groups of policy_routing: the interfaces of several lines, unless they are inside ones too."""
    with sound() as faults:
        return _groups(_read(lines, faults), interface_group, inside_networks, faults)


def marks(
    lines: object,
    mark_mask: object = line_routing.MARK_MASK,
    networks: object = (),
    inside_networks: object = (),
    snat: object = (),
) -> FirewallMarkLists:
    """The lists of connection_marks: each of several lines by its interface, and the networks of clients.

    Servers in these networks, the sources of ``snat``, are not distributed: they leave by the line of their address.
    """
    with sound() as faults:
        found = _read(lines, faults)
        mask = line_routing.read_mark_mask(mark_mask, ROLE, found, faults)
        clients = _clients(networks, found, faults)
        inside = read_inside_networks(inside_networks, faults)
        servers = list(dict.fromkeys(e.values["source"] for e in read_snat(snat, faults) if "source" in e.values))
    entries: list[Mark] = [
        {"name": line.name, "mark": mask.mark_of(line), "in_interface": line.interface} for line in found
    ]
    several = are_several(found)
    kept = [str(prefix) for client in clients for prefix in client.networks if several]
    balanced = [prefix for client in clients if client.outgoing == BALANCE for prefix in client.networks if several]
    spread = [str(part) for prefix in balanced for part in without(prefix, servers)]
    untranslated = [str(network) for line in found for network in line.untranslated]
    # Connections between networks inside take no turn.
    excluded = [*map(str, inside), *kept, *untranslated] if spread else []
    return {
        "marks": entries if several else [],
        "balance": client_networks.shares(clients, found, mask) if spread else [],
        "balance_networks": spread,
        "balance_exclude": list(dict.fromkeys(excluded)),
        "keep_networks": kept,
    }


def _clients(value: object, lines: list[FirewallLine], faults: list[str]) -> list[client_networks.ClientNetwork]:
    return client_networks.read_networks(value, {line.name: line for line in lines}, faults)


def _read(lines: object, faults: list[str]) -> list[FirewallLine]:
    """The lines; each of several needs an interface and gateways of its own."""
    found = read_lines(lines, faults)
    if are_several(found):
        report_repeated([line.entry for line in found], "interface")
        for line in found:
            for family in line.families:
                if not of_family(line.gateway, family) and not line.entry.broken:
                    name = family_name(family)
                    line.entry.place.fault(f"is one of several lines, so it needs the ISP's {name} gateway")
        report_untranslated(found)
    return found


def _groups(
    lines: list[FirewallLine], interface_group: object, inside_networks: object, faults: list[str]
) -> list[InterfaceGroup]:
    group = line_routing.read_interface_group(interface_group, ROLE, faults)
    inside = read_inside_networks(inside_networks, faults)
    own = [(line.interface, line.held_addresses) for line in lines if are_several(lines)]
    return line_routing.interface_groups(own, inside, group)


def _connected(line: FirewallLine, alone: bool) -> list[Route]:
    return line_routing.connected(line.interface, line.held_addresses, alone)


def _routes(line: FirewallLine) -> list[Route]:
    routes: list[Route] = []
    for family in FAMILIES:
        for gateway in of_family(line.gateway, family):
            route: Route = {"destination": "default", "gateway": str(gateway), "interface": line.interface}
            routes.append({**route, "onlink": True} if line.is_onlink(gateway) else route)
    return routes


def _main_routes(line: FirewallLine, several: bool) -> list[Route]:
    if several:
        return [{"name": line.name, "metric": line_routing.metric(line), **route} for route in _routes(line)]
    return [{"name": line.name, **route} for route in _routes(line)]


def _sources(lines: list[FirewallLine], snat: object, faults: list[str]) -> dict[str, list[IPNetwork]]:
    """The inside addresses that belong to one line alone, by line; those of several leave by the preferred one."""
    named = {line.name: line for line in lines}
    holders: dict[IPNetwork, dict[str, Place]] = {}
    for entry in read_snat(snat, faults):
        line, source = line_of(entry, named), entry.values.get("source")
        if line is not None and source is not None:
            holders.setdefault(source, {})[line.name] = entry.place
    alone = {source: next(iter(held.items())) for source, held in holders.items() if len(held) == 1}
    for source, (name, place) in alone.items():
        for wider, (other, _place) in alone.items():
            if source in wider and named[other].id < named[name].id:
                place.fault(
                    f"{prefix_text(source)} is within {prefix_text(wider)} of line {shown(other)},"
                    " whose rule comes first: give that line the greater id"
                )
        for after in (line for line in lines if line.id > named[name].id):
            for address in (held.ip for held in after.held_addresses if held.ip in source):
                place.fault(
                    f"{prefix_text(source)} contains {address} of line {shown(after.name)}, which would leave by line"
                    f" {shown(name)}: list the networks behind the firewall"
                )
    return {
        line.name: [source for source, (name, _length) in sorted(alone.items()) if name == line.name] for line in lines
    }
