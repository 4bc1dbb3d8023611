# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings from facts, as far as no single host of the integration tests can show them; and the report made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ForeignObject, InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.host.boot_configuration import Setting
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight import host_checks, routing_checks
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.catalogue import Finding
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.facts import Facts, Link, questions_of
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.model import Desired, Line, parse_desired
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.run import Report, judge
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.lists import RoutingLists
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias, Route, Rule
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.rtnetlink_encoding import (
    encode_alias,
    encode_route,
    encode_rule,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.snapshot import Snapshot
from ansible_collections.multihome.linux.plugins.modules.preflight import ARGUMENT_SPEC

UNICOM = Line(1, "eth0", ("192.168.168.1/24",), ("192.168.168.11",), "unicom")
INTERLINK = Line(2, "eth0", ("192.168.168.2/24",), ("192.168.168.12",), "interlink")
TABLES: list[dict[str, Any]] = [
    {
        "id": 1000 + line.id,
        "name": line.name,
        "routes": [{"destination": "default", "gateway": line.gateways[0], "interface": line.interface}],
    }
    for line in (UNICOM, INTERLINK)
]
RULES: list[dict[str, Any]] = [
    {"name": "main", "priority": 20000, "family": "ipv4", "table": 254, "suppress_prefix_length": 0},
    {"name": "unicom", "priority": 20010, "family": "ipv4", "mark": "0x1/0xff", "table": 1001},
    {"name": "unicom", "priority": 23010, "source": "192.168.168.1", "table": 1001},
    {"name": "unicom", "priority": 23011, "source": "192.168.168.1", "action": "unreachable"},
    {"name": "interlink", "priority": 23020, "source": "192.168.168.2", "table": 1002},
]
DESIRED = Desired((UNICOM, INTERLINK), "server", routing=RoutingLists.parse(TABLES, RULES))
SPEC: dict[str, Any] = dict(ARGUMENT_SPEC)
OPTIONS = {name: spec.get("default") for name, spec in SPEC.items()}
KERNEL, BOOT, BIRD, OURS = 2, 3, 12, 109
# Every host has it, in front of all others.
LOOKUP_LOCAL = Rule(0, 4, table=255)


def kinds(check: Callable[[Desired, Facts], Iterator[Finding]], facts: Facts, desired: Desired = DESIRED) -> list[str]:
    """The kinds that a check finds."""
    return [finding.id for finding in check(desired, facts)]


def routing(*, routes: Sequence[tuple[Route, int]] = (), rules: Sequence[tuple[Rule, int]] = ()) -> Facts:
    """Facts of a host with these routes and policy rules, each with its owner."""
    interfaces = {"lo": 1, "eth0": 2, "eth1": 3}
    messages: dict[str, Sequence[Message]] = {
        "address": [],
        "route": [encode_route(route, interfaces, owner) for route, owner in routes],
        "rule": [encode_rule(rule, owner) for rule, owner in rules],
    }
    return Facts(routing=Snapshot(interfaces, messages))


def route(destination: str, table: int = 254, **more: Any) -> Route:
    """A route by eth0."""
    return Route.parse({"destination": destination, "interface": "eth0", **more}, table)


@pytest.mark.parametrize(
    ("standing", "owner", "expected"),
    [
        (route("10.0.0.0/8", 1001), BIRD, ["table-in-use"]),
        (route("10.0.0.0/8", 1001), OURS, []),
        (route("10.0.0.0/8", 1003), BIRD, []),
        (route("10.0.0.0/8"), BIRD, []),
        (route("default", 1001, gateway="192.168.168.11"), BIRD, []),
        (route("default", 1001, gateway="192.168.168.12"), BIRD, ["table-in-use"]),
        (route("default", 1001, gateway="192.168.168.11", metric=5), BIRD, ["table-in-use"]),
        # A VRF of this table: the kernel's own routes of a connected network.
        (route("10.0.0.0/8", 1001), 2, ["table-in-use"]),
    ],
)
def test_a_table_is_in_use_unless_by_what_the_line_needs(standing: Route, owner: int, expected: list[str]) -> None:
    assert kinds(routing_checks.tables, routing(routes=[(standing, owner)])) == expected


def test_many_foreign_routes_are_one_finding() -> None:
    many = [(route(f"10.{number}.0.0/16", 1001), BIRD) for number in range(9)]
    (finding,) = routing_checks.tables(DESIRED, routing(routes=many))
    assert finding.message == (
        "line unicom needs it, and it contains route 10.0.0.0/16 in table 1001 of protocol 12 (bird), "
        "route 10.1.0.0/16 in table 1001 of protocol 12 (bird), "
        "route 10.2.0.0/16 in table 1001 of protocol 12 (bird) and 6 more"
    )


@pytest.mark.parametrize(
    ("priority", "expected"),
    [(19999, []), (20000, ["priority-band-in-use"]), (23020, ["priority-band-in-use"]), (23021, [])],
)
def test_the_band_has_exact_ends(priority: int, expected: list[str]) -> None:
    rule = Rule(priority, 4, source="10.0.0.0/8", table=7)
    assert kinds(routing_checks.priorities, routing(rules=[(rule, BIRD)])) == expected
    assert kinds(routing_checks.priorities, routing(rules=[(rule, OURS)])) == []
    # No policy rule of ours is of IPv6, so none of theirs can be between.
    other_family = Rule(priority, 6, source="fd00::/8", table=7)
    assert kinds(routing_checks.priorities, routing(rules=[(other_family, BIRD)])) == []


def by_hand(**changes: Any) -> Rule:
    """A rule that ``ip rule add from 192.168.168.1 lookup 1001 priority 23010`` made, with changes."""
    return replace(Rule(23010, 4, source="192.168.168.1/32", table=1001), **changes)


def test_a_declared_rule_that_was_set_by_hand_is_no_finding() -> None:
    assert kinds(routing_checks.priorities, routing(rules=[(by_hand(), BOOT)])) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"table": 1002},
        {"priority": 23012},
        {"source": "192.168.168.3/32"},
        {"source": "192.168.168.0/24"},
        {"in_interface": "eth0"},
        {"invert": True},
        {"suppress_prefix_length": 0},
        {"table": None, "action": "unreachable"},
    ],
)
def test_a_rule_that_differs_a_little_from_a_declared_one_is_found(changes: dict[str, Any]) -> None:
    facts = routing(rules=[(by_hand(**changes), BOOT)])
    assert kinds(routing_checks.priorities, facts) == ["priority-band-in-use"]


FOREIGN_RULES = [by_hand(), by_hand(table=1002), by_hand(source="10.0.0.0/8"), by_hand(priority=23012)]


@pytest.mark.parametrize("rule", FOREIGN_RULES, ids=str)
def test_preflight_accepts_the_rules_that_the_planner_accepts(rule: Rule) -> None:
    facts = routing(rules=[(LOOKUP_LOCAL, KERNEL), (rule, BOOT)])
    assert facts.routing is not None
    engine = RoutingEngine(None, RULES)
    try:
        planned = engine.plan(facts.routing).rules
        is_accepted = planned is not None and rule in planned.others
    except ForeignObject:
        is_accepted = False
    assert (kinds(routing_checks.priorities, facts) == []) == is_accepted


def test_without_lists_no_table_and_no_priority_is_ours() -> None:
    facts = routing(routes=[(route("10.0.0.0/8", 1001), BIRD)], rules=[(by_hand(table=7), BIRD)])
    alone = replace(DESIRED, routing=RoutingLists.parse([], []))
    for check in (routing_checks.tables, routing_checks.priorities):
        assert kinds(check, facts, alone) == []
        assert len(kinds(check, facts)) == 1


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ((0x1, 0xFF), ["mark-in-use"]),
        ((0x102, 0xFFFFFFFF), ["mark-in-use"]),
        ((0xCA6C, 0xFFFFFFFF), ["mark-bits-shared"]),
        ((0x80000, 0xFF0000), []),
        (None, []),
    ],
)
def test_marks_of_policy_rules_are_compared_bit_by_bit(mark: tuple[int, int] | None, expected: list[str]) -> None:
    rule = Rule(100, 4, mark=mark, table=7)
    assert kinds(routing_checks.rule_marks, routing(rules=[(rule, BIRD)])) == expected
    assert kinds(routing_checks.rule_marks, routing(rules=[(rule, BIRD)]), replace(DESIRED, uses_marks=False)) == []


def test_next_hops_of_one_default_count_each() -> None:
    hops = [{"gateway": "192.168.168.11"}, {"gateway": "192.168.168.12"}]
    multipath = Route.parse({"destination": "0.0.0.0/0", "nexthops": hops}, 254)
    single = route("default", gateway="192.168.168.11")
    assert kinds(routing_checks.default_routes, routing(routes=[(single, BIRD)])) == []
    assert kinds(routing_checks.default_routes, routing(routes=[(multipath, OURS)])) == []
    facts = routing(routes=[(Route(**vars(multipath)), BIRD)])
    assert kinds(routing_checks.default_routes, facts) == ["several-default-routes"]


def test_two_default_routes_that_are_both_declared_are_no_finding_whoever_set_them() -> None:
    entries = [
        {"destination": "default", "gateway": f"192.168.168.1{n}", "interface": "eth0", "metric": n} for n in (1, 2)
    ]
    routes = [Route.parse(entry, 254) for entry in entries]
    facts = routing(routes=[(route, BOOT) for route in routes])
    both = replace(DESIRED, routing=RoutingLists.parse([{"id": 254, "routes": entries}], []))
    one = replace(DESIRED, routing=RoutingLists.parse([{"id": 254, "routes": entries[:1]}], []))
    assert kinds(routing_checks.default_routes, facts, both) == []
    assert kinds(routing_checks.default_routes, facts, one) == ["several-default-routes"]


def test_the_default_route_of_another_program_that_would_be_preferred_is_named() -> None:
    entry = {"destination": "default", "gateway": "192.168.168.11", "interface": "eth0", "metric": 65793}
    planned = replace(DESIRED, routing=RoutingLists.parse([{"id": 254, "routes": [entry]}], []))
    for metric, preferred in ((100, True), (70000, False)):
        dhcp = route("default", gateway="192.168.168.1", interface="eth1", metric=metric)
        (found,) = routing_checks.default_routes(planned, routing(routes=[(dhcp, 16)]))
        assert ("is preferred to those of the lines" in found.message) == preferred
    # Behind all routes of the lines, also while these are dead; and where main has none of them.
    behind = routing(routes=[(route("default", gateway="192.168.168.1", interface="eth1", metric=40000001), 16)])
    assert kinds(routing_checks.default_routes, behind, planned) == []


def test_a_default_route_that_comes_with_an_assigned_address_is_foreseen() -> None:
    entry = {"destination": "default", "gateway": "192.168.168.11", "interface": "eth0", "metric": 65793}
    lists = RoutingLists.parse([{"id": 254, "routes": [entry]}], [])
    line = replace(DESIRED.lines[0], interface="eth1", dynamic=True)
    planned = replace(DESIRED, routing=lists, lines=(line,))
    (found,) = routing_checks.default_routes_to_come(planned, routing())
    assert (found.id, found.severity) == ("default-route-to-come", "info")
    assert "eth1" in found.message
    assert "above 40000000" in found.remedy
    there = route("0.0.0.0/0", interface="eth1", metric=100)
    assert kinds(routing_checks.default_routes_to_come, routing(routes=[(there, 16)]), planned) == []
    # Controls: an address that is declared, and a main table that the lines leave alone.
    fixed = replace(planned, lines=(replace(line, dynamic=False),))
    assert kinds(routing_checks.default_routes_to_come, routing(), fixed) == []
    alone = replace(planned, routing=RoutingLists.parse([{"id": 1001, "routes": [entry]}], []))
    assert kinds(routing_checks.default_routes_to_come, routing(), alone) == []


def test_a_default_route_that_will_be_added_counts_as_one_that_exists() -> None:
    entry = {"destination": "default", "gateway": "192.168.168.11", "interface": "eth0", "metric": 20}
    planned = replace(DESIRED, routing=RoutingLists.parse([{"id": 254, "routes": [entry]}], []))
    other = route("default", gateway="192.168.168.1")
    assert kinds(routing_checks.default_routes, routing(routes=[(other, BOOT)]), planned) == ["several-default-routes"]
    assert kinds(routing_checks.default_routes, routing(), planned) == []
    # In the table of a line it competes with none.
    line = replace(DESIRED, routing=RoutingLists.parse([{"id": 1001, "routes": [entry]}], []))
    assert kinds(routing_checks.default_routes, routing(routes=[(other, BOOT)]), line) == []


def test_requests_go_to_gateways_and_for_new_addresses() -> None:
    facts = routing()
    assert facts.routing is not None
    held = [encode_alias(Alias("eth0", address), 2, OURS) for address in ("192.168.168.2/24", "10.0.0.1/8")]
    snapshot = replace(facts.routing, messages={**facts.routing.messages, "address": held})
    links = {"eth0": Link(True, True, hardware="02:00:00:00:00:01"), "eth1": Link(True, False)}
    away = replace(UNICOM, interface="eth1")
    questions = questions_of(Desired((UNICOM, INTERLINK, away), "server"), links, snapshot)
    gateways = [("eth0", "192.168.168.11"), ("eth0", "192.168.168.12")]
    assert questions.gateways == gateways
    assert questions.addresses == [("eth0", "192.168.168.1")]
    assert questions.senders == dict.fromkeys(gateways, "192.168.168.2")
    assert questions.hardware == {"eth0": "02:00:00:00:00:01"}
    # Without the host's addresses it is not known which ones are new, nor from which one to ask.
    unknown = questions_of(Desired((UNICOM, INTERLINK), "server"), links, None)
    assert (unknown.gateways, unknown.addresses, unknown.senders) == (gateways, [], {})


def test_many_interfaces_are_listed_in_part() -> None:
    links = {f"veth{number:03}": Link(True, True) for number in range(300)} | {"\udcff\u202e": Link(True, True)}
    (finding,) = host_checks.interfaces(Desired((UNICOM,), "server"), Facts(links=links))
    assert finding.message == (
        "line unicom ends on eth0, which does not exist; this host has "
        + ", ".join(f"veth{number:03}" for number in range(8))
        + " and 293 more"
    )


def test_a_gateway_may_be_on_link_in_three_ways() -> None:
    facts = replace(routing(routes=[(route("10.9.0.0/24"), 2)]), links={"eth0": Link(True, True)})

    def said(gateway: str, *addresses: str) -> list[str]:
        return kinds(routing_checks.gateways, facts, Desired((Line(1, "eth0", addresses, (gateway,)),), "server"))

    assert said("192.168.168.11") == ["gateway-not-on-link"]
    assert said("192.168.168.11", "192.168.168.1/32") == ["gateway-not-on-link"]
    assert said("192.168.168.11", "192.168.168.1/24") == []
    assert said("10.9.0.1") == []
    assert said("fe80::1") == []


def test_without_routes_nothing_is_said_of_them() -> None:
    facts = Facts(links={"eth0": Link(True, True)}, not_checked=[("routes", "pyroute2 is missing")])
    desired = Desired((Line(1, "eth0", (), ("10.0.0.1",)),), "server")
    assert [finding.id for finding in judge(desired, facts)] == ["not-checked"]


RP_FILTER, FORWARDS = {"net/ipv4/conf/eth0/rp_filter": "2"}, {"net/ipv4/ip_forward": "1"}
IPV6_ON = {"net/ipv6/conf/eth0/disable_ipv6": "0"}


@pytest.mark.parametrize(
    ("ours", "later", "sets", "expected"),
    [
        ("", "", {}, []),
        ("net.ipv4.ip_forward=1", "net.ipv4.ip_forward=0", {}, ["net.ipv4.ip_forward"]),
        ("net.ipv4.ip_forward=1", "net.ipv4.ip_forward=1", {}, []),
        ("", "net.ipv4.conf.all.forwarding=0", FORWARDS, ["net.ipv4.ip_forward"]),
        ("net.ipv4.tcp_rmem=1", "net.ipv4.tcp_rmem=2", {}, ["net.ipv4.tcp_rmem"]),
        # What ours says is no matter any more once it is written anew.
        ("net.ipv4.tcp_rmem=1", "net.ipv4.tcp_rmem=2", FORWARDS, []),
        ("", "net.ipv4.tcp_rmem=2", FORWARDS, []),
        ("", "net.ipv4.conf.eth0.rp_filter=1", RP_FILTER, ["net.ipv4.conf.eth0.rp_filter"]),
        ("net.ipv4.conf.eth0.rp_filter=1", "", RP_FILTER, []),
        # What counts is the larger one; it is carried over to no interface.
        ("", "net.ipv4.conf.all.rp_filter=1", RP_FILTER, []),
        # These are carried over: one finding for all that one line undoes.
        ("", "net.ipv6.conf.all.disable_ipv6=1", IPV6_ON, ["net.ipv6.conf.all.disable_ipv6"]),
        (
            "",
            "net.ipv4.ip_forward=0",
            {**FORWARDS, "net/ipv4/conf/eth0/forwarding": "1"},
            ["net.ipv4.ip_forward"],
        ),
    ],
)
def test_a_later_file_may_undo_ours(ours: str, later: str, sets: dict[str, str], expected: list[str]) -> None:
    desired = Desired((UNICOM,), "firewall", kernel_parameters=sets)
    boot = [
        (name.replace(".", "/"), Setting(value, file))
        for file, text in ((desired.file, ours), ("/etc/sysctl.d/90-a.conf", later))
        for name, _equals, value in (line.partition("=") for line in text.split())
    ]
    found = list(host_checks.boot(desired, Facts(boot=boot)))
    assert [(finding.id, finding.subject) for finding in found] == [("sysctl-overridden", name) for name in expected]


def test_an_earlier_file_matters_only_if_nobody_writes_ours() -> None:
    boot = [("net/ipv4/ip_forward", Setting("0", "/etc/sysctl.d/10-a.conf"))]
    desired = Desired((UNICOM,), "firewall")
    assert kinds(host_checks.boot, Facts(boot=boot), desired) == ["sysctl-overridden"]
    assert kinds(host_checks.boot, Facts(boot=boot), replace(desired, kernel_parameters=FORWARDS)) == []


def test_findings_that_the_caller_fixes_are_information() -> None:
    facts = Facts(
        links={"eth0": Link(True, True)},
        parameters={"net/ipv4/conf/all/rp_filter": "1", "net/ipv4/conf/eth0/rp_filter": "0"},
        networkd={},
    )
    found = judge(DESIRED, facts)
    assert {(finding.severity, finding.will_mend) for finding in found} == {("error", False), ("warning", False)}
    assert [finding.severity for finding in found] == ["error", "error", "warning"]
    mended = judge(replace(DESIRED, kernel_parameters=RP_FILTER, manages_networkd=True), facts)
    assert {(finding.severity, finding.will_mend) for finding in mended} == {("info", True)}
    assert len(mended) == len(found)


@pytest.mark.parametrize(
    "sets", [{}, {"net/ipv4/conf/eth0/rp_filter": "1"}, {"net/ipv4/conf/eth1/rp_filter": "2"}, FORWARDS]
)
def test_a_parameter_fixes_only_with_the_value_and_the_interface_that_are_needed(sets: dict[str, str]) -> None:
    parameters = {"net/ipv4/conf/all/rp_filter": "1", "net/ipv4/conf/eth0/rp_filter": "0"}
    (finding,) = judge(replace(DESIRED, kernel_parameters=sets), Facts({"eth0": Link(True, True)}, parameters))
    assert (finding.severity, finding.will_mend) == ("warning", False)
    assert finding.kernel_parameter == {"name": "net.ipv4.conf.eth0.rp_filter", "value": "2"}


def test_marks_stand_in_the_bits_of_the_mask() -> None:
    shifted = replace(DESIRED, mark_mask=0xFF00)
    for mark, expected in (
        ((0x100, 0xFF00), ["mark-in-use"]),
        ((0x1, 0xFF), []),
        ((0x300, 0xFF00), ["mark-bits-shared"]),
    ):
        rule = Rule(100, 4, mark=mark, table=7)
        assert kinds(routing_checks.rule_marks, routing(rules=[(rule, BIRD)]), shifted) == expected
    # The rule of a line, set by another owner, is accepted.
    own = Rule(20010, 4, mark=(0x1, 0xFF), table=1001)
    assert kinds(routing_checks.rule_marks, routing(rules=[(own, BIRD)])) == []
    other = replace(own, table=1002)
    assert kinds(routing_checks.rule_marks, routing(rules=[(other, BIRD)])) == ["mark-in-use"]


@pytest.mark.parametrize(
    ("severity", "failing"), [("error", {"error", "warning"}), ("warning", {"warning"}), ("info", set())]
)
def test_who_fails_on_what(severity: str, failing: set[str]) -> None:
    finding = Finding("x", severity, "s", "m", "r")
    assert {level for level in ("never", "error", "warning") if Report([finding], level).failed} == failing
    assert not Report([], "warning").failed


def test_what_is_printed_names_the_host() -> None:
    found = [
        Finding("x", "error", "s", "m", "r"),
        Finding("y", "warning", "t", "n", "q"),
        Finding("z", "info", "", "", ""),
    ]
    report = Report(found, "error", host="web1")
    assert report.warnings == ["web1, t: n; remedy: q"]
    assert report.message.splitlines() == [
        "web1 is not ready for its lines (errors: 1, warnings: 1):",
        "error x, s: m",
        "    remedy: r",
        "warning y, t: n",
        "    remedy: q",
    ]
    assert replace(report, host="").warnings == ["t: n; remedy: q"]
    assert replace(report, host="").message.startswith("This host is not ready")


def options(**given: Any) -> dict[str, Any]:
    """Options as Ansible hands them over."""
    return {**OPTIONS, "role": "server", "lines": [], **given}


def test_what_is_given_by_the_isp_is_left_out() -> None:
    entry = {"id": "3", "interface": "ppp0", "addresses": ["auto", "192.0.2.1/32"], "gateways": "auto"}
    (line,) = parse_desired(options(lines=[entry])).lines
    assert (line.addresses, line.gateways, line.dynamic) == (("192.0.2.1/32",), (), True)
    (line,) = parse_desired(options(lines=[{**entry, "addresses": [], "gateways": []}])).lines
    assert line.dynamic is False


def test_of_a_line_that_the_isp_translates_the_outside_addresses_are_looked_at() -> None:
    public = ["203.0.113.10/32", "2001:db8:a::10/64"]
    entry = {"id": 1, "interface": "wan0", "addresses": public, "gateways": "10.64.0.1"}
    (line,) = parse_desired(options(lines=[{**entry, "outside_addresses": ["10.64.0.2/24"]}])).lines
    assert line.addresses == ("10.64.0.2/24", "2001:db8:a::10/64")
    assert parse_desired(options(lines=[entry])).lines[0].addresses == tuple(public)


def test_a_line_of_a_role_is_accepted_unchanged() -> None:
    ignored = {"name": "unicom", "weight": 4, "without_gateway": ["ipv6"], "learned": True}
    entry = {"id": 1, "interface": "wan0", "public_addresses": "203.0.113.10/24,2001:db8:a::10/64"}
    (line,) = parse_desired(options(lines=[{**entry, **ignored, "gateway": "203.0.113.1"}])).lines
    assert (line.addresses, line.gateways) == (("203.0.113.10/24", "2001:db8:a::10/64"), ("203.0.113.1",))


def test_unknown_fields_and_bad_values_of_a_line_are_reported_together() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_desired(options(lines=[{"id": "one", "interface": "wan0", "gatway": "203.0.113.1"}]))
    assert [fault.partition(";")[0] for fault in raised.value.faults] == [
        "lines[0] (one): not a whole number",
        'lines[0] (one): unknown field "gatway"',
    ]


def test_faults_of_all_options_come_together() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_desired(
            options(
                lines=[{"id": 0}, "eth0"],
                mark_mask="x",
                tables=[{"id": 0}],
                rules=[{"priority": 1, "source": "10.0.0.0/8", "table": "unicom"}],
                servers=["nobody"],
                kernel_parameters=[{"name": "a.b"}],
                file="/etc/sysctl.d/a",
            )
        )
    assert raised.value.faults == (
        "lines[0] (0): not within 1 to 250",
        "lines[0] (0): interface is missing",
        "lines[1]: not a dictionary but str",
        'mask "x": not a whole number, decimal or 0x...',
        "servers[0] (nobody): not an IP address",
        "kernel_parameters[0] (a.b): value is missing",
        'file "/etc/sysctl.d/a": not a file directly in /etc/sysctl.d with a name that ends in .conf',
        "tables[0] (0): not within 1 to 4294967295",
        'rules[0] (1): table "unicom": no table of this name is declared in tables',
    )


def test_an_interface_with_a_dot_is_named_as_sysctl_takes_it() -> None:
    parameters = {"net/ipv4/conf/all/rp_filter": "1", "net/ipv4/conf/eth0.100/rp_filter": "0"}
    desired = Desired((replace(UNICOM, interface="eth0.100"),), "server")
    (finding,) = host_checks.rp_filter(desired, Facts(parameters=parameters))
    assert finding.remedy.startswith("set net.ipv4.conf.eth0/100.rp_filter = 2")
    sets = {"net/ipv4/conf/eth0.100/rp_filter": "2"}
    assert finding.is_fixed_by(sets, managed=())
