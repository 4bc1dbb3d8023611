# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which route a packet would take by given rules and routes, computed as the kernel does. No I/O.

It answers in place of a kernel that cannot be asked: about rules and routes that do not exist yet, and about IP
protocols that RTM_GETROUTE does not accept. Sources are not checked, and neither is the state of neighbours.
"""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from socket import ntohs
from typing import Any

from ..netlink.rtnetlink import Message, RequestFailed, attributes
from . import rtnetlink_mapping
from .route_lookup import FIB_MATCH
from .rule_walk import ListedRule, Packet, Traffic, jump_target, listed_rules

_THROW = 9  # RTN_THROW, linux/rtnetlink.h
_DEAD = 1  # RTNH_F_DEAD: the interface of the route is down
# What the kernel answers for a route of these types, and for a rule of these actions.
_REFUSING_TYPES = {6: errno.EINVAL, 7: errno.EHOSTUNREACH, 8: errno.EACCES}
_REFUSING_ACTIONS = {"blackhole": errno.EINVAL, "unreachable": errno.ENETUNREACH, "prohibit": errno.EACCES}
_BITS = {4: 32, 6: 128}
# Prefix length to network as a number to routes, by table.
_Table = dict[int, dict[int, list[Message]]]


class ComputedHost:
    """Answers as a netlink socket does; ``rules`` and ``routes`` are messages as dumped, rules in the kernel's order.

    ``interfaces`` are names with their indexes, ``links`` messages of interfaces with their groups.
    """

    def __init__(
        self,
        rules: Sequence[Message],
        routes: Sequence[Message],
        links: Sequence[Message],
        interfaces: Mapping[str, int],
    ) -> None:
        self._messages = {"rule": list(rules), "route": list(routes), "link": list(links)}
        self._names = {index: name for name, index in interfaces.items()}
        self._groups = {message.header["index"]: message.get("IFLA_GROUP", 0) for message in links}
        self._rules = listed_rules(rules)
        self._candidates = {family: _Candidates(self._rules, family) for family in (4, 6)}
        self._routes: dict[tuple[int, int], list[Message]] = {}
        for message in routes:
            if not message.header["flags"] & _DEAD and not message.header["src_len"]:
                place = (message.header["family"], message.get("RTA_TABLE", message.header["table"]))
                self._routes.setdefault(place, []).append(message)
        self._tables: dict[tuple[int, int], _Table] = {}

    def __enter__(self) -> ComputedHost:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Nothing is open."""

    def dump(self, kind: str) -> list[Message]:
        """Return the messages of a kind."""
        return self._messages[kind]

    def look_up(self, header: Mapping[str, int], attributes: Mapping[str, Any]) -> Message:
        """Return the answer for one packet; raises RequestFailed."""
        packet = self._packet(header, attributes)
        start = 0
        for place in self._candidates[packet.family].of(packet):
            listed = self._rules[place]
            if place < start or listed.selector is None or not packet.selected_by(listed.selector):
                continue
            if listed.rule is None:
                target = jump_target(self._rules, listed)
                start = start if target is None else target
                continue
            route = self._by_rule(listed, packet)
            if route is not None:
                return _answer(route, packet, header["flags"])
        raise RequestFailed(errno.ENETUNREACH)

    def _packet(self, header: Mapping[str, int], attributes: Mapping[str, Any]) -> Packet:
        get = attributes.get
        source, destination = (None if port is None else ntohs(port) for port in (get("RTA_SPORT"), get("RTA_DPORT")))
        traffic = Traffic(get("RTA_IP_PROTO"), source, destination, header.get("tos") or None, get("RTA_UID"))
        name = self._names.get(attributes["RTA_IIF"]) if "RTA_IIF" in attributes else None
        return Packet(attributes["RTA_DST"], get("RTA_SRC"), get("RTA_MARK", 0), name, traffic)

    def _by_rule(self, listed: ListedRule, packet: Packet) -> Message | None:
        """Return the route by one rule, None where the next rule is asked; raises RequestFailed where it refuses."""
        rule = listed.rule
        if rule is None or rule.action != "lookup":
            raise RequestFailed(_REFUSING_ACTIONS[rule.action] if rule else errno.ENETUNREACH)
        route = self._best(packet, rule.table or 0)
        if route is None or route.header["type"] == _THROW:
            return None
        if route.header["type"] in _REFUSING_TYPES:
            # Before the kernel looks whether the rule suppresses it.
            raise RequestFailed(_REFUSING_TYPES[route.header["type"]])
        length, group = route.header["dst_len"], self._groups.get(_way(route)[0] or 0, 0)
        by_length = rule.suppress_prefix_length is not None and length <= rule.suppress_prefix_length
        return None if by_length or rule.suppress_interface_group == group else route

    def _best(self, packet: Packet, number: int) -> Message | None:
        place = (rtnetlink_mapping.AF[packet.family], number)
        if place not in self._tables:
            self._tables[place] = _by_length(self._routes.get(place, ()))
        bits, destination = _BITS[packet.family], int(ipaddress.ip_address(packet.destination))
        for length, networks in self._tables[place].items():
            for route in networks.get(destination >> (bits - length), ()):
                if route.header["tos"] in (0, packet.traffic.tos or 0):
                    return route
        return None


class _Candidates:
    """The places of the rules of a family that may select a packet: a host of many lines has thousands of rules."""

    def __init__(self, rules: Sequence[ListedRule], family: int) -> None:
        self._bits = _BITS[family]
        self._others: list[int] = []
        self._by_source: dict[int, dict[int, list[int]]] = {}
        self._by_mark: dict[int, dict[int, list[int]]] = {}
        for place, listed in enumerate(rules):
            rule = listed.selector
            if rule is None or rule.family != family:
                continue
            if rule.source is not None and not rule.invert:
                network = ipaddress.ip_network(rule.source)
                number = int(network.network_address) >> (self._bits - network.prefixlen)
                self._by_source.setdefault(network.prefixlen, {}).setdefault(number, []).append(place)
            elif rule.mark is not None and not rule.invert:
                self._by_mark.setdefault(rule.mark[1], {}).setdefault(rule.mark[0], []).append(place)
            else:
                self._others.append(place)

    def of(self, packet: Packet) -> Iterator[int]:
        """Give the places in the kernel's order."""
        places = list(self._others)
        for mask, by_value in self._by_mark.items():
            places += by_value.get(packet.mark & mask, ())
        if packet.source is not None:
            source = int(ipaddress.ip_address(packet.source))
            for length, by_number in self._by_source.items():
                places += by_number.get(source >> (self._bits - length), ())
        return iter(sorted(places))


def _by_length(routes: Sequence[Message]) -> _Table:
    """Return the routes of a table, the longest prefixes first, and of one prefix those that are preferred first."""
    found: _Table = {}
    for message in routes:
        network = ipaddress.ip_network(rtnetlink_mapping.destination_of(message))
        number = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
        found.setdefault(network.prefixlen, {}).setdefault(number, []).append(message)
    for networks in found.values():
        for listed in networks.values():
            listed.sort(key=lambda message: (-message.header["tos"], message.get("RTA_PRIORITY", 0)))
    return {length: found[length] for length in sorted(found, reverse=True)}


def _way(route: Message) -> tuple[int | None, str | None]:
    """Return the index of the interface and the gateway, of several next hops those of the first."""
    hops = route.get("RTA_MULTIPATH")
    if not hops:
        return route.get("RTA_OIF"), route.get("RTA_GATEWAY")
    return hops[0]["oif"], dict(hops[0]["attrs"]).get("RTA_GATEWAY")


def _answer(route: Message, packet: Packet, flags: int) -> Message:
    whole = not flags & FIB_MATCH
    index, gateway = _way(route)
    header = {**route.header, "dst_len": _BITS[packet.family] if whole else route.header["dst_len"], "flags": 0}
    told = (
        ("RTA_TABLE", route.get("RTA_TABLE", route.header["table"])),
        ("RTA_DST", packet.destination if whole else route.get("RTA_DST")),
        ("RTA_OIF", index),
        ("RTA_GATEWAY", gateway),
    )
    return Message("route", header, attributes(told))
