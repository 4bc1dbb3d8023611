# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The routing of a server: the variables of role multihomed_web -> the lists that its modules take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...module_utils._core.fields import shown
from .._input.addresses import everyone_of, has_network
from .._input.faults import Place, sound
from .._input.reading import choice
from .._roles import line_routing
from .._roles.module_lists import InterfaceGroup, Mark, MarkLists, Route, Rule, Share, Table
from .lines import (
    BALANCE_FROM,
    ROLE,
    ServerLine,
    own_interfaces,
    read_balance_from,
    read_default_route,
    read_inside_networks,
    read_lines,
)
from .sources import Sources, read_other_addresses

if TYPE_CHECKING:
    from netaddr import IPAddress

# More than any metric of failover, so that both may exist for a moment while one replaces the other.
BALANCE_METRIC = 1 << 17
# The same in failover for a line whose addresses are on this host at times only: other lines come before it.
NOT_HELD_METRIC = BALANCE_METRIC


def tables(
    lines: object,
    default_route: object = "none",
    table_base: object = line_routing.TABLE_BASE,
    balance_from: object = BALANCE_FROM,
    interface_group: object = line_routing.INTERFACE_GROUP,
    inside_networks: object = (),
) -> list[Table]:
    """The tables of policy_routing: one per line with its own networks and a default route by each family's gateway.

    With ``failover`` main gets these default routes too, each with the line's own address as source and a metric of
    its own. With ``balance`` their source is the initial address of connections that are given to lines.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
        kind = read_default_route(default_route, faults)
        base = line_routing.read_table_base(table_base, ROLE, found, faults)
        initial = read_balance_from(balance_from, found, faults) if kind == "balance" else {}
        groups = read_groups(found, interface_group, inside_networks, faults)
    alone = {entry["interface"] for entry in groups}
    entries = [line_routing.table(base, line, _routes(line, line.interface in alone)) for line in found]
    if kind != "none" and found:
        routes = [_main_route(line, family, initial.get(family)) for line in found for family in line.families]
        entries.append({"id": line_routing.MAIN_TABLE, "name": "main", "routes": routes})
    return entries


def rules(
    lines: object,
    table_base: object = line_routing.TABLE_BASE,
    priority_base: object = line_routing.PRIORITY_BASE,
    source_priority_base: object = line_routing.SOURCE_PRIORITY_BASE,
    reply: object = "source",
    default_route: object = "none",
    mark_mask: object = line_routing.MARK_MASK,
    other_addresses: object = (),
    interface_group: object = line_routing.INTERFACE_GROUP,
    inside_networks: object = (),
) -> list[Rule]:
    """The rules of policy_routing: by mark where marks are in use, and by source.

    An address of lines with different next hops does not tell the line. Its packets use main's default routes, or,
    where main is left alone, the lines' tables in turn, since a reply needs a route before its mark is known. The same
    holds for addresses of a line that is known by mark because its addresses need too many prefixes.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
        base = line_routing.read_table_base(table_base, ROLE, found, faults)
        first, source_first = line_routing.read_priorities(priority_base, source_priority_base, ROLE, faults)
        mask = line_routing.read_mark_mask(mark_mask, ROLE, found, faults)
        kind = read_default_route(default_route, faults)
        by_mark = read_reply(reply, found, faults) == "mark"
        others = read_other_addresses(other_addresses, faults)
        groups = read_groups(found, interface_group, inside_networks, faults)
        ambiguous = {} if faults else ambiguous_addresses(found)
        if not by_mark:
            _refuse_ambiguous(ambiguous, faults)
    entries = line_routing.main_rules(first, line_routing.families_of(found), groups)
    sources = Sources(found, ambiguous, others)
    for line in found:
        marked = line.families if by_mark or kind == "balance" else sources.marked_families(line)
        entries += line_routing.mark_rules(first, line, marked, base, mask)
    for line in found:
        entries += line_routing.source_rules(source_first, line, sources.of_line(line), base)
        if kind == "none":
            entries += line_routing.source_rules(source_first, line, sources.before_mark(line), base, end=False)
    if kind == "none":
        last = source_first + line_routing.WHOLE_BAND - 1
        entries += [
            {"name": "end", "priority": last, "action": "unreachable", **selector}
            for selector in sources.all_before_mark
        ]
    return entries


def interface_groups(
    lines: object, interface_group: object = line_routing.INTERFACE_GROUP, inside_networks: object = ()
) -> list[InterfaceGroup]:
    """The interface_groups of policy_routing: the interfaces that belong to lines alone."""
    with sound() as faults:
        found = read_lines(lines, faults)
        return read_groups(found, interface_group, inside_networks, faults)


def read_groups(
    lines: Sequence[ServerLine], interface_group: object, inside_networks: object, faults: list[str]
) -> list[InterfaceGroup]:
    """The same of lines that were read."""
    group = line_routing.read_interface_group(interface_group, ROLE, faults)
    inside = read_inside_networks(inside_networks, faults)
    return line_routing.interface_groups(own_interfaces(lines), inside, group)


def marks(
    lines: object,
    reply: object = "source",
    default_route: object = "none",
    balance_from: object = BALANCE_FROM,
    mark_mask: object = line_routing.MARK_MASK,
    other_addresses: object = (),
) -> MarkLists:
    """The lists of connection_marks: ``marks``, ``balance``, ``balance_from`` and ``balance_exclude``.

    Marks are known by gateway or interface for ``reply: mark``, and by source where that takes too many rules.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
        mask = line_routing.read_mark_mask(mark_mask, ROLE, found, faults)
        by_mark = read_reply(reply, found, faults) == "mark"
        balanced = read_default_route(default_route, faults) == "balance"
        initial = read_balance_from(balance_from, found, faults) if balanced else {}
        others = read_other_addresses(other_addresses, faults)
        if balanced and not faults:
            _refuse_indistinct(found)
    networks = {address.cidr for line in found for address in line.addresses if has_network(address)}
    own = {address.ip for line in found for address in line.addresses}
    by_source = Sources(found, ambiguous_addresses(found), others).marks(mask)
    return {
        "marks": (_marks(found, mask) if by_mark else []) + by_source,
        "balance": _shares(found, mask) if balanced else [],
        "balance_from": [str(address) for address in initial.values()],
        # Connections to neighbours have an address of the server as initial source too.
        "balance_exclude": [str(network) for network in sorted(networks) if own & set(initial.values())],
    }


def _marks(lines: Sequence[ServerLine], mask: line_routing.MarkMask) -> list[Mark]:
    """A line that has an interface to itself is known by it, others by their gateways.

    Lines that share a next hop share its mark: replies go back to the next hop that the request came from.
    """
    interfaces = [line.interface for line in lines]
    entries: dict[tuple[str, IPAddress | None], Mark] = {}
    for line in lines:
        mark: Mark = {"name": line.name, "mark": mask.mark_of(line), "in_interface": line.interface}
        if interfaces.count(line.interface) == 1:
            entries[line.interface, None] = mark
            continue
        for family in line.families:
            gateway = line.gateway(family)
            by_gateway: Mark = mark if gateway is None else {**mark, "gateway": str(gateway)}
            entries.setdefault(line.next_hop(family), by_gateway)
    return list(entries.values())


def _shares(lines: Sequence[ServerLine], mask: line_routing.MarkMask) -> list[Share]:
    """The shares of the lines. Where others hold their addresses always, a line that does not has no share."""
    held = {family for line in lines for family in line.families if line.holds(family)}
    shares: list[Share] = []
    for line in lines:
        families = [family for family in line.families if line.holds(family) or family not in held]
        sources = [str(line.address(family).ip) for family in families]
        if sources:
            shares.append({"name": line.name, "mark": mask.mark_of(line), "weight": line.weight, "sources": sources})
    return shares


def _routes(line: ServerLine, alone: bool) -> list[Route]:
    routes = [_route(line, family) for family in line.families]
    return routes + line_routing.connected(line.interface, line.addresses, alone)


def _route(line: ServerLine, family: int) -> Route:
    gateway = line.gateway(family)
    if gateway is None:
        return {"destination": str(everyone_of(family)), "interface": line.interface}
    route: Route = {"destination": "default", "gateway": str(gateway), "interface": line.interface}
    return {**route, "onlink": True} if line.is_onlink(family) else route


def _main_route(line: ServerLine, family: int, source: IPAddress | None) -> Route:
    metric = line_routing.metric(line) + (0 if source is None else BALANCE_METRIC)
    route: Route = {"name": line.name, **_route(line, family), "metric": metric}
    if source is None and not line.holds(family):
        # The kernel refuses a source that the host does not have now.
        return {**route, "metric": metric + NOT_HELD_METRIC}
    return {**route, "source": str(source or line.address(family).ip)}


def reply_way(lines: object, reply: object = "auto", by_mark_needed: bool = False) -> object:
    """``multihomed_web_reply`` with ``auto`` replaced: by mark where an address, or the host, needs it."""
    if reply != "auto":
        return reply
    faults: list[str] = []
    found = read_lines(lines, faults)
    # Faulty lines are reported where the lists are made.
    return "mark" if by_mark_needed or (not faults and ambiguous_addresses(found)) else "source"


def read_reply(value: object, lines: Sequence[ServerLine], faults: list[str]) -> str:
    """``multihomed_web_reply``; ``auto`` as far as the lines decide it."""
    read = choice("auto", "source", "mark")(value, Place(f"{ROLE}_reply", faults))
    if read == "auto":
        return "mark" if not faults and ambiguous_addresses(lines) else "source"
    return read or "source"


def ambiguous_addresses(lines: Sequence[ServerLine]) -> dict[IPAddress, list[ServerLine]]:
    """The addresses that belong to lines of different next hops, each with these lines."""
    holders: dict[IPAddress, list[ServerLine]] = {}
    for line in lines:
        for address in () if line.entry.broken else line.addresses:
            holders.setdefault(address.ip, []).append(line)
    return {
        address: held for address, held in holders.items() if len({line.next_hop(address.version) for line in held}) > 1
    }


def _refuse_ambiguous(ambiguous: dict[IPAddress, list[ServerLine]], faults: list[str]) -> None:
    place = Place(f"{ROLE}_lines", faults)
    for address, held in ambiguous.items():
        names = " and ".join(shown(line.name) for line in held)
        place.fault(
            f"address {address} belongs to lines {names}, which have different gateways: only with"
            f" {ROLE}_reply: mark can replies be assigned to a line"
        )


def _refuse_indistinct(lines: Sequence[ServerLine]) -> None:
    """Connections are assigned to a line by their address, or by their next hop."""
    seen: dict[tuple[object, ...], ServerLine] = {}
    for line in lines:
        for family in line.families:
            address = line.address(family).ip
            other = seen.setdefault((address, line.next_hop(family)), line)
            if other is not line:
                line.entry.place.fault(
                    f"has address {address} and its gateway in common with line {shown(other.name)}:"
                    f" {ROLE}_default_route: balance cannot spread over them"
                )
