# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`multihome explain` without a kernel: rules looked through, targets resolved, long texts on 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.command.explain import walk
from ansible_collections.multihome.linux.plugins.module_utils._core.command.explain.kernel import Answer
from ansible_collections.multihome.linux.plugins.module_utils._core.command.explain.question import (
    LOCAL,
    MAPPED,
    OUTGOING,
    Case,
    Known,
    Question,
    cases,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.command.explain.text import render
from ansible_collections.multihome.linux.plugins.module_utils._core.command.explain.ways import (
    OUT,
    Explained,
    Fault,
    Way,
    title,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.command.failure import CommandFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.command.lines import LineWay, line_ways
from ansible_collections.multihome.linux.plugins.module_utils._core.command.terminal import WIDTH, Page
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import NatRule
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Route, Rule
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.route_lookup import Path
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.rtnetlink_encoding import (
    encode_route,
    encode_rule,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.rule_walk import (
    ListedRule,
    Packet,
    Traffic,
    listed_rules,
)

INDEXES = {"wan0": 2, "wan1": 3, "lan0": 4}
NAMES = {index: name for name, index in INDEXES.items()}
OURS, FOREIGN = 109, 16
DEFAULT, LAN, VPN = "0.0.0.0/0", "192.168.168.0/24", "10.8.0.0/16"


def rules(*listed: tuple[Rule, int]) -> list[ListedRule]:
    return listed_rules(encode_rule(rule, owner) for rule, owner in listed)


def routes(*listed: Route) -> dict[int, list[Message]]:
    found: dict[int, list[Message]] = {}
    for route in listed:
        found.setdefault(route.table, []).append(encode_route(route, INDEXES, OURS))
    return found


MAIN = Route(254, DEFAULT, 0, gateway="203.0.113.1", interface="wan0")
TABLES = routes(
    MAIN,
    Route(254, LAN, 0, interface="lan0"),
    Route(254, VPN, 5, interface="lan0"),
    Route(254, VPN, 1, interface="wan1"),
    Route(1002, DEFAULT, 0, gateway="198.51.100.1", interface="wan1"),
    Route(1003, DEFAULT, 0, type="unreachable"),
    Route(1004, DEFAULT, 0, type="throw"),
)
BAND = rules(
    (Rule(0, 4, table=255), 2),
    (Rule(20000, 4, table=254, suppress_prefix_length=7), OURS),
    (Rule(20010, 4, mark=(1, 255), table=1001), OURS),
    (Rule(20011, 4, mark=(1, 255), action="unreachable"), OURS),
    (Rule(20020, 4, mark=(2, 255), table=1002), OURS),
    (Rule(32766, 4, table=254), 2),
    (Rule(0, 6, table=255), 2),
)


def looked(packet: Packet, listed: Sequence[ListedRule] = tuple(BAND), **groups: int) -> list[tuple[int, str]]:
    by_index = {INDEXES[name]: group for name, group in groups.items()}
    found = walk.walk(listed, packet, lambda table: TABLES.get(table, []), by_index)
    return [(each.listed.priority, each.outcome) for each in found]


def test_rules_are_looked_through_until_one_decides() -> None:
    assert looked(Packet("192.0.2.1", mark=2)) == [
        (0, "no route"),
        (20000, "passed over"),
        (20010, "no match"),
        (20011, "no match"),
        (20020, "taken"),
    ]


def test_a_table_without_a_route_leads_to_the_refusing_rule() -> None:
    assert looked(Packet("192.0.2.1", mark=1))[-2:] == [(20010, "no route"), (20011, "refused")]


def test_the_longest_prefix_and_the_smallest_metric_win() -> None:
    found = walk.walk(BAND, Packet("10.8.1.1"), lambda table: TABLES.get(table, []), {})[-1]
    assert found.route is not None
    assert walk.route_text(found.route, NAMES) == "10.8.0.0/16 dev wan1"


@pytest.mark.parametrize(("table", "outcome"), [(1003, "refused"), (1004, "no route"), (1005, "no route")])
def test_routes_that_lead_nowhere(table: int, outcome: str) -> None:
    listed = rules((Rule(10, 4, table=table), FOREIGN))
    assert looked(Packet("192.0.2.1"), listed) == [(10, outcome)]


def test_interface_groups_are_passed_over() -> None:
    listed = rules((Rule(10, 4, table=254, suppress_interface_group=109), OURS))
    assert looked(Packet("10.8.1.1"), listed, wan1=109) == [(10, "passed over")]
    assert looked(Packet("10.8.1.1"), listed) == [(10, "taken")]


def test_a_jump_leaves_rules_out_and_a_rule_by_port_sees_the_port() -> None:
    jump = Message("rule", {**BAND[0].message.header, "table": 0, "action": 2}, {"FRA_PRIORITY": 10, "FRA_GOTO": 20020})
    listed = [BAND[0], *listed_rules([jump]), *BAND[1:]]
    assert looked(Packet("192.0.2.1", mark=2), listed) == [(0, "no route"), (10, "jumps"), (20020, "taken")]
    by_port = rules((Rule(10, 4, ip_protocol=6, source_port=(80, 80), table=1002), FOREIGN))
    assert looked(Packet("192.0.2.1", traffic=Traffic(6, 80)), by_port) == [(10, "taken")]
    assert looked(Packet("192.0.2.1", traffic=Traffic(6, 81)), by_port) == [(10, "no match")]


@pytest.mark.parametrize(
    ("rule", "packet", "reason"),
    [
        (Rule(1, 4, source="10.0.0.0/8", table=1), Packet("192.0.2.1", "192.168.1.1"), "from 192.168.1.1"),
        (Rule(1, 4, source="10.0.0.0/8", table=1), Packet("192.0.2.1"), "from no address yet"),
        (Rule(1, 4, destination="10.0.0.0/8", table=1), Packet("192.0.2.1"), "to 192.0.2.1"),
        (Rule(1, 4, mark=(2, 255), table=1), Packet("192.0.2.1"), "no mark"),
        (Rule(1, 4, mark=(2, 255), table=1), Packet("192.0.2.1", mark=1), "mark 0x1"),
        (Rule(1, 4, in_interface="lan0", table=1), Packet("192.0.2.1"), "from this host"),
        (Rule(1, 4, ip_protocol=6, table=1), Packet("192.0.2.1"), "another condition does not hold"),
    ],
)
def test_the_reason_why_a_rule_does_not_match(rule: Rule, packet: Packet, reason: str) -> None:
    assert not packet.selected_by(rule)
    assert walk.mismatch(rule, packet) == reason


UNICOM = LineWay("unicom", 4, 1001, "203.0.113.1", "wan0", ("203.0.113.10/32", "203.0.113.64/26"), (1, 255))
BOTH = LineWay("both", 4, 1002, "198.51.100.1", "wan1", ("198.51.100.20/32", "192.168.168.9/32"))
OTHER = LineWay("other", 4, 1003, None, "lan0", ("192.168.168.9/32",), networks=("11.0.0.0/8",))
WEB = NatRule.parse(
    {"name": "web", "type": "dnat", "protocol": "tcp", "destination": "203.0.113.10", "destination_port": "8000-8010"}
    | {"to_address": "192.168.168.1", "to_port": "9000-9010"}
)
ALL = NatRule.parse({"name": "all", "type": "dnat", "destination": "198.51.100.20", "to_address": "192.168.168.2"})
LOST = NatRule.parse({"name": "lost", "type": "dnat", "destination": "198.51.100.21", "to_address": "192.168.168.3"})
KNOWN = Known(
    [UNICOM, BOTH, OTHER],
    [WEB, ALL],
    [WEB, LOST],
    lambda address: address in ("203.0.113.10", "198.51.100.20", "192.168.168.9"),
)


def asked(target: str, **more: Any) -> list[Case]:
    return cases(Question(target, **more), KNOWN)


def test_a_service_is_found_by_its_name_and_its_port() -> None:
    [case] = asked("web")
    assert (case.kind, case.line, case.address, case.port) == (MAPPED, UNICOM, "203.0.113.10", 8000)
    assert (case.mapped_to, case.mapped_port) == ("192.168.168.1", 9000)
    found = asked("8003/tcp")
    assert [(case.kind, case.address, case.port, case.mapped_port) for case in found] == [
        (MAPPED, "203.0.113.10", 8003, 9003),
        (MAPPED, "198.51.100.20", 8003, 8003),
        (MAPPED, "198.51.100.21", 8003, 8003),
        (LOCAL, "192.168.168.9", 8003, 8003),
        (LOCAL, "192.168.168.9", 8003, 8003),
    ]


def test_a_translation_that_is_stored_only_is_missing() -> None:
    assert [case.missing for case in asked("lost")] == [True]
    assert [case.missing for case in asked("web")] == [False]


def test_addresses_of_this_host_of_servers_and_far_away() -> None:
    assert [case.kind for case in asked("203.0.113.10")] == [MAPPED, LOCAL]
    assert [case.kind for case in asked("192.168.168.1")] == [MAPPED]
    found = asked("192.0.2.7")
    assert [(case.kind, case.address) for case in found] == [
        (OUTGOING, None),
        (OUTGOING, "203.0.113.10"),
        (OUTGOING, "198.51.100.20"),
        (OUTGOING, "192.168.168.9"),
    ]
    # An address of several lines belongs to none of them.
    assert [case.line for case in found] == [None, UNICOM, BOTH, None]


def test_a_line_gives_its_own_address_and_one_service() -> None:
    assert [(case.kind, case.address) for case in asked("unicom")] == [
        (LOCAL, "203.0.113.10"),
        (MAPPED, "203.0.113.10"),
    ]


def test_the_other_end_is_in_no_network_of_a_line() -> None:
    assert asked("web")[0].remote == "21.255.255.253"
    assert asked("web", remote="192.0.2.5")[0].remote == "192.0.2.5"


@pytest.mark.parametrize(
    ("target", "more"),
    [("wbe", {}), ("80/tpc", {}), ("80", {}), ("web", {"families": (6,)}), ("web", {"remote": "2001:db8::1"})],
)
def test_a_target_that_nobody_knows_is_refused_with_what_there_is(target: str, more: dict[str, Any]) -> None:
    with pytest.raises(CommandFailed) as failed:
        asked(target, **more)
    if not more:
        assert "services: web, all, lost" in str(failed.value)
        assert "lines: unicom, both, other" in str(failed.value)


def test_lines_come_from_the_stored_routes_and_rules() -> None:
    engine = RoutingEngine(
        [
            {
                "id": 1001,
                "name": "unicom",
                "routes": [
                    {"destination": "default", "gateway": "203.0.113.1", "interface": "wan0"},
                    {"destination": "203.0.113.0/24", "interface": "wan0"},
                ],
            },
            {"id": 254, "routes": [{"destination": "default", "gateway": "203.0.113.1"}]},
        ],
        [
            {"priority": 20010, "family": "ipv4", "mark": "0x1/0xff", "table": 1001},
            {"priority": 23010, "source": "203.0.113.10", "table": 1001},
            {"priority": 23011, "source": "203.0.113.10", "action": "unreachable"},
        ],
    )
    [line] = line_ways(engine)
    assert line == LineWay(
        "unicom", 4, 1001, "203.0.113.1", "wan0", ("203.0.113.10/32",), (1, 255), ("203.0.113.0/24",)
    )
    assert line_ways(None) == []


class Reading:
    """The parts of a Kernel that the text needs."""

    names = NAMES
    notes = ["packet filters cannot be read: nft is not installed"]


LONG6 = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"
LONG = "a-line-with-the-longest-name-that-may-be-given-to-any-line-of-64"


def test_the_longest_names_and_addresses_fit_on_80_columns() -> None:
    line = LineWay(LONG, 6, 1001, LONG6, "wan0", (f"{LONG6}/128",), (1, 255))
    taken = walk.Looked(rules((Rule(23010, 6, source=f"{LONG6}/128", table=1001), FOREIGN))[0], walk.TAKEN)
    other = walk.Looked(rules((Rule(23011, 6, source=f"{LONG6}/128", table=1001), OURS))[0], walk.NO_MATCH, "no mark")
    answer = Answer("unicast", 1001, LONG6, "wan0", LONG6, looked=[other, other, taken])
    way = Way(OUT, Path(LONG6, LONG6), f"{LONG6} > {LONG6}", answer, faults=[Fault(f"the gateway {LONG6} is silent")])
    one = Explained(Case(LOCAL, 6, LONG6, line, LONG6, protocol="tcp", port=65535), [way], health=None)
    reading: Any = Reading()
    for every in (False, True):
        page = Page()
        render([one], reading, page, {1001: LONG}, brief=False, every=every)
        shown = page.text()
        assert max(map(len, shown.splitlines())) <= WIDTH
        assert shown.startswith("PROBLEM")
        assert "[dhcp]" in shown
        assert "note: packet filters cannot be read" in shown
        assert ("2 rules do not match" in shown) != every
    assert LONG in title(one.case)
