# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether packets can come in and leave by the lines of a firewall, one function each. No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from .. import fields
from ..plan import Existing
from ..routing.model import Route
from ..routing.rule_fields import LONGEST_DEFAULT
from .catalogue import Finding, finding
from .facts import Facts
from .model import FIREWALL, Desired, Line


def ways_out(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Lines without a gateway, whose interface has no default route either: nothing could leave by them."""
    for line in _connected(desired, facts):
        for family in line.families:
            if not _of_family(line.gateways, family) and not _has_default(line, family, desired, facts):
                message = f"{line} has no IPv{family} gateway, and there is no default route by {line.interface}"
                yield finding("no-way-out", f"{line}, IPv{family}", message, interface=line.interface)


def public_addresses(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Addresses in a network of the line's interface that this host does not have: it does not answer ARP for them."""
    routing = facts.routing
    if routing is None:
        return
    own = {item.object.bare for item in routing.addresses()}
    for line in _connected(desired, facts):
        networks = [
            ipaddress.ip_interface(item.object.address).network
            for item in routing.addresses()
            if item.object.interface == line.interface
        ]
        if facts.parameters.get(f"net/ipv6/conf/{line.interface}/disable_ipv6") == "1":
            # The interface lost them with IPv6, which is a finding of its own.
            addresses = _of_family(line.addresses, 4)
        else:
            addresses = list(line.addresses)
        families = {network.version for network in networks if not network.is_link_local}
        for address in addresses:
            bare = address.partition("/")[0]
            inside = any(ipaddress.ip_address(bare) in network for network in networks)
            if bare not in own and (inside or fields.family_of(bare) not in families):
                message = f"{line} has the address {bare}, and this host does not"
                yield finding("public-address-missing", bare, message, address=address, interface=line.interface)


def _connected(desired: Desired, facts: Facts) -> list[Line]:
    """The lines of a firewall that are up and have fixed addresses; a server gets its addresses and routes by the role.

    A line that is down loses its routes, which is reported as what it is.
    """
    if desired.role != FIREWALL or facts.routing is None:
        return []
    links = {name: link for name, link in facts.links.items() if link.up and link.running}
    return [line for line in desired.lines if line.interface in links and not line.dynamic and not line.left_out]


def _has_default(line: Line, family: int, desired: Desired, facts: Facts) -> bool:
    """Whether there is a default route by the line's interface that this run leaves; in any table, as others use."""
    routes = facts.routing.routes() if facts.routing else []
    return any(
        line.interface in _interfaces(item.object)
        for item in routes
        if item.object.family == family and _is_default(item, desired)
    )


def _is_default(item: Existing[Route], desired: Desired) -> bool:
    """Whether it is a default, maybe in all but length, that this run does not remove."""
    length = int(item.object.destination.partition("/")[2])
    stays = item.owner != desired.protocol or not desired.purge
    return stays and item.object.type == "unicast" and length <= LONGEST_DEFAULT[item.object.family]


def _interfaces(route: Route) -> set[str]:
    return {hop.interface for hop in route.nexthops or (route,) if hop.interface}


def _of_family(addresses: tuple[str, ...], family: int) -> list[str]:
    return [address for address in addresses if fields.family_of(address) == family]
