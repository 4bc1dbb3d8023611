# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A confirmed state is found by name, number or time, and restored as a change that waits for its confirmation."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.model import Confirm, Status
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.restoration import STATE_BEFORE
from ansible_collections.multihome.linux.plugins.module_utils._core.confirm import Refused
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import Busy
from ansible_collections.multihome.linux.plugins.module_utils._core.info import checkpoints

from .world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A host with three confirmed states, from 10:00, 10:01 and 10:02."""
    world = World(tmp_path)
    world.confirmed("first", "second", "third")
    return world


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, "third"),
        ("1", "third"),
        ("3", "first"),
        ("second", "second"),
        ("2026-11-28T10:01:30Z", "second"),
        ("2026-11-28T10:01:00Z", "second"),
        ("2027-01-01T00:00:00Z", "third"),
    ],
)
def test_a_state_is_found(world: World, wanted: str | None, found: str) -> None:
    assert world.restoration().find(wanted).run == found


def test_the_state_before_a_run_undoes_the_runs_after_it(world: World) -> None:
    restoration = world.restoration()
    assert restoration.find_undone("second") == ["third", "second"]
    assert restoration.find_undone("third") == ["third"]
    # Not on this host; a number is no run.
    assert restoration.find_undone("other") == restoration.find_undone("1") == []
    assert restoration.restore("second", Confirm("back", 30), record=STATE_BEFORE)
    assert world.state.value == "first"
    assert world.ending().confirm("back")
    assert restoration.find_undone("second")[:2] == ["back", "third"]
    assert restoration.restore("first", Confirm("more", 30), record=STATE_BEFORE)
    assert world.state.value == "old"


@pytest.mark.parametrize("wanted", ["4", "0", "other", "2026-11-28T09:59:59Z"])
def test_a_state_that_does_not_exist_is_refused_with_those_that_do(world: World, wanted: str) -> None:
    with pytest.raises(Refused, match=r"third \(2026-11-28T10:02:00Z\), second"):
        world.restoration().find(wanted)


def test_it_is_restored_and_waits_for_its_confirmation(world: World) -> None:
    restoration = world.restoration()
    assert restoration.restore(restoration.find("2").run, Confirm("back", 30))
    assert world.state.value == "second"
    assert world.directory.pending() == "back"
    # Without a confirmation the state before it is restored.
    world.clock.time += 31
    assert world.ending().expire("back") == []
    assert world.state.value == "third"
    assert restoration.restore(restoration.find("2").run, Confirm("again", 30))
    assert world.ending().confirm("again")
    assert world.state.value == "second"
    assert restoration.find("1").run == "again"


def test_nothing_is_armed_where_nothing_differs_or_in_check_mode(world: World) -> None:
    restoration = world.restoration()
    assert not restoration.restore(restoration.find("1").run, Confirm("back", 30))
    assert restoration.restore(restoration.find("2").run, Confirm("back", 30), check=True)
    assert world.directory.state("back") == "none"
    assert world.state.value == "third"


def test_another_run_is_respected(world: World) -> None:
    world.write("busy")
    restoration = world.restoration()
    with pytest.raises(Busy, match="run busy of ada"):
        restoration.restore(restoration.find("2").run, Confirm("back", 30))
    assert world.state.value == "new"


@pytest.mark.parametrize("keeper", [False, True])
def test_a_restoration_that_fails_is_reverted(world: World, keeper: bool) -> None:
    world.state.left = [["not restored: x"]]
    world.state.keeper_differs = keeper
    restoration = world.restoration()
    with pytest.raises(Refused, match="as it was before:\nnot restored: x"):
        restoration.restore(restoration.find("2").run, Confirm("back", 30))
    assert world.state.value == "third"
    assert world.directory.state("back") == "reverted"


def test_the_module_for_information_lists_them(world: World) -> None:
    found = checkpoints.read(str(world.place))
    assert found["pending"] is None
    assert [(each["run"], each["summary"]) for each in found["confirmed"]] == [
        ("third", "second to third"),
        ("second", "first to second"),
        ("first", "old to first"),
    ]
    assert found["confirmed"][0]["time"] == "2026-11-28T10:02:00Z"
    world.write("busy")
    pending = checkpoints.read(str(world.place))["pending"]
    assert pending is not None
    assert pending["run"] == "busy"
    assert checkpoints.read(str(world.place / "none")) == {"pending": None, "confirmed": []}


def test_a_clock_that_was_set_back_makes_no_run_older(world: World) -> None:
    world.clock.day = "2026-11-27T10:00:00Z"
    world.confirmed("fourth", "fifth", "sixth")
    assert [each["run"] for each in checkpoints.read(str(world.place))["confirmed"]] == [
        "sixth",
        "fifth",
        "fourth",
        "third",
        "second",
    ]
    assert world.restoration().find("1").run == "sixth"
    # The oldest is removed, not the newest.
    assert not (world.place / "first").exists()
    assert world.directory.load("sixth", "confirmed.json")["value"] == "sixth"


def test_a_status_of_an_earlier_version_has_no_summary(world: World) -> None:
    status = world.directory.status("first")
    assert status is not None
    content = status.as_json()
    del content["summary"], content["unproven"], content["number"]
    assert (Status.of_json(content).summary, Status.of_json(content).unproven) == ("", ())
