# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What confirms or reverts is killed, hindered or kept from its files: the host has its earlier state all the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .lab import ALIASES, BAD_ALIASES, CHECKPOINTS, Server, server

# Steps of a revert: it takes, records, restores each kind, and cleans up.
STEPS = (2, 8, 34)
HOLD = "import fcntl, time; file = open('/run/multihome/lock', 'a'); fcntl.flock(file, 2); print(1, flush=True); "


@pytest.fixture
def host() -> Iterator[Server]:
    """A deployed server."""
    with server() as made:
        yield made


def test_a_confirmation_that_is_killed_at_any_step(host: Server, tmp_path: Path) -> None:
    """Its run is confirmed, or waits; in neither case does it prevent the next one."""
    log = tmp_path / "log"
    found = set()
    for step in range(1, 100, 2):
        run = f"killed{step}"
        aliases = [*ALIASES, {"address": f"192.168.168.{100 + step}/24", "interface": "eth0"}]
        assert host.run("ip_aliases", aliases=aliases, purge=True, persist=True, run=run, timeout=60).get("changed")
        process = host.stopped(step, "SIGKILL", log, "commit_confirm", state="confirmed", run=run)
        output, errors = process.communicate(timeout=30)
        assert process.returncode in (0, -9), (output, errors)
        found.add(host.status(run)["state"])
        if host.status(run)["state"] == "armed":
            assert not host.commit("reverted", run=run).get("failed")
        if process.returncode == 0:
            break
    assert found == {"armed", "confirmed"}
    assert step > 5
    assert "pending" in log.read_text()
    assert not host.pending()


def test_a_revert_that_is_killed_is_done_by_the_timer(host: Server, tmp_path: Path) -> None:
    before = host.state()
    log = tmp_path / "log"
    for step in STEPS:
        run = f"killed{step}"
        host.break_it(run, 15)
        process = host.stopped(step, "SIGKILL", log, "commit_confirm", state="reverted", run=run)
        output, errors = process.communicate(timeout=30)
        assert process.returncode == -9, (output, errors)
        host.ended(run, 60)
        host.eventually(lambda: host.state() == before, 30)
        assert not host.pending() or host.commit("reverted", run=run).get("state") == "reverted"
    # The control: it was killed while it restored the host, too.
    assert "multihome" in log.read_text()


@pytest.mark.parametrize("signal", ["STOP", "CONT"])
def test_a_process_that_holds_the_lock_does_not_prevent_the_revert(host: Server, signal: str) -> None:
    """It is not of the run, as a keeper that hangs: stopped, or busy for ever."""
    before = host.state()
    host.break_it("held", 10)
    words = (sys.executable, "-c", f"{HOLD} time.sleep(600)")
    holder = host.host.start(*words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "1\n"
    host.host.run("kill", f"-{signal}", str(holder.pid))
    # The control: another run waits for it.
    assert holder.poll() is None
    host.ended("held", 90)
    assert holder.wait(10) == -9
    assert host.state() == before


def test_checkpoints_that_are_read_only_at_the_deadline(host: Server) -> None:
    before = host.state()
    host.break_it("frozen", 8)
    host.host.run("mount", "--bind", CHECKPOINTS, CHECKPOINTS)
    host.host.run("mount", "-o", "remount,bind,ro", CHECKPOINTS)
    host.eventually(lambda: host.state() == before, 60)
    # Nobody else changes anything meanwhile, and the reason is said.
    other = host.run("ip_aliases", aliases=BAD_ALIASES, run="other")
    assert "run frozen" in other["msg"]
    refused = host.commit("reverted", run="frozen")
    assert "the earlier state is restored, but that cannot be recorded" in refused["msg"]
    assert "Read-only file system" in refused["msg"]
    host.host.run("umount", CHECKPOINTS)
    assert host.commit("reverted", run="frozen").get("state") == "reverted"
    assert host.state() == before
    assert not host.pending()


def test_a_stored_state_that_became_immutable(host: Server) -> None:
    before = host.state()
    host.break_it("fixed", 60)
    path = "/etc/multihome/ip_aliases.json"
    # A bind mount in its place cannot be replaced either, on any file system.
    host.host.run("mount", "--bind", path, path)
    refused = host.commit("reverted", run="fixed")
    assert f"{path}: " in refused["msg"]
    after = host.state()
    assert {kind for kind in before if after[kind] != before[kind]} == {"files"}
    host.host.run("umount", path)
    assert host.commit("reverted", run="fixed").get("state") == "reverted"
    assert host.state() == before


def test_files_of_the_administrator_stay(host: Server) -> None:
    """Written within the window: a program to run, a drained line and a key."""
    host.run("ip_aliases", aliases=BAD_ALIASES, purge=True, persist=True, run="beside", timeout=60)
    names = ("hooks.d/50-page", "drained.json", "keys/k.key")
    script = " && ".join(f"echo mine > /etc/multihome/{name}" for name in names)
    host.host.run("sh", "-c", f"mkdir -p /etc/multihome/hooks.d /etc/multihome/keys && {script}")
    assert host.commit("reverted", run="beside").get("state") == "reverted"
    shown = host.host.run("sh", "-c", "cd /etc/multihome && cat " + " ".join(names)).stdout
    assert shown == "mine\n" * 3
    # The control: what the run stored is gone.
    assert "192.168.168.7" not in host.host.run("cat", "/etc/multihome/ip_aliases.json").stdout
