# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The declaration -> the variables of role multihomed_web on one host."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._declaration.model import Declaration, HealthVariables, Line, Server, next_hops
from .._input.addresses import FAMILIES, has_network, of_family
from .._input.reading import Auto, texts_or_auto

if TYPE_CHECKING:
    from netaddr import IPNetwork


class ServerLineVariables(HealthVariables, total=False):
    """An entry of ``multihomed_web_lines``."""

    name: str
    id: int
    interface: str
    addresses: list[str]
    gateways: list[str]
    weight: int
    onlink: bool
    ends_here: bool
    not_held: list[str]


def lines(declaration: Declaration, host: str) -> list[ServerLineVariables]:
    """``multihomed_web_lines``: the lines on which the host has an address, by id, but not those that it terminates."""
    server = declaration.server_named.get(host)
    if server is None:
        return []
    return [_line(line, server) for line in declaration.served_lines(server)]


def _line(line: Line, server: Server) -> ServerLineVariables:
    entry: ServerLineVariables = {
        "name": line.name,
        "id": line.id,
        "interface": server.interface_to(line) if line.firewall else line.interface,
        "addresses": texts_or_auto(_preferred_first(line, server)),
        "gateways": gateways(line, server),
        "weight": line.weight,
    }
    if not line.firewall:
        entry["ends_here"] = True
        if line.onlink is not None:
            entry["onlink"] = line.onlink
    elif not any(has_network(address) for address in server.addresses[line.name]):
        # The network of such an alias is configured by another program, with the firewall in it.
        entry["onlink"] = False
    if server.not_held.get(line.name):
        entry["not_held"] = texts_or_auto(server.not_held[line.name])
    line.add_health(entry)
    return entry


def _preferred_first(line: Line, server: Server) -> Iterable[IPNetwork]:
    """The addresses on a line; where it has no firewall, the one that connections leave with before the others."""
    own = server.addresses[line.name]
    if line.firewall or not server.outgoing.get(line.name):
        return own
    return sorted(own, key=lambda address: server.outgoing_by(line, address.version) != address.ip)


def reply(declaration: Declaration, host: str) -> str:
    """``multihomed_web_reply``: ``mark`` where an address belongs to lines of different next hops, else ``auto``."""
    server = declaration.server_named.get(host)
    return "mark" if server is not None and declaration.ambiguous(server) else "auto"


def gateways(line: Line, server: Server) -> list[str]:
    """The next hops of a server on a line, one for each family that it has there, as far as that is known here."""
    addresses = server.addresses[line.name]
    if isinstance(addresses, Auto) or (isinstance(line.gateway, Auto) and not line.firewall):
        return texts_or_auto(line.gateway)
    return [str(next_hops(line, addresses, family)[0]) for family in FAMILIES if of_family(addresses, family)]
