# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses to remove the address by which the controller is connected, and the last usable line."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import WouldDisconnect
from ..host.connection import find
from ..plan import Plan
from . import neighbours
from .model import MAIN_TABLE, Alias, Route
from .way_back import Find, Steps, same_way

_DEFAULTS = ("0.0.0.0/0", "::/0")
# By line, as "table 1001, IPv4".
Lines = dict[str, list[neighbours.Gateway]]
Gateways = Iterable[neighbours.Gateway]
Resolve = Callable[[Gateways], neighbours.Resolution]


def refuse_addresses(plan: Plan[Alias], find_connection: Find = find) -> None:
    """Raise WouldDisconnect for a plan that removes the address by which the controller is connected."""
    removed = {action.object.bare: action.object for action in plan.actions if action.op == "remove"}
    added = {action.object.bare for action in plan.actions if action.op != "remove"}
    connection = find_connection() if removed.keys() - added else None
    if connection is not None and connection.address in removed.keys() - added:
        raise WouldDisconnect(f"{removed[connection.address]} is the address by which {connection.client} is connected")


def refuse_routes(
    steps: Steps,
    existing: Callable[[], Iterable[Route]] | None = None,
    resolve: Resolve = neighbours.resolve,
) -> None:
    """Raise WouldDisconnect for steps that remove the last line that is usable.

    ``existing`` returns all routes of the host; table main is a line too. Without it, a plan that leaves no line at all
    is meant so: it removes this collection from the host.
    """
    removed = [action.object for action in steps.routes if action.op == "remove"]
    gone = [route for route in removed if not any(same_way(route, other) for other in steps.ways_left)]
    if not gone:
        return
    after = _lines(steps.ways_left)
    if existing is not None:
        after.update(_lines((route for route in existing() if route not in removed), main=True))
    if after or existing is not None:
        _refuse_last_line(_lines(gone), after, resolve)


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
