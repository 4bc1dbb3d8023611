# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings from facts, as far as no single host of the integration tests can show them; and the report made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.host.configuration import Setting
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight import host_checks, routing_checks
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.catalogue import Finding
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.facts import Facts, Link
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.model import Line, Wanted, parse_wanted
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.run import Report, judge
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Route, Rule
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.rtnetlink_mapping import (
    encode_route,
    encode_rule,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.snapshot import Snapshot
from ansible_collections.multihome.linux.plugins.modules.preflight import ARGUMENT_SPEC

UNICOM = Line(1, "eth0", ("192.168.168.1/24",), ("192.168.168.11",), "unicom")
INTERLINK = Line(2, "eth0", ("192.168.168.2/24",), ("192.168.168.12",), "interlink")
WANTED = Wanted((UNICOM, INTERLINK), "server")
SPEC: dict[str, Any] = dict(ARGUMENT_SPEC)
OPTIONS = {name: spec.get("default") for name, spec in SPEC.items()}
BIRD, OURS = 12, 109


def kinds(check: Callable[[Wanted, Facts], Iterator[Finding]], facts: Facts, wanted: Wanted = WANTED) -> list[str]:
    """The kinds that a check finds."""
    return [finding.id for finding in check(wanted, facts)]


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
    (finding,) = routing_checks.tables(WANTED, routing(routes=many))
    assert finding.message == (
        "line unicom needs it, and it holds route 10.0.0.0/16 in table 1001 of protocol 12 (bird), "
        "route 10.1.0.0/16 in table 1001 of protocol 12 (bird), "
        "route 10.2.0.0/16 in table 1001 of protocol 12 (bird), and 6 more"
    )


@pytest.mark.parametrize(
    ("priority", "expected"),
    [(19999, []), (20000, ["priority-band-in-use"]), (25509, ["priority-band-in-use"]), (25510, [])],
)
def test_the_band_has_exact_ends(priority: int, expected: list[str]) -> None:
    rule = Rule(priority, 4, source="10.0.0.0/8", table=7)
    assert kinds(routing_checks.priorities, routing(rules=[(rule, BIRD)])) == expected
    assert kinds(routing_checks.priorities, routing(rules=[(rule, OURS)])) == []


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
    assert kinds(routing_checks.rule_marks, routing(rules=[(rule, BIRD)]), replace(WANTED, uses_marks=False)) == []


def test_next_hops_of_one_default_count_each() -> None:
    hops = [{"gateway": "192.168.168.11"}, {"gateway": "192.168.168.12"}]
    multipath = Route.parse({"destination": "0.0.0.0/0", "nexthops": hops}, 254)
    single = route("default", gateway="192.168.168.11")
    assert kinds(routing_checks.default_routes, routing(routes=[(single, BIRD)])) == []
    assert kinds(routing_checks.default_routes, routing(routes=[(multipath, OURS)])) == []
    facts = routing(routes=[(Route(**vars(multipath)), BIRD)])
    assert kinds(routing_checks.default_routes, facts) == ["several-default-routes"]


def test_a_gateway_may_be_on_link_in_three_ways() -> None:
    facts = replace(routing(routes=[(route("10.9.0.0/24"), 2)]), links={"eth0": Link(True, True)})

    def said(gateway: str, *addresses: str) -> list[str]:
        return kinds(routing_checks.gateways, facts, Wanted((Line(1, "eth0", addresses, (gateway,)),), "server"))

    assert said("192.168.168.11") == ["gateway-not-on-link"]
    assert said("192.168.168.11", "192.168.168.1/32") == ["gateway-not-on-link"]
    assert said("192.168.168.11", "192.168.168.1/24") == []
    assert said("10.9.0.1") == []
    assert said("fe80::1") == []


def test_without_routes_nothing_is_said_of_them() -> None:
    facts = Facts(links={"eth0": Link(True, True)}, not_checked=[("routes", "pyroute2 is missing")])
    wanted = Wanted((Line(1, "eth0", (), ("10.0.0.1",)),), "server")
    assert [finding.id for finding in judge(wanted, facts)] == ["not-checked"]


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
    wanted = Wanted((UNICOM,), "firewall", kernel_parameters=sets)
    boot = [
        (name.replace(".", "/"), Setting(value, file))
        for file, text in ((wanted.file, ours), ("/etc/sysctl.d/90-a.conf", later))
        for name, _equals, value in (line.partition("=") for line in text.split())
    ]
    found = list(host_checks.boot(wanted, Facts(boot=boot)))
    assert [(finding.id, finding.subject) for finding in found] == [("sysctl-overridden", name) for name in expected]


def test_an_earlier_file_matters_only_if_nobody_writes_ours() -> None:
    boot = [("net/ipv4/ip_forward", Setting("0", "/etc/sysctl.d/10-a.conf"))]
    wanted = Wanted((UNICOM,), "firewall")
    assert kinds(host_checks.boot, Facts(boot=boot), wanted) == ["sysctl-overridden"]
    assert kinds(host_checks.boot, Facts(boot=boot), replace(wanted, kernel_parameters=FORWARDS)) == []


def test_what_a_role_mends_is_information() -> None:
    facts = Facts(
        links={"eth0": Link(True, True)},
        parameters={"net/ipv4/conf/all/rp_filter": "1", "net/ipv4/conf/eth0/rp_filter": "0"},
        networkd={},
    )
    found = judge(WANTED, facts)
    assert {(finding.severity, finding.will_mend) for finding in found} == {("error", False), ("warning", False)}
    assert [finding.severity for finding in found] == ["error", "error", "warning"]
    mended = judge(replace(WANTED, kernel_parameters=RP_FILTER, manages_networkd=True), facts)
    assert {(finding.severity, finding.will_mend) for finding in mended} == {("info", True)}
    assert len(mended) == len(found)


@pytest.mark.parametrize(
    "sets", [{}, {"net/ipv4/conf/eth0/rp_filter": "1"}, {"net/ipv4/conf/eth1/rp_filter": "2"}, FORWARDS]
)
def test_a_parameter_mends_only_with_the_value_and_the_interface_that_are_needed(sets: dict[str, str]) -> None:
    parameters = {"net/ipv4/conf/all/rp_filter": "1", "net/ipv4/conf/eth0/rp_filter": "0"}
    (finding,) = judge(replace(WANTED, kernel_parameters=sets), Facts({"eth0": Link(True, True)}, parameters))
    assert (finding.severity, finding.will_mend) == ("warning", False)
    assert finding.kernel_parameter == {"name": "net.ipv4.conf.eth0.rp_filter", "value": "2"}


def test_the_only_line_of_a_firewall_needs_no_table_and_no_priorities() -> None:
    rule, standing = Rule(20500, 4, source="10.0.0.0/8", table=7), route("10.0.0.0/8", 1001)
    facts = routing(routes=[(standing, BIRD)], rules=[(rule, BIRD)])
    alone = Wanted((UNICOM,), "firewall")
    for check in (routing_checks.tables, routing_checks.priorities):
        assert kinds(check, facts, alone) == []
        assert len(kinds(check, facts, replace(alone, role="server"))) == 1
        assert len(kinds(check, facts, replace(alone, lines=(UNICOM, replace(INTERLINK, interface="eth1"))))) == 1


def test_marks_stand_in_the_bits_of_the_mask() -> None:
    shifted = replace(WANTED, mark_mask=0xFF00)
    for mark, expected in (
        ((0x100, 0xFF00), ["mark-in-use"]),
        ((0x1, 0xFF), []),
        ((0x300, 0xFF00), ["mark-bits-shared"]),
    ):
        rule = Rule(100, 4, mark=mark, table=7)
        assert kinds(routing_checks.rule_marks, routing(rules=[(rule, BIRD)]), shifted) == expected
    # The rule of a line, set by somebody else, is not in the way.
    own = Rule(20010, 4, mark=(0x100, 0xFF00), table=1001)
    assert kinds(routing_checks.priorities, routing(rules=[(own, BIRD)]), shifted) == []
    other = replace(own, mark=(0x1, 0xFF00))
    assert kinds(routing_checks.priorities, routing(rules=[(other, BIRD)]), shifted) == ["priority-band-in-use"]


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
    (line,) = parse_wanted(options(lines=[entry])).lines
    assert (line.addresses, line.gateways, line.dynamic) == (("192.0.2.1/32",), (), True)
    (line,) = parse_wanted(options(lines=[{**entry, "addresses": [], "gateways": []}])).lines
    assert line.dynamic is False


def test_of_a_line_that_the_isp_translates_the_outside_addresses_are_looked_at() -> None:
    public = ["203.0.113.10/32", "2001:db8:a::10/64"]
    entry = {"id": 1, "interface": "wan0", "addresses": public, "gateways": "10.64.0.1"}
    (line,) = parse_wanted(options(lines=[{**entry, "outside_addresses": ["10.64.0.2/24"]}])).lines
    assert line.addresses == ("10.64.0.2/24", "2001:db8:a::10/64")
    assert parse_wanted(options(lines=[entry])).lines[0].addresses == tuple(public)


def test_a_line_of_a_role_is_accepted_unchanged() -> None:
    ignored = {"name": "unicom", "weight": 4, "without_gateway": ["ipv6"], "learned": True}
    entry = {"id": 1, "interface": "wan0", "public_addresses": "203.0.113.10/24,2001:db8:a::10/64"}
    (line,) = parse_wanted(options(lines=[{**entry, **ignored, "gateway": "203.0.113.1"}])).lines
    assert (line.addresses, line.gateways) == (("203.0.113.10/24", "2001:db8:a::10/64"), ("203.0.113.1",))


def test_unknown_fields_and_bad_values_of_a_line_are_reported_together() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_wanted(options(lines=[{"id": "one", "interface": "wan0", "gatway": "203.0.113.1"}]))
    assert [fault.partition(";")[0] for fault in raised.value.faults] == [
        "lines[0] (one): not a whole number",
        'lines[0] (one): unknown field "gatway"',
    ]


def test_faults_of_all_options_come_together() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_wanted(
            options(
                lines=[{"id": 0}, "eth0"],
                mark_mask="x",
                table_base=-1,
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
        'table_base "-1": not within 0 to 4294967045',
    )


def test_an_interface_with_a_dot_is_named_as_sysctl_takes_it() -> None:
    parameters = {"net/ipv4/conf/all/rp_filter": "1", "net/ipv4/conf/eth0.100/rp_filter": "0"}
    wanted = Wanted((replace(UNICOM, interface="eth0.100"),), "server")
    (finding,) = host_checks.rp_filter(wanted, Facts(parameters=parameters))
    assert finding.remedy.startswith("set net.ipv4.conf.eth0/100.rp_filter = 2")
    sets = {"net/ipv4/conf/eth0.100/rp_filter": "2"}
    assert finding.is_mended(sets, managed=())
