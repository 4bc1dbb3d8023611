# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often is an object put back that somebody removes again and again?"""

from __future__ import annotations

import itertools

from ansible_collections.multihome.linux.plugins.module_utils._core.keeper import backoff
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.backoff import BURST, LONGEST, Backoff
from hypothesis import given
from hypothesis import strategies as st

RULE = "IPv4 rule 23010"


def put_back_by_a_loop(until: float, every: float = 0.1) -> list[float]:
    """The times at which an object is put back that is removed every so many seconds."""
    backoff, times = Backoff(), []
    for step in range(round(until / every)):
        now = step * every
        backoff.expire(now)
        if backoff.is_due(RULE, now):
            backoff.repaired(RULE, now)
            times.append(now)
    return times


def test_an_object_removed_now_and_then_is_restored_at_once() -> None:
    damped = Backoff()
    for number in range(100):
        assert damped.is_due(RULE, number * backoff.REFILL)
        assert damped.repaired(RULE, number * backoff.REFILL) == 0
    assert damped.delayed() == {}


def test_repairs_back_off_twice_as_long_each_time() -> None:
    times = put_back_by_a_loop(2 * 3600.0)
    pauses = [round(later - earlier) for earlier, later in itertools.pairwise(times)]
    burst = pauses.index(1)
    assert BURST <= burst <= BURST + 1
    assert pauses[burst : burst + 9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert set(pauses[burst + 9 :]) == {int(LONGEST)}
    assert len(times) < 45


def test_one_that_is_damped_does_not_hold_up_another() -> None:
    damped = Backoff()
    for _attempt in range(BURST + 1):
        damped.repaired(RULE, 0.0)
    assert not damped.is_due(RULE, 0.5)
    assert damped.is_due("IPv4 rule 23020", 0.5)
    assert damped.delayed() == {RULE: (BURST + 1, backoff.SHORTEST)}
    assert damped.next_time(0.5) == backoff.SHORTEST
    assert damped.next_time(backoff.SHORTEST) is None


def test_an_object_in_place_for_long_is_no_longer_delayed() -> None:
    damped = Backoff()
    for _attempt in range(BURST + 1):
        damped.repaired(RULE, 0.0)
    assert damped.expire(2 * backoff.SHORTEST + backoff.QUIET) == []
    assert damped.expire(2 * backoff.SHORTEST + backoff.QUIET + 0.1) == [RULE]
    assert damped.delayed() == {}
    assert damped.repaired(RULE, 100.0) == 0


@given(st.lists(st.floats(0.01, 1000), max_size=200))
def test_nothing_stays_away_for_ever(pauses: list[float]) -> None:
    damped, now = Backoff(), 0.0
    for pause in pauses:
        now += pause
        delay = damped.repaired(RULE, now)
        assert 0 <= delay <= LONGEST
        assert damped.is_due(RULE, now + LONGEST)
