# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which route refuses a packet: the kernel does not tell, so rules and routes are walked in its order. No I/O.

A rule that looks up main without its default routes still obeys one of type unreachable, prohibit or blackhole: the
kernel passes over routes that lead somewhere only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from .. import fields
from ..netlink.rtnetlink import Message
from . import rtnetlink_mapping
from .rule_walk import ListedRule, Packet, walk

_REFUSING = {6: "blackhole", 7: "unreachable", 8: "prohibit"}  # RTN_BLACKHOLE and so on, linux/rtnetlink.h


def refusing_route(
    rules: Sequence[ListedRule], routes: Iterable[Message], packet: Packet, groups: Mapping[int, int]
) -> tuple[ListedRule, Message] | None:
    """Return the rule and the route that refuse a packet, None where no route does."""
    covering: dict[int, list[Message]] = {}
    destination = ipaddress.ip_address(packet.destination)
    for message in routes:
        if message.header["family"] != rtnetlink_mapping.AF[packet.family]:
            continue
        if destination in ipaddress.ip_network(rtnetlink_mapping.destination_of(message)):
            covering.setdefault(message.get("RTA_TABLE", message.header["table"]), []).append(message)
    for listed, _jump in walk(rules, packet):
        rule = listed.rule
        if rule is None:
            continue
        if rule.action != "lookup":
            return None
        found = covering.get(rule.table or 0, [])
        if not found:
            continue
        best = max(found, key=lambda message: (message.header["dst_len"], -message.get("RTA_PRIORITY", 0)))
        if best.header["type"] in _REFUSING:
            return listed, best
        group = groups.get(best.get("RTA_OIF", 0), 0)
        longest = -1 if rule.suppress_prefix_length is None else rule.suppress_prefix_length
        if best.header["dst_len"] > longest and rule.suppress_interface_group != group:
            return None
    return None


def described(message: Message) -> str:
    """Return a refusing route in words."""
    kind = _REFUSING[message.header["type"]]
    owner = fields.owner_name(message.header["proto"])
    table = message.get("RTA_TABLE", message.header["table"])
    return f"{kind} route {rtnetlink_mapping.destination_of(message)} of table {table} ({owner})"
