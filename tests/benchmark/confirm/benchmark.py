# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unconfirmed changes: how long after its deadline the old state is restored, and the cost of the protection."""

from __future__ import annotations

import os
import resource
import statistics
from collections.abc import Callable

from ...e2e import playbooks
from ...e2e.offers import CLIENT, offers
from ...e2e.traffic import load
from ...integration.confirm.lab import ALIASES, BAD_ALIASES, Server, server
from ...lab.lab import Lab
from ...lab.topology import choose
from ..figures import Figure, Report

TITLE = "20 unconfirmed changes, a good one under load, and module runs with and without protection"
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
    confirmed, answered, failed = _good_change()
    say(f"a good change of {confirmed} hosts: {failed} of {answered + failed} requests failed")
    ratio = statistics.median(g / p for g, p in zip(guarded, plain, strict=True))
    figures = [
        Figure("old state restored", restored, f" of {RUNS}", at_least=RUNS),
        Figure("latest, after the deadline", max(late), " s", at_most=2),
        Figure("median, after the deadline", statistics.median(late), " s"),
        Figure("hosts whose good change was confirmed", confirmed, " of 3", at_least=3),
        Figure("failed requests meanwhile, on all lines", failed, f" of {answered + failed}", at_most=0),
        Figure("checkpoints of runs with nothing to do", checkpoints, "", at_most=0),
        Figure("CPU of such a run, with protection, ratio", ratio, "", at_most=1.02, note=f"median of {RUNS} pairs"),
        Figure("CPU of a run that arms, beyond an unchanged one", arming, " s"),
    ]
    return Report(figures, {"late": late, "plain": plain, "guarded": guarded})


def _good_change() -> tuple[int, int, int]:
    """Change all hosts of a lab under load; return how many confirmed it, and the answered and failed requests."""
    lab = Lab(f"bench-{os.getpid()}")
    try:
        lab.up(choose(lines=2))
        playbooks.deploy(lab, variables=playbooks.PROTECTED)
        # Something that each host has to change, and no connection may notice.
        for host in ("fw-a", "fw-b", "web1"):
            lab.exec(host, "rm", "/etc/sysctl.d/60-multihome.conf")
        lab.exec(
            "web1", "ip", "rule", "add", "priority", "29000", "from", "192.0.2.7", "table", "1001", "protocol", "109"
        )
        with load(lab, CLIENT, [offer.url for offer in offers(lab.topology)]) as requests:
            run = playbooks.deploy(lab, variables=playbooks.PROTECTED)
        kept = {result.host for result in run.results if "Keep the change" in result.task and result.status == "ok"}
        return len(kept), requests.answered, requests.failed
    finally:
        lab.down()


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
