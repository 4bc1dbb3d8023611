# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state file: what is in it, who may read it, and what a new run takes from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health import state
from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import UP, LineHealth

HEALTH = LineHealth("unicom", 4, UP, "answers", 90.0, loss=0.104, rtt=0.0312, address="203.0.113.10", hold=10.0)
REMEMBERED = {("unicom", 4): {"state": "up", "reason": "answers", "age": 10.0, "steps": 1, "degraded": False}}


def written(directory: Path, at: float = 100.0, boot: str = "b") -> Path:
    state.write(state.as_json([HEALTH], REMEMBERED, at, "2026-01-01T00:00:00Z", boot), str(directory / "run"))
    return directory / "run" / "health.json"


def test_people_and_programs_find_what_they_need(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [found.name for found in path.parent.iterdir()] == ["health.json"]
    shown = json.loads(path.read_text())["lines"]["unicom"]["ipv4"]
    assert {name: shown[name] for name in ("state", "usable", "seconds", "loss_percent", "rtt_milliseconds")} == {
        "state": "up",
        "usable": True,
        "seconds": 10.0,
        "loss_percent": 10.4,
        "rtt_milliseconds": 31.2,
    }


def test_a_new_run_resumes_what_is_younger_than_a_minute(tmp_path: Path) -> None:
    written(tmp_path)
    known = state.read(str(tmp_path / "run"))
    found, passed = state.resumable(known, 159.0, "b")
    assert (found, passed) == (REMEMBERED, 59.0)


@pytest.mark.parametrize(("now", "boot"), [(160.0, "b"), (99.0, "b"), (110.0, "another")])
def test_nothing_old_and_nothing_of_another_boot_is_resumed(tmp_path: Path, now: float, boot: str) -> None:
    written(tmp_path)
    assert state.resumable(state.read(str(tmp_path / "run")), now, boot) == ({}, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{", '{"version": 99}', '{"version": 1, "at": 100, "boot": "b", "lines": 3}'),
        # Nested too deeply, and numbers that cannot be compared with others.
        "[" * 100000,
        f'{{"version": 1, "at": 1{"0" * 400}, "boot": "b", "lines": {{}}}}',
        f'{{"version": 1, "at": -1{"0" * 400}, "boot": "b", "lines": {{}}}}',
    ],
)
def test_a_file_that_makes_no_sense_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "health.json").write_text(text)
    assert state.resumable(state.read(str(tmp_path)), 100.0, "b") == ({}, 0.0)
    assert state.read(str(tmp_path / "nowhere")) == {}


def test_the_kernel_tells_this_boot_from_others() -> None:
    assert len(state.boot_id()) == 36
