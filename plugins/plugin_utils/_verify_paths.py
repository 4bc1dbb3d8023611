# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""By which next hop each address of a host, and each connection's mark, should leave; and whether it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _routing
from ._addresses import FAMILIES, family_name, of_family
from ._declaration import Declaration, Line, next_hops
from ._faults import sound
from ._firewall import own_lines

REMEDY = "deploy the host again, and look for another program that changes its rules or routes"


@dataclass(frozen=True)
class Way:
    """A kind of packet on a host, from ``source``, with ``mark`` (MARK/MASK), or both, and the next hop it takes."""

    line: Line
    family: int
    next_hop: str
    source: str | None = None
    mark: str | None = None

    @property
    def subject(self) -> str:
        """What leaves, as a fault names it."""
        marked = f"mark {self.mark}" if self.mark else ""
        return f"{' with '.join(filter(None, (self.source, marked)))} of line {self.line.name}"

    def is_of(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of path_info is about it; the module writes a mark of 32 bits without its mask."""
        mark = None if self.mark is None else self.mark.removesuffix("/0xffffffff")
        version = 6 if ":" in str(row.get("destination")) else 4
        return (row.get("source"), row.get("mark"), version) == (self.source, mark, self.family)


def hosts(declaration: Declaration) -> list[str]:
    """The hosts on which there is a way to choose: servers with addresses, and firewalls of several lines."""
    firewalls = {line.firewall for line in declaration.lines if len(own_lines(declaration, line.firewall)) > 1}
    return sorted({server.name for server in declaration.servers if server.addresses} | (firewalls - {""}))


def ways(declaration: Declaration, host: str, mark_mask: object) -> list[Way]:
    """What leaves a host, by line.

    On a server what carries a line's address, with the line's mark where the address does not tell the line. On a
    firewall of several lines what carries a public address, and what is marked.
    """
    server = declaration.server_named.get(host)
    lines = own_lines(declaration, host) if server is None else declaration.lines_of(server)
    with sound() as faults:
        marks = _routing.read_mark_mask(mark_mask, "multihome_verify", lines, faults)
    if server is not None:
        undecided = declaration.undecided(server)
        return [
            Way(
                line,
                address.version,
                str(next_hops(line, server.addresses[line.name], address.version)[0]),
                str(address.ip),
                marks.match(line) if address.ip in undecided else None,
            )
            for line in lines
            for address in server.addresses[line.name]
        ]
    found = []
    for line in lines if len(lines) > 1 else ():
        for family in FAMILIES:
            own = of_family(line.held_addresses, family)
            hop = str(of_family(line.gateway, family)[0]) if own else ""
            found += [Way(line, family, hop, source=str(address.ip)) for address in own]
            found += [Way(line, family, hop, mark=marks.match(line)) for _first in own[:1]]
    return found


def paths(
    declaration: Declaration, host: str, destinations: Iterable[str], mark_mask: object = _routing.MARK_MASK
) -> list[dict[str, Any]]:
    """The paths of path_info on a host: each of its ways, to each destination of the same family."""
    return [
        {
            "name": way.line.name,
            **({"source": way.source} if way.source else {}),
            **({"mark": way.mark} if way.mark else {}),
            "destination": destination,
        }
        for way in ways(declaration, host, mark_mask)
        for destination in destinations
        if (":" in destination) == (way.family == 6)
    ]


def faults(declaration: Declaration, host: str, rows: object, mark_mask: object) -> list[str]:
    """Each way of a host that is not known, or that leads to another next hop than its line's."""
    if not isinstance(rows, Sequence):
        return [f"{host}: its paths are not known: see what it says above"]
    found = []
    for way in ways(declaration, host, mark_mask):
        # A set: several destinations that go astray in the same way are one fault.
        taken = {_taken(row) for row in rows if way.is_of(row)}
        if not taken:
            family = family_name(way.family)
            found.append(
                f"{host}: the way of {way.subject} is not known: multihome_verify_destinations has no {family} address"
            )
        found += [
            f"{host}: {way.subject} {wrong}, not by {way.next_hop}: {REMEDY}"
            for wrong in sorted(taken - {f"leaves by {way.next_hop}"})
        ]
    return found


def _taken(row: Mapping[str, Any]) -> str:
    """How a packet leaves, by a row of path_info."""
    if row.get("reachable") is False:
        return f"does not leave at all ({row.get('error')})"
    return f"leaves by {row.get('gateway') or 'no gateway'}"
