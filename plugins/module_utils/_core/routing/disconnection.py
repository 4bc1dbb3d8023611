# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses to remove the address or route by which the controller is connected, and the last usable line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Optional, Protocol

from .. import fields
from ..errors import WouldDisconnect
from ..host.connection import Connection, find
from ..netlink.rtnetlink import Message, Netlink, RequestFailed, attributes
from ..plan import Plan
from . import neighbours, rtnetlink_mapping
from .model import MAIN_TABLE, Alias, Route

# RTM_F_LOOKUP_TABLE, RTM_F_FIB_MATCH: linux/rtnetlink.h
_WHOLE_ROUTE = 0x1000 | 0x2000
_DEFAULTS = ("0.0.0.0/0", "::/0")
_BITS = {4: 32, 6: 128}
# By line, as "table 1001, IPv4".
Lines = dict[str, list[neighbours.Gateway]]
Find = Callable[[], Optional[Connection]]
Gateways = Iterable[neighbours.Gateway]
Resolve = Callable[[Gateways], neighbours.Resolution]


class LookUpSocket(Protocol):
    """The part of a netlink socket that is needed here."""

    def look_up(self, header: Mapping[str, int], attributes: Mapping[str, Any]) -> Message:
        """Return the kernel's answer for one packet."""


def refuse_addresses(plan: Plan[Alias], find_connection: Find = find) -> None:
    """Raise WouldDisconnect for a plan that removes the address by which the controller is connected."""
    removed = {action.object.bare: action.object for action in plan.actions if action.op == "remove"}
    added = {action.object.bare for action in plan.actions if action.op != "remove"}
    connection = find_connection() if removed.keys() - added else None
    if connection is not None and connection.address in removed.keys() - added:
        raise WouldDisconnect(f"{removed[connection.address]} is the address by which {connection.client} is connected")


def refuse_routes(
    plan: Plan[Route],
    existing: Callable[[], Iterable[Route]] | None = None,
    find_connection: Find = find,
    connect: Callable[[], AbstractContextManager[LookUpSocket]] = Netlink,
    resolve: Resolve = neighbours.resolve,
) -> None:
    """Raise WouldDisconnect for a plan that removes the route to the controller, or the last line that is usable.

    ``existing`` returns all routes of the host; table main is a line too. Without it, a plan that leaves no line at all
    is meant so: it removes this collection from the host.
    """
    removed = [action.object for action in plan.actions if action.op == "remove"]
    # The same way may be in another table afterwards.
    gone = [route for route in removed if not any(_same_way(route, other) for other in plan.after)]
    if not gone:
        return
    _refuse_way_back(gone, find_connection, connect)
    after = _lines(plan.after)
    if existing is not None:
        after.update(_lines((route for route in existing() if route not in removed), main=True))
    if after or existing is not None:
        _refuse_last_line(_lines(gone), after, resolve)


def _same_way(one: Route, other: Route) -> bool:
    return (one.destination, one.gateway, one.interface, one.nexthops) == (
        other.destination,
        other.gateway,
        other.interface,
        other.nexthops,
    )


def _refuse_way_back(
    gone: list[Route], find_connection: Find, connect: Callable[[], AbstractContextManager[LookUpSocket]]
) -> None:
    connection = find_connection()
    if connection is None:
        return
    family = fields.family_of(connection.client)
    bits = _BITS[family]
    header = {"family": rtnetlink_mapping.AF[family], "dst_len": bits, "src_len": bits, "tos": 0, "flags": _WHOLE_ROUTE}
    ends = attributes((("RTA_DST", connection.client), ("RTA_SRC", connection.address)))
    try:
        with connect() as socket:
            answer = socket.look_up(header, ends)
    except RequestFailed:
        # The connection needs no route that the kernel knows.
        return
    place = (answer.get("RTA_TABLE", answer.header["table"]), rtnetlink_mapping.destination_of(answer))
    for route in gone:
        hops = {route.gateway, *(hop.gateway for hop in route.nexthops)}
        if (route.table, route.destination) == place and answer.get("RTA_GATEWAY") in hops:
            raise WouldDisconnect(f"{route} is the route by which {connection.client} is connected")


def _refuse_last_line(gone: Lines, after: Lines, resolve: Resolve) -> None:
    removed = {line: gateways for line, gateways in gone.items() if line not in after}
    if not removed:
        return
    asked = [gateway for lines in (removed, after) for gateways in lines.values() for gateway in gateways]
    answering = resolve(asked).neighbours
    usable, left = (
        [line for line, gateways in lines.items() if any(gateway in answering for gateway in gateways)]
        for lines in (removed, after)
    )
    for family in ("IPv4", "IPv6"):
        # A family that no line has any more was given up, as long as there is another one.
        others = [line for line in after if line.endswith(family)] or left
        lost = [line for line in usable if line.endswith(family)]
        if lost and not [line for line in left if line in others]:
            silent = ", ".join(gateway for line in others for gateway, _on in after[line])
            rest = f"; no answer from {silent}, by which the other lines leave" if silent else ""
            raise WouldDisconnect(f"{' and '.join(lost)} is the last usable line{rest}")


def _lines(routes: Iterable[Route], main: bool = False) -> Lines:
    """Return the gateways of the default routes of each line, a table of one family; or of main alone."""
    found: Lines = {}
    for route in routes:
        is_other = (route.table == MAIN_TABLE) != main
        if is_other or route.destination not in _DEFAULTS or route.type != "unicast":
            continue
        line = f"table {route.table}, {'IPv4' if route.destination == _DEFAULTS[0] else 'IPv6'}"
        hops = [(route.gateway, route.interface), *((hop.gateway, hop.interface) for hop in route.nexthops)]
        found.setdefault(line, []).extend((gateway, on) for gateway, on in hops if gateway)
    return {line: gateways for line, gateways in found.items() if gateways}
