# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted and what the lines allow now: demoted routes, a narrower spread, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.entries import objects
from ansible_collections.multihome.linux.plugins.module_utils._core.health.effective import (
    DEGRADED,
    UNUSABLE,
    Observed,
    effective,
    family_of_default,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import Line, parse_lines
from ansible_collections.multihome.linux.plugins.module_utils._core.health.usable_lines import Usable
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.lists import RoutingLists, tables_form
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[1] / "filter" / "golden"
# A server with its lines on interfaces of its own, and a firewall with several lines.
DESIGNS = {"c3": "web1", "b3": "fw"}


def design(name: str) -> tuple[dict[str, Any], list[Line]]:
    """What a host of a declaration stores, and its lines; a golden file of the filters is the source."""
    content = json.loads((GOLDEN / f"{name}.json").read_text())
    host = content[DESIGNS[name]]
    tables, rules = host["lists"]["tables"], host["lists"]["rules"]
    parsed = RoutingLists.parse(tables, rules)
    assert parsed.routes is not None
    # As the store has it: without labels.
    stored = tables_form(objects(parsed.routes), {})
    lines = [
        {
            "name": line["name"],
            "id": line["id"],
            "interface": line["interface"],
            "addresses": line.get("addresses") or line.get("public_addresses"),
            "gateways": gateways
            if isinstance(gateways := line.get("gateways") or line.get("gateway"), list)
            else [gateways],
            "mark": f"{line['id']}/255",
        }
        for line in host["variables"]["lines"]
    ]
    return {"policy_routing": {"tables": stored, "rules": rules, "protocol": 109}}, parse_lines(lines)


def observed(lines: list[Line], *unusable: str, families: tuple[int, ...] = (4, 6), degraded: str = "") -> Observed:
    """The lines, some of them not usable in these families."""
    return Observed(
        lines,
        {
            family: Usable(
                tuple(
                    line.name
                    for line in lines
                    if family in line.families and not (line.name in unusable and family in families)
                ),
                frozenset({degraded} - {""}),
            )
            for family in (4, 6)
        },
    )


def defaults(options: Mapping[str, Any], family: int) -> list[tuple[str, int]]:
    """Main's default routes of a family, by metric: gateway or interface."""
    [main] = [table for table in options["policy_routing"]["tables"] if table["id"] == 254]
    routes = [route for route in main["routes"] if family_of_default(route) == family]
    return sorted(
        ((route.get("gateway") or route["interface"], route["metric"]) for route in routes), key=lambda r: r[1]
    )


@pytest.mark.parametrize("name", DESIGNS)
def test_with_everything_usable_it_is_what_is_wanted(name: str) -> None:
    wanted, lines = design(name)
    assert effective(wanted, observed(lines)) == wanted
    assert effective(wanted, Observed()) == wanted


def test_the_default_of_an_unusable_line_is_demoted_and_nothing_else_changes() -> None:
    wanted, lines = design("c3")
    before = defaults(wanted, 4)
    assert [gateway for gateway, _metric in before] == ["198.18.3.1", "198.18.2.1", "198.18.1.1"]
    result = effective(wanted, observed(lines, "line3"))
    assert defaults(result, 4) == [before[1], before[2], (before[0][0], before[0][1] + UNUSABLE)]
    assert defaults(result, 6) == defaults(wanted, 6)
    assert result["policy_routing"]["rules"] == wanted["policy_routing"]["rules"]
    tables = {table["id"]: table for table in result["policy_routing"]["tables"]}
    for table in wanted["policy_routing"]["tables"]:
        assert table["id"] == 254 or tables[table["id"]] == table
    # What the engines get can be read by them.
    RoutingLists.parse(result["policy_routing"]["tables"], result["policy_routing"]["rules"])


def test_one_family_may_be_dead_alone() -> None:
    wanted, lines = design("c3")
    result = effective(wanted, observed(lines, "line2", families=(6,)))
    assert defaults(result, 4) == defaults(wanted, 4)
    assert [metric >= UNUSABLE for _gateway, metric in defaults(result, 6)] == [False, True]


def test_gateways_of_one_address_are_told_apart_by_their_interfaces() -> None:
    wanted, lines = design("c3")
    assert {gateway for gateway, _metric in defaults(wanted, 6)} == {"fe80::1"}
    [main] = [t for t in effective(wanted, observed(lines, "line2"))["policy_routing"]["tables"] if t["id"] == 254]
    demoted = [route for route in main["routes"] if route["metric"] >= UNUSABLE]
    assert {route["interface"] for route in demoted} == {"eth2"}


def test_degraded_lines_come_behind_good_ones_and_before_dead_ones() -> None:
    wanted, lines = design("c3")
    result = effective(wanted, observed(lines, "line2", degraded="line3"))
    order = [(gateway, metric // DEGRADED) for gateway, metric in defaults(result, 4)]
    assert order == [("198.18.1.1", 0), ("198.18.3.1", 1), ("198.18.2.1", 2)]


@pytest.mark.parametrize("name", DESIGNS)
def test_when_no_line_is_usable_nothing_is_demoted(name: str) -> None:
    wanted, lines = design(name)
    assert effective(wanted, observed(lines, *(line.name for line in lines))) == wanted


def test_a_firewall_of_several_lines_is_demoted_the_same_way() -> None:
    wanted, lines = design("b3")
    first = defaults(wanted, 4)[0]
    dead = next(line.name for line in lines if first[0] in line.gateways)
    assert defaults(effective(wanted, observed(lines, dead)), 4)[-1] == (first[0], first[1] + UNUSABLE)


ROUTE = {"destination": "default", "gateway": "192.168.168.11", "interface": "eth0"}


def test_another_table_with_defaults_of_several_lines_is_demoted_and_one_of_a_single_line_is_not() -> None:
    wanted, lines = design("b3")
    [main] = [table for table in wanted["policy_routing"]["tables"] if table["id"] == 254]
    alone = {"id": 3001, "routes": [main["routes"][0]]}
    wanted["policy_routing"]["tables"] += [{**main, "id": 2001}, alone]
    first = next(line for line in lines if main["routes"][0]["gateway"] in line.gateways)
    changed = effective(wanted, observed(lines, first.name))["policy_routing"]["tables"]
    found = {table["id"]: table["routes"] for table in changed}
    assert found[2001] == found[254] != main["routes"]
    assert found[3001] == alone["routes"]


def two_lines_of_one_gateway() -> tuple[dict[str, Any], list[Line]]:
    """A server behind one firewall: only the source address tells the line."""
    routes = [
        {**ROUTE, "metric": 65537, "source": "192.168.168.1"},
        {**ROUTE, "metric": 65538, "source": "192.168.168.2"},
    ]
    lines = [
        {
            "name": name,
            "id": number,
            "interface": "eth0",
            "addresses": [f"192.168.168.{number}"],
            "gateways": [ROUTE["gateway"]],
        }
        for number, name in ((1, "a"), (2, "b"))
    ]
    return {"policy_routing": {"tables": [{"id": 254, "routes": routes}], "rules": []}}, parse_lines(lines)


def test_lines_of_one_gateway_are_told_apart_by_source_or_metric() -> None:
    wanted, lines = two_lines_of_one_gateway()
    for source in (True, False):
        if not source:
            for route in wanted["policy_routing"]["tables"][0]["routes"]:
                del route["source"]
        [main] = effective(wanted, observed(lines, "a"))["policy_routing"]["tables"]
        assert [route["metric"] >= UNUSABLE for route in main["routes"]] == [True, False]


def test_a_route_that_no_line_is_known_of_stays() -> None:
    wanted, lines = two_lines_of_one_gateway()
    routes = wanted["policy_routing"]["tables"][0]["routes"]
    routes += [
        {**ROUTE, "gateway": "192.168.168.250", "metric": 5},
        {"destination": "10.0.0.0/8", "gateway": "192.168.168.11", "metric": 7},
        {"destination": "default", "nexthops": [{"gateway": "192.168.168.11"}, {"gateway": "192.168.168.12"}]},
    ]
    [main] = effective(wanted, observed(lines, "a"))["policy_routing"]["tables"]
    assert main["routes"][2:] == routes[2:]


BALANCE: list[dict[str, Any]] = [
    {"mark": 1, "weight": 4, "sources": ["203.0.113.1", "2001:db8:a::1"], "name": "a"},
    {"mark": 2, "weight": 1, "sources": ["198.51.100.1", "2001:db8:b::1"], "name": "b"},
    {"mark": 3, "weight": 0, "sources": ["192.0.2.1"], "name": "c"},
]
MARKS: dict[str, Any] = {
    "marks": [{"mark": 1, "in_interface": "wan0"}],
    "balance": BALANCE,
    "balance_from": ["192.0.0.8"],
    "mask": "0xff",
}
SPREAD = parse_lines(
    [
        {"name": entry["name"], "id": entry["mark"], "mark": entry["mark"], "addresses": entry["sources"]}
        for entry in BALANCE
    ]
)


def spread(*unusable: str, families: tuple[int, ...] = (4, 6)) -> list[dict[str, Any]]:
    result = effective({"connection_marks": MARKS}, observed(SPREAD, *unusable, families=families))["connection_marks"]
    assert {**result, "balance": None} == {**MARKS, "balance": None}
    balance: list[dict[str, Any]] = result["balance"]
    return balance


def test_the_spread_leaves_out_what_is_not_usable_and_no_mark_is_touched() -> None:
    assert spread() == BALANCE
    assert [entry["name"] for entry in spread("a")] == ["b", "c"]
    assert spread("a", families=(6,))[0]["sources"] == ["203.0.113.1"]


def test_the_spread_keeps_the_last_line() -> None:
    assert spread("a", "b", "c") == BALANCE
    # One of weight 0 gets no new connections, so it is none that is left.
    assert spread("a", "b", families=(4,)) == BALANCE


def test_a_share_of_no_known_line_is_not_judged() -> None:
    stranger = {"mark": 9, "weight": 1, "sources": ["10.0.0.1"]}
    wanted: dict[str, dict[str, Any]] = {"connection_marks": {**MARKS, "balance": [*BALANCE, stranger]}}
    result = effective(wanted, observed(SPREAD, "a", "b"))["connection_marks"]["balance"]
    assert stranger in result


def test_kinds_that_do_not_depend_on_health_are_left_alone() -> None:
    wanted: dict[str, dict[str, Any]] = {
        "nat_rules": {"rules": [{"type": "masquerade"}]},
        "ip_aliases": {"aliases": []},
    }
    assert effective(wanted, observed(SPREAD, "a")) == wanted


@st.composite
def outages(draw: st.DrawFn, lines: list[Line]) -> Observed:
    usable = {}
    for family in draw(st.sets(st.sampled_from([4, 6]))):
        names = [line.name for line in lines if family in line.families]
        good = draw(st.lists(st.sampled_from(names), unique=True))
        usable[family] = Usable(tuple(good), frozenset(draw(st.sets(st.sampled_from(good or names)))))
    return Observed(lines, usable)


@given(st.data(), st.sampled_from(sorted(DESIGNS)))
def test_twice_is_the_same_as_once_and_no_route_is_lost(data: st.DataObject, name: str) -> None:
    wanted, lines = design(name)
    now = data.draw(outages(lines))
    once = effective(wanted, now)
    assert effective(once, now) == once
    for family in (4, 6):
        before, after = defaults(wanted, family), defaults(once, family)
        assert sorted(metric % DEGRADED for _gateway, metric in after) == sorted(metric for _gateway, metric in before)
        usable = now.usable.get(family)
        if usable is None:
            assert before == after
        elif usable.lines and after:
            # The way that is preferred is that of a usable line.
            assert after[0][1] < UNUSABLE


@given(st.data())
def test_the_spread_is_never_emptied_and_only_narrowed(data: st.DataObject) -> None:
    now = data.draw(outages(SPREAD))
    once = effective({"connection_marks": MARKS}, now)
    assert effective(once, now) == once
    balance = once["connection_marks"]["balance"]
    for family in (4, 6):
        sources = [each for entry in balance for each in entry["sources"] if (":" in each) == (family == 6)]
        assert sources
        wanted = [each for entry in BALANCE for each in entry["sources"]]
        assert set(sources) <= set(wanted)
