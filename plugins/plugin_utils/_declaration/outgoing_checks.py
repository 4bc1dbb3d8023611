# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Checks of the public addresses that servers' own connections leave with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...module_utils._core.fields import short, shown
from .._input.addresses import FAMILIES, family_name, of_family, outside_of
from .._input.reading import Auto
from .model import Declaration, Line, Server

if TYPE_CHECKING:
    from netaddr import IPAddress

    from .._input.faults import Place


def check_outgoing(declaration: Declaration) -> None:
    """Each address is one of its line, of a family in which the server has an address there."""
    for server in declaration.servers:
        place = server.entry.place.at("outgoing")
        for name, addresses in server.outgoing.items():
            line = declaration.line_named.get(name)
            if line is None:
                place.fault(f"line {shown(name)} is not in multihome_lines")
            elif not line.entry.broken & {"firewall", "public_addresses", "outside_addresses"}:
                _check_on_line(server, line, addresses, place.key(short(name)))
    _check_shared(declaration)


def _check_on_line(server: Server, line: Line, addresses: tuple[IPAddress, ...], place: Place) -> None:
    if line.ends_on_firewall(server):
        place.fault(f"{server.name} is the firewall of the line, and chooses the address of its own connections itself")
        return
    own = server.addresses.get(line.name, ())
    known = line.public_addresses if line.firewall else own
    if isinstance(known, Auto) or isinstance(own, Auto):
        place.fault("the addresses of the line are known only to the server")
        return
    for address in addresses:
        if address not in {one.ip for one in known}:
            place.fault(f"{address} is not a public address of line {shown(line.name)}")
        elif not of_family(own, address.version) and "addresses" not in server.entry.broken:
            name = family_name(address.version)
            place.fault(f"server {shown(server.name)} has no {name} address on line {shown(line.name)}")
        elif not outside_of(line.public_addresses, line.outside_addresses, address.version):
            place.fault(f"line {shown(line.name)} needs an outside address for each public one, in the same order")
    for family in FAMILIES:
        if len(of_family(addresses, family)) > 1:
            place.fault(f"one {family_name(family)} address is enough, not {' and '.join(map(str, addresses))}")


def _check_shared(declaration: Declaration) -> None:
    """Servers that share an address, a floating one, leave with the same public address."""
    seen: dict[tuple[str, IPAddress], tuple[Server, IPAddress | None]] = {}
    for server in declaration.servers:
        for line in declaration.served_lines(server):
            for address in server.addresses[line.name] if line.firewall else ():
                mine = server.outgoing_by(line, address.version)
                other, its = seen.setdefault((line.name, address.ip), (server, mine))
                if its != mine:
                    server.entry.place.fault(
                        f"outgoing: {address.ip} belongs to {other.entry.place.text} too, which leaves line"
                        f" {shown(line.name)} by {its or 'its first address'}, not by {mine or 'its first address'}"
                    )
