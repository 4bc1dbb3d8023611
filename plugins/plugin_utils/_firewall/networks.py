# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The networks of clients behind a firewall: how they are translated, routed and marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...module_utils._core.fields import shown
from .._input.addresses import is_everyone, of_family, overlap, prefix_text
from .._input.faults import Place
from .._input.reading import Entry, read_entries
from .._input.ways_out import BALANCE, FAILOVER, WayOut
from .._roles import line_routing
from .._roles.module_lists import NatRule, Route, Rule, Share, Table
from .lines import NETWORK_FIELDS, ROLE, FirewallLine

if TYPE_CHECKING:
    from netaddr import IPNetwork

# Of networks that leave by the same lines in the same order, the routing table has this number plus table_base and the
# id of the first line; of another order with the same first line, twice this, and so on.
ORDERED = 1000


@dataclass(frozen=True)
class ClientNetwork:
    """An entry of ``isp_firewall_networks``. ``lines`` are those that it names, the preferred one first."""

    entry: Entry
    name: str
    networks: tuple[IPNetwork, ...]
    outgoing: WayOut
    lines: tuple[FirewallLine, ...] = ()


def read_networks(value: object, named: Mapping[str, FirewallLine], faults: list[str]) -> list[ClientNetwork]:
    """``isp_firewall_networks``, as far as they can be read; faults are added to ``faults``."""
    found: list[ClientNetwork] = []
    for entry in read_entries(value, NETWORK_FIELDS, Place(f"{ROLE}_networks", faults)):
        way: WayOut = entry.values.get("outgoing", FAILOVER)
        names = way if isinstance(way, tuple) else ()
        for name in names:
            if name not in named:
                entry.place.fault(f"outgoing: line {shown(name)} is not in {ROLE}_lines")
        lines = tuple(named[name] for name in names if name in named)
        networks = entry.values.get("networks", ())
        for network in networks:
            if is_everyone(network):
                entry.place.fault(f"networks: {network} is every address; list the networks behind the firewall")
            for other in found:
                if any(overlap(network, its) for its in other.networks):
                    entry.place.fault(f"networks: {network} overlaps with {other.entry.place.text}")
        found.append(ClientNetwork(entry, entry.values.get("name", "clients"), networks, way, lines))
    return found


def source_rules(networks: Iterable[ClientNetwork], lines: Iterable[FirewallLine]) -> list[NatRule]:
    """The rules of nat_rules: clients leave each line with its first address, whichever line they are sent by."""
    mine = list(lines)
    return [
        {
            "name": network.name,
            "type": "snat",
            "source": prefix_text(prefix),
            "out_interface": line.interface,
            "to_address": str(own[0].ip),
        }
        for network in networks
        for prefix in network.networks
        for line in mine
        if (own := of_family(line.held_addresses, prefix.version))
    ]


def tables(networks: Sequence[ClientNetwork], base: int) -> list[Table]:
    """The tables of policy_routing: for each order of lines their default routes, the preferred one first."""
    orders = {_order(network): network.lines for network in networks}
    return [
        {
            "id": number,
            "routes": [route for place, line in enumerate(orders[order], 1) for route in _routes(line, place)],
        }
        for order, number in _numbers(networks, base).items()
    ]


def rules(
    networks: Sequence[ClientNetwork], base: int, source_base: int, servers: Iterable[IPNetwork] = ()
) -> list[Rule]:
    """The rules of policy_routing: behind all rules by source, each network that names its lines to its table.

    It has an end too: the clients must not leave by another line. ``servers`` are addresses of several lines, which
    leave by the preferred one also where they are in such a network.
    """
    numbers = _numbers(networks, base)
    first = source_base + line_routing.WHOLE_BAND - 2
    ordered = [prefix for network in networks if network.lines for prefix in network.networks]
    found: list[Rule] = [
        {"name": "main", "source": prefix_text(server), "priority": first - 1, "table": line_routing.MAIN_TABLE}
        for server in dict.fromkeys(servers)
        if any(overlap(server, prefix) for prefix in ordered)
    ]
    for network in networks:
        if network.lines:
            for prefix in network.networks:
                selector: Rule = {"name": network.name, "source": prefix_text(prefix)}
                found.append({**selector, "priority": first, "table": numbers[_order(network)]})
                found.append({**selector, "priority": first + 1, "action": "unreachable"})
    return found


def shares(
    networks: Iterable[ClientNetwork], lines: Iterable[FirewallLine], mask: line_routing.MarkMask
) -> list[Share]:
    """The ``balance`` of connection_marks, where a network is distributed."""
    if not any(network.outgoing == BALANCE for network in networks):
        return []
    return [
        {
            "name": line.name,
            "mark": mask.mark_of(line),
            "weight": line.weight,
            "sources": [str(of_family(line.held_addresses, family)[0].ip) for family in line.families],
        }
        for line in lines
    ]


def _order(network: ClientNetwork) -> tuple[int, ...]:
    return tuple(line.id for line in network.lines)


def _numbers(networks: Iterable[ClientNetwork], base: int) -> dict[tuple[int, ...], int]:
    """The table of each order of lines, these by their ids."""
    firsts: dict[int, int] = {}
    found = {}
    for order in sorted({_order(network) for network in networks if network.lines}):
        rank = firsts[order[0]] = firsts.get(order[0], 0) + 1
        found[order] = base + ORDERED * rank + order[0]
    return found


def _routes(line: FirewallLine, place: int) -> list[Route]:
    routes: list[Route] = []
    for gateway in line.gateway:
        route: Route = {
            "name": line.name,
            "destination": "default",
            "gateway": str(gateway),
            "interface": line.interface,
        }
        # The last bits are the id, by which the line of a route is known (health/effective.py).
        route["metric"] = place * line_routing.METRIC_STEP + line.id
        routes.append({**route, "onlink": True} if line.is_onlink(gateway) else route)
    return routes
