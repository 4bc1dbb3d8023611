# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of day is set by a day within the window: the host still reverts when the seconds are over.

A library below Python gives the modules, the program that arms and the process that waits another time of day. The
kernel's other clocks are left as they are, as they are when somebody sets the time of day.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from .lab import BAD_ALIASES, Server, in_any_order, server

UNPACKED = Path(__file__).parents[3] / ".cache" / "compiler"
SOURCE = Path(__file__).with_name("clock.c")
TIMEOUT = 20


@pytest.fixture
def host() -> Iterator[Server]:
    """A deployed server."""
    with server() as made:
        yield made


class Clock:
    """The time of day of the processes that have the environment."""

    def __init__(self, directory: Path) -> None:
        library, self._setting = directory / "clock.so", directory / "clock"
        [here] = UNPACKED.glob("usr/lib/*/tcc")
        options = ["-shared", "-nostdlib", "-o", str(library), str(SOURCE)]
        subprocess.run([str(UNPACKED / "usr" / "bin" / "tcc"), f"-B{here}", *options], check=True)
        self.environment = {"LD_PRELOAD": str(library), "SECONDS_OFF": str(self._setting)}
        self.set(0)

    def set(self, days: int) -> None:
        """Set it."""
        # In one step: it is read at any moment.
        new = self._setting.with_suffix(".new")
        new.write_text(f"{days * 86400}\n")
        new.rename(self._setting)


def days_off(text: str) -> int:
    """How many days a time of day is off."""
    found = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return round((found - datetime.now(UTC)) / timedelta(days=1))


@pytest.mark.parametrize("days", [1, -1])
def test_the_clock_is_set_within_the_window(host: Server, tmp_path: Path, days: int) -> None:
    clock = Clock(tmp_path)
    before = host.state()
    first = host.run("ip_aliases", run="clock", timeout=TIMEOUT, aliases=BAD_ALIASES, environment=clock.environment)
    assert first.get("changed"), first
    assert days_off(host.status("clock")["armed_at"]) == 0
    clock.set(days)
    # A module that runs afterwards extends the time, and does not find it over.
    second = host.run("nat_rules", run="clock", timeout=TIMEOUT, rules=[], purge=True, environment=clock.environment)
    assert second["changed"], second.get("msg")
    deadline = float(host.status("clock")["deadline"])
    assert 0 < deadline - time.clock_gettime(time.CLOCK_BOOTTIME) <= TIMEOUT
    while time.clock_gettime(time.CLOCK_BOOTTIME) < deadline - 1:
        # Not before the time is over.
        assert host.status("clock")["state"] == "armed"
        time.sleep(0.5)
    host.ended("clock", 30)
    assert in_any_order(host.state()) == in_any_order(before)
    # The control: the process that waited had the other time of day.
    assert days_off(host.status("clock")["ended_at"]) == days


@pytest.mark.parametrize("days", [1, -1])
def test_a_good_change_is_confirmed_after_the_clock_was_set(host: Server, tmp_path: Path, days: int) -> None:
    clock = Clock(tmp_path)
    for run, now in (("one", 0), ("two", days)):
        clock.set(now)
        alias = [{"address": f"192.168.168.{len(run) + now + 20}/24", "interface": "eth0"}]
        done = host.run("ip_aliases", run=run, timeout=60, aliases=alias, environment=clock.environment)
        assert done.get("changed"), done
        assert host.commit("confirmed", run=run, environment=clock.environment)["state"] == "confirmed"
    assert days_off(host.status("two")["ended_at"]) == days
    # The last one is the last one, whatever the clock said.
    found = host.run("multihome_info", gather_subset=["checkpoints"])["checkpoints"]
    assert [each["run"] for each in found["confirmed"]] == ["two", "one"]
