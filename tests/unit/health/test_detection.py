# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon a dead line is found, and how often a living one is taken for dead: in simulated time, with seeds."""

from __future__ import annotations

import itertools
import random
import statistics
from unittest.mock import patch

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health import line_state, probe_schedule
from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import DOWN, RECOVERING, UP
from ansible_collections.multihome.linux.plugins.module_utils._core.health.probe_schedule import Watch
from ansible_collections.multihome.linux.tests.unit.health.simulation import Network, Simulation, detection, line

DEATHS = 100
DAY = 86400.0


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """The median and the 99th of a hundred."""
    ordered = sorted(seconds)
    return statistics.median(ordered), ordered[int(len(ordered) * 0.99) - 1]


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.2])
@pytest.mark.parametrize("family", [4, 6])
def test_a_black_hole_is_found_in_time(family: int, loss: float) -> None:
    middle, late = percentiles([detection(seed, family, loss) for seed in range(DEATHS)])
    assert middle <= 1.2
    assert late <= 1.5


@pytest.mark.parametrize("targets", [1, 2, 3])
def test_jitter_of_200_ms_hardly_matters(targets: int) -> None:
    """Delay of 30 to 430 ms, as netem makes it of 230 ms and 200 ms; 0.2 s of it are on the way back."""
    middle, late = percentiles([detection(seed, jitter=0.4, targets=targets) for seed in range(DEATHS)])
    assert middle <= 1.3
    assert late <= 1.5


def day(seed: int, seconds: float = DAY, loss: float = 0.1) -> Simulation:
    run = Simulation(Watch(line(), 4, 1000.0, random.Random(seed).random()), Network(seed, loss=loss, jitter=0.4))
    run.run(1000.0 + seconds)
    return run


def test_no_false_verdict_in_a_day_of_ten_percent_loss_and_jitter() -> None:
    run = day(1)
    assert run.times(DOWN) == []
    assert [degraded for _time, degraded in run.degraded] == [False]
    # And that at a price of no more than seven probes a second.
    assert 5.9 < run.sent / DAY < 7.0


def test_it_is_the_faster_pace_that_tells_loss_from_death() -> None:
    assert day(1, DAY / 8, loss=0.3).times(DOWN) == []
    with patch.object(probe_schedule, "FAST_SHARE", 1.0), patch.object(line_state, "PROBES_TO_JUDGE", 4):
        assert len(day(1, DAY / 8, loss=0.3).times(DOWN)) > 0


def test_control_of_a_judge_that_does_not_wait() -> None:
    with patch.object(line_state.Judge, "_is_silent", lambda self, now: now - self.silent_since > 0.6):
        assert len(day(1, DAY / 8).times(DOWN)) > 0


def test_a_line_that_heals_is_up_after_the_hold_time_or_at_once_when_alone() -> None:
    for alone, expected in ((False, 10.0), (True, 0.0)):
        network = Network(3, loss=0.02, death=1010.0, revival=1040.0)
        run = Simulation(Watch(line(), 4, 1000.0, random.Random(3).random()), network, alone)
        run.run(1100.0)
        [down], [recovering] = run.times(DOWN), run.times(RECOVERING)
        assert 1011.0 < down < 1011.5
        assert 1040.0 < recovering < 1040.3
        assert run.times(UP)[-1] - recovering == pytest.approx(expected, abs=1.2)


def test_a_dead_line_is_not_asked_faster_for_ever() -> None:
    run = Simulation(Watch(line(), 4, 1000.0, random.Random(3).random()), Network(3, death=1001.0))
    run.run(1005.0)
    before = run.sent
    run.run(1105.0)
    assert 5.5 < (run.sent - before) / 100 < 6.5


def test_probes_are_staggered() -> None:
    watched = Watch(line(), 4, 1000.0, random.Random(1).random())
    times: list[float] = []
    now = 1000.0
    while now < 4600.0:
        watched.judge.advance(now)
        for target in watched.due(now):
            times.append(now)
            watched.sent(now, target)
            watched.judge.answered(now + 0.001, target, 0.001)
        now = watched.next_time(now + 0.002)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) > 0.06
    assert max(gaps) < 0.27
    assert statistics.mean(gaps) == pytest.approx(0.5 / 3, abs=0.01)


def test_probing_begins_staggered_when_the_carrier_is_back() -> None:
    watched = Watch(line(), 4, 1000.0, random.Random(1).random())
    watched.judge.carrier(1001.0, present=False)
    assert watched.due(1001.0) == []
    assert watched.next_time(1001.0) == float("inf")
    watched.judge.carrier(1002.0, present=True)
    watched.restart(1002.0)
    assert watched.due(1002.0) == [0]


def test_lines_of_one_phase_are_asked_at_the_same_moments() -> None:
    watches = [Watch(line(family), family, 1000.0, 0.25) for family in (4, 6)]
    times: list[list[float]] = [[], []]
    for watched, asked in zip(watches, times, strict=True):
        now = 1000.0
        while now < 1010.0:
            watched.judge.advance(now)
            for target in watched.due(now):
                asked.append(now)
                watched.sent(now, target)
                watched.judge.answered(now + 0.001, target, 0.001)
            now = watched.next_time(now + 0.002)
    assert times[0] == pytest.approx(times[1])
    assert len(times[0]) > 50
