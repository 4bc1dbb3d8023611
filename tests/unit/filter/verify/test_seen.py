# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host outside asks before and after a change: what is lost, and what nobody knows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS

WEB_A: dict[str, Any] = {
    "name": "web",
    "line": "unicom",
    "address": "203.0.113.10",
    "port": 80,
    "protocol": "tcp",
    "timeout": 3,
}
WEB_B: dict[str, Any] = {**WEB_A, "line": "interlink", "address": "2001:DB8:b::20"}
BOTH = [WEB_A, WEB_B]
SHOWN_A = "web by line unicom (203.0.113.10, port 80/tcp)"
SHOWN_B = "web by line interlink (2001:DB8:b::20, port 80/tcp)"
UNREACHABLE = {"unreachable": True, "msg": "Connection\ntimed out"}
SKIPPED = {"skipped": True, "changed": False}


def rows(*ok: dict[str, Any]) -> dict[str, Any]:
    """A result in which these targets answered; rows have addresses in canonical form."""
    found = [{**target, "address": target["address"].lower(), "ok": target in ok} for target in BOTH]
    return {"rows": found, "msg": "1 of 2 targets did not answer"}


def seen(before: object, after: object, targets: list[dict[str, Any]] | None = None) -> Any:
    """The comparison."""
    return FILTERS["services_seen"](BOTH if targets is None else targets, "client1", before, after)


def test_all_answer_as_before() -> None:
    assert seen(rows(*BOTH), rows(*BOTH)) == {"lost": [], "unseen": []}


def test_one_that_does_not_answer_any_more_is_lost() -> None:
    found = seen(rows(*BOTH), rows(WEB_B))
    assert found["lost"] == [f"client1 had an answer before the change, and has none after it: {SHOWN_A}"]
    assert found["unseen"] == []


def test_one_that_is_listed_twice_answers_if_one_of_its_rows_does() -> None:
    twice = {"rows": [*rows(WEB_B)["rows"], *rows(WEB_A)["rows"]]}
    assert seen(rows(*BOTH), twice)["lost"] == []
    assert seen(twice, rows(WEB_B))["lost"] != []


@pytest.mark.parametrize(
    ("before", "twice"),
    [((), BOTH), ((rows(*BOTH),), BOTH), ((rows(WEB_B),), [WEB_B]), ((UNREACHABLE,), []), (({},), [])],
)
def test_only_who_answered_before_is_asked_twice(before: tuple[object, ...], twice: list[dict[str, Any]]) -> None:
    asked = FILTERS["with_second_attempts"](BOTH, *before)
    assert asked == [{**target, "attempts": 2} if target in twice else target for target in BOTH]


def test_one_that_never_answered_is_named() -> None:
    found = seen(rows(WEB_A), rows(WEB_A))
    assert found["lost"] == []
    assert found["unseen"] == [f"client1 has no answer, and had none before the change: {SHOWN_B}"]


@pytest.mark.parametrize(("before", "why"), [(UNREACHABLE, " (Connection timed out)"), (SKIPPED, ""), ({}, "")])
def test_who_could_not_ask_before_the_change_proves_only_what_answers_after_it(before: object, why: str) -> None:
    found = seen(before, rows(WEB_A))
    assert found["lost"] == []
    assert found["unseen"] == [
        f"client1 could not be asked before the change{why}",
        f"client1 has no answer, and whether it had one before the change is not known: {SHOWN_B}",
    ]


def test_who_can_ask_no_more_after_the_change_has_lost_what_answered() -> None:
    found = seen(rows(WEB_A), UNREACHABLE)
    assert found["lost"] == ["client1 could ask before the change, and cannot after it (Connection timed out)"]
    # Where nothing answered before, nothing is lost, and that is said.
    assert seen(rows(), UNREACHABLE)["unseen"] == [
        "client1 could ask before the change, and cannot after it (Connection timed out)"
    ]


def test_who_could_never_ask_names_all() -> None:
    found = seen(UNREACHABLE, UNREACHABLE)
    assert found["lost"] == []
    assert found["unseen"] == [f"client1 could not be asked (Connection timed out): {SHOWN_A}, {SHOWN_B}"]


def test_without_targets_there_is_nothing_to_see() -> None:
    assert seen(UNREACHABLE, UNREACHABLE, []) == {"lost": [], "unseen": []}
