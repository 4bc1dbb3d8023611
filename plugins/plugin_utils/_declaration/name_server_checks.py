# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The checks of zones whose name servers are on the lines (``publish: nameservers``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...module_utils._core.fields import short, shown
from .._input.ports import PortRange
from .._input.reading import Auto
from .zones import Zone

if TYPE_CHECKING:
    from .model import Declaration, Line, Offer

DNS_PORT = PortRange(53, 53)


def host_of(declaration: Declaration, line: Line) -> str:
    """The host that a line ends on: its firewall, else its only server; empty where that is not clear."""
    if line.firewall:
        return line.firewall
    servers = declaration.servers_of(line)
    return servers[0].name if len(servers) == 1 else ""


def check_name_servers(declaration: Declaration) -> None:
    """The fields that ``publish`` asks for; each name server on a line with fixed addresses and a free port 53."""
    for zone in declaration.zones:
        if "publish" in zone.entry.broken:
            continue
        if zone.on_lines:
            _check_fields_on_lines(zone)
            for line in zone.nameservers:
                _check_line(declaration, zone, line)
        else:
            _check_fields_elsewhere(zone)


def _check_fields_elsewhere(zone: Zone) -> None:
    place, values = zone.entry.place, zone.entry.values
    if "primary" not in values and "primary" not in zone.entry.broken:
        place.fault('"primary" is needed: the address of the server that takes the updates')
    for name in ("nameservers", "secondaries"):
        if name in values:
            place.fault(f'"{name}" is for publish: nameservers')


def _check_fields_on_lines(zone: Zone) -> None:
    place, values = zone.entry.place, zone.entry.values
    for name in ("primary", "port"):
        if name in values:
            place.fault(f'"{name}" is for publish: update; with publish: nameservers each host updates its own server')
    for name in ("nameservers", "key"):
        if name not in values and name not in zone.entry.broken:
            place.fault(f'"{name}" is needed with publish: nameservers')


def _check_line(declaration: Declaration, zone: Zone, name: str) -> None:
    where = zone.entry.place.at("nameservers").key(short(name))
    line = declaration.line_named.get(name)
    if line is None:
        where.fault(f"line {shown(name)} is not in multihome_lines")
        return
    if isinstance(line.public_addresses, Auto):
        where.fault("a name server needs addresses that stay; those of the line are auto")
    if "firewall" not in line.entry.broken and not host_of(declaration, line):
        where.fault("the line ends on several servers, or on none; a name server needs one host")
    taken = next((offer for offer in declaration.offers() if offer.line is line and _takes_dns(offer)), None)
    if taken is not None and line.firewall:
        where.fault(f"service {shown(taken.service.name)} takes port 53 of the line, which its name server needs")


def _takes_dns(offer: Offer) -> bool:
    return any(
        mapping.is_rest or (mapping.protocol in ("tcp", "udp") and mapping.public.overlaps(DNS_PORT))
        for mapping in offer.ports
    )
