# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of a line: what leads from one to the next, and what must not."""

from __future__ import annotations

import random
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import (
    BLOCKED,
    CARRYING,
    DOWN,
    RECOVERING,
    STATES,
    SUSPECT,
    UNKNOWN,
    UNREACHABLE,
    UP,
    Judge,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import Health
from ansible_collections.multihome.linux.tests.unit.health.simulation import TARGETS
from hypothesis import given
from hypothesis import strategies as st

START = 1000.0


class Driven:
    """A judge with a clock that the test sets forward, asked and answered at the pace of the loop."""

    def __init__(self, targets: int = 3, **settings: Any) -> None:
        self.targets = targets
        self.judge = Judge(Health.parse({"targets": TARGETS[4][:targets], **settings}), targets, START)
        self.now = START
        self.states = [UNKNOWN]

    def live(
        self, seconds: float, answers: bool = True, targets: tuple[int, ...] = (0, 1, 2), alone: bool = False
    ) -> str:
        """Probe six times a second, thirty times while it is quiet; return the state then."""
        end = self.now + seconds
        target = 0
        while self.now < end:
            self.judge.advance(self.now, alone)
            self._note()
            if self.judge.can_ask and self.targets:
                target = (target + 1) % self.targets
                self.judge.sent(self.now, target)
                if answers and target in targets:
                    self.judge.answered(self.now + 0.01, target, 0.01)
            self._note()
            self.now += 1 / 30 if self.judge.is_quiet(self.now) else 1 / 6
        self.judge.advance(self.now, alone)
        self._note()
        return self.judge.state

    def _note(self) -> None:
        if self.judge.state != self.states[-1]:
            self.states.append(self.judge.state)


def test_the_way_of_a_line_that_dies_and_comes_back() -> None:
    line = Driven()
    assert line.live(5) == UP
    assert line.live(1.5, answers=False) == DOWN
    assert line.judge.reason == "no answer for 1.2 s"
    assert line.live(9) == RECOVERING
    assert line.live(3) == UP
    assert line.states == [UNKNOWN, UP, SUSPECT, DOWN, RECOVERING, UP]


def test_an_answer_ends_a_suspicion() -> None:
    line = Driven()
    line.live(5)
    assert line.live(0.9, answers=False) == SUSPECT
    assert line.live(0.1) == UP
    assert DOWN not in line.states


def test_a_line_that_never_answers_goes_from_unknown_to_down() -> None:
    line = Driven()
    assert line.live(1.0, answers=False) == UNKNOWN
    assert line.live(0.6, answers=False) == DOWN
    assert line.judge.damping.steps == 0


def test_nothing_is_judged_before_a_probe_was_sent() -> None:
    judge = Judge(Health.parse({"targets": TARGETS[4]}), 3, START)
    judge.advance(START + 3600)
    assert (judge.state, judge.silence(START + 3600)) == (UNKNOWN, 0)


@pytest.mark.parametrize("unanswered", [7, 8])
def test_eight_probes_have_to_be_unanswered(unanswered: int) -> None:
    line = Driven()
    line.live(5)
    for number in range(unanswered):
        line.judge.sent(line.now, number % 3)
    line.judge.advance(line.now + 60)
    assert (line.judge.state == DOWN) is (unanswered == 8)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_late_loop_starts_the_silence_again(restarted: bool) -> None:
    """Stopped for ten seconds, the loop has heard nothing: that says nothing of the line."""
    line = Driven()
    line.live(5)
    for number in range(10):
        line.judge.sent(line.now, number % 3)
    line.now += 10
    if restarted:
        line.judge.restart(line.now)
    line.judge.advance(line.now)
    # Without the restart, as a control, it is a verdict.
    assert line.judge.state == (UP if restarted else DOWN)
    if restarted:
        assert line.live(1.0, answers=False) == SUSPECT
        assert line.live(0.5, answers=False) == DOWN


def test_a_quorum_of_two_needs_two() -> None:
    line = Driven(quorum=2)
    assert line.live(5, targets=(0,)) == DOWN
    assert line.live(12, targets=(0, 2)) == UP
    assert line.live(2, targets=(2,)) == DOWN


def test_a_dead_target_says_nothing_while_the_quorum_answers() -> None:
    line = Driven()
    assert line.live(60, targets=(1,)) == UP
    assert line.states == [UNKNOWN, UP]


def test_a_lost_carrier_is_down_at_once_and_no_probe_is_sent() -> None:
    line = Driven()
    line.live(5)
    line.judge.carrier(line.now, present=False)
    assert (line.judge.state, line.judge.reason, line.judge.can_ask) == (DOWN, "no carrier", False)
    line.judge.carrier(line.now + 5, present=True)
    line.now += 5
    assert line.judge.state == DOWN
    assert line.live(1) == RECOVERING


def test_an_answer_while_the_carrier_is_gone_changes_nothing() -> None:
    line = Driven()
    line.live(5)
    line.judge.carrier(line.now, present=False)
    line.judge.answered(line.now + 0.01, 0, 0.01)
    assert line.judge.state == DOWN


def test_a_line_without_address_is_down_and_never_an_error() -> None:
    line = Driven()
    line.live(5)
    line.judge.address(line.now, present=False)
    assert (line.judge.state, line.judge.reason) == (DOWN, "no address")
    line.judge.address(line.now + 1, present=True)
    line.now += 1
    assert line.live(1) == RECOVERING


def test_another_address_starts_the_silence_again() -> None:
    line = Driven()
    line.live(5)
    line.live(1.0, answers=False)
    line.judge.address(line.now, present=True)
    assert line.live(1.0, answers=False) == SUSPECT


def test_blocked_probes_are_an_alarm_and_the_line_stays_usable() -> None:
    line = Driven()
    line.live(5)
    for number in range(30):
        line.now += 0.1
        line.judge.failed(line.now, number % 3, BLOCKED)
        line.judge.advance(line.now)
    assert line.judge.state == UNKNOWN
    assert "packet filter of this host" in line.judge.alarm
    line.live(1)
    assert (line.judge.state, line.judge.alarm) == (UP, "")


def test_a_dead_line_whose_probes_are_blocked_too_stays_out_of_use() -> None:
    line = Driven()
    line.live(5)
    line.judge.carrier(line.now, False)
    line.judge.carrier(line.now, True)
    assert line.judge.state == DOWN
    for number in range(30):
        line.now += 0.1
        line.judge.failed(line.now, number % 3, BLOCKED)
        line.judge.advance(line.now)
    assert line.judge.state == DOWN
    assert "packet filter of this host" in line.judge.alarm
    line.live(1)
    assert (line.judge.state, line.judge.alarm) == (RECOVERING, "")


def test_without_targets_nothing_could_end_that_a_line_is_degraded() -> None:
    known = {"state": UP, "age": 1.0, "steps": 0, "degraded": True}
    for targets, degraded in ((1, True), (0, False)):
        judge = Judge(Health(), targets, 0.0)
        judge.resume(0.0, known)
        assert judge.quality.degraded == degraded


def test_one_blocked_target_is_no_alarm() -> None:
    line = Driven()
    line.live(5)
    line.judge.failed(line.now, 1, BLOCKED)
    assert (line.judge.state, line.judge.alarm) == (UP, "")


def test_no_way_there_is_down_after_three_attempts() -> None:
    line = Driven()
    line.live(5)
    states = []
    for number in range(3):
        line.judge.failed(line.now, number, UNREACHABLE)
        states.append(line.judge.state)
    assert states == [UP, UP, DOWN]
    assert line.live(1) == RECOVERING


def test_a_route_that_is_being_replaced_is_no_verdict() -> None:
    line = Driven(targets=1)
    line.live(5, targets=(0,))
    line.judge.failed(line.now, 0, UNREACHABLE)
    line.judge.failed(line.now, 0, UNREACHABLE)
    line.judge.sent(line.now, 0)
    line.judge.failed(line.now, 0, UNREACHABLE)
    assert line.judge.state == UP


def test_full_buffers_are_no_evidence() -> None:
    line = Driven()
    line.live(5)
    for number in range(100):
        line.now += 0.1
        line.judge.failed(line.now, number % 3, None)
        line.judge.advance(line.now)
    # Silent for ten seconds, but nothing was asked.
    assert line.judge.state in CARRYING


def test_a_line_that_recovers_has_to_answer_nine_of_ten() -> None:
    line = Driven()
    line.live(5)
    line.live(2, answers=False)
    chance = random.Random(1)
    end = line.now + 60
    while line.now < end:
        line.judge.advance(line.now)
        line.judge.sent(line.now, 0)
        if chance.random() < 0.7:
            line.judge.answered(line.now + 0.01, 0, 0.01)
        line.now += 1 / 6
    assert line.judge.state == RECOVERING
    assert line.live(12) == UP


def test_a_line_that_recovers_alone_does_not_wait() -> None:
    line = Driven()
    line.live(5)
    line.live(2, answers=False)
    assert line.live(0.5, alone=True) == UP


def test_a_line_that_flaps_waits_longer_each_time() -> None:
    line, waits = Driven(), []
    line.live(5)
    for _flap in range(8):
        line.live(2, answers=False)
        begin = line.now
        while line.live(1) != UP:
            assert line.now < begin + 700
        waits.append(round(line.now - begin))
    assert [round(wait / 10) for wait in waits[:6]] == [1, 2, 4, 8, 16, 32]
    assert all(600 <= wait <= 605 for wait in waits[6:])


def test_going_down_while_recovering_is_no_further_flap() -> None:
    line = Driven()
    line.live(5)
    for _attempt in range(5):
        line.live(2, answers=False)
        line.live(2)
    assert line.judge.damping.steps == 1


def test_without_targets_carrier_and_gateway_decide() -> None:
    line = Driven(0)
    assert line.live(5) == UNKNOWN
    line.judge.carrier(line.now, present=True)
    assert line.live(0.2) == UP
    line.judge.gateway(line.now, reachable=False)
    assert (line.judge.state, line.judge.reason) == (DOWN, "the gateway does not answer")
    line.judge.gateway(line.now, reachable=True)
    assert line.live(5) == RECOVERING
    assert line.live(6) == UP
    line.judge.carrier(line.now, present=False)
    assert line.judge.state == DOWN


def test_with_targets_the_gateway_is_only_a_hint() -> None:
    line = Driven()
    line.judge.gateway(line.now, reachable=True)
    line.judge.advance(line.now)
    assert line.judge.state == UNKNOWN
    line.live(5)
    line.judge.gateway(line.now, reachable=False)
    assert line.judge.is_quiet(line.now)
    assert line.live(5) == UP


@pytest.mark.parametrize("state", STATES)
def test_a_new_run_resumes(state: str) -> None:
    old = Driven()
    if state != UNKNOWN:
        old.live(5)
        old.live({UP: 0.0, SUSPECT: 0.8}.get(state, 2), answers=False)
        old.live(1 if state == RECOVERING else 0)
    assert old.judge.state == state
    known = old.judge.remember(old.now)
    new = Judge(Health.parse({"targets": TARGETS[4]}), 3, 50.0)
    new.resume(50.0, known, passed=3.0)
    assert new.state == (UP if state == SUSPECT else state)
    assert new.damping.steps == old.judge.damping.steps
    if state == DOWN:
        assert new.since == pytest.approx(47.0 - (old.now - old.judge.since), abs=0.01)


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"state": "drained", "age": 1, "steps": 0},
        {"state": "up", "age": None, "steps": 0},
        {"state": "up", "age": float("nan"), "steps": 0},
        {"state": "up", "age": 1, "steps": True},
    ],
)
def test_what_makes_no_sense_is_not_resumed(known: dict[str, Any]) -> None:
    judge = Judge(Health(), 0, START)
    judge.resume(START, known)
    assert judge.state == UNKNOWN


_EVENTS = st.one_of(
    st.tuples(st.just("pause"), st.floats(0.001, 30)),
    st.tuples(st.sampled_from(["sent", "answered"]), st.integers(0, 2)),
    st.tuples(st.just("failed"), st.tuples(st.integers(0, 2), st.sampled_from([BLOCKED, UNREACHABLE, None]))),
    st.tuples(st.sampled_from(["carrier", "gateway"]), st.sampled_from([True, False, None])),
    st.tuples(st.just("address"), st.booleans()),
    st.tuples(st.just("restart"), st.none()),
)


@given(st.lists(_EVENTS, max_size=120), st.integers(1, 3))
def test_whatever_happens_the_states_make_sense(events: list[tuple[str, Any]], quorum: int) -> None:
    judge = Judge(Health.parse({"targets": TARGETS[4], "quorum": quorum}), 3, START)
    now = START
    for name, value in events:
        before = judge.state
        if name == "pause":
            now += value
        elif name == "sent":
            judge.sent(now, value)
        elif name == "answered":
            judge.answered(now, value, 0.01)
            # An answer never makes a line worse.
            assert not (before in CARRYING and judge.state not in CARRYING)
        elif name == "failed":
            judge.failed(now, *value)
        elif name == "restart":
            judge.restart(now)
        else:
            getattr(judge, name)(now, value)
        between = judge.state
        judge.advance(now)
        assert judge.state in STATES
        assert START <= judge.since <= now
        assert judge.next_time(now) > now
        assert 10 <= judge.damping.hold <= 600
        if judge.state != between and judge.state == DOWN:
            assert judge.silence(now) >= 1.2
        if not judge.can_ask:
            assert judge.state == DOWN
