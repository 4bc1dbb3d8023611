# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks through policy rules and routes in the kernel's order, for one packet, and says why each applies or not.

The kernel does not tell how it came to its answer, so this is computed from the dumped rules and routes. The answer
itself is the kernel's own (RTM_GETROUTE); kernel.py compares both.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ... import fields
from ...netlink.rtnetlink import Message
from ...routing import rtnetlink_mapping
from ...routing.model import Rule
from ...routing.rule_walk import ListedRule, Packet, jump_target, rule_of

NO_MATCH, NO_ROUTE, PASSED_OVER, TAKEN, REFUSED, JUMPS, UNKNOWN = (
    "no match",
    "no route",
    "passed over",
    "taken",
    "refused",
    "jumps",
    "unknown",
)
_THROW = 9  # RTN_THROW, linux/rtnetlink.h
_REFUSING = {6: "blackhole", 7: "unreachable", 8: "prohibit"}
_DEAD = 1  # RTNH_F_DEAD
Routes = Callable[[int], Sequence[Message]]


@dataclass(frozen=True)
class Looked:
    """A rule that was looked through, and what came of it; ``route`` is what its table has for the packet."""

    listed: ListedRule
    outcome: str
    reason: str = ""
    route: Message | None = None

    def as_result(self, names: Mapping[int, str]) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "rule": rule_of(self.listed),
            "outcome": self.outcome,
            "reason": self.reason,
            "route": None if self.route is None else route_text(self.route, names),
        }


def walk(rules: Iterable[ListedRule], packet: Packet, routes: Routes, groups: Mapping[int, int]) -> list[Looked]:
    """Return the rules up to the one that decides; ``routes`` returns the routes of a table."""
    looked: list[Looked] = []
    family = rtnetlink_mapping.AF[packet.family]
    own = [listed for listed in rules if listed.message.header["family"] == family]
    start = 0
    for place, listed in enumerate(own):
        if place < start:
            continue
        target = None
        if listed.jumping is not None and packet.selected_by(listed.jumping):
            target = jump_target(own, listed)
        if target is not None:
            start = target
            looked.append(Looked(listed, JUMPS, f"goes on at {listed.target}"))
            continue
        found = _look(listed, packet, routes, groups)
        looked.append(found)
        if found.outcome in (TAKEN, REFUSED):
            break
    return looked


def _look(listed: ListedRule, packet: Packet, routes: Routes, groups: Mapping[int, int]) -> Looked:
    rule = listed.rule
    if rule is None and listed.jumping is not None:
        reason = "nothing is there to jump to" if packet.selected_by(listed.jumping) else ""
        return Looked(listed, NO_MATCH, reason or mismatch(listed.jumping, packet))
    if rule is None:
        return Looked(listed, UNKNOWN, "a kind of rule that cannot be judged here")
    if not packet.selected_by(rule):
        return Looked(listed, NO_MATCH, mismatch(rule, packet))
    if rule.action != "lookup":
        return Looked(listed, REFUSED, f"the rule says {rule.action}")
    best = best_route(routes(rule.table or 0), packet)
    if best is None or best.header["type"] == _THROW:
        return Looked(listed, NO_ROUTE, "", best)
    return _with_route(listed, rule, best, groups)


def _with_route(listed: ListedRule, rule: Rule, best: Message, groups: Mapping[int, int]) -> Looked:
    if best.header["type"] in _REFUSING:
        return Looked(listed, REFUSED, f"the route says {_REFUSING[best.header['type']]}", best)
    longest, group = rule.suppress_prefix_length, rule.suppress_interface_group
    if longest is not None and best.header["dst_len"] <= longest:
        return Looked(listed, PASSED_OVER, f"length {longest} or less", best)
    if group is not None and group == groups.get(best.get("RTA_OIF", 0), 0):
        return Looked(listed, PASSED_OVER, f"interface group {group}", best)
    return Looked(listed, TAKEN, "", best)


def best_route(routes: Sequence[Message], packet: Packet) -> Message | None:
    """Return the route with the longest prefix, of several the one with the smallest metric; None without any."""
    destination = ipaddress.ip_address(packet.destination)
    covering = [
        message
        for message in routes
        if message.header["family"] == rtnetlink_mapping.AF[packet.family]
        and not message.header["flags"] & _DEAD
        and not message.header.get("src_len")
        and destination in ipaddress.ip_network(rtnetlink_mapping.destination_of(message))
    ]
    if not covering:
        return None
    return max(covering, key=lambda message: (message.header["dst_len"], -message.get("RTA_PRIORITY", 0)))


def mismatch(rule: Rule, packet: Packet) -> str:
    """Return why a rule does not select a packet, by the first condition that does not hold."""
    if rule.invert:
        return "the conditions hold, and the rule says not"
    for name, value in (("source", rule.source), ("destination", rule.destination)):
        given = getattr(packet, name)
        if value is not None and (given is None or ipaddress.ip_address(given) not in ipaddress.ip_network(value)):
            return f"{'from' if name == 'source' else 'to'} {given or 'no address yet'}"
    if rule.mark is not None and packet.mark & rule.mark[1] != rule.mark[0]:
        return f"mark 0x{packet.mark:x}" if packet.mark else "no mark"
    if rule.in_interface is not None and rule.in_interface != (packet.in_interface or "lo"):
        return f"from {packet.in_interface or 'this host'}"
    return "another condition does not hold"


def selector_text(rule: Rule) -> str:
    """Return what a rule selects, in few words."""
    words = ["not"] if rule.invert else []
    for word, value in (
        ("from", rule.source and fields.short_prefix(rule.source)),
        ("to", rule.destination and fields.short_prefix(rule.destination)),
        ("mark", rule.mark and fields.mark_text(rule.mark)),
        ("iif", rule.in_interface),
        ("oif", rule.out_interface),
        ("protocol", rule.ip_protocol),
        ("sport", rule.source_port and fields.port_text(rule.source_port)),
        ("dport", rule.destination_port and fields.port_text(rule.destination_port)),
        ("tos", rule.tos),
        ("uid", rule.uid_range and f"{rule.uid_range[0]}-{rule.uid_range[1]}"),
    ):
        if value is not None:
            words += [word, str(value)]
    return " ".join(words) or "all"


def route_text(route: Message, names: Mapping[int, str]) -> str:
    """Return a route in few words: where to, by what."""
    prefix = rtnetlink_mapping.destination_of(route)
    words = ["default" if route.header["dst_len"] == 0 else fields.short_prefix(prefix)]
    kind = {2: "local", **_REFUSING, _THROW: "throw"}.get(route.header["type"])
    if kind:
        words.insert(0, kind)
    gateway = rtnetlink_mapping.gateway_of(route)
    if gateway:
        words += ["via", gateway]
    name = names.get(route.get("RTA_OIF", 0))
    if name and kind != "local":
        words += ["dev", name]
    hops = route.get("RTA_MULTIPATH") or ()
    if hops:
        words.append(f"by {len(hops)} next hops")
    return " ".join(words)


def short_owner(protocol: int) -> str:
    """Return the name of an owner tag, or its number."""
    return fields.PROTOCOL_NAMES.get(protocol, f"protocol {protocol}")
