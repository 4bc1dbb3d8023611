# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fuzzer finds a planted fault, keeps its input, and finds it again from the kept example alone."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.fuzz import hostile
from ansible_collections.multihome.linux.tests.fuzz.run import Outcome, fuzz
from ansible_collections.multihome.linux.tests.fuzz.targets import TARGETS, Target, Unreadable, judge

GOOD = {"lines": [{"name": "unicom", "id": 1, "gateway": "192.0.2.1"}]}


def one_that_breaks(value: Any) -> None:
    """Accept everything but a line whose identifier is missing."""
    if isinstance(value, dict) and isinstance(value.get("lines"), list):
        for line in value["lines"]:
            if isinstance(line, dict):
                line["id"]


def planted() -> Target:
    return Target("planted", lambda: [GOOD], hostile.changed, one_that_breaks)


def run(target: Target, examples: Path, seconds: float, seed: int = 7) -> Outcome:
    [outcome] = fuzz([target], seconds, seed, lambda _text: None, examples)
    return outcome


def test_a_planted_fault_is_found_and_kept_and_found_again_without_any_new_input(tmp_path: Path) -> None:
    found = run(planted(), tmp_path, 1.0)
    [text] = found.failures.values()
    assert "KeyError" in text
    assert "seed 7" in text
    [kept] = (tmp_path / "planted").glob("*.json")
    with pytest.raises(KeyError):
        one_that_breaks(json.loads(kept.read_text()))
    again = run(planted(), tmp_path, 0.0)
    assert (again.inputs, len(again.failures)) == (1, 1)


def test_without_the_fault_nothing_is_found_or_kept(tmp_path: Path) -> None:
    harmless = Target("harmless", lambda: [GOOD], hostile.changed, lambda _value: None)
    assert run(harmless, tmp_path, 0.2).failures == {}
    assert list(tmp_path.iterdir()) == []


def test_the_same_seed_gives_the_same_inputs() -> None:
    def inputs(seed: int) -> list[str]:
        draw = random.Random(seed)
        return [json.dumps(hostile.changed(GOOD, draw)) for _time in range(50)]

    assert inputs(1) == inputs(1)
    assert inputs(1) != inputs(2)


@pytest.mark.parametrize("message", ["x" * 3000, "line \u202e", "red \x1b[31m", "nul \x00"])
def test_a_message_that_cannot_be_read_is_a_failure(message: str) -> None:
    with pytest.raises(Unreadable):
        judge(message)


def test_a_plain_message_is_none() -> None:
    judge("two lines\nof plain text, é included")


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_good_input_is_taken(target: Target) -> None:
    seeds = target.seeds()
    assert seeds
    for value in seeds:
        target.feed(value)
