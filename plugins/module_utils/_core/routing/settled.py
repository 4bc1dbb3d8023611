# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables of the lines are in place already, so that the kernel's answers about them are final. No I/O."""

from __future__ import annotations

from ..errors import ForeignObject
from ..plan import plan
from .lists import RoutingLists
from .snapshot import Snapshot


def settled_tables(lists: RoutingLists, current: Snapshot, owner: int, purge: bool) -> set[int]:
    """Return the tables whose routes exist as listed, none where policy_routing would change any rule or group."""
    try:
        rules = plan(lists.rules or [], current.existing("rule"), owner, purge)
        routes = plan(lists.routes or [], current.existing("route"), owner, purge)
    except ForeignObject:
        return set()
    groups = {link.name: link.group for link in current.links}
    listed = {entry.object.interface: entry.object.group for entry in lists.groups or ()}
    missing = any(groups.get(name) in (0, owner) and groups[name] != number for name, number in listed.items())
    left = purge and any(number == owner and name not in listed for name, number in groups.items())
    if rules.actions or missing or left:
        return set()
    changing = {action.object.key for action in routes.actions}
    tables = {entry.object.table for entry in lists.routes or ()}
    return {table for table in tables if not any(key[0] == table for key in changing)}
