# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans that remove the route or the rule by which the controller is answered are refused; others are not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import WouldDisconnect
from ansible_collections.multihome.linux.plugins.module_utils._core.host.connection import Connection
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message
from ansible_collections.multihome.linux.plugins.module_utils._core.plan import Action, Existing
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.computed_lookup import ComputedHost
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.interface_groups import InterfaceGroup
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Route, Rule
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.way_back import Steps, refuse_way_back

OURS = 109
ALIAS = "192.168.168.1"
CONNECTED = Connection("192.0.2.9", ALIAS, 40000, 22)
INTERFACES = {"lo": 1, "eth0": 2, "eth1": 3}
LINK = Route(254, "192.168.168.0/24", 0, interface="eth0")
MAIN = Route(254, "0.0.0.0/0", 0, gateway="192.168.168.254", interface="eth0")
A = Route(1001, "0.0.0.0/0", 0, gateway="192.168.168.11", interface="eth0")
B = Route(1002, "0.0.0.0/0", 0, gateway="192.168.168.12", interface="eth0")
LOOK_MAIN = Rule(32766, 4, table=254)
OF_A = Rule(23010, 4, source=f"{ALIAS}/32", table=1001)
REFUSING = Rule(23011, 4, source=f"{ALIAS}/32", action="unreachable")
BY_MARK = Rule(20010, 4, mark=(1, 0xFF), table=1001)
SSH = Rule(100, 4, ip_protocol=6, source_port=(22, 22), table=1002)
MAIN_FIRST = Rule(20000, 4, table=254, suppress_interface_group=109)
STANDING = (OF_A, REFUSING, LOOK_MAIN)


def kernel(routes: Iterable[Route] = (LINK, A, B), rules: Sequence[Rule] = STANDING, group: int = 0) -> ComputedHost:
    """A host with these objects."""
    ordered = sorted(rules, key=lambda rule: rule.priority)
    links = [
        Message("link", {"index": index}, {"IFLA_GROUP": group if name == "eth0" else 0})
        for name, index in INTERFACES.items()
    ]
    return ComputedHost(
        [rtnetlink_encoding.encode_rule(rule, OURS) for rule in ordered],
        [rtnetlink_encoding.encode_route(route, INTERFACES, OURS) for route in routes],
        links,
        INTERFACES,
    )


def remove(*objects: Any) -> list[Action[Any]]:
    """Steps that remove objects."""
    return [Action("remove", each, Existing(each, OURS)) for each in objects]


def add(*objects: Any) -> list[Action[Any]]:
    """Steps that add objects."""
    return [Action("add", each) for each in objects]


def refused(host: ComputedHost, match: str | None, connection: Connection | None = CONNECTED, **steps: Any) -> None:
    """Expect the steps to be refused with a message, or not."""
    expected = pytest.raises(WouldDisconnect, match=match) if match else contextlib.nullcontext()
    made: Any = host
    with expected:
        refuse_way_back(Steps(OURS, **steps), lambda: connection, lambda: made, lambda: INTERFACES)


THE_RULE = r"23010.* is the policy rule by which 192\.0\.2\.9 is connected"
THE_ROUTE = r"table 1001.* is the route by which 192\.0\.2\.9 is connected"


def test_the_rule_to_the_controller_stays() -> None:
    refused(kernel(), THE_RULE, rules=remove(OF_A))
    # Main leads another way.
    refused(kernel([LINK, MAIN, A]), THE_RULE, rules=remove(OF_A, REFUSING))
    # The controls: another rule, no connection, a connection by another address.
    refused(kernel(), None, rules=remove(REFUSING))
    refused(kernel(), None, None, rules=remove(OF_A))
    refused(kernel([LINK, MAIN, A]), None, replace(CONNECTED, address="192.168.168.50"), rules=remove(OF_A))


def test_a_rule_may_go_where_the_answers_leave_by_the_same_gateway() -> None:
    refused(kernel([LINK, A, replace(A, table=254)]), None, rules=remove(OF_A, REFUSING))
    moved = [*remove(OF_A), *add(replace(OF_A, priority=24010))]
    # The rule behind it refuses what was moved behind that.
    refused(kernel(), THE_RULE, rules=moved)
    refused(kernel(), None, rules=[*moved, *remove(REFUSING)])
    other = [*remove(OF_A), *add(replace(OF_A, table=2001))]
    refused(kernel(), THE_RULE, rules=other)
    refused(kernel(), None, rules=other, routes=add(replace(A, table=2001)))
    refused(kernel(), THE_RULE, rules=[*remove(OF_A), *add(replace(OF_A, table=1002))])


def test_a_mark_may_lead_the_same_way() -> None:
    """Replies by mark in place of replies by source: the connection has the mark of its line."""
    refused(kernel(), None, rules=[*remove(OF_A), *add(BY_MARK)])
    refused(kernel(), THE_RULE, rules=[*remove(OF_A), *add(replace(BY_MARK, table=1002))])


def test_a_rule_by_port() -> None:
    refused(kernel(rules=[SSH, *STANDING]), r"100.* is the policy rule by which", rules=remove(SSH))
    refused(kernel(rules=[SSH, *STANDING]), None, rules=remove(OF_A))


def test_the_route_to_the_controller_stays() -> None:
    refused(kernel(), THE_ROUTE, routes=remove(A))
    # The controls: another route, no connection, the same way in another table, which is looked up.
    refused(kernel(), None, routes=remove(B))
    refused(kernel(), None, None, routes=remove(A))
    again = replace(A, table=2001)
    rule = [*remove(OF_A), *add(replace(OF_A, table=2001))]
    refused(kernel(), None, routes=[*remove(A), *add(again)], rules=rule, ways_left=[again])


def test_a_default_route_that_is_replaced() -> None:
    by_b = replace(A, gateway="192.168.168.12")
    refused(kernel(), THE_ROUTE, routes=[Action("replace", by_b, Existing(A, OURS))], ways_left=[by_b])
    # The control: the same way with another size of packets.
    smaller = replace(A, mtu=1400)
    refused(kernel(), None, routes=[Action("replace", smaller, Existing(A, OURS))], ways_left=[smaller])


def test_all_tables_of_the_line_are_emptied() -> None:
    refused(kernel(), THE_ROUTE, routes=remove(A, B), rules=remove(OF_A, REFUSING))
    # The control: main leads the same way.
    refused(kernel([LINK, A, replace(A, table=254)]), None, routes=remove(A), rules=remove(OF_A, REFUSING))


def test_the_group_of_an_interface_decides_whether_main_is_passed_over() -> None:
    host = kernel([LINK, MAIN, A], [MAIN_FIRST, OF_A, LOOK_MAIN], group=109)
    group = [Action("remove", InterfaceGroup("eth0", 109))]
    # With the group main is passed over, and table 1001 decides.
    refused(host, THE_RULE, rules=remove(OF_A))
    by_main = [*remove(OF_A), *add(replace(OF_A, priority=23000))]
    refused(host, None, rules=by_main)
    refused(host, THE_RULE, rules=by_main, groups=group)


def test_what_is_added_is_proven_afterwards() -> None:
    closed = Rule(90, 4, destination="192.0.2.9/32", action="unreachable")
    refused(kernel(), None, rules=add(closed))


def test_a_connection_that_needs_no_route() -> None:
    refused(kernel(), None, replace(CONNECTED, address="127.0.0.2"), rules=remove(OF_A), routes=remove(A))


def test_nobody_looks_for_the_connection_where_nothing_is_removed() -> None:
    def unexpected() -> Connection | None:
        raise AssertionError

    refuse_way_back(Steps(OURS, add(A), add(OF_A)), unexpected)
