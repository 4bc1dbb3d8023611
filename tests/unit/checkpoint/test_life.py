# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a checkpoint: armed, extended, then confirmed or reverted, and what is refused in each state."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.ending import Ending
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.model import Confirm, Scope
from ansible_collections.multihome.linux.plugins.module_utils._core.confirm import LONGEST, Refused
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import Busy, InvalidInput, ReadFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.info import checkpoints

from .world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A host."""
    return World(tmp_path)


def test_the_first_change_arms_and_later_ones_extend(world: World) -> None:
    world.write("a")
    assert world.timer.calls == ["start a 60", "boot unit"]
    assert world.directory.pending() == "a"
    status = world.directory.status("a")
    assert status is not None
    assert (status.state, status.deadline, status.who) == ("armed", 1060, "ada from 192.0.2.1")
    world.clock.time += 30
    world.write("a")
    status = world.directory.status("a")
    assert status is not None
    assert status.deadline == 1090
    assert world.timer.calls == ["start a 60", "boot unit"]
    assert world.state.calls == ["capture"]


def test_a_deadline_is_never_shortened_and_at_most_ten_minutes_off(world: World) -> None:
    world.write("a", timeout=500)
    world.write("a", timeout=5)
    status = world.directory.status("a")
    assert status is not None
    assert status.deadline == 1500
    world.clock.time += 400
    world.write("a", timeout=500)
    status = world.directory.status("a")
    assert status is not None
    assert status.deadline == 1000 + LONGEST


def test_only_root_can_read_a_checkpoint(world: World) -> None:
    world.write("a")
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in world.place.rglob("*") if not path.is_symlink()}
    assert modes.pop("a") == 0o700
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(world.place.stat().st_mode) == 0o700
    # The control: these are the files.
    assert sorted(modes) == ["before.json", "process-4194305-1", "reserve", "revert.pyz", "status.json"]


def test_a_module_that_touches_more_adds_that_to_the_checkpoint(world: World) -> None:
    world.write("a")
    world.write("a", scope=Scope(tables=("other",)))
    assert world.state.calls[1].startswith("capture {'owners': [], 'tables': ['other']")
    world.write("a", scope=Scope(tables=("other",)))
    assert len(world.state.calls) == 2
    assert world.directory.load("a", "before.json")["scope"]["tables"] == ["multihome", "other"]
    assert world.directory.load("a", "before.json")["value"] == "old"


def test_confirmed(world: World) -> None:
    world.write("a")
    assert world.ending().confirm("a", check=True)
    assert world.directory.pending() == "a"
    assert world.ending().confirm("a")
    assert world.directory.pending() is None
    assert world.directory.state("a") == "confirmed"
    assert world.state.value == "new"
    assert world.timer.calls[2:] == ["no boot unit", "stop a"]
    assert world.directory.load("a", "confirmed.json")["value"] == "new"
    assert not world.ending().confirm("a")
    with pytest.raises(Refused, match="was confirmed at"):
        world.ending().revert("a")
    assert world.state.value == "new"


def test_what_could_not_be_proven_is_recorded(world: World) -> None:
    world.write("a")
    assert world.ending().confirm("a", unproven=["client1 could not be asked"])
    status = world.directory.status("a")
    assert status is not None
    assert status.unproven == ("client1 could not be asked",)
    [listed] = checkpoints.read(str(world.place))["confirmed"]
    assert listed["unproven"] == ["client1 could not be asked"]


def test_a_module_that_still_plans_when_its_run_is_reverted(world: World) -> None:
    """Its connection was lost. It holds the lock, and changes the host before the revert gets that."""

    @contextlib.contextmanager
    def held(_patience: float) -> Iterator[None]:
        if world.state.value == "old" and world.directory.pending() is None:
            world.write("a")
        yield

    ending = Ending(world.directory, world.state, world.timer, held, world.clock)
    assert ending.revert("a")
    assert (world.state.value, world.directory.state("a")) == ("old", "reverted")
    # The control: a run without a module.
    world.state.value = "other"
    assert not ending.revert("b")


def test_reverted_at_once(world: World) -> None:
    world.write("a")
    assert world.ending().revert("a", check=True)
    assert world.state.value == "new"
    assert world.ending().revert(None)
    assert (world.state.value, world.directory.pending(), world.directory.state("a")) == ("old", None, "reverted")
    assert not world.ending().revert("a")


def test_the_timer_reverts_only_after_the_deadline(world: World) -> None:
    world.write("a")
    assert world.ending().expire("a") == []
    assert (world.state.value, world.directory.state("a")) == ("new", "armed")
    world.clock.time += 60
    assert world.ending().expire("a") == []
    assert (world.state.value, world.directory.state("a")) == ("old", "reverted")


def test_a_confirmed_run_is_not_reverted_by_its_timer(world: World) -> None:
    world.write("a")
    world.ending().confirm("a")
    world.clock.time += 60
    assert world.ending().expire("a") == []
    assert world.state.value == "new"


def test_too_late_to_confirm(world: World) -> None:
    world.write("a")
    world.clock.time += 60
    with pytest.raises(Refused, match="time to confirm run a is over"):
        world.ending().confirm("a")
    world.ending().expire("a")
    world.clock.day = "2026-11-28T11:00:00Z"
    with pytest.raises(Refused, match="run a was reverted at 2026-11-28T10:00:00Z; it cannot be confirmed"):
        world.ending().confirm("a")


def test_the_time_of_day_does_not_matter(world: World) -> None:
    world.write("a")
    world.clock.day = "2026-11-29T10:00:00Z"
    assert world.ending().expire("a") == []
    assert world.directory.state("a") == "armed"
    world.clock.day = "2026-11-27T10:00:00Z"
    world.clock.time += 60
    world.ending().expire("a")
    assert world.directory.state("a") == "reverted"


def test_nothing_of_a_reverted_run_is_applied(world: World) -> None:
    world.write("a")
    world.ending().revert("a")
    with pytest.raises(Refused, match="changes of run a were reverted at 2026"):
        world.guard("a").before_write()
    world.write("b")


@pytest.mark.parametrize("other", ["b", None])
def test_another_run_is_refused_while_one_is_pending(world: World, other: str | None) -> None:
    world.write("a")
    world.clock.time += 20
    message = r"run a of ada from 192.0.2.1 waits for its confirmation since 2026-11-28T10:00:00Z, for 40 s more"
    with pytest.raises(Busy, match=message):
        world.guard(other).before_write()
    assert world.ending().confirm("a")
    world.guard(other).before_write()


def test_another_run_cannot_be_confirmed_or_reverted(world: World) -> None:
    world.write("a")
    for end in (world.ending().confirm, world.ending().revert):
        with pytest.raises(Refused, match="not run b: run a of ada"):
            end("b")
    assert world.directory.state("a") == "armed"
    assert not World(Path(world.place) / "elsewhere").ending().confirm("b")


def test_a_revert_is_tried_five_times_and_then_given_up(world: World) -> None:
    world.write("a")
    world.clock.time += 60
    world.state.left = [["no"]] * 5
    assert world.ending().expire("a") == ["no"]
    assert world.slept == [10.0] * 4
    assert (world.directory.state("a"), world.directory.pending()) == ("failed", "a")
    for run in ("a", "b"):
        with pytest.raises((Busy, Refused), match="could not be reverted"):
            world.guard(run).before_write()
    with pytest.raises(Refused, match=r"could not be reverted at .* \(no\)"):
        world.ending().confirm("a")
    # Repaired by hand, it can be reverted.
    assert world.ending().revert("a")
    assert (world.state.value, world.directory.state("a")) == ("old", "reverted")


def test_a_revert_that_fails_once_succeeds_later(world: World) -> None:
    world.write("a")
    world.clock.time += 60
    world.state.left = [["no"], ["still no"]]
    assert world.ending().expire("a") == []
    assert world.slept == [10.0, 10.0]
    assert (world.state.value, world.directory.state("a")) == ("old", "reverted")


def test_a_revert_that_was_interrupted_is_taken_up_again(world: World) -> None:
    world.write("a")
    status = world.directory.status("a")
    assert status is not None
    world.directory.save(status.ended("reverting", ""))
    assert world.ending().expire("a") == []
    assert world.state.value == "old"


def test_after_a_boot_only_the_files_are_restored(world: World) -> None:
    world.write("a")
    world.clock.boot_id, world.clock.time = "boot-2", 5.0
    with pytest.raises(Refused, match="booted again"):
        world.guard("a").before_write()
    with pytest.raises(Refused, match="booted again"):
        world.ending().confirm("a")
    assert world.ending().expire("a", at_boot=True) == []
    assert world.state.calls == ["capture", "restore files"]
    assert world.directory.state("a") == "reverted"


def test_the_service_of_the_keeper_is_restored_without_the_lock(world: World) -> None:
    world.write("a")
    world.state.keeper_differs = True
    for name in ("stop_keeper", "start_keeper"):
        original = getattr(world.state, name)

        def checked(*arguments: object, original: object = original) -> list[str]:
            assert not world.locked
            assert callable(original)
            return list(original(*arguments))

        setattr(world.state, name, checked)
    world.ending().revert("a")
    assert world.state.calls == ["capture", "stop keeper", "restore", "start keeper"]


@pytest.mark.parametrize("part", ["make", "write", "reserve", "save", "set_pending"])
def test_nothing_is_armed_when_the_disk_is_full(world: World, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(world.directory, part, full)
    with pytest.raises(Refused, match="No space left on device; nothing was changed"):
        world.write("a")
    assert world.state.value == "old"
    assert world.directory.pending() is None
    assert not (world.place / "a").exists()


def test_nothing_is_armed_without_a_timer(world: World) -> None:
    world.timer.broken = Refused("no timer")
    with pytest.raises(Refused, match="no timer"):
        world.write("a")
    # It may have been started all the same, and would be in the way of the next one.
    assert world.timer.calls[-1] == "stop a"
    assert (world.state.value, world.directory.pending(), (world.place / "a").exists()) == ("old", None, False)


def test_a_run_that_was_killed_while_it_armed_arms_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(world.directory, "discard", lambda _run: None)
        world.timer.broken = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            world.write("a")
    world.timer.broken = None
    world.clock.time += 100
    world.write("b")
    world.ending().confirm("b")
    world.write("a")
    assert world.directory.pending() == "a"


def test_five_confirmed_runs_and_five_tombstones_are_kept(world: World) -> None:
    for number in range(8):
        world.clock.day = f"2026-11-28T10:00:0{number}Z"
        world.write(f"good{number}")
        world.ending().confirm(None)
        world.write(f"bad{number}")
        world.ending().revert(None)
    kept = sorted(path.name for path in world.place.iterdir())
    assert kept == [f"bad{n}" for n in range(3, 8)] + [f"good{n}" for n in range(3, 8)]
    assert [one["run"] for one in world.ending().states()["confirmed"]] == [f"good{n}" for n in range(7, 2, -1)]


def test_without_a_run_and_without_anything_pending_nothing_is_written(world: World) -> None:
    world.write(None)
    assert not world.place.exists()
    assert not world.ending().confirm(None)
    assert not world.ending().revert("never")


@pytest.mark.parametrize("run", ["", "pending", "../x", "a/b", ".hidden", "a b", "x" * 65])
def test_a_run_is_a_name(run: str) -> None:
    with pytest.raises(InvalidInput, match="use 1 to 64"):
        Confirm(run)


@pytest.mark.parametrize("timeout", [0, -1, 601])
def test_a_timeout_is_from_one_second_to_ten_minutes(timeout: int) -> None:
    with pytest.raises(InvalidInput, match="not from 1 to 600"):
        Confirm("a", timeout)
    assert Confirm("2026-11-28_1.a", 600)


@pytest.mark.parametrize(
    "change",
    [
        {"deadline": "soon"},
        {"deadline": None},
        {"version": 99},
        {"run": "b"},
        {"state": 1},
        {"failures": [1]},
        {"boot": None},
        {"number": []},
    ],
)
def test_a_status_that_cannot_be_read_is_reported(world: World, change: dict[str, object]) -> None:
    world.write("a")
    path = world.place / "a" / "status.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **change}))
    for run in ("a", "b"):
        with pytest.raises(ReadFailed, match=r"cannot read .*status.json"):
            world.guard(run).before_write()
    # The control.
    path.write_text(json.dumps(content))
    world.guard("a").before_write()


def test_what_others_put_beside_the_checkpoints_is_left_alone(world: World) -> None:
    """Files, a copy of a record, and an earlier record that is broken."""
    for run in ("old", "a"):
        world.write(run)
        assert world.ending().confirm(run)
    (world.place / "README").write_text("of the administrator")
    (world.place / "lost+found").mkdir()
    shutil.copytree(world.place / "a", world.place / "a.bak")
    (world.place / "old" / "status.json").write_text("{")
    assert [each["run"] for each in checkpoints.read(str(world.place))["confirmed"]] == ["a"]
    assert [status.run for status in world.directory.all_in("confirmed")] == ["a"]
    world.write("b")
    assert world.ending().revert("b")
    assert {path.name for path in world.place.iterdir()} == {"README", "lost+found", "a", "a.bak", "old", "b"}
    # The one that waits is not left out.
    world.write("c")
    (world.place / "c" / "status.json").write_text("{")
    with pytest.raises(ReadFailed, match=r"cannot read .*c/status.json"):
        checkpoints.read(str(world.place))
