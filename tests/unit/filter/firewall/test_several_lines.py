# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several lines on one firewall, one address for several lines, and lines that share a server's own connections."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.derived import (
    FILTERS,
    firewall_lists,
    firewall_variables,
    web_lists,
)
from hypothesis import given, settings
from hypothesis import strategies as st

IDS = st.lists(st.integers(1, 250), min_size=3, max_size=8, unique=True)
DESTINATIONS = ["198.41.0.4", "2001:503:ba3e::2:30"]
Lists = dict[str, Any]


def without(declaration: declarations.Declaration, name: str) -> declarations.Declaration:
    """The declaration with a line taken out of all its lists."""
    outcome = copy.deepcopy(declaration)
    outcome["lines"] = [line for line in outcome["lines"] if line["name"] != name]
    for server in outcome["servers"]:
        del server["addresses"][name]
    return outcome


def objects(lists: Lists) -> set[str]:
    """Every object of a host as a comparable text. Of an address, names are no more than labels."""
    routes = [{"table": table["id"], **route} for table in lists["tables"] for route in table["routes"]]
    addresses = [{**each, "name": "any"} for each in [*lists.get("aliases", ()), *lists.get("addresses", ())]]
    marks = lists["marks"] if isinstance(lists["marks"], list) else lists["marks"]["marks"] + lists["marks"]["balance"]
    found = [*addresses, *routes, *lists["rules"], *marks, *lists.get("nat_rules", ())]
    return {str(sorted(each.items())) for each in found}


def firewall(declaration: declarations.Declaration) -> Lists:
    """What follows for the one firewall."""
    return firewall_lists(firewall_variables(declaration, "fw"))


def replying_by_mark(declaration: declarations.Declaration) -> Lists:
    """What follows for a server with one address."""
    one = declarations.with_one_address(copy.deepcopy(declaration))
    lines = FILTERS["multihomed_web_lines"](one, "web1")
    return web_lists(lines, "failover", FILTERS["multihomed_web_reply"](one, "web1"))


def balancing(declaration: declarations.Declaration) -> Lists:
    """What follows for a server that balances."""
    return web_lists(FILTERS["multihomed_web_lines"](declaration, "web1"), "balance")


# What a line has of its own: routes in its table (two networks; on a firewall link-local too) and in main, rules (by
# mark; by source: public and alias), marks, and addresses and translations on the firewall (of three ports, and of what
# the server begins), or on the server.
FIREWALL, BY_MARK, BALANCE = 5 + 2 + 4 + 8 + 1 + 2 + 6 + 2, 4 + 2 + 4 + 2, 4 + 2 + 4 + 4 + 1 + 2


@settings(max_examples=20)
@given(IDS, st.data())
@pytest.mark.parametrize(
    ("shape", "derive", "own"),
    [
        (declarations.shape_b, firewall, FIREWALL),
        (declarations.shape_a, replying_by_mark, BY_MARK),
        (declarations.shape_a, balancing, BALANCE),
    ],
    ids=["firewall", "mark", "balance"],
)
def test_removing_a_line_removes_its_objects_and_touches_no_others(
    shape: Callable[[list[int]], declarations.Declaration],
    derive: Callable[[declarations.Declaration], Lists],
    own: int,
    ids: list[int],
    data: st.DataObject,
) -> None:
    before = shape(ids)
    after = without(before, data.draw(st.sampled_from(before["lines"]))["name"])
    assert objects(derive(after)) < objects(derive(before))
    assert len(objects(derive(before)) - objects(derive(after))) == own


@settings(max_examples=20)
@given(IDS)
def test_all_marks_come_before_all_sources_and_no_two_lines_meet(ids: list[int]) -> None:
    for lists in (firewall(declarations.shape_b(ids)), balancing(declarations.shape_a(ids))):
        by_mark = {(rule["name"], rule["priority"]) for rule in lists["rules"] if "mark" in rule}
        by_source = {(rule["name"], rule["priority"]) for rule in lists["rules"] if "source" in rule}
        places = [(f"line{number}", line_id) for number, line_id in enumerate(ids, 1)]
        assert by_mark == {(name, 20000 + 10 * line_id + step) for name, line_id in places for step in (0, 1)}
        assert by_source == {(name, 23000 + 10 * line_id + step) for name, line_id in places for step in (0, 1)}
        assert max(priority for _way, priority in by_mark) <= 22501 < min(priority for _way, priority in by_source)
        assert {rule["priority"] for rule in lists["rules"] if "suppress_prefix_length" in rule} == {20000}


def test_behind_each_rule_of_a_line_is_its_end() -> None:
    for lists in (firewall(declarations.shape_b([1, 2, 3])), balancing(declarations.shape_a([1, 2, 3]))):
        rules = [rule for rule in lists["rules"] if "suppress_prefix_length" not in rule]
        assert {"lookup" if "table" in rule else rule["action"] for rule in rules} == {"lookup", "unreachable"}
        for rule, end in zip(rules[::2], rules[1::2], strict=True):
            selector = {key: rule[key] for key in rule.keys() - {"priority", "table"}}
            assert end == {**selector, "priority": rule["priority"] + 1, "action": "unreachable"}


def test_a_firewall_of_one_line_has_neither_rules_nor_marks_nor_metrics() -> None:
    lists = firewall(without(without(declarations.shape_b([1, 2, 3]), "line1"), "line3"))
    assert (lists["rules"], lists["marks"]["marks"]) == ([], [])
    assert [(table["id"], [route.get("metric") for route in table["routes"]]) for table in lists["tables"]] == [
        (254, [None, None])
    ]


def test_an_address_of_several_lines_leaves_a_firewall_by_the_preferred_one() -> None:
    lists = firewall(declarations.with_one_address(declarations.shape_b([3, 1, 2])))
    assert not [rule for rule in lists["rules"] if "168" in rule.get("source", "")]
    main = lists["tables"][-1]
    assert main["id"] == 254
    # Weights 2, 3 and 4 of lines 1, 2 and 3; the smallest metric is preferred.
    preferred = sorted((route["metric"], route["name"]) for route in main["routes"] if route["gateway"] != "fe80::1")
    assert [name for _metric, name in preferred] == ["line3", "line2", "line1"]
    translated = {rule["out_interface"]: rule["to_address"] for rule in lists["nat_rules"] if rule["type"] == "snat"}
    assert set(translated) == {"wan0", "wan1", "wan2"}


FIREWALL_LINES = firewall_variables(declarations.shape_b([1, 2]), "fw")["lines"]
WEB_LINES = FILTERS["multihomed_web_lines"](declarations.shape_a([1, 2]), "web1")
ONE_ADDRESS = FILTERS["multihomed_web_lines"](declarations.with_one_address(declarations.shape_a([1, 2])), "web1")
ONE_GATEWAY = FILTERS["multihomed_web_lines"](declarations.with_one_address(declarations.shape_b([1, 2])), "web1")


def changed(lines: list[dict[str, Any]], **changes: Any) -> list[dict[str, Any]]:
    """Lines, the last of them changed."""
    return [*lines[:-1], {**lines[-1], **changes}]


@pytest.mark.parametrize(
    ("name", "lines", "arguments", "fault"),
    [
        ("isp_firewall_rules", changed(FIREWALL_LINES, gateway=["fe80::1"]), {}, "needs the ISP's IPv4 gateway"),
        ("isp_firewall_tables", changed(FIREWALL_LINES, interface="wan0"), {}, 'interface "wan0" is taken by'),
        ("isp_firewall_marks", FIREWALL_LINES, {"mark_mask": "0x1"}, "0x1 has no room for the id of line line2, 2"),
        ("isp_firewall_marks", FIREWALL_LINES, {"mark_mask": "0x5"}, "0x5 has bits that are not adjacent"),
        ("isp_firewall_marks", FIREWALL_LINES, {"mark_mask": "all"}, '"all": not a whole number, decimal or 0x...'),
        ("isp_firewall_marks", FIREWALL_LINES, {"mark_mask": 0}, '"0": not within 1 to 0xffffffff'),
        ("isp_firewall_rules", FIREWALL_LINES, {"table_base": 252}, "table 253, which is the kernel's own"),
        ("isp_firewall_rules", FIREWALL_LINES, {"source_priority_base": 22509}, "22509 must be at least 22510"),
        (
            "isp_firewall_rules",
            FIREWALL_LINES,
            {"snat": [{"line": "line1", "source": "10.0.0.0/8"}, {"line": "line2", "source": "10.1.1.1"}]},
            'isp_firewall_snat[1]: 10.1.1.1 is within 10.0.0.0/8 of line "line1", whose rule comes first',
        ),
        ("multihomed_web_rules", ONE_ADDRESS, {}, 'belongs to lines "line1" and "line2", which have different'),
        ("multihomed_web_rules", WEB_LINES, {"reply": "marks"}, '"marks": not one of auto, source, mark'),
        ("multihomed_web_tables", WEB_LINES, {"default_route": "all"}, '"all": not one of none, failover, balance'),
        (
            "multihomed_web_marks",
            WEB_LINES,
            {"default_route": "balance", "balance_from": ["192.0.0.8"]},
            "multihomed_web_balance_from: an IPv6 address is needed",
        ),
        (
            "multihomed_web_aliases",
            WEB_LINES,
            {"default_route": "balance", "balance_from": ["192.0.0.8", "192.0.0.9", "100::8"]},
            "one per family is enough, not 192.0.0.8 and 192.0.0.9",
        ),
        (
            "multihomed_web_marks",
            ONE_GATEWAY,
            {"default_route": "balance"},
            'has address 192.168.168.101 and its gateway in common with line "line1"',
        ),
    ],
)
def test_a_fault_of_a_roles_variables_is_reported(
    name: str, lines: list[dict[str, Any]], arguments: dict[str, Any], fault: str
) -> None:
    with pytest.raises(AnsibleFilterError) as raised:
        FILTERS[name](lines, **arguments)
    assert fault in str(raised.value)


def test_a_narrower_source_whose_rule_comes_first_is_no_fault() -> None:
    snat = [{"line": "line2", "source": "10.0.0.0/8"}, {"line": "line1", "source": "10.1.1.1"}]
    found = [rule["source"] for rule in FILTERS["isp_firewall_rules"](FIREWALL_LINES, snat) if "source" in rule]
    assert found.index("10.1.1.1") < found.index("10.0.0.0/8")


@pytest.mark.parametrize(("mask", "unit"), [("0xff", 1), ("255", 1), (255, 1), ("0xff00", 256), ("0x3000", 4096)])
def test_marks_keep_to_their_mask(mask: object, unit: int) -> None:
    assert [mark["mark"] for mark in FILTERS["isp_firewall_marks"](FIREWALL_LINES, mask)["marks"]] == [unit, 2 * unit]
    rules = FILTERS["multihomed_web_rules"](WEB_LINES, reply="mark", mark_mask=mask)
    number = int(str(mask), 0)
    assert {rule["mark"] for rule in rules if "mark" in rule} == {
        f"0x{unit:x}/0x{number:x}",
        f"0x{2 * unit:x}/0x{number:x}",
    }
    paths = FILTERS["path_info_paths"](declarations.shape_b([1, 2]), "fw", DESTINATIONS, mask)
    assert {path["mark"] for path in paths if "mark" in path} == {rule["mark"] for rule in rules if "mark" in rule}


def test_a_line_is_known_by_an_interface_of_its_own_and_else_by_its_gateways() -> None:
    lines = changed(WEB_LINES, interface="eth1")
    assert FILTERS["multihomed_web_marks"](lines, "mark")["marks"] == [
        {"name": "line1", "mark": 1, "in_interface": "eth0"},
        {"name": "line2", "mark": 2, "in_interface": "eth1"},
    ]
    by_gateway = FILTERS["multihomed_web_marks"](WEB_LINES, "mark")["marks"]
    assert [(mark["mark"], mark["gateway"]) for mark in by_gateway] == [
        (1, "192.168.168.11"),
        (1, "fd00:168::11"),
        (2, "192.168.168.12"),
        (2, "fd00:168::12"),
    ]
    # Behind one firewall of several lines: what comes from there goes back there, whatever its line.
    shared = FILTERS["multihomed_web_marks"](ONE_GATEWAY, "mark")["marks"]
    assert [(mark["mark"], mark["gateway"]) for mark in shared] == [(1, "192.168.168.11"), (1, "fd00:168::11")]


def test_an_address_of_several_gateways_has_a_route_before_its_mark_is_known() -> None:
    rules = FILTERS["multihomed_web_rules"](ONE_ADDRESS, reply="mark")
    found = [(r["priority"], r.get("table", r.get("action"))) for r in rules if r.get("source") == "192.168.168.101"]
    assert found == [(23010, 1001), (23020, 1002), (25509, "unreachable")]
    # With failover main has such a route, by the preferred line.
    rules = FILTERS["multihomed_web_rules"](ONE_ADDRESS, reply="mark", default_route="failover")
    assert not [rule for rule in rules if "source" in rule]


def test_balance_begins_with_an_address_of_no_line_unless_one_stands_for_all() -> None:
    lists = web_lists(WEB_LINES, "balance")
    assert lists["marks"]["balance_from"] == ["192.0.0.8", "100::8"]
    assert lists["marks"]["balance_exclude"] == []
    assert {alias["address"] for alias in lists["aliases"] if alias["interface"] == "lo"} == {
        "192.0.0.8/32",
        "100::8/128",
    }
    assert {route["source"] for route in lists["tables"][-1]["routes"]} == {"192.0.0.8", "100::8"}
    one = web_lists(ONE_ADDRESS, "balance", "mark")
    assert one["marks"]["balance_from"] == ["192.168.168.101", "fd00:168::101"]
    assert one["marks"]["balance_exclude"] == ["192.168.168.0/24", "fd00:168::/64"]
    assert {alias["interface"] for alias in one["aliases"]} == {"eth0"}
    assert {route["source"] for route in one["tables"][-1]["routes"]} == {"192.168.168.101", "fd00:168::101"}


def test_the_routes_of_balance_never_meet_those_of_failover() -> None:
    ends = [{**WEB_LINES[0], "weight": weight, "id": line_id} for weight, line_id in ((1, 250), (256, 1))]
    heaviest = FILTERS["multihomed_web_tables"](ends[1:], "balance")[-1]["routes"][0]["metric"]
    lightest = FILTERS["multihomed_web_tables"](ends[:1], "failover")[-1]["routes"][0]["metric"]
    assert lightest < heaviest


def verified(declaration: declarations.Declaration, host: str, **wrong: Any) -> list[str]:
    """The faults of a verification in which all ways of one host are asked, the first with another outcome."""
    rows = {}
    for each in ("fw", "web1") if host == "fw" else (host,):
        asked = FILTERS["path_info_paths"](declaration, each, DESTINATIONS)
        lines = {line["name"]: line for line in declaration["lines"]}
        key = "gateway" if each == "fw" else "inside_addresses"
        rows[each] = [
            {"source": None, "mark": None, **path, "reachable": True, "gateway": lines[path["name"]][key][family]}
            for path in asked
            for family in [int(":" in path["destination"])]
        ]
    rows[host][0].update(wrong)
    declaration = {**declaration, "services": []}
    faults: list[str] = FILTERS["verify_report"](declaration, {"client1": []}, rows)["faults"]
    return faults


def test_verify_looks_at_the_marks_of_a_firewall_and_of_an_address_of_several_lines() -> None:
    for declaration, host, subject in (
        (declarations.shape_b([1, 2]), "fw", "198.18.1.10 of line line1"),
        (declarations.with_one_address(declarations.shape_a([1, 2])), "web1", "192.168.168.101 with mark 0x1/0xff"),
    ):
        assert verified(declaration, host) == []
        (fault,) = verified(declaration, host, gateway="192.0.2.9")
        assert fault.startswith(f"{host}: {subject}")
        assert "leaves by 192.0.2.9, not by" in fault
        (fault,) = verified(declaration, host, mark="0x7/0xff")
        assert "is not known" in fault
    declaration = declarations.shape_b([1, 2])
    assert [path.get("mark") for path in FILTERS["path_info_paths"](declaration, "fw", DESTINATIONS)] == [
        None, "0x1/0xff", None, "0x1/0xff", None, "0x2/0xff", None, "0x2/0xff",
    ]  # fmt: skip


def test_a_firewall_of_several_lines_that_was_not_asked_is_a_fault() -> None:
    declaration = {**declarations.shape_b([1, 2]), "services": []}
    faults = FILTERS["verify_report"](declaration, {"client1": []}, {})["faults"]
    assert "fw: its paths are not known: see its messages above" in faults
