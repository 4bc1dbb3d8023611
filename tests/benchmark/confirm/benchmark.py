# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unconfirmed changes: how long after its deadline the old state is restored, and the cost of the protection."""

from __future__ import annotations

import resource
import statistics
from collections.abc import Callable

from ...integration.confirm.lab import ALIASES, BAD_ALIASES, Server, server
from ..figures import Figure, Report

TITLE = "20 unconfirmed changes, and module runs with and without protection"
RUNS = 20


def measure(say: Callable[[str], None]) -> Report:
    """Leave changes unconfirmed, and compare the host after each with the state before them."""
    late, restored = [], 0
    with server() as host:
        before = host.state()
        for number in range(RUNS):
            run = f"run{number}"
            host.run("ip_aliases", aliases=BAD_ALIASES, purge=True, run=run, timeout=4 + number % 2, persist=True)
            late.append(host.ended(run, 60) - float(host.status(run)["deadline"]))
            restored += host.state() == before
            say(f"{run}: {late[-1]:.2f} s after the deadline")
        plain, guarded = [], []
        for _pair in range(RUNS):
            plain.append(_cpu(lambda: host.run("ip_aliases", aliases=ALIASES, persist=True)))
            guarded.append(_cpu(lambda: host.run("ip_aliases", aliases=ALIASES, persist=True, run="idle")))
        checkpoints = host.checkpoints().count("idle")
        arming = _armed(host) - statistics.median(plain)
    ratio = statistics.median(g / p for g, p in zip(guarded, plain, strict=True))
    figures = [
        Figure("old state restored", restored, f" of {RUNS}", at_least=RUNS),
        Figure("latest, after the deadline", max(late), " s", at_most=2),
        Figure("median, after the deadline", statistics.median(late), " s"),
        Figure("checkpoints of runs with nothing to do", checkpoints, "", at_most=0),
        Figure("CPU of such a run, with protection, ratio", ratio, "", at_most=1.02, note=f"median of {RUNS} pairs"),
        Figure("CPU of a run that arms, beyond an unchanged one", arming, " s"),
    ]
    return Report(figures, {"late": late, "plain": plain, "guarded": guarded})


def _armed(host: Server) -> float:
    """Return the CPU time of a module that changes something, and arms."""
    cost = _cpu(lambda: host.run("ip_aliases", aliases=BAD_ALIASES, run="arming"))
    host.commit("reverted", run="arming")
    return cost


def _cpu(work: Callable[[], object]) -> float:
    """Return the CPU time of the processes that ``work`` starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
