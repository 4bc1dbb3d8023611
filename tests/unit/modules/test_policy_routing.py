# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""policy_routing, from options to result, on the fake kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias, Route, Rule
from ansible_collections.multihome.linux.plugins.modules import policy_routing
from ansible_collections.multihome.linux.tests.unit.routing.fake_kernel import INTERFACES

from .run_in_process import Runner

TABLES = [
    {"id": 1001, "name": "unicom", "routes": [{"destination": "default", "gateway": "10.0.0.11"}]},
    {"id": 1002, "routes": [{"destination": "default", "gateway": "fd00::12"}, {"destination": "::/0", "metric": 9}]},
]
TABLES[1]["routes"][1]["type"] = "unreachable"  # type: ignore[index] # the literal is of mixed types
RULES = [
    {"name": "the LAN first", "priority": 20000, "family": "ipv4", "table": "main", "suppress_prefix_length": 0},
    {"priority": 23010, "source": "10.0.0.1/32", "table": "unicom"},
    {"priority": 23020, "source": "fd00::1", "table": "1002"},
    {"priority": "23021", "source": "fd00::1", "action": "unreachable"},
]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    runner = Runner(policy_routing, tmp_path, monkeypatch, capsys)
    for address in ("10.0.0.1/24", "fd00::1/64"):
        alias = Alias.parse({"address": address, "interface": "eth0"})
        runner.fake.carry_out("add", rtnetlink_encoding.encode_alias(alias, INTERFACES["eth0"], 0))
    return runner


def owned(host: Runner, kind: str) -> list[Any]:
    return [existing.object for existing in host.fake.snapshot().existing(kind) if existing.owner == 109]


def test_check_real_check_real(host: Runner) -> None:
    foreseen = host.run(tables=TABLES, rules=RULES, check=True)
    assert owned(host, "route") == owned(host, "rule") == []
    done = host.run(tables=TABLES, rules=RULES)
    assert foreseen["changed"] is done["changed"] is True
    assert foreseen["actions"] == done["actions"]
    assert foreseen["after"] == done["after"]
    assert done["actions"] == [
        {"op": "add", "object": {"table": 1001, "destination": "default", "gateway": "10.0.0.11"}},
        {"op": "add", "object": {"table": 1002, "destination": "default", "gateway": "fd00::12"}},
        {"op": "add", "object": {"table": 1002, "destination": "::/0", "type": "unreachable", "metric": 9}},
        {"op": "add", "object": {"priority": 20000, "family": "ipv4", "table": 254, "suppress_prefix_length": 0}},
        {"op": "add", "object": {"priority": 23010, "family": "ipv4", "source": "10.0.0.1", "table": 1001}},
        {"op": "add", "object": {"priority": 23020, "family": "ipv6", "source": "fd00::1", "table": 1002}},
        {"op": "add", "object": {"priority": 23021, "family": "ipv6", "source": "fd00::1", "action": "unreachable"}},
        {"op": "add", "object": {"table": 1001, "name": "unicom"}},
        {"op": "add", "object": {"protocol": 109, "name": "multihome"}},
    ]
    assert done["before"] == {"tables": [], "rules": []}
    assert [table.get("name") for table in done["after"]["tables"]] == ["unicom", None]
    sent = len(host.fake.sent)
    for check in (True, False):
        again = host.run(tables=TABLES, rules=RULES, check=check)
        assert (again["changed"], again["actions"]) == (False, [])
        assert not {"before", "after", "diff"} & set(again)
    assert len(host.fake.sent) == sent


def test_what_a_run_reports_is_a_list_for_the_next_one(host: Runner) -> None:
    after = host.run(tables=TABLES, rules=RULES)["after"]
    again = host.run(**after, purge=True, diff=True)
    assert again["changed"] is False
    # Read back, a route has the interface that the kernel found for it.
    assert host.run(**again["after"], purge=True)["changed"] is False


def test_the_diff_is_one_line_an_object(host: Runner) -> None:
    host.run(tables=TABLES, rules=RULES[:1])
    moved = [{**TABLES[0], "routes": [{"destination": "default", "gateway": "10.0.0.12"}]}]
    diff = host.run(tables=moved, rules=[], diff=True)["diff"]
    gone = set(diff["before"].splitlines()) - set(diff["after"].splitlines())
    come = set(diff["after"].splitlines()) - set(diff["before"].splitlines())
    assert gone == {"route 0.0.0.0/0 in table 1001: gateway 10.0.0.11, interface eth0"}
    assert come == {"route 0.0.0.0/0 in table 1001: gateway 10.0.0.12"}


def test_a_list_that_is_not_given_is_left_alone(host: Runner) -> None:
    host.run(tables=TABLES, rules=RULES)
    assert "rules" not in host.run(tables=[], purge=True)["after"]
    assert owned(host, "route") == []
    assert len(owned(host, "rule")) == 4
    assert "tables" not in host.run(rules=[], purge=True)["after"]
    assert owned(host, "rule") == []


def test_one_of_the_lists_is_needed(host: Runner) -> None:
    assert "one of the following is required: tables, rules" in host.run(purge=True)["msg"]


def test_every_fault_of_both_lists_at_once(host: Runner) -> None:
    result = host.run(
        check=True,
        tables=[{"id": "x"}, {"id": 5, "routes": [{"destination": "10.0.0.1/8", "gateway": "10.0.0.9"}]}],
        rules=[{"priority": 1, "family": "ipv4", "table": "nowhere"}, {"priority": 1, "family": "ipv4", "table": "5"}],
        protocol=2,
    )
    assert result["faults"] == [
        "tables[0] (x): not a whole number",
        "tables[1] (5).routes[0] (10.0.0.1/8): has host bits set; the prefix is 10.0.0.0/8, the host 10.0.0.1",
        'rules[0] (1): table "nowhere": no table of this name is declared in tables',
        "protocol 2: protocol 2 (kernel) is taken; choose one from 5 to 255",
    ]


def test_foreign_objects_in_the_way_are_all_named_and_nothing_is_sent(host: Runner) -> None:
    route = Route.parse({"destination": "default", "gateway": "10.0.0.99"}, 1001)
    rule = Rule.parse({"priority": 23010, "source": "10.0.0.1", "table": 77})
    host.fake.carry_out("add", rtnetlink_encoding.encode_route(route, INTERFACES, 186))
    host.fake.carry_out("add", rtnetlink_encoding.encode_rule(rule, 0))
    conflicts = host.run(tables=TABLES, rules=RULES)["conflicts"]
    assert conflicts[0] == (
        "tables[0] (unicom).routes[0] (default): route 0.0.0.0/0 in table 1001 is in its place and belongs to "
        "protocol 186 (bgp): {'table': 1001, 'destination': 'default', 'gateway': '10.0.0.99', 'interface': 'eth0'}; "
        "remove it or change the entry, it is not overwritten"
    )
    assert conflicts[1].startswith("rules[1] (23010): IPv4 rule 23010 (source 10.0.0.1, table 77) is in its place")
    assert len(conflicts) == 2
    assert host.fake.sent == []


def test_a_gateway_that_is_not_on_link(host: Runner) -> None:
    before = host.fake.state()
    tables = [{"id": 5, "routes": [{"destination": "default", "gateway": "192.0.2.1"}]}]
    what = "route default via 192.0.2.1 in table 5"
    hint = "no address of this host reaches the gateway; give its interface an address and set it up, or set onlink"
    assert host.run(tables=tables)["msg"].splitlines() == [
        f"tables[0] (5).routes[0] (default): cannot add {what}: Network is unreachable ({hint})",
        "the host is as it was before",
    ]
    assert host.fake.state() == before


def route(**fields: Any) -> dict[str, Any]:
    return {"tables": [{"id": 5, "routes": [{"destination": "default", **fields}]}]}


def rule(**fields: Any) -> dict[str, Any]:
    return {"rules": [{"priority": 5, "family": "ipv4", "table": 7, **fields}]}


@pytest.mark.parametrize(
    "options",
    [
        {"tables": [None]},
        {"tables": "x"},
        {"tables": [{}]},
        {"tables": [{"id": 0}]},
        {"tables": [{"id": 4294967296}]},
        {"tables": [{"id": "main"}]},
        {"tables": [{"id": [1]}]},
        {"tables": [{"id": 254, "name": "local"}]},
        {"tables": [{"id": 5, "routes": [None]}]},
        {"tables": [{"id": 5, "routes": {"a": 1}}]},
        {"tables": [{"id": 5}, {"id": "5"}]},
        route(gateway="10.0.0.9", mtu="huge"),
        route(gateway="10.0.0.9", mtu=65521),
        route(gateway="10.0.0.9", metric=1.5),
        route(gateway="10.0.0.9", onlink="perhaps"),
        route(gateway="fe80::1"),
        route(gateway="fe80::1%eth0"),
        route(gateway="10.0.0.9", interface="eth0;reboot"),
        route(nexthops=[]),
        route(nexthops=[None]),
        route(nexthops=[{"gateway": "10.0.0.9", "weight": 0}, {"gateway": "10.0.0.10"}]),
        {"rules": [{}]},
        rule(priority=-1),
        rule(priority=None),
        rule(priority=[5]),
        rule(source="fd00::1"),
        rule(mark="0x1/0x0"),
        rule(ip_protocol="tcpp"),
        rule(ip_protocol="tcp", source_port="0"),
        rule(table="\N{SNOWMAN}"),
        rule(table=None),
        rule(suppress_prefix_length=129),
        {"rules": [{"priority": 5, "source": "0.0.0.0/0", "table": 7}, {"priority": 5, "family": "ipv4", "table": 8}]},
        {"rules": [{"priority": 0, "family": "ipv4", "table": "main"}]},
        {"rules": [{"priority": 32766, "family": "ipv4", "table": 7}]},
    ],
    ids=repr,
)
def test_whatever_is_asked_for_is_refused_in_words(host: Runner, options: dict[str, Any]) -> None:
    result = host.run(**options)
    assert result["failed"] is True
    assert result["msg"]
    assert "Traceback" not in str(result)
    assert host.fake.sent == []


def test_five_thousand_rules_of_one_priority(host: Runner) -> None:
    many = [{"priority": 5, "source": f"10.{n // 250}.{n % 250}.1", "table": 7} for n in range(5000)]
    assert len(host.run(rules=many, check=True)["actions"]) == 5000
