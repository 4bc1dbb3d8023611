# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps on policy rules: the kernel never takes one rule for another, and no packet is without one meanwhile."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.entries import Entry
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import RequestFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.plan import Action
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Rule
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.rule_identity import (
    collides_on_add,
    indistinct,
    inverse_to_what_stays,
    matches_on_delete,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.rule_sequence import RuleSequence
from hypothesis import assume, given
from hypothesis import strategies as st

from . import hosts
from .fake_kernel import FakeKernel
from .values import OURS

rules = st.builds(Rule.parse, hosts.rules)

NARROW = Rule.parse({"priority": 100, "source": "10.0.0.1", "table": 7})
WIDE = Rule.parse({"priority": 100, "family": "ipv4", "table": 7})
MARKED = Rule.parse({"priority": 100, "family": "ipv4", "mark": 1, "table": 7})
INVERTED = replace(NARROW, invert=True)


@given(rules, rules)
def test_what_the_kernel_takes_for_the_same(standing: Rule, new: Rule) -> None:
    fake = FakeKernel()
    fake.send("add", rtnetlink_encoding.encode_rule(standing, OURS))
    try:
        fake.send("add", rtnetlink_encoding.encode_rule(new, OURS))
        refused = False
    except RequestFailed:
        refused = True
    assert refused == collides_on_add(new, standing)


@given(rules, rules)
def test_what_the_kernel_finds_first(standing: Rule, asked: Rule) -> None:
    fake = FakeKernel()
    fake.send("add", rtnetlink_encoding.encode_rule(standing, OURS))
    try:
        fake.send("remove", rtnetlink_encoding.encode_rule(asked, OURS))
        found = True
    except RequestFailed:
        found = False
    assert found == matches_on_delete(asked, standing)


@given(st.lists(rules, max_size=5))
def test_a_list_without_fault_can_be_added_in_any_order(some: list[Rule]) -> None:
    entries = [Entry(rule, f"rules[{index}]") for index, rule in enumerate(dict.fromkeys(some))]
    assume(not indistinct(entries))
    for order in (entries, entries[::-1]):
        fake = FakeKernel()
        for entry in order:
            fake.send("add", rtnetlink_encoding.encode_rule(entry.object, OURS))


@given(st.lists(rules, min_size=2, max_size=5))
def test_an_entry_with_a_fault_cannot_be_added_behind_the_others(some: list[Rule]) -> None:
    entries = [Entry(rule, f"rules[{index}]") for index, rule in enumerate(dict.fromkeys(some))]
    for fault in indistinct(entries):
        culprit = next(entry for entry in entries if fault.startswith(f"{entry.where}:"))
        assert any(collides_on_add(culprit.object, entry.object) for entry in entries if entry is not culprit)


def steps(standing: list[Rule], *actions: Action[Rule]) -> list[tuple[str, Rule]]:
    made = RuleSequence(standing, [action.object for action in actions if action.op == "remove"])
    return [
        step
        for action in actions
        for step in made.of(action.op, action.object, action.existing.object if action.existing else None)
    ]


def test_the_opposite_of_a_rule_that_stays_is_refused_and_told() -> None:
    [fault] = inverse_to_what_stays([Entry(NARROW, "rules[0] (web)")], [NARROW, INVERTED])
    assert fault == (
        f"rules[0] (web): the kernel cannot tell it from the existing {INVERTED}, which differs only in invert; "
        "give it another priority, or purge"
    )
    assert inverse_to_what_stays([Entry(NARROW, "rules[0]")], [NARROW, WIDE, MARKED]) == []


def test_a_wider_rule_comes_while_a_stand_in_does_the_work_of_the_narrow_one() -> None:
    stand_in = replace(NARROW, priority=99)
    assert steps([NARROW], Action("add", WIDE), Action("remove", NARROW)) == [
        ("add", stand_in),
        ("remove", NARROW),
        ("add", WIDE),
        ("remove", stand_in),
    ]


def test_a_narrow_rule_that_stays_stands_behind_the_wider_one_that_comes() -> None:
    stand_in = replace(NARROW, priority=99)
    assert steps([NARROW], Action("add", WIDE)) == [
        ("add", stand_in),
        ("remove", NARROW),
        ("add", WIDE),
        ("add", NARROW),
        ("remove", stand_in),
    ]


def test_a_rule_put_behind_has_a_stand_in_meanwhile() -> None:
    stand_in = replace(NARROW, priority=99)
    assert RuleSequence([NARROW, MARKED], ()).to_end(NARROW) == [
        ("add", stand_in),
        ("remove", NARROW),
        ("add", NARROW),
        ("remove", stand_in),
    ]


@pytest.mark.parametrize("beside", [MARKED, WIDE], ids=["found for it", "taken for it"])
def test_there_is_no_stand_in_that_would_be_mistaken_for_a_rule_of_the_priority_in_front(beside: Rule) -> None:
    in_front = replace(beside, priority=99)
    assert RuleSequence([in_front, WIDE, MARKED], ()).to_end(WIDE) == [
        ("remove", WIDE),
        ("add", WIDE),
    ]


def test_there_is_no_place_in_front_of_the_first_priority() -> None:
    narrow, wide = replace(NARROW, priority=0), replace(WIDE, priority=0)
    assert steps([narrow], Action("add", wide), Action("remove", narrow)) == [("remove", narrow), ("add", wide)]


def test_a_narrow_rule_steps_behind_the_wide_one_that_goes() -> None:
    assert steps([MARKED, WIDE], Action("remove", WIDE)) == [("remove", MARKED), ("add", MARKED), ("remove", WIDE)]


def test_nothing_is_done_for_rules_that_cannot_be_mistaken() -> None:
    assert steps([NARROW, MARKED], Action("remove", NARROW), Action("remove", MARKED)) == [
        ("remove", NARROW),
        ("remove", MARKED),
    ]


@pytest.mark.parametrize("goes", [NARROW, INVERTED])
def test_an_inverted_rule_takes_the_place_of_its_opposite(goes: Rule) -> None:
    comes = replace(goes, invert=not goes.invert)
    done = steps([goes], Action("add", comes), Action("remove", goes))
    assert done[1:3] == [("remove", goes), ("add", comes)]


@given(st.lists(rules, max_size=4), st.lists(rules, max_size=4))
def test_no_packet_is_without_a_rule_that_stands_before_and_after(before: list[Rule], after: list[Rule]) -> None:
    """What is looked up for a packet that a rule selects before and after is looked up all the time between."""
    fake = FakeKernel()
    there: list[Rule] = []
    for rule in before:
        try:
            fake.send("add", rtnetlink_encoding.encode_rule(rule, OURS))
            there.append(rule)
        except RequestFailed:
            continue
    wanted = [rule for rule in dict.fromkeys(after) if rule not in there]
    actions = [Action("add", rule) for rule in wanted]
    actions += [Action("remove", rule) for rule in there if rule not in after]
    stays = [rule for rule in there if rule in after and rule.priority]
    made = RuleSequence(there, [action.object for action in actions if action.op == "remove"])
    for action in actions:
        for operation, rule in made.of(action.op, action.object, action.existing.object if action.existing else None):
            try:
                fake.send(operation, rtnetlink_encoding.encode_rule(rule, OURS))
            except RequestFailed:
                return  # two of the list that the kernel cannot hold together
            now = [existing.object for existing in fake.snapshot().rules() if existing.owner == OURS]
            assert all(any(covers(other, rule) for other in now) for rule in stays)


def covers(other: Rule, rule: Rule) -> bool:
    """Tell whether ``other`` does for every packet of ``rule`` the same, at its place or just in front of it."""
    return other.priority in (rule.priority, rule.priority - 1) and matches_on_delete(
        replace(other, priority=rule.priority), rule
    )


def test_a_thousand_rules_of_one_priority_take_no_time() -> None:
    def many(table: int) -> list[Rule]:
        base: dict[str, Any] = {"priority": 100, "table": table}
        return [Rule.parse({**base, "source": f"10.0.{n // 250}.{n % 250}"}) for n in range(1000)]

    begin = time.process_time()
    old, new = many(7), many(8)
    assert not indistinct([Entry(rule, "") for rule in new])
    assert len(steps(old, *(Action("add", rule) for rule in new), *(Action("remove", rule) for rule in old))) == 2000
    assert time.process_time() - begin < 5
