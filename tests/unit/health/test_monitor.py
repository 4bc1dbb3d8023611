# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service around the loop: what it tells, and that nothing that fails takes the keeper with it."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health import monitor as service_module
from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import (
    DOWN,
    RECOVERING,
    SUSPECT,
    UNKNOWN,
    UP,
    LineHealth,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.health.loop import Change
from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import parse_lines
from ansible_collections.multihome.linux.plugins.module_utils._core.health.monitor import Service, events_of, facts_of
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

LINES = [{"name": "a", "id": 1, "addresses": ["127.0.0.2"]}, {"name": "b", "id": 2, "addresses": ["127.0.0.3"]}]
HEALTH = LineHealth("a", 4, UP, "answers", 0.0, address="192.0.2.1")


class Watched:
    """A service without targets, in a directory of the test."""

    def __init__(self, directory: Path) -> None:
        self.logged: list[str] = []
        self.woken = threading.Event()
        self.service = Service(
            parse_lines(LINES),
            lambda level, text: self.logged.append(f"{level}: {text}"),
            self.woken.set,
            str(directory / "run"),
            str(directory / "hooks.d"),
        )


def test_every_line_is_usable_before_anything_is_known(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    assert watched.service.usable(4).lines == ("a", "b")
    assert watched.service.usable(6).lines == ()
    watched.service.loop.close()


def test_a_loop_that_fails_is_said_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(tmp_path)

    def fail() -> None:
        raise OSError(1, "no netlink")

    monkeypatch.setattr(watched.service.loop, "run", fail)
    watched.service.start()
    assert watched.woken.wait(20)
    assert isinstance(watched.service.failed, OSError)
    assert watched.service.usable(4).lines == ("a", "b")
    assert "line health has ended: PermissionError" in watched.logged[0]
    watched.service.stop()
    watched.service.loop.close()


def test_a_directory_that_cannot_be_written_is_said_and_no_reason_to_end(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("not a directory")
    watched = Watched(tmp_path)
    watched.service.start()
    eventually(lambda: bool(watched.logged))
    assert "the lines' health cannot be written" in watched.logged[0]
    watched.service.loop.set_drained("a", drained=True)
    eventually(lambda: watched.service.usable(4).lines == ("b",))
    watched.service.stop()


def test_the_files_are_renewed_and_the_last_state_is_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "WRITE_EVERY", 0.1)
    watched = Watched(tmp_path)
    watched.service.start()
    file = tmp_path / "run" / "health.json"
    eventually(file.exists)
    first = file.read_text()
    eventually(lambda: file.read_text() != first)
    watched.service.loop.set_drained("b", drained=True)
    eventually(lambda: '"drained"' in file.read_text())
    watched.service.stop()
    assert "multihome_line_drained" in (tmp_path / "run" / "metrics.prom").read_text()


def test_what_was_found_last_is_resumed_from_although_the_loop_ends_at_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    loop = watched.service.loop
    watched.service.start()
    eventually((tmp_path / "run" / "health.json").exists)
    # The round that finds the line down is the last one: what is posted then is not answered any more.
    gate = threading.Event()

    def wait(_now: float) -> None:
        gate.wait(20)

    loop.post(wait)
    loop.set_address("a", 4, None)
    loop.stop()
    gate.set()
    watched.service.stop()
    next_run = Watched(tmp_path).service
    assert [each.state for each in next_run.states() if each.line == "a"] == [DOWN]
    next_run.loop.close()


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        ({"state": UP}, {"state": SUSPECT}, []),
        ({"state": SUSPECT}, {"state": DOWN}, ["down"]),
        ({"state": DOWN}, {"state": RECOVERING}, []),
        ({"state": RECOVERING}, {"state": UP}, ["up"]),
        ({"state": RECOVERING}, {"state": DOWN}, ["down"]),
        ({"state": UNKNOWN}, {"state": UP}, []),
        ({"degraded": False}, {"degraded": True}, ["degraded"]),
        ({"degraded": True}, {"degraded": False}, []),
        ({"address": "192.0.2.1"}, {"address": None, "state": DOWN}, ["down", "address"]),
    ],
)
def test_what_hooks_hear_of(before: dict[str, str], after: dict[str, str], events: list[str]) -> None:
    assert events_of(Change(replace(HEALTH, **before), replace(HEALTH, **after))) == events  # type: ignore[arg-type]  # fields by name


def test_what_hooks_are_given() -> None:
    assert facts_of(replace(HEALTH, state=DOWN, address=None, degraded=True)) == {
        "line": "a",
        "family": "ipv4",
        "state": "down",
        "reason": "answers",
        "address": "",
        "degraded": "yes",
    }
