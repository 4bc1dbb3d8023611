# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines boot, and boot again with what they had on disk and nothing of what they had in the kernel; none outlives
whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.tests.lab import state
from ansible_collections.multihome.linux.tests.lab.state import LabError
from ansible_collections.multihome.linux.tests.machines import control_groups, releases
from ansible_collections.multihome.linux.tests.machines.bed import Bed

_HOLD = """
import signal, sys
from ansible_collections.multihome.linux.tests.machines.bed import booted
signal.signal(signal.SIGINT, signal.default_int_handler)
with booted(sys.argv[1], sys.argv[2]):
    print("booted", flush=True)
    signal.pause()
"""


def _groups(lab: str) -> list[Path]:
    return [path for path in control_groups.own().iterdir() if f".{lab}." in path.name]


def test_a_machine_keeps_its_files_and_loses_its_network_when_it_boots_again(bed: Bed) -> None:
    server = bed.server
    boot = ("cat", "/proc/sys/kernel/random/boot_id")
    before = bed.lab.exec(server.name, *boot).stdout
    bed.lab.exec(server.name, "touch", "/etc/kept", "/run/lost")
    bed.lab.exec(server.name, "ip", "rule", "add", "priority", "77", "table", "77")
    server.reboot()
    assert bed.lab.exec(server.name, *boot).stdout != before
    assert bed.lab.exec(server.name, "ls", "/etc/kept").stdout == "/etc/kept\n"
    assert bed.lab.exec(server.name, "ls", "/run/lost", check=False).returncode
    assert bed.lab.exec(server.name, "ip", "rule", "show", "priority", "77").stdout == ""
    bed.lab.exec(server.name, "rm", "/etc/kept")
    assert bed.lab.ask("lan1", "http://192.168.168.101/", timeout=5)["answered"] == 1


def test_machines_are_of_the_release_they_should_be(bed: Bed) -> None:
    for machine in bed.machines:
        assert f"VERSION_CODENAME={bed.suite}\n" in bed.lab.exec(machine.name, "cat", "/etc/os-release").stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_stays_of_machines_whose_process_is_ended(bed: Bed, number: signal.Signals) -> None:
    name = f"test-{os.getpid()}-{bed.suite}-ended"
    command = [sys.executable, "-c", _HOLD, bed.suite, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "booted\n"
        record = state.running(name)
        assert all(map(state.is_alive, record["hosts"].values()))
        assert len(_groups(name)) == 2
        process.send_signal(number)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (_groups(name) or state.directory(name).exists()):
        time.sleep(0.05)
    assert not any(map(state.is_alive, [record["holder"], *record["hosts"].values()]))
    assert _groups(name) == []
    assert not state.directory(name).exists()
    assert name not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")


def test_where_no_machine_can_boot_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="only for root"):
        releases.check()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(releases, "find_tool", {"mmdebstrap": "/usr/bin/mmdebstrap"}.get)
    with pytest.raises(LabError, match="systemd-nspawn; install with: apt-get install -y systemd-container"):
        releases.check()
