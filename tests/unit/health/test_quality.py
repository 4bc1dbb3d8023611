# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a line is degraded: loss and latency over half a minute, and over a minute when that is over."""

from __future__ import annotations

import random

from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import Degraded
from ansible_collections.multihome.linux.plugins.module_utils._core.health.quality import LONG, SHORT, Quality
from hypothesis import given
from hypothesis import strategies as st


def feed(
    quality: Quality, begin: float, seconds: float, loss: float, rtt: float = 0.05, targets: int = 3
) -> list[float]:
    """Probe at six a second; return when it got degraded or was not any more. Every n-th probe is lost."""
    changes, budget = [], 0.0
    for step in range(round(seconds * 6)):
        now = begin + step / 6
        if quality.advance(now):
            changes.append(now - begin)
        quality.sent(now, step % targets)
        budget += loss
        if budget >= 1:
            budget -= 1
        else:
            quality.answered(now + rtt, step % targets, rtt)
    return changes


def quality(loss: float = 25, rtt: float = 500) -> Quality:
    return Quality(3, Degraded(loss, rtt), 100.0)


def test_a_quarter_of_loss_degrades_and_the_figures_say_how_much() -> None:
    judged = quality()
    [at] = feed(judged, 100.0, 60, 0.3)
    assert judged.degraded
    assert SHORT <= at <= SHORT + 4
    figures = judged.figures()
    assert figures.loss is not None
    assert abs(figures.loss - 0.3) < 0.02
    assert figures.rtt is not None
    assert abs(figures.rtt - 0.05) < 1e-6


def test_less_than_a_quarter_does_not_and_between_the_limits_nothing_changes() -> None:
    judged = quality()
    assert feed(judged, 100.0, 120, 0.2) == []
    assert len(feed(judged, 220.0, 60, 0.4)) == 1
    assert feed(judged, 280.0, 120, 0.2) == []
    assert judged.degraded


def test_it_is_over_when_a_whole_minute_was_good() -> None:
    judged = quality()
    feed(judged, 100.0, 60, 0.5)
    [at] = feed(judged, 160.0, 120, 0.0)
    assert not judged.degraded
    # At a loss of 50 % before, 70 % of the minute have to be good.
    assert 0.7 * LONG - 1 <= at <= LONG + 4


def test_latency_degrades_likewise() -> None:
    judged = quality(rtt=200)
    assert len(feed(judged, 100.0, 60, 0.0, rtt=0.25)) == 1
    assert feed(judged, 160.0, 120, 0.0, rtt=0.15) == []
    assert judged.degraded
    assert len(feed(judged, 280.0, 120, 0.0, rtt=0.1)) == 1


def test_a_dead_target_is_not_the_lines_loss() -> None:
    judged = quality()
    for step in range(600):
        now = 100.0 + step / 6
        judged.advance(now)
        judged.sent(now, step % 3)
        if step % 3:
            judged.answered(now + 0.05, step % 3, 0.05)
    assert judged.figures().loss == 0
    assert not judged.degraded


def test_ten_percent_of_chance_never_degrades_in_an_hour_and_forty_always_do() -> None:
    chance = random.Random(5)
    for loss, degraded in ((0.1, False), (0.4, True)):
        judged = quality()
        for step in range(6 * 3600 if not degraded else 6 * 120):
            now = 100.0 + step / 6
            judged.advance(now)
            assert not judged.degraded or degraded
            judged.sent(now, step % 3)
            if chance.random() >= loss:
                judged.answered(now + 0.2, step % 3, 0.2)
        assert judged.degraded is degraded


def test_what_was_before_a_reset_does_not_count() -> None:
    judged = quality()
    feed(judged, 100.0, 60, 1.0)
    judged.reset(160.0)
    assert judged.figures().loss is None
    assert feed(judged, 160.0, 60, 0.0) == []


def test_the_share_of_the_last_seconds() -> None:
    judged = quality()
    feed(judged, 100.0, 20, 0.0)
    assert judged.answered_share(120.0, 10) == 1.0
    feed(judged, 120.0, 20, 0.5)
    assert abs(judged.answered_share(140.0, 10) - 0.5) < 0.1


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 2), st.floats(0.001, 4), st.booleans()), max_size=300))
def test_the_moving_sums_are_those_of_their_window(steps: list[tuple[float, int, float, bool]]) -> None:
    judged, now = quality(), 100.0
    sent: list[int] = []
    for pause, target, rtt, answers in steps:
        now += pause
        judged.advance(now)
        judged.sent(now, target)
        sent.append(int(now))
        if answers:
            judged.answered(now + rtt, target, rtt)
    now += 3
    judged.advance(now)
    for window in (SHORT, LONG):
        last = int(now) - 2
        expected = sum(last - window < second <= last for second in sent)
        sums = [counts.sums[window] for counts in judged._counts]
        assert sum(each[0] for each in sums) == expected
        assert all(0 <= each[1] <= each[0] for each in sums)
