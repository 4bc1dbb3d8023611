# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many targets are asked at a time, without a network: the probes are replaced."""

from __future__ import annotations

import asyncio
import errno
import resource
import time
from collections import Counter

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.probes import targets
from ansible_collections.multihome.linux.plugins.module_utils._core.probes.targets import Target, probe_all


class Crowd:
    """Stands for the network: counts who is asked at the same time, and answers all but some."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.moment = 0.001
        self.asked: Counter[int | None] = Counter()
        self.refusals = 1000

    async def ask(self, target: Target) -> None:
        """Answer after a moment; port 13 refuses as often as there are refusals, port 14 is silent."""
        self.now += 1
        self.asked[target.port] += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(3600 if target.port == 14 else self.moment)
        finally:
            self.now -= 1
        if target.port == 13 and self.asked[13] <= self.refusals:
            raise OSError(errno.ECONNREFUSED, "")


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    result = Crowd()
    monkeypatch.setitem(targets._PROBES, "tcp", result.ask)
    return result


def limit(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> list[tuple[int, int]]:
    """Pretend limits of descriptors; returns those that were set."""
    changes: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: changes.append(limits))
    return changes


def test_all_are_asked_at_once_and_rows_keep_the_order(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 1024, 4096)
    crowd.moment = 1  # time for a busy machine to begin with the last before the first ends
    targets = [Target("a", "203.0.113.10", "tcp", port) for port in range(1, 1001)]
    targets[13] = Target("a", "203.0.113.10", "tcp", 14, timeout=0.01)
    rows = probe_all(targets)
    assert crowd.most == 1000
    assert [row.target for row in rows] == targets
    assert [row.target.port for row in rows if not row.ok] == [13, 14]
    assert [row.failure.error for row in rows if row.failure] == ["connection refused", "no answer within 0.01 s"]


def test_no_more_are_asked_at_once_than_sockets_may_be_open(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 74, 74)
    rows = probe_all([Target("a", "203.0.113.10", "tcp", 80)] * 200)
    assert crowd.most == 10
    assert all(row.ok for row in rows)


@pytest.mark.parametrize(
    ("soft", "hard", "set_to", "at_a_time"),
    [
        (1024, 4096, (1064, 4096), 1000),
        (1024, 1024, (1024, 1024), 960),
        (4096, 4096, None, 1000),
        (1024, -1, (1064, -1), 1000),
        (-1, -1, None, 1000),
        (10, 10, (10, 10), 1),
    ],
)
def test_the_limit_is_raised_only_as_far_as_needed_and_allowed(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, set_to: tuple[int, int] | None, at_a_time: int
) -> None:
    changes = limit(monkeypatch, soft, hard)
    assert targets._sockets_for(1000) == at_a_time
    assert changes == ([set_to] if set_to else [])


def test_only_targets_without_an_answer_are_asked_again(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "_RESEND", 0.01)
    answering = Target("a", "203.0.113.10", "tcp", 12, timeout=30, attempts=3)
    silent = Target("a", "203.0.113.10", "tcp", 14, timeout=0.01, attempts=3)
    refusing_once = Target("a", "203.0.113.10", "tcp", 13)
    rows = probe_all([answering, silent, refusing_once])
    assert [row.ok for row in rows] == [True, False, False]
    assert crowd.asked == {12: 1, 14: 3, 13: 1}


@pytest.mark.parametrize(("attempts", "answered"), [(1, False), (2, False), (3, True), (10, True)])
def test_an_answer_to_a_later_attempt_counts(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch, attempts: int, answered: bool
) -> None:
    monkeypatch.setattr(targets, "_RESEND", 0.01)
    crowd.refusals = 2
    [row] = probe_all([Target("a", "203.0.113.10", "tcp", 13, attempts=attempts)])
    assert row.ok is answered
    assert crowd.asked[13] == min(attempts, 3)


def test_a_refusal_is_not_asked_again_at_once(crowd: Crowd) -> None:
    started = time.monotonic()
    probe_all([Target("a", "203.0.113.10", "tcp", 13, attempts=2)])
    assert time.monotonic() - started >= 0.9
    assert crowd.asked[13] == 2


def test_nothing_to_ask_gives_no_rows() -> None:
    assert probe_all([]) == []
