# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of a host before and after a run: a line that was up when the run was armed must not be down now.

A line is a routing table with a default route by gateways, one for each family. It is up when a gateway answers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ..netlink.rtnetlink import Message
from ..routing import neighbours
from ..routing.neighbours import Gateway, Resolution
from ..routing.rtnetlink_mapping import owner_of

_MAIN = 254
_UNICAST = 1
_FAMILIES = {2: "IPv4", 10: "IPv6"}
# By line, as "IPv4, table 1001", its gateways with their interfaces.
Lines = Mapping[str, Sequence[Gateway]]
Resolve = Callable[[Iterable[Gateway]], Resolution]


def lines(routes: Iterable[Message], names: Mapping[int, str], owners: Collection[int]) -> Lines:
    """Return the lines of some routes: those of the owners, and main with the routes of everyone."""
    found: dict[str, list[Gateway]] = {}
    for route in routes:
        table = route.get("RTA_TABLE", route.header.get("table"))
        if route.header["dst_len"] or route.header.get("type") != _UNICAST or route.header["family"] not in _FAMILIES:
            continue
        if table == _MAIN or owner_of(route) in owners:
            line = f"{_FAMILIES[route.header['family']]}, table {'main' if table == _MAIN else table}"
            found.setdefault(line, []).extend(_gateways(route, names))
    return {line: gateways for line, gateways in found.items() if gateways}


def _gateways(route: Message, names: Mapping[int, str]) -> list[Gateway]:
    found = []
    for hop in (route.attributes, *neighbours.hops(route)):
        via = hop.get("RTA_VIA") or {}
        gateway = hop.get("RTA_GATEWAY") or via.get("addr")
        if gateway:
            found.append((str(gateway), names.get(hop.get("RTA_OIF") or 0)))
    return found


def up(found: Lines, resolve: Resolve = neighbours.resolve) -> list[str]:
    """Return the lines that are up; raises ReadFailed."""
    answering = resolve([gateway for gateways in found.values() for gateway in gateways]).neighbours
    return [line for line, gateways in found.items() if any(gateway in answering for gateway in gateways)]


def down(were_up: Iterable[str], found: Lines, resolve: Resolve = neighbours.resolve) -> list[str]:
    """Return the lines that were up and are down, with their gateways; a line without routes was removed by the run."""
    left = {line: found[line] for line in were_up if line in found}
    are_up = up(left, resolve)
    return [
        f"{line}: no answer from {', '.join(gateway for gateway, _on in gateways)}"
        for line, gateways in left.items()
        if line not in are_up
    ]
