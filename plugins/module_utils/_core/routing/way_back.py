# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses to remove the route or the policy rule by which this host answers the controller.

The kernel tells which way the answers leave now. The way after a plan is computed, because its rules and routes do not
exist yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Optional

from ..errors import WouldDisconnect
from ..host.connection import Connection, find
from ..netlink.rtnetlink import Message, Netlink, RequestFailed, interfaces
from ..plan import Action
from . import rtnetlink_encoding, rtnetlink_mapping
from .computed_lookup import ComputedHost
from .foreseen import indexes_with
from .interface_groups import InterfaceGroup
from .model import Route, Rule
from .route_lookup import FIB_MATCH, LOOKUP_TABLE, LookUpSocket, Path, groups_of, question
from .rule_walk import Found, Traffic, listed_rules, which_rule

_TCP = 6
Find = Callable[[], Optional[Connection]]
# The interface and the gateway.
Way = tuple[Any, Any]


@dataclass(frozen=True)
class Steps:
    """The steps of a plan. ``ways_left`` are the routes afterwards: the same way may be in another table then."""

    owner: int
    routes: Sequence[Action[Route]] = ()
    rules: Sequence[Action[Rule]] = ()
    groups: Sequence[Action[InterfaceGroup]] = ()
    ways_left: Sequence[Route] = field(default=(), repr=False)

    def routes_gone(self) -> list[Route]:
        """Return the routes that are removed, or replaced by another way."""
        return [route for route in _gone(self.routes) if not any(same_way(route, other) for other in self.ways_left)]

    def rules_gone(self) -> list[Rule]:
        """Return the policy rules that are removed."""
        return list(_gone(self.rules))


def same_way(one: Route, other: Route) -> bool:
    """Tell whether two routes lead the same way to the same place, in whatever table."""
    return (one.destination, one.gateway, one.interface, one.nexthops) == (
        other.destination,
        other.gateway,
        other.interface,
        other.nexthops,
    )


def refuse_way_back(
    steps: Steps,
    find_connection: Find = find,
    connect: Callable[[], AbstractContextManager[LookUpSocket]] = Netlink,
    list_interfaces: Callable[[], dict[str, int]] = interfaces,
) -> None:
    """Raise WouldDisconnect for steps after which the answers to the controller leave another way, or not at all.

    That is so only where their route or rule is removed. What is added may lead them another way: that is proven
    afterwards, by a new connection.
    """
    routes, rules = steps.routes_gone(), steps.rules_gone()
    connection = find_connection() if routes or rules else None
    if connection is None:
        return
    traffic = Traffic(_TCP, connection.port, connection.client_port) if connection.port else Traffic()
    path = Path(connection.client, connection.address, traffic=traffic)
    with connect() as socket:
        decisive = _decisive(socket, path, routes, rules)
        if decisive is None:
            return
        subject, way = decisive
        host = _planned(socket, steps, list_interfaces())
        if way not in _ways(host, path):
            kind = "route" if isinstance(subject, Route) else "policy rule"
            raise WouldDisconnect(f"{subject} is the {kind} by which {connection.client} is connected")


def _gone(actions: Iterable[Action[Any]]) -> Iterator[Any]:
    for action in actions:
        if action.op != "add":
            yield action.existing.object if action.existing else action.object


def _decisive(
    socket: LookUpSocket, path: Path, routes: Sequence[Route], rules: Sequence[Rule]
) -> tuple[Route | Rule, Way] | None:
    """Return the removed object that decides about the path now, and the way; None where no removed one does."""
    try:
        answer = socket.look_up(*question(path, {}, LOOKUP_TABLE))
        found = socket.look_up(*question(path, {}, LOOKUP_TABLE | FIB_MATCH))
    except RequestFailed:
        # The connection needs no route that the kernel knows.
        return None
    way = _way(answer)
    table, prefix = found.get("RTA_TABLE", found.header["table"]), rtnetlink_mapping.destination_of(found)
    for route in routes:
        gateways = {route.gateway, *(hop.gateway for hop in route.nexthops)}
        if (route.table, route.destination) == (table, prefix) and way[1] in gateways:
            return route, way
    listed = listed_rules(socket.dump("rule"))
    group = groups_of(socket, listed).get(way[0] or 0, 0)
    deciding = which_rule(listed, path.packet, Found(table, found.header["dst_len"], group))
    rule = deciding.rule if deciding is not None else None
    return (rule, way) if rule is not None and rule in rules else None


def _way(answer: Message) -> Way:
    return answer.get("RTA_OIF"), rtnetlink_mapping.gateway_of(answer)


def _planned(socket: LookUpSocket, steps: Steps, present: dict[str, int]) -> ComputedHost:
    """Return the host after the steps."""
    adding = [action.object for action in steps.routes if action.op != "remove"]
    indexes = indexes_with(present, (name for route in adding for name in rtnetlink_mapping.interfaces_of(route)))
    names = {index: name for name, index in indexes.items()}
    routes_gone, rules_gone = set(_gone(steps.routes)), set(_gone(steps.rules))
    routes, rules = socket.dump("route"), socket.dump("rule")
    decoded = ((message, rtnetlink_mapping.decode_route(message, names)) for message in routes)
    routes = [message for message, found in decoded if not (found and found.object in routes_gone)]
    routes += [rtnetlink_encoding.encode_route(route, indexes, steps.owner) for route in adding]
    selected = ((message, rtnetlink_mapping.decode_rule(message, names)) for message in rules)
    rules = [message for message, found in selected if not (found and found.object in rules_gone)]
    rules += [rtnetlink_encoding.encode_rule(a.object, steps.owner) for a in steps.rules if a.op != "remove"]
    # New rules come after others of their priority.
    rules.sort(key=lambda message: message.get("FRA_PRIORITY", 0))
    return ComputedHost(rules, routes, _links(socket.dump("link"), steps.groups, present), indexes)


def _links(
    links: Iterable[Message], groups: Sequence[Action[InterfaceGroup]], present: dict[str, int]
) -> list[Message]:
    """Return the interfaces with their groups after the steps."""
    given = {
        present.get(action.object.interface): 0 if action.op == "remove" else action.object.group for action in groups
    }
    return [
        Message("link", link.header, {**link.attributes, "IFLA_GROUP": given[link.header["index"]]})
        if link.header["index"] in given
        else link
        for link in links
    ]


def _ways(host: ComputedHost, path: Path) -> list[Way]:
    """Return the ways that an answer may leave: one with a mark may leave another way, and nobody knows its mark."""
    marks = {listed.rule.mark for listed in listed_rules(host.dump("rule")) if listed.rule and listed.rule.mark}
    found = []
    for mark in (None, *sorted(marks)):
        try:
            marked = Path(path.destination, path.source, mark, traffic=path.traffic)
            found.append(_way(host.look_up(*question(marked, {}, LOOKUP_TABLE))))
        except RequestFailed:
            continue
    return found
