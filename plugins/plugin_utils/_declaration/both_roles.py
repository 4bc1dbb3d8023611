# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Checks of hosts that are the firewall of a line, and servers too."""

from __future__ import annotations

from typing import Any

from ...module_utils._core.fields import shown
from .._input.faults import Place
from .._input.reading import Auto
from .model import Declaration, Line, Server


def check_own_line(line: Line, given: Any, place: Place) -> None:
    """A firewall has the public addresses of its line; they may be repeated, and nothing else."""
    if line.entry.broken & {"public_addresses", "outside_addresses"}:
        return
    texts = set() if isinstance(given, Auto) else {(str(one.address), one.hold) for one in given}
    if isinstance(line.public_addresses, Auto) or texts != {(str(one), True) for one in line.public_addresses}:
        place.fault(f"{line.firewall} is the firewall of the line, and has its addresses there: leave the line out")


def check_both_roles(declaration: Declaration) -> None:
    """A server that is the firewall of one line, and has addresses for lines of other firewalls."""
    for server in declaration.servers:
        own = [line for line in declaration.lines if line.ends_on_firewall(server)]
        if own and "addresses" not in server.entry.broken:
            _check_served(server, own, declaration)
            for line in own:
                if isinstance(line.public_addresses, Auto):
                    _check_assigned(server, line, declaration)


def _check_assigned(server: Server, line: Line, declaration: Declaration) -> None:
    """Nothing can keep the ports of the firewall's own services where only it knows its address."""
    services = [
        service
        for service in declaration.services
        if (service.lines is None or line.name in service.lines)
        and line.name in getattr(declaration.server_named.get(service.server), "addresses", {})
    ]
    mine = next((service for service in services if service.server == server.name), None)
    for other in services if mine else ():
        if mine and other.server != server.name and any(mapping.is_rest for mapping in other.ports):
            other.entry.place.fault(
                f"ports: any would take the ports of {mine.entry.place.text} on line {shown(line.name)}, whose address"
                f" only {server.name} knows: name the ports here, or leave the line out"
            )


def _check_served(server: Server, own: list[Line], declaration: Declaration) -> None:
    place = server.entry.place
    for line in declaration.served_lines(server):
        if not line.firewall:
            if "firewall" not in line.entry.broken:
                text = (
                    f"line {shown(line.name)} ends on {server.name}, which is the firewall of line {shown(own[0].name)}"
                )
                place.fault(f'{text}: give both "firewall: {server.name}"')
            continue
        for other in own:
            if server.interface_to(line) == other.interface and other.interface:
                text = f"interface {shown(other.interface)} to line {shown(line.name)}"
                place.fault(f"{text} is the one of line {shown(other.name)}: packets are assigned to a line by it")
    for address in sorted(declaration.ambiguous(server)):
        place.fault(
            f"address {address} belongs to lines of several firewalls: a host that is a firewall too needs another one"
            " for each line"
        )
