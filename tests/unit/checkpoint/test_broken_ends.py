# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What confirms or reverts is killed, or a part of the host fails meanwhile: the earlier state comes back."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint import main, process
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.control import Control
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.ending import Ending
from ansible_collections.multihome.linux.plugins.module_utils._core.confirm import Refused
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import Busy, InvalidInput, Unsupported
from ansible_collections.multihome.linux.plugins.module_utils._core.info import checkpoints

from .world import World, fail


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A host with run "a", which has changed it."""
    made = World(tmp_path)
    monkeypatch.setattr(process, "now", made.clock.now)
    made.write("a")
    return made


def wait(world: World) -> int:
    """Do what the process does that waits for the deadline, which is over."""
    world.clock.time += 60
    return main._sleep("a", world.directory, world.ending())


def killed(*_arguments: object) -> NoReturn:
    """End as a process that is killed, after which nothing is cleaned up."""
    raise KeyboardInterrupt


def read_only(*_arguments: object) -> NoReturn:
    """Fail as on a file system that is read-only."""
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/var/lib/multihome/checkpoints/a/status.json")


@pytest.mark.parametrize("state", ["reverting", "failed"])
def test_a_revert_at_once_that_did_not_end_is_done_by_the_timer(world: World, state: str) -> None:
    status = world.directory.status("a")
    assert status is not None
    world.directory.save(status.ended(state, ""))
    assert world.state.value == "new"
    assert wait(world) == 0
    assert (world.state.value, world.directory.state("a")) == ("old", "reverted")


def test_a_revert_at_once_that_fails_leaves_the_timer_to_try_again(world: World) -> None:
    world.state.left = [["no"]]
    with pytest.raises(Refused, match="could not be reverted:\nno"):
        world.ending().revert("a")
    assert [call for call in world.timer.calls if call.startswith("stop")] == []
    assert wait(world) == 0
    assert (world.state.value, world.directory.state("a")) == ("old", "reverted")


def test_what_the_timer_cannot_revert_ends_it(world: World) -> None:
    world.state.left = [["no"]] * 5
    assert wait(world) == 1
    assert world.directory.state("a") == "failed"


@pytest.mark.parametrize("end", ["confirmed", "reverted"])
def test_killed_before_the_link_to_the_pending_run_is_removed(
    world: World, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(world.directory, "clear_pending", killed)
        with pytest.raises(KeyboardInterrupt):
            world.ending().confirm("a") if end == "confirmed" else world.ending().revert("a")
    assert (world.place / "pending").is_symlink()
    assert (world.directory.state("a"), world.directory.pending()) == (end, None)
    assert checkpoints.read(str(world.place))["pending"] is None
    # The same again removes what was left, and says that there was nothing to do.
    assert not (world.ending().confirm("a") if end == "confirmed" else world.ending().revert("a"))
    assert not (world.place / "pending").is_symlink()
    assert world.timer.calls.count("no boot unit") == 1
    # Another run is not refused, with or without that.
    world.write("b")
    assert world.directory.pending() == "b"


def test_another_run_is_not_refused_by_a_link_to_a_run_that_has_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(world.directory, "clear_pending", killed)
        with pytest.raises(KeyboardInterrupt):
            world.ending().confirm("a")
    world.write(None)
    world.write("b")
    assert world.ending().confirm("b")
    assert world.directory.pending() is None


def test_a_part_that_cannot_be_cleaned_up_does_not_keep_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.directory, "unregister", read_only)
    assert world.ending().confirm("a")
    assert not (world.place / "pending").is_symlink()
    assert "no boot unit" in world.timer.calls


def test_a_disk_that_is_read_only_at_the_deadline(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        for name in ("save", "release"):
            patch.setattr(world.directory, name, read_only)
        assert wait(world) == 1
        assert world.state.value == "old"
        # It neither waits for ever, nor restores in a loop.
        assert world.slept == [10.0] * 4
        with pytest.raises(Refused, match=r"the earlier state is restored, but that cannot be recorded: .*Read-only"):
            world.ending().revert("a")
        with pytest.raises(Refused, match="time to confirm run a is over"):
            world.ending().confirm("a")
    # Nothing more of the run is applied, and with a disk that can be written it ends.
    with pytest.raises(Refused, match="are being reverted"):
        world.write("a")
    assert world.ending().revert("a")
    assert world.directory.state("a") == "reverted"


def test_a_disk_that_becomes_read_only_while_the_run_is_reverted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    original = world.directory.save

    def save(status: Any) -> None:
        original(status) if status.state == "reverting" else read_only()

    monkeypatch.setattr(world.directory, "save", save)
    assert wait(world) == 1
    assert (world.state.value, world.slept) == ("old", [10.0] * 4)
    # What the next attempt needs is still there.
    assert world.directory.load("a", "before.json")["value"] == "old"


def test_a_disk_that_is_read_only_at_the_confirmation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        for name in ("save", "release", "write"):
            patch.setattr(world.directory, name, read_only)
        with pytest.raises(Refused, match=r"run a is not confirmed, .* Read-only file system; it is reverted when"):
            world.ending().confirm("a")
    assert wait(world) == 0
    assert world.state.value == "old"


def test_a_confirmation_needs_no_room_for_the_state_that_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    original = world.directory.save

    def save(status: Any) -> None:
        if (world.place / "a" / "confirmed.json").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(status)

    monkeypatch.setattr(world.directory, "save", save)
    assert world.ending().confirm("a")
    assert world.directory.state("a") == "confirmed"


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("scope"), Unsupported("the lock file", "a directory")])
def test_an_error_that_nobody_foresaw_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    original = world.state.restore
    monkeypatch.setattr(world.state, "restore", lambda _captured: fail(error))
    failures = world.ending().attempt("a")
    assert str(error).strip("'") in failures[0]
    calls: list[int] = []

    def restore(captured: dict[str, Any]) -> list[str]:
        calls.append(1)
        if len(calls) < 3:
            raise error
        return list(original(captured))

    monkeypatch.setattr(world.state, "restore", restore)
    assert wait(world) == 0
    assert (len(calls), world.state.value) == (3, "old")


def test_a_record_that_is_no_record_is_named(world: World) -> None:
    (world.place / "a" / "before.json").write_text("[]")
    assert wait(world) == 1
    status = world.directory.status("a")
    assert status is not None
    assert (status.state, len(status.failures)) == ("failed", 1)


def test_systemd_that_does_not_answer_prevents_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.state, "keeper_changes", lambda _captured: fail(OSError("no answer from systemd")))
    assert world.ending().attempt("a") == ["no answer from systemd"]
    assert world.state.value == "old"


def test_a_keeper_that_would_apply_the_state_of_the_run_is_stopped(world: World) -> None:
    world.state.left = [["/etc/multihome/policy_routing.json: Operation not permitted"]] * 2
    world.state.misled = True
    failures = world.ending().attempt("a")
    assert failures[1:] == ["multihome-keeper is stopped, because it would apply the stored state of the run again"]
    # Once more after it, because it may have changed the host until then.
    assert world.state.calls[-3:] == ["restore", "stop misled keeper", "restore"]
    # The control: one that was restored is not stopped.
    assert world.ending().attempt("a") == []
    assert world.state.calls[-1] == "restore"


class HeldLock:
    """A lock that a process holds, until it is ended."""

    def __init__(self, world: World) -> None:
        self.world, self.ended, self.asked = world, 0, 0

    def lock(self, patience: float) -> Any:
        """Hold the lock."""
        self.asked += 1
        if not self.ended:
            raise Busy("another run (process 7) has held the lock")
        return self.world.lock(patience)

    def end(self) -> None:
        """End the process."""
        self.ended += 1

    def ending(self) -> Ending:
        """Return what confirms and reverts."""
        world = self.world
        return Ending(world.directory, world.state, world.timer, self.lock, world.clock, world.slept.append, self.end)


def test_a_process_that_hangs_with_the_lock_held_is_ended(world: World) -> None:
    held = HeldLock(world)
    assert held.ending().revert("a")
    assert (held.ended, world.state.value, world.directory.state("a")) == (1, "old", "reverted")


def test_another_revert_that_takes_long_is_not_ended(world: World) -> None:
    status = world.directory.status("a")
    assert status is not None
    world.directory.save(status.ended("reverting", ""))
    held = HeldLock(world)
    assert "another run" in held.ending().attempt("a")[0]
    assert held.ended == 0


@pytest.mark.parametrize("run", ["pending", "../x", "", "x" * 300, "a\0b", "a b"])
@pytest.mark.parametrize("state", ["armed", "confirmed", "reverted"])
def test_only_the_name_of_a_run_is_confirmed_or_reverted(world: World, run: str, state: str) -> None:
    control = Control(directory=world.directory, ending=world.ending(), lock=world.lock)
    with pytest.raises(InvalidInput, match="use 1 to 64 letters"):
        control.bring_to(state, run)
    assert world.directory.state("a") == "armed"


def test_a_run_may_have_any_name_but_pending(tmp_path: Path) -> None:
    world = World(tmp_path / "other")
    for run in ("pending.new", "x.mount", "a.service", "-", "_"):
        world.write(run)
        assert world.directory.pending() == run
        assert world.ending().confirm(run)
    assert not (world.place / "pending").is_symlink()
