# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps by which a role changes a host: which modules run, in which order, with which options."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS

OWNER = {"purge": True, "persist": True}
MODULES = (
    "forward_policy",
    "nat_rules",
    "kernel_parameters",
    "ip_aliases",
    "connection_marks",
    "policy_routing",
    "line_health",
    "keeper",
)
PLAN: dict[str, dict[str, Any]] = {module: {"from": module, **OWNER} for module in MODULES}
HOW = {"check_mode": False, "protect": False, "warn": False, "balancing": False, "backend": "nftables"}
SERVER = [module for module in MODULES if module not in ("forward_policy", "nat_rules")]
EARLY, LEFT = "Add routes for marked connections", "Remove addresses that connections no longer use"


def steps(
    role: str, pending: Any = MODULES, plan: dict[str, dict[str, Any]] = PLAN, **how: object
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = FILTERS["host_steps"](plan, role, pending, {**HOW, **how})
    return found


def modules(found: list[dict[str, Any]]) -> list[str]:
    return [step["module"] for step in found]


def without_marks() -> dict[str, dict[str, Any]]:
    return {module: options for module, options in PLAN.items() if module != "connection_marks"}


def test_a_firewall_translates_before_it_forwards_and_routes_before_it_marks() -> None:
    assert modules(steps("isp_firewall")) == [
        "forward_policy",
        "nat_rules",
        "kernel_parameters",
        "ip_aliases",
        "policy_routing",
        "connection_marks",
        "policy_routing",
        "line_health",
        "keeper",
    ]


def test_a_server_removes_addresses_at_the_end() -> None:
    found = steps("multihomed_web", SERVER)
    assert modules(found) == [
        "kernel_parameters",
        "ip_aliases",
        "policy_routing",
        "connection_marks",
        "policy_routing",
        "ip_aliases",
        "line_health",
        "keeper",
    ]
    [left] = [step for step in found if step["name"] == LEFT]
    assert left["after"] == {"step": "Configure an address for each line", "did": "moved"}
    assert left["options"]["purge"] is True


@pytest.mark.parametrize("role", ["isp_firewall", "multihomed_web"])
def test_only_modules_that_have_anything_to_do_run(role: str) -> None:
    for module in SERVER:
        # The addresses that a module moves are removed by it, after the routes.
        assert set(modules(steps(role, [module]))) == {module}
    assert steps(role, [], protect=True) == []


@pytest.mark.parametrize("role", ["isp_firewall", "multihomed_web"])
def test_options_of_the_plan_are_those_of_the_steps(role: str) -> None:
    for step in steps(role, SERVER):
        assert step["options"]["from"] == step["module"]
    [keeper] = steps(role, ["keeper"])
    assert keeper["options"] == PLAN["keeper"]


@pytest.mark.parametrize("role", ["isp_firewall", "multihomed_web"])
def test_routes_that_marked_connections_need_are_added_before_others_are_removed(role: str) -> None:
    found = steps(role, ["connection_marks", "policy_routing"])
    assert [(step["module"], step["options"]["purge"]) for step in found] == [
        ("policy_routing", False),
        ("connection_marks", True),
        ("policy_routing", True),
    ]
    # Check mode would show them twice.
    assert EARLY not in [step["name"] for step in steps(role, MODULES, check_mode=True)]


@pytest.mark.parametrize("role", ["isp_firewall", "multihomed_web"])
def test_marks_are_removed_with_the_last_rule_by_mark(role: str) -> None:
    routing, removal = steps(role, ["policy_routing"], without_marks())
    assert removal["after"] == {"step": routing["name"], "did": "removed_mark_rules"}
    expected = {"marks": [], "balance": [], "backend": "nftables", **OWNER}
    assert (removal["module"], removal["options"]) == ("connection_marks", expected)
    assert "connection_marks" not in modules(steps(role, ["policy_routing"]))
    assert "connection_marks" not in modules(steps(role, ["ip_aliases"], without_marks()))


@pytest.mark.parametrize(
    ("how", "purge", "kept", "after"),
    [
        ({}, True, True, True),
        # Connections were given the addresses: they stay until the new ones are used.
        ({"balancing": True}, False, True, False),
        # Predicted in one step.
        ({"balancing": True, "check_mode": True}, True, False, True),
    ],
)
def test_addresses_that_connections_use_are_kept_meanwhile(
    how: dict[str, Any], purge: bool, kept: bool, after: bool
) -> None:
    first, last = steps("multihomed_web", ["ip_aliases"], **how)
    assert (first["options"]["purge"], first["options"]["keep_moved"]) == (purge, kept)
    assert (last["options"]["purge"], "after" in last) == (True, after)


def test_without_purge_no_address_is_removed() -> None:
    plan = {**PLAN, "ip_aliases": {**PLAN["ip_aliases"], "purge": False}}
    assert modules(steps("multihomed_web", ["ip_aliases"], plan, balancing=True)) == ["ip_aliases"]


@pytest.mark.parametrize("role", ["isp_firewall", "multihomed_web"])
def test_the_program_that_restores_is_installed_first_and_does_not_count(role: str) -> None:
    first, *others = steps(role, SERVER, protect=True)
    assert (first["module"], first["options"], first["counts"]) == ("commit_confirm", {"state": "present"}, False)
    assert others == steps(role, SERVER)


@pytest.mark.parametrize("role", ["isp_firewall", "multihomed_web"])
def test_lines_that_are_not_available_are_named_once(role: str) -> None:
    for warn in (True, False):
        found = steps(role, SERVER, warn=warn)
        warning = [step["options"]["warn_skipped"] for step in found if "warn_skipped" in step["options"]]
        assert warning.count(True) == warn
        assert warning.count(False) >= 2


@pytest.mark.parametrize("role", ["isp_firewall", "multihomed_web"])
def test_each_step_has_a_name_of_its_own(role: str) -> None:
    names = [step["name"] for step in steps(role, SERVER, protect=True, balancing=True)]
    assert len(set(names)) == len(names)
