# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two lines with 10 % loss and 200 ms of jitter for 20 minutes, on real packets: how often one is taken for dead.

nft drops by chance, and a forwarder in user space delays each packet by chance. At the end the lines really die, to see
that it would have been found.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

from ...integration.health.lab import FAMILIES, LINES, Lab, Watcher, lab
from ..figures import Figure, Report

TITLE = "10 % loss and 200 ms of jitter on real packets"
SECONDS = float(os.environ.get("MULTIHOME_BENCHMARK_SECONDS", "1200"))
LOSS = 10
# Seconds: 200 ms around 230.
LEAST, MOST = 0.03, 0.43
_STATE = "/run/multihome/health.json"


def measure(say: Callable[[str], None]) -> Report:
    """Watch two bad lines for a while, and let both die at the end."""
    with lab() as network:
        for name in LINES:
            network.delay(name, LEAST, MOST)
        with network.watching() as watcher:
            watcher.all_up()
            # Of each probe so many are lost, on its way out.
            for name in LINES:
                network.lose_one_way(name, LOSS)
            say(f"{SECONDS / 60:g} minutes of loss and jitter")
            begin = time.monotonic()
            seen = _seen(network, SECONDS)
            verdicts = _verdicts(watcher, begin)
            lags = watcher.usage()["lags"]
            say("deaths of both lines")
            deaths = _deaths(network, watcher)
    losses, delays = (
        [row[key] for row in seen if row[key] is not None] for key in ("loss_percent", "rtt_milliseconds")
    )
    note = f"{SECONDS:g} s, two lines, two families, 3 targets each; loss by nft, delay by a forwarder in user space"
    figures = [
        Figure("false verdicts", len(verdicts["down"]), at_most=0, note=note),
        Figure("silences that asked faster", len(verdicts["suspect"])),
        Figure("wrongly degraded", len(verdicts["degraded"]), at_most=0),
        Figure("loss that the keeper measured, mean", sum(losses) / len(losses), " %"),
        Figure("loss that the keeper measured, most in 30 s", max(losses), " %"),
        Figure("time until an answer, mean", sum(delays) / len(delays), " ms"),
        Figure("times that the loop was late", lags),
        Figure("control: both lines really dead until the last verdict", max(deaths), " s", at_most=1.8),
    ]
    return Report(figures, {"verdicts": verdicts, "deaths": deaths})


def _seen(network: Lab, seconds: float) -> list[dict[str, Any]]:
    """Return what the keeper shows of the lines, read now and then for so long."""
    found: list[dict[str, Any]] = []
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 30.0))
        lines = json.loads(network.server.run("cat", _STATE).stdout)["lines"]
        found += [lines[name][f"ipv{family}"] for name in LINES for family in FAMILIES]
    return found


def _verdicts(watcher: Watcher, since: float) -> dict[str, list[tuple[float, str]]]:
    """Return by kind when a line of a family got down, suspect or degraded."""
    found: dict[str, list[tuple[float, str]]] = {"down": [], "suspect": [], "degraded": []}
    before: dict[str, tuple[str, bool]] = {}
    for each in list(watcher.said):
        for name, (state, _reason, _alarm, degraded) in each.get("lines", {}).items():
            was_state, was_degraded = before.get(name, ("", False))
            before[name] = (state, degraded)
            if each["at"] < since:
                continue
            if state in ("down", "suspect") and state != was_state:
                found[state].append((each["at"] - since, name))
            if degraded and not was_degraded:
                found["degraded"].append((each["at"] - since, name))
    return found


def _deaths(network: Lab, watcher: Watcher) -> list[float]:
    died = {name: network.kill(name) for name in LINES}
    return [watcher.waits(name, family, "down", died[name]) - died[name] for name in LINES for family in FAMILIES]
