# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the targets of a line's health check say anything about the line. No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from .. import fields
from ..routing.model import MAIN_TABLE, Route
from ..routing.rule_fields import LONGEST_DEFAULT
from .catalogue import Finding, finding
from .facts import Facts
from .model import Desired, Line


def targets(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Targets in a network of the line's own interface, or that a route of main leads to by another one.

    The first kind answers without the gateway. Rules look up main before the tables of the lines, so the second kind
    is asked by another way than the line's. Which of two lines of this host that is, depends on their interfaces: it is
    left out.
    """
    routes = [item.object for item in facts.routing.routes() if _leads(item.object)] if facts.routing else []
    interfaces = {line.interface for line in desired.lines}
    for line in desired.lines:
        for target in line.targets:
            family = fields.family_of(target)
            if not line.dynamic and not any(fields.family_of(each) == family for each in line.gateways):
                # Everything may be on the link of a line without a gateway.
                continue
            message = _near(line, target, routes) or _elsewhere(line, target, routes, interfaces)
            if message:
                yield finding("probe-target-not-behind-line", f"{line}, {target}", message)


def _near(line: Line, target: str, routes: list[Route]) -> str:
    connected = [route.destination for route in routes if route.interface == line.interface and not route.gateway]
    own = [str(network) for network in line.networks(fields.family_of(target))]
    found = _holding(target, [*own, *connected])
    return f"it is in {found}, on the link of {line.interface}: it answers also when the line is dead" if found else ""


def _elsewhere(line: Line, target: str, routes: list[Route], interfaces: set[str]) -> str:
    others = [route for route in routes if route.interface and route.interface not in interfaces]
    found = _holding(target, [route.destination for route in others])
    by = next((route.interface for route in others if route.destination == found), None)
    return f"the route {found} leads to it by {by}, not by {line.interface}" if found else ""


def _holding(target: str, networks: list[str]) -> str | None:
    address = ipaddress.ip_address(target)
    return next((network for network in networks if address in ipaddress.ip_network(network)), None)


def _leads(route: Route) -> bool:
    """Whether it is a route of main that precedes the tables of the lines."""
    length = int(route.destination.partition("/")[2])
    return route.table == MAIN_TABLE and route.type == "unicast" and length > LONGEST_DEFAULT[route.family]
