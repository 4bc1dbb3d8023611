# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The next hop that packets of each address, and of each mark, should take on a host; and whether they do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._declaration.model import Declaration, Line, Server, next_hops
from .._firewall.variables import own_lines
from .._input.addresses import FAMILIES, family_name, of_family
from .._input.faults import sound
from .._input.reading import Auto
from .._roles import line_routing
from .._roles.module_lists import PathQuery
from . import vantages

if TYPE_CHECKING:
    from netaddr import IPAddress

REMEDY = "deploy the host again, and look for another program that changes its rules or routes"


@dataclass(frozen=True)
class ExpectedPath:
    """Packets on a host, from ``source``, with ``mark`` (MARK/MASK), or both, and the next hop they should take."""

    line: Line
    family: int
    next_hop: str
    source: str | None = None
    mark: str | None = None

    @property
    def subject(self) -> str:
        """The packets, as a fault names them."""
        marked = f"mark {self.mark}" if self.mark else ""
        return f"{' with '.join(filter(None, (self.source, marked)))} of line {self.line.name}"

    def is_of(self, row: Mapping[str, object]) -> bool:
        """Whether a row of path_info is about it; the module writes a mark of 32 bits without its mask."""
        mark = None if self.mark is None else self.mark.removesuffix("/0xffffffff")
        version = 6 if ":" in str(row.get("destination")) else 4
        return (row.get("source"), row.get("mark"), version) == (self.source, mark, self.family)


def hosts(declaration: Declaration) -> list[str]:
    """The hosts on which packets have a choice: servers with addresses, and firewalls of several lines."""
    firewalls = {line.firewall for line in declaration.lines if len(own_lines(declaration, line.firewall)) > 1}
    servers = {server.name for server in declaration.servers if declaration.served_lines(server)}
    return sorted(servers | (firewalls - {""}))


def expected_paths(declaration: Declaration, host: str, mark_mask: object) -> list[ExpectedPath]:
    """The paths of a host, by line.

    On a server for packets with a line's address, and the line's mark where the address does not tell the line. On a
    firewall of several lines for packets with a public address, and for packets with a mark.
    """
    server = declaration.server_named.get(host)
    own = own_lines(declaration, host)
    served = declaration.served_lines(server) if server else []
    with sound() as faults:
        mask = line_routing.read_mark_mask(mark_mask, "multihome_verify", [*own, *served], faults)
    found = _of_firewall(own if len(own) + len(served) > 1 else [], mask)
    return found + (_of_server(server, served, declaration.ambiguous(server), mask) if server else [])


def _of_server(
    server: Server, lines: Iterable[Line], ambiguous: Collection[IPAddress], mask: line_routing.MarkMask
) -> list[ExpectedPath]:
    return [
        ExpectedPath(
            line,
            address.version,
            str(next_hops(line, server.addresses[line.name], address.version)[0]),
            str(address.ip),
            mask.match(line) if address.ip in ambiguous else None,
        )
        for line in lines
        # A gateway of auto is known only to the server.
        if line.firewall or not isinstance(line.gateway, Auto)
        for address in server.addresses[line.name]
    ]


def _of_firewall(lines: Iterable[Line], mask: line_routing.MarkMask) -> list[ExpectedPath]:
    found = []
    for line in lines:
        # As above, only the firewall knows it.
        if isinstance(line.gateway, Auto):
            continue
        for family in FAMILIES:
            own = of_family(line.held_addresses, family)
            hop = str(of_family(line.gateway, family)[0]) if own else ""
            found += [ExpectedPath(line, family, hop, source=str(address.ip)) for address in own]
            if own:
                found.append(ExpectedPath(line, family, hop, mark=mask.match(line)))
    return found


def paths(
    declaration: Declaration,
    host: str,
    destinations: Iterable[str],
    mark_mask: object = line_routing.MARK_MASK,
    answers: Iterable[object] = (),
) -> list[PathQuery]:
    """The paths of path_info on a host: each expected one, to each destination of the same family.

    A host on which a line ends also looks up the way to each vantage, by the rows of line_check in ``answers``.
    """
    return vantages.paths(declaration, host, vantages.local_addresses(answers)) + [
        _query(path, destination)
        for path in expected_paths(declaration, host, mark_mask)
        for destination in destinations
        if (":" in destination) == (path.family == 6)
    ]


def faults(declaration: Declaration, host: str, rows: object, mark_mask: object) -> list[str]:
    """The paths of a host that are not known, or that lead to another next hop than their line's."""
    if not isinstance(rows, Sequence):
        return [f"{host}: its paths are not known: see its messages above"]
    found = []
    for path in expected_paths(declaration, host, mark_mask):
        # A set: the same wrong next hop to several destinations is one fault.
        taken = {_taken(row) for row in rows if path.is_of(row)}
        if not taken:
            family = family_name(path.family)
            found.append(
                f"{host}: the path of {path.subject} is not known:"
                f" multihome_verify_destinations has no {family} address"
            )
        found += [
            f"{host}: {path.subject} {wrong}, not by {path.next_hop}: {REMEDY}"
            for wrong in sorted(taken - {f"leaves by {path.next_hop}"})
        ]
    return found


def _query(path: ExpectedPath, destination: str) -> PathQuery:
    query: PathQuery = {"name": path.line.name, "destination": destination}
    if path.source:
        query["source"] = path.source
    if path.mark:
        query["mark"] = path.mark
    return query


def _taken(row: Mapping[str, object]) -> str:
    """How packets leave, by a row of path_info."""
    if row.get("reachable") is False:
        return f"does not leave at all ({row.get('error')})"
    return f"leaves by {row.get('gateway') or 'no gateway'}"
