# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper on a booted machine: how soon a deleted object is back, how soon it starts, what it costs while idle."""

from __future__ import annotations

import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence

from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.backoff import BURST

from ...machines import releases
from ...machines.bed import booted
from ...machines.deployed import KEEPER, Deployed
from ...machines.machine import PYTHON
from ..figures import Figure, Report
from . import foreign

TITLE = "the keeper of the two-line design's server: repair, start, idle"
SUITE = releases.SUITES[0]
DELETIONS = 200
STARTS = 5
IDLE = 30.0  # seconds
# So often all objects are deleted before the keeper is started anew: soon it would take that for the work of another
# program, the sooner for a route that also goes, or loses its source, along with an address.
_PATIENT = BURST // 2 - 1
# On the machine, so that what is measured is the keeper and not the way into the machine: delete, and look until all
# is back. Prints the seconds of each deletion.
_MEASURE = """
import json, subprocess, sys, time
def standing():
    found = []
    for words in (["-4", "rule"], ["-6", "rule"], ["-4", "route", "show", "table", "all"],
                  ["-6", "route", "show", "table", "all"], ["-4", "address"], ["-6", "address"]):
        found.append(subprocess.run(["ip", "-oneline", *words], capture_output=True, text=True, check=True).stdout)
    for word in ("tentative ", "nodad "):
        found = [text.replace(word, "") for text in found]
    return [sorted(text.splitlines()) for text in found]
before = standing()
for command in json.load(sys.stdin):
    begin = time.monotonic()
    subprocess.run(command, check=True)
    while standing() != before:
        if time.monotonic() - begin > 30:
            sys.exit(f"not back: {command}")
    print(time.monotonic() - begin, flush=True)
"""


def measure(say: Callable[[str], None]) -> Report:
    """Deploy on booted machines and measure the server's keeper. Raises LabError where no machine can boot."""
    beside, data = foreign.measure(say)
    releases.check()
    with booted(SUITE, f"benchmark-{os.getpid()}") as bed:
        say(f"deploying on {SUITE}")
        design = Deployed(bed)
        design.settled(bed.server)
        say(f"{DELETIONS} deletions")
        repairs = _repairs(design)
        say(f"{STARTS} starts")
        starts = [_start(design) for _start_number in range(STARTS)]
        say(f"{IDLE:.0f} s of idleness")
        processor, memory = _idle(design)
    ninety_nine = statistics.quantiles(repairs, n=100)[98]
    figures = [
        Figure(f"back after a deletion, p99 of {len(repairs)}", ninety_nine, " s", at_most=1.0),
        Figure("back after a deletion, median", statistics.median(repairs), " s"),
        Figure("start until ready, median", statistics.median(starts), " s", at_most=1.0),
        Figure(
            "memory while idle", memory, " MB", at_most=40.0, note="resident, with what it shares with other programs"
        ),
        Figure("processor while idle", processor, " %", at_most=0.1, note=f"of one core, over {IDLE:.0f} s"),
    ]
    return Report([*figures, *beside], {"suite": SUITE, "repairs": repairs, "starts": starts, **data})


def _repairs(design: Deployed) -> Sequence[float]:
    """Return the seconds until each of many deleted objects was back, addresses, routes and rules in turn."""
    server = design.bed.server
    commands = [each.deletion for each in design.ours(server) if each.deletion and each.deletion[0] == "ip"]
    endless = itertools.cycle(commands)
    seconds: list[float] = []
    while len(seconds) < DELETIONS:
        count = min(_PATIENT * len(commands), DELETIONS - len(seconds))
        wanted = json.dumps([next(endless) for _number in range(count)])
        told = design.lab.exec(server.name, PYTHON, "-c", _MEASURE, stdin=wanted, timeout=600).stdout
        seconds += map(float, told.split())
        design.run(server, "systemctl", "restart", KEEPER)
    return seconds


def _start(design: Deployed) -> float:
    """Return the seconds from the order to start until the keeper says that it is ready, all looked at once."""
    server = design.bed.server
    design.run(server, "systemctl", "stop", KEEPER)
    design.run(server, "systemctl", "start", KEEPER)
    names = ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    shown = design.run(server, "systemctl", "show", *(f"--property={name}" for name in names), KEEPER)
    values = dict(line.split("=") for line in shown.splitlines())
    begin, ready = (int(values[name]) for name in names)
    return (ready - begin) / 1e6


def _idle(design: Deployed) -> tuple[float, float]:
    """Return the percentage of a core and the megabytes that the keeper takes while nothing happens."""
    server = design.bed.server
    time.sleep(2)
    process = design.process(server)
    before = _processor_seconds(design, process)
    begin = time.monotonic()
    time.sleep(IDLE)
    used = _processor_seconds(design, process) - before
    elapsed = time.monotonic() - begin
    status = design.run(server, "cat", f"/proc/{process}/status")
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return 100 * used / elapsed, resident / 1024


def _processor_seconds(design: Deployed, process: int) -> float:
    """Return the time that a process of the server has computed for; to the nanosecond (/proc/PID/schedstat)."""
    return int(design.run(design.bed.server, "cat", f"/proc/{process}/schedstat").split()[0]) / 1e9
