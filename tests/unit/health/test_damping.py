# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a line has to prove itself after it went down."""

from __future__ import annotations

from ansible_collections.multihome.linux.plugins.module_utils._core.health.damping import FORGIVEN_AFTER, Damping
from hypothesis import given
from hypothesis import strategies as st


def flap(damping: Damping, now: float) -> float:
    damping.went_up(now)
    damping.went_down(now + 1)
    return damping.hold


def test_the_hold_time_doubles_up_to_ten_minutes() -> None:
    damping = Damping(10)
    assert damping.hold == 10
    assert [flap(damping, number * 10) for number in range(9)] == [10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_one_step_is_forgiven_for_each_ten_minutes_up() -> None:
    damping = Damping(10)
    for number in range(20):
        flap(damping, number * 10)
    assert damping.hold == 600
    damping.went_up(1000)
    holds = []
    for step in range(1, 8):
        damping.advance(1000 + step * FORGIVEN_AFTER)
        holds.append(damping.hold)
    assert holds == [320, 160, 80, 40, 20, 10, 10]


def test_time_that_is_not_in_one_piece_forgives_nothing() -> None:
    damping = Damping(10)
    for number in range(3):
        flap(damping, number * 10)
    damping.went_up(100)
    damping.went_down(100 + FORGIVEN_AFTER - 1)
    assert damping.steps == 4


@given(st.floats(0, 600), st.lists(st.tuples(st.floats(0, 2000), st.floats(0, 2000))))
def test_the_hold_time_stays_within_its_limits(up_after: float, flaps: list[tuple[float, float]]) -> None:
    damping, now = Damping(up_after), 0.0
    for up, down in flaps:
        damping.went_up(now)
        now += up
        damping.went_down(now)
        now += down
        assert up_after <= damping.hold <= 600
        assert damping.steps >= 0
