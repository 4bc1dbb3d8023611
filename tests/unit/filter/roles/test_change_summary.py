# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment says that it changed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS


def said(what: str, *operations: str, **result: Any) -> str:
    """What is said of one host on which a module did these operations."""
    actions = [{"op": op, "object": {"name": "x"}} for op in operations]
    found = {"changed": bool(actions), "actions": actions, **result}
    (line,) = FILTERS["change_summary"](["web1"], {"web1": {"done": found}}, {"done": what})
    return str(line)


@pytest.mark.parametrize(
    ("what", "one"),
    [
        ("kernel parameters", "kernel parameter"),
        ("addresses", "address"),
        ("routes and rules", "route or rule"),
        ("packages", "package"),
        ("settings of systemd-networkd", "setting of systemd-networkd"),
        ("status bits", "status bit"),
    ],
)
def test_one_thing_is_not_called_many(what: str, one: str) -> None:
    assert said(what, "add") == f"web1: 1 {one} added"
    assert said(what, "add", "add") == f"web1: 2 {what} added"
    assert said(what, "add", "remove", "add") == f"web1: 2 {what} added, 1 {one} removed"


def test_what_says_nothing_of_its_actions_has_changed_all_the_same() -> None:
    assert said("packages", changed=True) == "web1: packages changed"
    assert said("packages") == "web1: unchanged"


CHECKS = {"checked": "executed"}


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "not checked: the tags leave it out"),
        ({"checked": {"pending": ["keeper"]}}, "only checked: the tags leave out the changes of keeper"),
        ({"checked": {"pending": ["keeper"]}, "executed": ["keeper"]}, "unchanged"),
        ({"checked": {"pending": []}}, "unchanged"),
        ({"checked": {"skipped": True}}, "unchanged"),
        ({"done": {"changed": True}}, "addresses changed"),
    ],
)
def test_a_host_that_tags_leave_out_is_not_called_unchanged(variables: dict[str, object], text: str) -> None:
    (line,) = FILTERS["change_summary"](["web1"], {"web1": variables}, {"done": "addresses"}, CHECKS)
    assert line == f"web1: {text}"


def test_what_was_confirmed_without_a_proof_is_named() -> None:
    host = {"__common_confirmed_found": {"unproven": ["client1 could not be asked"]}}
    assert FILTERS["change_summary"](["web1"], {"web1": host}, {}) == [
        "web1: unchanged; not proven: client1 could not be asked"
    ]
    proven: dict[str, Any] = {"__common_confirmed_found": {"unproven": []}}
    assert FILTERS["change_summary"](["web1"], {"web1": proven}, {}) == ["web1: unchanged"]


def test_the_steps_of_a_role_are_counted_by_their_modules() -> None:
    added = [{"op": "add", "object": {"name": "x"}}]
    results = [
        {"module": "commit_confirm", "changed": False},
        {"module": "ip_aliases", "changed": True, "actions": added * 2},
        {"module": "keeper", "skipped": True},
        {"module": "policy_routing", "changed": True, "actions": added},
    ]
    subjects = {"ip_aliases": "addresses", "keeper": "keeper", "policy_routing": "routes and rules"}
    for done, text in (({"results": results}, "2 addresses added, 1 route or rule added"), ({}, "unchanged")):
        (line,) = FILTERS["change_summary"](["web1"], {"web1": {"done": done}}, {"done": subjects})
        assert line == f"web1: {text}"
