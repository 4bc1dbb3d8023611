# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is computed in place of the kernel's answer; tests/integration compares it with a kernel."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message, RequestFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.computed_lookup import ComputedHost
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Route, Rule
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.route_lookup import (
    FIB_MATCH,
    LOOKUP_TABLE,
    Path,
    question,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.rule_walk import Traffic

INDEXES = {"lo": 1, "eth0": 2, "eth1": 3, "tun0": 4}
LINKS = [Message("link", {"index": index}, {"IFLA_GROUP": 109 if index == 3 else 0}) for index in INDEXES.values()]


def rule(priority: int, table: int | str | None = None, **entry: Any) -> Message:
    parsed = Rule.parse({"priority": priority, "family": "ipv4", **({"table": table} if table else {}), **entry})
    return rtnetlink_encoding.encode_rule(parsed, 109)


def route(table: int, destination: str, interface: str | None = None, **entry: Any) -> Message:
    way = {"interface": interface} if interface else {}
    parsed = Route.parse({"destination": destination, "family": "ipv4", **way, **entry}, table)
    return rtnetlink_encoding.encode_route(parsed, INDEXES, 109)


def goto(priority: int, target: int, **entry: Any) -> Message:
    made = rule(priority, **entry, action="unreachable")
    return Message("rule", {**made.header, "action": 2}, {**made.attributes, "FRA_GOTO": target})


def asked(rules: list[Message], routes: list[Message], **given: Any) -> tuple[Any, ...] | int:
    """Table, interface and gateway that a packet takes, or the error."""
    host = ComputedHost(rules, routes, LINKS, INDEXES)
    path = Path(**{"destination": "192.0.2.9", **given})
    try:
        answer = host.look_up(*question(path, INDEXES, LOOKUP_TABLE))
    except RequestFailed as error:
        return error.code
    names = {index: name for name, index in INDEXES.items()}
    return answer.get("RTA_TABLE"), names[answer.get("RTA_OIF")], answer.get("RTA_GATEWAY")


MAIN = rule(32766, "main")
ROUTES = [
    route(254, "default", "eth0", gateway="10.0.0.1"),
    route(7, "default", "tun0"),
    route(254, "198.18.0.0/15", "eth1"),
]
BY_MAIN, BY_SEVEN = (254, "eth0", "10.0.0.1"), (7, "tun0", None)


@pytest.mark.parametrize(
    ("rules", "given", "way"),
    [
        ([MAIN], {}, BY_MAIN),
        ([], {}, errno.ENETUNREACH),
        ([rule(5, 7), MAIN], {}, BY_SEVEN),
        ([rule(5, 8), MAIN], {}, BY_MAIN),
        ([rule(5, 7, source="10.0.0.5"), MAIN], {"source": "10.0.0.5"}, BY_SEVEN),
        ([rule(5, 7, source="10.0.0.5"), MAIN], {"source": "10.0.0.6"}, BY_MAIN),
        ([rule(5, 7, source="10.0.0.0/8"), rule(6, action="prohibit")], {"source": "10.1.2.3"}, BY_SEVEN),
        ([rule(5, 7, mark="1/0xff"), MAIN], {"mark": (0x101, 0xFFF)}, BY_SEVEN),
        ([rule(5, 7, mark="1/0xff"), MAIN], {"mark": (2, 0xFF)}, BY_MAIN),
        ([rule(5, 7, mark="1/0xff", invert=True), MAIN], {"mark": (1, 0xFF)}, BY_MAIN),
        ([rule(5, 7, mark="1/0xff", invert=True), MAIN], {}, BY_SEVEN),
        ([rule(5, 7, in_interface="eth1"), MAIN], {"in_interface": "eth1"}, BY_SEVEN),
        ([rule(5, 7, in_interface="eth1"), MAIN], {}, BY_MAIN),
        ([rule(5, action="prohibit")], {}, errno.EACCES),
        ([rule(5, action="unreachable")], {}, errno.ENETUNREACH),
        ([rule(5, "main", suppress_prefix_length=0), rule(6, 7)], {}, BY_SEVEN),
        ([rule(5, "main", suppress_prefix_length=0), rule(6, 7)], {"destination": "198.18.1.1"}, (254, "eth1", None)),
        ([rule(5, "main", suppress_interface_group=109), rule(6, 7)], {"destination": "198.18.1.1"}, BY_SEVEN),
        ([rule(5, 7, ip_protocol="sctp"), MAIN], {"traffic": Traffic(132)}, BY_SEVEN),
        ([rule(5, 7, ip_protocol="sctp"), MAIN], {}, BY_MAIN),
        ([rule(5, 7, ip_protocol="tcp", source_port="80-90"), MAIN], {"traffic": Traffic(6, 85)}, BY_SEVEN),
        ([rule(5, 7, ip_protocol="tcp", source_port="80-90"), MAIN], {"traffic": Traffic(6, 8080)}, BY_MAIN),
        ([rule(5, 7, tos=16), MAIN], {"traffic": Traffic(tos=16)}, BY_SEVEN),
        ([rule(5, 7, uid_range="1000-1999"), MAIN], {"traffic": Traffic(user=1500)}, BY_SEVEN),
        ([rule(5, 7, uid_range="1000-1999"), MAIN], {"traffic": Traffic(user=2500)}, BY_MAIN),
        ([goto(5, 32766), rule(6, 7), MAIN], {}, BY_MAIN),
        ([goto(5, 40), rule(6, 7), MAIN], {}, BY_SEVEN),
        ([goto(5, 32766, source="10.0.0.5"), rule(6, 7), MAIN], {}, BY_SEVEN),
    ],
    ids=repr,
)
def test_which_way_a_packet_takes(rules: list[Message], given: dict[str, Any], way: object) -> None:
    assert asked(rules, ROUTES, **given) == way


def test_of_routes_the_longest_then_the_smallest_metric() -> None:
    routes = [
        route(254, "192.0.2.0/24", "eth1", metric=20),
        route(254, "192.0.2.0/24", "eth0", metric=10),
        route(254, "192.0.0.0/16", "tun0"),
    ]
    assert asked([MAIN], routes) == (254, "eth0", None)
    assert asked([MAIN], routes[:1] + routes[2:]) == (254, "eth1", None)
    assert asked([MAIN], routes[2:]) == (254, "tun0", None)


@pytest.mark.parametrize(
    ("kind", "way"), [("throw", BY_SEVEN), ("unreachable", errno.EHOSTUNREACH), ("blackhole", errno.EINVAL)]
)
def test_routes_that_lead_nowhere(kind: str, way: object) -> None:
    refusing = route(254, "192.0.2.0/24", type=kind)
    # A rule does not pass over a route that refuses.
    rules = [rule(5, "main", suppress_prefix_length=31), rule(6, 7)]
    assert asked(rules, [*ROUTES, refusing]) == way


def test_a_dead_route_is_none_and_of_several_next_hops_the_first_counts() -> None:
    dead = route(254, "192.0.2.0/24", "eth1")
    assert asked([MAIN], [*ROUTES, Message("route", {**dead.header, "flags": 1}, dead.attributes)]) == BY_MAIN
    hops = [{"gateway": "10.0.0.7", "interface": "eth0"}, {"gateway": "10.1.0.7", "interface": "eth1"}]
    assert asked([MAIN], [route(254, "192.0.2.0/24", nexthops=hops)]) == (254, "eth0", "10.0.0.7")


def test_the_matching_prefix_is_told_when_asked_for() -> None:
    host = ComputedHost([MAIN], ROUTES, LINKS, INDEXES)
    for flags, length in ((0, 32), (FIB_MATCH, 15)):
        answer = host.look_up(*question(Path("198.18.1.1"), INDEXES, LOOKUP_TABLE | flags))
        assert answer.header["dst_len"] == length
