# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host as it will be once the lists are applied: its rules, routes and interface groups. No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from ..errors import ForeignObject
from ..netlink.rtnetlink import Message
from ..plan import Action, plan
from . import rtnetlink_encoding, rtnetlink_mapping
from .computed_lookup import ComputedHost
from .lists import RoutingLists
from .model import LOCAL_TABLE, MAIN_TABLE, Route, Rule
from .snapshot import Snapshot

_KERNEL, _LOCAL, _HOST_SCOPE = 2, 2, 254  # RTPROT_KERNEL, RTN_LOCAL, RT_SCOPE_HOST, linux/rtnetlink.h
_HOST_LENGTHS = {4: 32, 6: 128}


def indexes_with(current: Mapping[str, int], names: Iterable[str]) -> dict[str, int]:
    """Return the interfaces, with an index of its own for each name that does not exist yet."""
    free = max(current.values(), default=0) + 1
    missing = [name for name in dict.fromkeys(names) if name not in current]
    return {**current, **{name: free + number for number, name in enumerate(missing)}}


def foreseen_host(
    lists: RoutingLists,
    current: Snapshot,
    owner: int,
    purge: bool,
    addresses: Iterable[tuple[str, str]],
    indexes: Mapping[str, int],
) -> ComputedHost | None:
    """Return the host with the lists applied, None where objects of others are in their place.

    ``addresses`` are those that it will have, each with its interface: their connected routes are added.
    """
    try:
        rules = plan(lists.rules or [], current.rules(), owner, purge)
        routes = plan(lists.routes or [], current.routes(), owner, purge)
    except ForeignObject:
        return None
    kept = _without(current.messages["rule"], rules.actions)
    kept += [rtnetlink_encoding.encode_rule(action.object, owner) for action in rules.adding()]
    # New rules come after others of their priority.
    kept.sort(key=lambda message: message.get("FRA_PRIORITY", 0))
    ways = _without(current.messages["route"], routes.actions)
    ways += [rtnetlink_encoding.encode_route(action.object, indexes, owner) for action in routes.adding()]
    ways += [message for name, address in addresses for message in _of_address(address, indexes[name])]
    return ComputedHost(kept, ways, _links(lists, current, owner, purge, indexes), indexes)


def _without(messages: Sequence[Message], actions: Iterable[Action[Rule] | Action[Route]]) -> list[Message]:
    gone = {id(action.existing.handle) for action in actions if action.existing}
    return [message for message in messages if id(message) not in gone]


def _of_address(text: str, index: int) -> list[Message]:
    """Return the routes that the kernel adds for an address: to itself, and to its network."""
    address = ipaddress.ip_interface(text)
    bits = _HOST_LENGTHS[address.version]
    header = {"family": rtnetlink_mapping.AF[address.version], "src_len": 0, "tos": 0, "proto": _KERNEL, "flags": 0}
    own = {"dst_len": bits, "table": LOCAL_TABLE, "type": _LOCAL, "scope": _HOST_SCOPE}
    messages = [Message("route", {**header, **own}, {"RTA_DST": str(address.ip), "RTA_OIF": index})]
    if address.network.prefixlen < bits:
        link = {"dst_len": address.network.prefixlen, "table": MAIN_TABLE, "type": 1, "scope": 0}
        told = {"RTA_DST": str(address.network.network_address), "RTA_OIF": index}
        messages.append(Message("route", {**header, **link}, told))
    return messages


def _links(
    lists: RoutingLists, current: Snapshot, owner: int, purge: bool, indexes: Mapping[str, int]
) -> list[Message]:
    """Return the interfaces with the groups that policy_routing would give them."""
    wanted = {entry.object.interface: entry.object.group for entry in lists.groups or ()}
    groups = {link.name: link.group for link in current.links}
    links = []
    for name, index in indexes.items():
        group = groups.get(name, 0)
        if group in (0, owner):
            group = wanted.get(name, 0 if purge else group)
        links.append(Message("link", {"index": index}, {"IFLA_GROUP": group}))
    return links
