# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""The declaration -> the variables of role multihomed_web on one host."""

from __future__ import annotations

from typing import Any

from ._addresses import FAMILIES, of_family
from ._declaration import Declaration, Line, Server, next_hops
from ._reading import AUTO, Auto


def lines(declaration: Declaration, host: str) -> list[dict[str, Any]]:
    """``multihomed_web_lines``: the lines on which the host has an address, by id."""
    server = declaration.server_named.get(host)
    if server is None:
        return []
    return [
        {
            "name": line.name,
            "id": line.id,
            "interface": server.interface if line.firewall else line.interface,
            "addresses": _texts(server.addresses[line.name]),
            "gateways": gateways(line, server),
            "weight": line.weight,
        }
        for line in declaration.lines_of(server)
    ]


def reply(declaration: Declaration, host: str) -> str:
    """``multihomed_web_reply``: ``mark`` where an address stands for lines of different next hops."""
    server = declaration.server_named.get(host)
    return "mark" if server is not None and declaration.undecided(server) else "source"


def _texts(items: tuple[Any, ...]) -> list[str]:
    return [AUTO] if isinstance(items, Auto) else [str(item) for item in items]


def gateways(line: Line, server: Server) -> list[str]:
    """The next hops of a server on a line, one for each family that it has there, as far as that is known here."""
    addresses = server.addresses[line.name]
    if isinstance(line.gateway, Auto) or isinstance(addresses, Auto):
        return _texts(line.gateway)
    return [str(next_hops(line, addresses, family)[0]) for family in FAMILIES if of_family(addresses, family)]
