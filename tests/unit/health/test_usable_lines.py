# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines may carry traffic: the last usable one is never removed."""

from __future__ import annotations

from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import (
    CARRYING,
    DOWN,
    RECOVERING,
    STATES,
    SUSPECT,
    UNKNOWN,
    UP,
    LineHealth,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.health.usable_lines import drain_fault, usable
from hypothesis import given
from hypothesis import strategies as st


def health(name: str, state: str, degraded: bool = False, drained: bool = False, family: int = 4) -> LineHealth:
    return LineHealth(name, family, state, "", 0.0, degraded=degraded, drained=drained)


def test_what_is_up_unknown_or_only_suspect_is_usable() -> None:
    lines = [health(state, state) for state in STATES]
    assert usable(lines).lines == (UNKNOWN, UP, SUSPECT)


def test_degraded_lines_come_last() -> None:
    found = usable([health("a", UP, degraded=True), health("b", UNKNOWN), health("c", UP)])
    assert found.lines == ("b", "c", "a")
    assert found.degraded == {"a"}


def test_drained_lines_are_left_out() -> None:
    assert usable([health("a", UP, drained=True), health("b", UP)]).lines == ("b",)


def test_when_all_are_down_it_is_as_it_was_and_an_alarm() -> None:
    found = usable([health("a", DOWN), health("b", RECOVERING)], before=("b",))
    assert found.lines == ("b",)
    assert found.alarm
    assert usable([health("a", DOWN), health("b", DOWN)]).lines == ("a", "b")


def test_a_drained_line_is_used_only_when_it_was_and_nothing_else_is_known() -> None:
    lines = [health("a", DOWN), health("b", UP, drained=True)]
    assert usable(lines, before=("a",)).lines == ("a",)
    assert usable(lines, before=("a", "b")).lines == ("a",)
    assert usable(lines, before=("b",)).lines == ("b",)


def test_the_last_usable_line_cannot_be_drained() -> None:
    lines = [health("a", UP), health("b", DOWN), health("a", UP, family=6), health("b", UP, family=6)]
    assert "a is the last usable line for IPv4" in drain_fault("a", lines)
    assert drain_fault("b", lines) == ""
    assert drain_fault("a", [*lines, health("c", UNKNOWN)]) == ""
    assert drain_fault("z", lines) == 'no line is called "z"'


_LINES = st.lists(
    st.builds(health, st.sampled_from("abcd"), st.sampled_from(STATES), st.booleans(), st.booleans()),
    min_size=1,
    max_size=4,
    unique_by=lambda each: each.line,
)


@given(_LINES, st.lists(st.sampled_from("abcd"), unique=True, max_size=4))
def test_there_is_always_a_line_and_never_a_worse_one_than_needed(lines: list[LineHealth], before: list[str]) -> None:
    found = usable(lines, before)
    assert found.lines
    assert len(set(found.lines)) == len(found.lines)
    good = {each.line for each in lines if each.state in CARRYING and not each.drained}
    if good:
        assert set(found.lines) == good
        assert not found.alarm
    else:
        assert found.alarm
