# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Where a vantage host is: outside the lines, or inside, from where an answer says nothing about a line.

A request from inside for a public address is answered by the firewall itself (hairpin), and no ISP is involved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeGuard

from .._declaration.model import Declaration, Line
from .._input.addresses import address_of, has_network, is_link_local
from .._roles.module_lists import PathQuery

if TYPE_CHECKING:
    from netaddr import IPNetwork

Row = Mapping[str, object]


def ends(declaration: Declaration, line: Line) -> list[str]:
    """The hosts on which a line ends: its firewall, or the servers with an address on it."""
    return [line.firewall] if line.firewall else [server.name for server in declaration.servers_of(line)]


def local_addresses(rows: Iterable[object]) -> list[str]:
    """The addresses that the vantage hosts asked from, by all rows of line_check."""
    found = (row.get("local_address") for rows_of in rows if _is_rows(rows_of) for row in rows_of)
    return sorted({address for address in found if isinstance(address, str)})


def paths(declaration: Declaration, host: str, addresses: Iterable[str]) -> list[PathQuery]:
    """The paths of path_info from a host on which a line ends to each vantage; none on other hosts."""
    if not any(host in ends(declaration, line) for line in declaration.lines):
        return []
    return [{"name": "vantage", "destination": address} for address in addresses]


class Vantages:
    """What is known of where the vantage hosts are. ``taken`` has the rows of path_info by host."""

    def __init__(self, declaration: Declaration, taken: Mapping[str, object]) -> None:
        self._declaration = declaration
        self._hosts = {line.firewall for line in declaration.lines} | {server.name for server in declaration.servers}
        self._networks = _inside_networks(declaration)
        self._interfaces = {
            (host, str(row.get("destination"))): str(row["interface"])
            for host, rows in taken.items()
            if _is_rows(rows)
            for row in rows
            if row.get("interface") and not row.get("source") and not row.get("mark")
        }

    def is_inside(self, vantage: str, line: Line, local_address: object) -> bool:
        """Whether a vantage that asks from an address is inside, seen from the end of a line.

        So is each host of the declaration, each address in a network of the servers, and each that the end of the line
        reaches by another interface than one of its lines.
        """
        if vantage in self._hosts:
            return True
        if not isinstance(local_address, str):
            return False
        address = address_of(local_address)
        return any(address in network for network in self._networks) or any(
            self._is_behind(host, local_address) for host in ends(self._declaration, line)
        )

    def _is_behind(self, host: str, address: str) -> bool:
        interface = self._interfaces.get((host, address))
        outside = {line.interface for line in self._declaration.lines if host in ends(self._declaration, line)}
        return interface is not None and interface not in outside


def _inside_networks(declaration: Declaration) -> list[IPNetwork]:
    """The networks behind the firewalls, as far as the declaration names them."""
    behind = [line for line in declaration.lines if line.firewall]
    found = [address for line in behind for address in line.inside_addresses]
    found += [
        address for line in behind for server in declaration.servers_of(line) for address in server.addresses[line.name]
    ]
    return [address.cidr for address in found if has_network(address) and not is_link_local(address.ip)]


def _is_rows(rows: object) -> TypeGuard[Sequence[Row]]:
    return isinstance(rows, Sequence) and not isinstance(rows, str)
