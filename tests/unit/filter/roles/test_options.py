# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of preflight in one step: the same lists as the filter of each list returns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.multihome.linux.plugins.module_utils._core.host_plan.plan import parse_plan
from ansible_collections.multihome.linux.plugins.plugin_utils._declaration.checks import read_declaration
from ansible_collections.multihome.linux.plugins.plugin_utils._roles.host_variables import host_variables
from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.derived import (
    FILTERS,
    firewall_lists,
    firewall_variables,
    web_lists,
)

ROLES = Path(__file__).resolve().parents[4] / "roles"
DECLARATIONS = {
    "a": declarations.shape_a([1, 2, 3]),
    "b": declarations.shape_b([1, 2, 3]),
    "one address": declarations.with_one_address(declarations.shape_b([1, 2])),
    "seed": declarations.seed(),
}
PLACES = {
    "forward_policy": ("accept",),
    "nat_rules": ("nat_rules",),
    "kernel_parameters": ("kernel_parameters",),
    "ip_aliases": ("addresses", "aliases"),
    "policy_routing": ("tables", "rules", "interface_groups"),
}


def defaults(role: str) -> dict[str, Any]:
    """The role's default variables, without its name before theirs."""
    found = yaml.safe_load((ROLES / role / "defaults" / "main.yml").read_text())
    return {name.removeprefix(f"{role}_"): value for name, value in found.items()} | {"own_ports": [22]}


def texts(plan: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """A plan with its lists instead of their JSON texts."""

    def read(value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) and value.startswith("[") else value

    return {module: {name: read(value) for name, value in options.items()} for module, options in plan.items()}


@pytest.mark.parametrize("name", DECLARATIONS)
def test_the_plan_of_a_firewall_has_the_lists_of_the_filters(name: str) -> None:
    for host in sorted({line["firewall"] for line in DECLARATIONS[name]["lines"]}):
        variables = firewall_variables(DECLARATIONS[name], host)
        others = {key: value for key, value in variables.items() if key != "lines"}
        options = FILTERS["isp_firewall_options"](variables["lines"], {**defaults("isp_firewall"), **others})
        lists, plan = firewall_lists(variables), texts(options["plan"])
        parse_plan(options["plan"])
        assert options["faults"] == []
        assert options["lines"] == variables["lines"]
        assert options["replies"] == lists["replies"]
        assert plan["forward_policy"]["accept"] == lists["accept"]
        assert plan["nat_rules"]["rules"] == lists["nat_rules"]
        assert plan["kernel_parameters"]["parameters"] == lists["kernel_parameters"]
        assert plan["ip_aliases"]["aliases"] == lists["addresses"]
        assert {part: plan["policy_routing"][part] for part in ("tables", "rules", "interface_groups")} == {
            part: lists[part] for part in ("tables", "rules", "interface_groups")
        }
        marks = {part: value for part, value in plan.get("connection_marks", {}).items() if part in lists["marks"]}
        assert marks == (lists["marks"] if len(variables["lines"]) > 1 else {})


@pytest.mark.parametrize("way", ["none", "failover", "balance"])
@pytest.mark.parametrize("name", ["a", "seed"])
def test_the_plan_of_a_server_has_the_lists_of_the_filters(name: str, way: str) -> None:
    lines = FILTERS["multihomed_web_lines"](DECLARATIONS[name], "web1")
    given = {**defaults("multihomed_web"), "default_route": way}
    options = FILTERS["multihomed_web_options"](lines, given)
    parse_plan(options["plan"])
    parse_plan(options["plan_by_mark"])
    for plan, reply in ((texts(options["plan"]), "source"), (texts(options["plan_by_mark"]), "mark")):
        lists = web_lists(lines, way, reply)
        assert plan["policy_routing"]["rules"] == FILTERS["multihomed_web_rules"](
            lines, reply=reply, default_route=way, other_addresses=given["balance_from"]
        )
        assert plan["policy_routing"]["tables"] == lists["tables"]
        if plan.get("connection_marks"):
            assert plan["connection_marks"]["marks"] == lists["marks"]["marks"]
    plan = texts(options["plan"])
    assert plan["ip_aliases"]["aliases"] == web_lists(lines, way)["aliases"]
    assert ("connection_marks" in plan) is (way == "balance")
    assert options["uses_marks"] is (way == "balance")
    assert options["auto_reply"] is True


def test_replies_by_mark_are_planned_where_preflight_asks_for_them() -> None:
    lines = FILTERS["multihomed_web_lines"](DECLARATIONS["a"], "web1")
    options = FILTERS["multihomed_web_options"](lines, defaults("multihomed_web"), {}, True)
    assert options["uses_marks"] is True
    assert options["plan"]["connection_marks"] == options["plan_by_mark"]["connection_marks"]


@pytest.mark.parametrize("name", ["purge", "persist", "manage_sysctl"])
def test_a_module_that_the_role_does_not_run_is_not_planned(name: str) -> None:
    variables = firewall_variables(DECLARATIONS["a"], "fw-1")
    others = {key: value for key, value in variables.items() if key != "lines"}
    given = {**defaults("isp_firewall"), **others, name: False}
    plan = FILTERS["isp_firewall_options"](variables["lines"], given)["plan"]
    assert plan["nat_rules"]["purge"] is (name != "purge")
    assert ("keeper" in plan) is (name != "persist")
    assert ("kernel_parameters" in plan) is (name != "manage_sysctl")


def test_faulty_variables_are_all_that_is_returned() -> None:
    for role in ("isp_firewall", "multihomed_web"):
        found = FILTERS[f"{role}_options"]([{"id": 1}], {**defaults(role), "forwards": []})
        assert list(found) == ["faults"]
        assert len(found["faults"]) > 1


def test_the_variables_of_a_host_are_those_of_the_filters_and_of_the_inventory() -> None:
    declaration = DECLARATIONS["a"]
    checked = read_declaration(declaration)
    found = host_variables(checked, "fw-1")
    expected = firewall_variables(declaration, "fw-1")
    assert {f"isp_firewall_{name}": value for name, value in expected.items()}.items() <= found.items()
    assert found["multihomed_web_lines"] == []
    more = {"isp_firewall_snat": [{"line": "line1", "source": "192.168.50.0/24"}], "multihomed_web_reply": "mark"}
    added = host_variables(checked, "fw-1", more)
    assert added["isp_firewall_snat"] == [*found["isp_firewall_snat"], *more["isp_firewall_snat"]]
    assert (found["multihomed_web_reply"], added["multihomed_web_reply"]) == ("auto", "mark")
