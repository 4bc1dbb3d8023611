# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the routes that a plan needs, and no others: a host may hold a million routes of a routing daemon.

A plan needs our own routes, and those of other owners only under the key of a desired route that is missing or
different. A dump by table costs 10 µs, one by protocol 0.1 ms for each 1,000 routes of the host, one of all routes
15 ms for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..netlink.rtnetlink import Message, RouteFilter, Socket, dump
from .model import TABLE_NAMES, Route
from .rtnetlink_mapping import AF, decode_route, packed_destination

# Tables that other programs fill; they are never read as a whole.
_SHARED = frozenset(TABLE_NAMES.values())
# For more tables than this, one dump by protocol is cheaper than one for each table.
_MANY_TABLES = 500
# What a dump by table asks for: the table, and the family of its routes.
Place = tuple[int, int]


def read_routes(
    socket: Socket, names: Mapping[int, str], desired: Sequence[Route], owner: int, desired_tables_only: bool = False
) -> list[Message]:
    """Return our routes, and all routes under the keys of desired routes that ours do not satisfy.

    With ``desired_tables_only`` our routes in other tables are left out. Raises ReadFailed.
    """
    places = {(route.table, AF[route.family]) for route in desired}
    if desired_tables_only and len(places) <= _MANY_TABLES:
        whole = {place for place in places if place[0] not in _SHARED}
        shared = [RouteFilter(table, owner, family) for table, family in sorted(places - whole)]
        found = dump(socket, "route", shared) if shared else []
    else:
        whole = set()
        found = dump(socket, "route", [RouteFilter(protocol=owner)])
    unsatisfied = _unsatisfied(found, names, [route for route in desired if _place(route) not in whole])
    whole |= {_place(route) for route in unsatisfied if route.table not in _SHARED}
    found = [message for message in found if _place_of(message) not in whole]
    others = [RouteFilter(table, None, family) for table, family in sorted(whole)] + _filters_of_shared(unsatisfied)
    return _distinct([*found, *dump(socket, "route", others)]) if others else found


def _filters_of_shared(routes: Iterable[Route]) -> list[RouteFilter]:
    """Return filters that select what is under the destinations of these routes in the tables that others fill."""
    destinations: dict[Place, set[tuple[bytes, int]]] = {}
    for route in routes:
        if route.table in _SHARED:
            destinations.setdefault(_place(route), set()).add(packed_destination(route.destination))
    return [
        RouteFilter(table, None, family, frozenset(wanted)) for (table, family), wanted in sorted(destinations.items())
    ]


def _unsatisfied(messages: Iterable[Message], names: Mapping[int, str], desired: Iterable[Route]) -> list[Route]:
    ours: dict[object, list[Route]] = {}
    for existing in (decode_route(message, names) for message in messages):
        if existing is not None:
            ours.setdefault(existing.object.key, []).append(existing.object)
    return [route for route in desired if not any(map(route.satisfied_by, ours.get(route.key, ())))]


def _distinct(messages: Iterable[Message]) -> list[Message]:
    """Return the messages without those that two dumps returned."""
    return list({repr(message): message for message in messages}.values())


def _place(route: Route) -> Place:
    return route.table, AF[route.family]


def _place_of(message: Message) -> Place:
    return message.get("RTA_TABLE", message.header["table"]), message.header["family"]
