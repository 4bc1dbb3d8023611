# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line with 10 % loss and 200 ms of jitter for 24 simulated hours: how often it is taken for dead.

The judge and the schedule of probes are the ones that run on hosts; only the network and the clock are simulated.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from unittest.mock import patch

from ansible_collections.multihome.linux.plugins.module_utils._core.health import line_state
from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import DOWN, SUSPECT
from ansible_collections.multihome.linux.plugins.module_utils._core.health.probe_schedule import Watch
from ansible_collections.multihome.linux.tests.unit.health.simulation import Network, Simulation, line

from ..figures import Figure, Report

TITLE = "24 simulated hours of 10 % loss and 200 ms of jitter"
HOURS = float(os.environ.get("MULTIHOME_BENCHMARK_HOURS", "24"))
FAMILIES = (4, 6)
START, LOSS = 1000.0, 0.1
# Seconds from the least to the most: 200 ms around 230.
DELAY, JITTER = 0.03, 0.4


def measure(say: Callable[[str], None]) -> Report:
    """Simulate a day in each family; and an hour with a hasty judge, to see that a false verdict would be found."""
    runs = {}
    for family in FAMILIES:
        say(f"{HOURS:g} simulated hours of IPv{family}")
        runs[family] = _day(family, HOURS)
    say("one hour with a judge that waits for half the time")
    with patch.object(line_state.Judge, "_is_silent", lambda self, now: now - self.silent_since > 0.6):
        hasty = _day(4, 1.0)
    note = f"3 targets, {HOURS:g} h, loss {LOSS:.0%} of each probe, delay 30 to 430 ms"
    figures = []
    for family, run in runs.items():
        false = len(run.times(DOWN))
        figures += [
            Figure(f"false verdicts, IPv{family}", false, at_most=0, note=note),
            Figure(f"of {run.sent:,} probes, silences that asked faster", len(run.times(SUSPECT))),
            Figure("wrongly degraded", sum(degraded for _time, degraded in run.degraded), at_most=0),
        ]
    figures.append(Figure("control: false verdicts of a judge that waits 0.6 s, in one hour", len(hasty.times(DOWN))))
    return Report(figures, {"changes": {family: run.changes for family, run in runs.items()}})


def _day(family: int, hours: float) -> Simulation:
    seed = family
    watch = Watch(line(family), family, START, random.Random(seed).random())
    run = Simulation(watch, Network(seed, loss=LOSS, delay=DELAY, jitter=JITTER))
    run.run(START + 3600 * hours)
    return run
