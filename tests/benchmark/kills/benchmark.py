# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that replaces 1,000 objects is killed at 200 random moments, with the keeper and foreign state around."""

from __future__ import annotations

import collections
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from ...integration.keeper.host import kept
from ...integration.keeper.kills import Site
from ..figures import Figure, Report

TITLE = "a module that replaces 1,000 objects, killed at 200 random moments beside the keeper"
KILLS = 200
SEED = 1


def measure(say: Callable[[str], None]) -> Report:
    """Kill the runs, and count those after which the host is in the old or in the new state."""
    outcomes: collections.Counter[str] = collections.Counter()
    draw = random.Random(SEED)
    with tempfile.TemporaryDirectory() as directory, kept(Path(directory)) as host:
        site = Site(host, 500)
        host.start()
        try:
            for number in range(KILLS):
                outcomes[site.kill(draw)] += 1
                if number % 20 == 19:
                    say(f"{number + 1} of {KILLS} kills: {dict(outcomes)}")
            rolled_back = host.log().count("rolled back")
        finally:
            host.stop()
    figures = [
        Figure("old or new state", outcomes["old"] + outcomes["new"], f" of {KILLS}", at_least=KILLS),
        Figure("of them old", outcomes["old"], ""),
        Figure("rolled back by the keeper", rolled_back, "", note=f"seed {SEED}"),
    ]
    return Report(figures, {"outcomes": dict(outcomes), "seed": SEED})
