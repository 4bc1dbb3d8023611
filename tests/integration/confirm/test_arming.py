# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a checkpoint is taken, when it is refused, and that a run killed at any step leaves nothing behind."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .lab import ALIASES, BAD_ALIASES, CHECKPOINTS, PROGRAM, ROUTING, Server, server


@pytest.fixture
def host() -> Iterator[Server]:
    """A deployed server."""
    with server() as made:
        yield made


def test_a_run_with_nothing_to_do_takes_no_checkpoint(host: Server) -> None:
    assert not host.run("ip_aliases", aliases=ALIASES, persist=True, run="idle")["changed"]
    assert not host.run("policy_routing", **ROUTING, persist=True, run="idle")["changed"]
    assert host.checkpoints() == ""
    done = host.commit("confirmed", run="idle")
    assert (done["changed"], done["state"]) == (False, "none")
    # The control: a run with something to do does.
    host.run("ip_aliases", aliases=BAD_ALIASES, run="busy")
    assert "busy" in host.checkpoints()


def test_check_mode_arms_nothing(host: Server) -> None:
    assert host.run("ip_aliases", aliases=BAD_ALIASES, run="checked", check=True)["changed"]
    assert host.commit("armed", run="checked", check=True)["changed"]
    assert host.checkpoints() == ""


def test_another_run_is_refused_and_named(host: Server) -> None:
    host.run("ip_aliases", aliases=BAD_ALIASES, run="first")
    before = host.state()
    for run in ("second", None):
        result = host.run("nat_rules", rules=[], purge=True, run=run)
        assert result.get("failed")
        assert "run first of" in result["msg"]
        assert "since" in result["msg"]
        assert " s more" in result["msg"]
    # What changes nothing is not refused.
    assert not host.run("policy_routing", **ROUTING, persist=True, run="second").get("failed")
    assert host.state() == before
    wrong = host.commit("confirmed", run="second")
    assert wrong.get("failed")
    assert "run first" in wrong["msg"]
    assert host.commit("confirmed", run="first")["changed"]


def test_after_a_revert_later_modules_of_the_run_fail(host: Server) -> None:
    host.run("ip_aliases", aliases=BAD_ALIASES, run="late", timeout=5)
    host.ended("late", 30)
    before = host.state()
    result = host.run("nat_rules", rules=[], purge=True, run="late")
    assert result.get("failed")
    assert "were reverted at" in result["msg"]
    confirmed = host.commit("confirmed", run="late")
    assert confirmed.get("failed")
    assert "was reverted at 20" in confirmed["msg"]
    assert host.state() == before
    # Another run may begin.
    assert host.run("ip_aliases", aliases=BAD_ALIASES, run="next")["changed"]


def test_a_full_disk_changes_nothing(host: Server) -> None:
    host.host.run("mkdir", "-p", CHECKPOINTS)
    host.host.run("mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", CHECKPOINTS)
    before = host.state()
    result = host.run("ip_aliases", aliases=BAD_ALIASES, persist=True, run="full")
    assert result.get("failed")
    assert "No space left on device" in result["msg"]
    assert "nothing was changed" in result["msg"]
    assert host.state() == before
    assert not host.pending()
    host.host.run("umount", CHECKPOINTS)
    assert host.run("ip_aliases", aliases=BAD_ALIASES, persist=True, run="full")["changed"]


def test_a_disk_that_fills_up_later_does_not_prevent_the_revert(host: Server) -> None:
    host.host.run("mkdir", "-p", CHECKPOINTS)
    host.host.run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", CHECKPOINTS)
    before = host.state()
    host.run("ip_aliases", aliases=BAD_ALIASES, persist=True, run="full", timeout=10)
    host.host.run("dd", "if=/dev/zero", f"of={CHECKPOINTS}/filler", "bs=4k", check=False)
    host.ended("full", 30)
    assert host.state() == before


# It stops with the lock held: while it reads, before it has written anything; and after that.
@pytest.mark.parametrize("step", [3, 12])
def test_a_module_that_hangs_with_the_lock_held_is_ended(host: Server, tmp_path: Path, step: int) -> None:
    before = host.state()
    host.run("ip_aliases", aliases=BAD_ALIASES, run="hung", timeout=15)
    confirm = {"run": "hung", "timeout": 15}
    log = tmp_path / "log"
    process = host.stopped(step, "SIGSTOP", log, "nat_rules", rules=[], purge=True, persist=True, confirm=confirm)
    host.eventually(log.exists, 5)
    assert process.poll() is None
    host.ended("hung", 60)
    assert process.wait(5) != 0
    assert host.state() == before


def test_killed_at_every_step(host: Server, tmp_path: Path) -> None:
    before = host.state()
    log = tmp_path / "log"
    steps = 0
    while True:
        steps += 1
        run = f"killed{steps}"
        confirm = {"run": run, "timeout": 3}
        options = {"aliases": BAD_ALIASES, "purge": True, "persist": True, "confirm": confirm}
        process = host.stopped(steps, "SIGKILL", log, "ip_aliases", **options)
        output, _errors = process.communicate(timeout=30)
        if process.returncode == 0:
            assert json.loads(output)["changed"]
            break
        assert process.returncode == -9
        host.eventually(lambda: host.state() == before, 30)
        host.eventually(lambda: not host.pending(), 30)
        if host.status(run):
            # With one, the keeper would restore a state within the run.
            names = host.host.run("ls", "-A", "/run/multihome").stdout.split()
            assert [name for name in names if name.startswith("journal.")] == []
    host.ended(run, 30)
    assert host.state() == before
    assert steps > 10
    # The control: it was killed before it armed, and before the last file.
    assert sys.executable in log.read_text()
    # It took the checkpoint itself, and was killed at each step of that.
    for name in ("os.link", "before.json", "reserve", "status.json", ".pending.new"):
        assert name in log.read_text(), log.read_text()
    assert "journal.ip_aliases.json" in log.read_text()


def test_the_program_and_a_module_that_has_its_code_record_the_same(host: Server) -> None:
    records = []
    for version in ("other", None):
        # The program of another version is started.
        assert host.commit("present", **({"version": version} if version else {}))["changed"]
        host.run("ip_aliases", aliases=BAD_ALIASES, run="same", protocol=77)
        records.append(json.loads(host.host.run("cat", f"{CHECKPOINTS}/same/before.json").stdout))
        assert host.status("same")["state"] == "armed"
        assert host.commit("reverted", run="same")["changed"]
        host.host.run("rm", "-r", f"{CHECKPOINTS}/same")
    assert records[0] == records[1]
    assert 77 in records[0]["scope"]["owners"]


def test_the_program_is_killed_at_every_step_of_arming(host: Server, tmp_path: Path) -> None:
    before = host.state()
    log = tmp_path / "log"
    steps = 0
    while True:
        steps += 1
        run = f"killed{steps}"
        process = host.stopped_program(steps, "SIGKILL", log, run, 1)
        _output, errors = process.communicate(timeout=30)
        if process.returncode == 0:
            break
        assert process.returncode == -9, errors
        host.eventually(lambda: not host.pending(), 30)
        host.eventually(lambda: host.state() == before, 30)
        # The next one is not refused.
    host.ended(run, 30)
    assert host.state() == before
    assert steps > 10
    # Nothing but the steps that were meant, from the first file to the last.
    for name in ("os.link", "before.json", "reserve", "status.json", "pending"):
        assert name in log.read_text(), log.read_text()


def test_without_the_program_nothing_is_changed_and_the_remedy_is_named(host: Server) -> None:
    assert host.commit("absent")["changed"]
    assert not host.commit("absent")["changed"]
    assert host.host.run("ls", "-A", "/var/lib/multihome", check=False).stdout == ""
    before = host.state()
    refused = host.run("ip_aliases", aliases=BAD_ALIASES, run="first")
    assert "commit_confirm, state: present; nothing was changed" in refused["msg"]
    assert host.state() == before
    # What changes nothing does not need it.
    assert not host.run("ip_aliases", aliases=ALIASES, persist=True, run="first").get("failed")
    assert host.commit("present", check=True)["changed"]
    assert host.commit("present")["changed"]
    assert not host.commit("present")["changed"]
    assert host.run("ip_aliases", aliases=BAD_ALIASES, run="first")["changed"]
    pending = host.commit("absent")
    assert "run first" in pending["msg"]
    assert "nothing was removed" in pending["msg"]


def test_the_program_is_replaced_within_the_time(host: Server) -> None:
    before = host.state()
    host.run("ip_aliases", aliases=BAD_ALIASES, purge=True, run="upgrade", timeout=20)
    assert host.commit("present", version="other")["changed"]
    host.host.run("tee", PROGRAM, feed="raise SystemExit('a broken program')")
    host.ended("upgrade", 60)
    assert host.state() == before


def test_the_clock_of_the_deadline_is_not_the_time_of_day(host: Server) -> None:
    host.run("ip_aliases", aliases=BAD_ALIASES, run="clock", timeout=30)
    status = host.status("clock")
    assert abs(status["deadline"] - 30 - time.clock_gettime(time.CLOCK_BOOTTIME)) < 10


def test_a_reboot_in_the_window_restores_the_files(host: Server) -> None:
    files = host.state()["files"].rpartition("\n2")[0]
    host.run("ip_aliases", aliases=BAD_ALIASES, purge=True, persist=True, run="boot", timeout=60)
    assert host.state()["files"].rpartition("\n2")[0] != files
    path = f"{CHECKPOINTS}/boot/status.json"
    status = {**host.status("boot"), "boot": "00000000-0000-0000-0000-000000000000"}
    host.host.run("tee", path, feed=json.dumps(status))
    refused = host.run("nat_rules", rules=[], purge=True, run="boot")
    assert "booted again" in refused["msg"]
    program = f"{CHECKPOINTS}/pending/revert.pyz"
    host.host.run("/usr/bin/python3", "-I", program, "boot", CHECKPOINTS)
    assert host.state()["files"].rpartition("\n2")[0] == files
    assert host.status("boot")["state"] == "reverted"
    assert not host.pending()
    # The kernel's objects are left to the keeper, which applies the restored files.
    assert "192.168.168.7" in host.state()["address"]
