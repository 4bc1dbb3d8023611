# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper on a host with 300,000 routes of a routing daemon, beside the same host without them."""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...integration.keeper.host import Kept
from ...integration.namespaces import Hosts
from ..figures import Figure

ROUTES = 300_000
# Of each kind; each is deleted less often than the keeper puts up with.
OBJECTS = 10
DELETIONS = 240
STORM = 10.0  # seconds
RUNS = 15
_ON_HOST = Path(__file__).with_name("on_host.py")
ALIASES = [{"address": f"192.168.168.{number}/24", "interface": "eth0"} for number in range(60, 60 + OBJECTS)]
ROUTING: dict[str, Any] = {
    "tables": [
        {"id": 1001 + number, "routes": [{"destination": "default", "gateway": "192.168.168.11"}]}
        for number in range(OBJECTS)
    ],
    "rules": [
        {"priority": 23010 + number, "source": f"192.168.168.{60 + number}", "table": 1001 + number}
        for number in range(OBJECTS)
    ],
}


def measure(say: Callable[[str], None]) -> tuple[Sequence[Figure], dict[str, Any]]:
    """Measure both hosts; return the figures and the measurements behind them."""
    with _host() as clean, _host() as busy:
        say(f"{DELETIONS} deletions on a clean host")
        few = _repairs(clean)
        say(f"{ROUTES} routes of a routing daemon")
        _fill(busy)
        say(f"{DELETIONS} deletions beside them")
        many = _repairs(busy)
        memory = _resident(busy)
        say(f"a storm of {STORM:.0f} s")
        share, rate = _storm(busy)
        say("module runs")
        pairs = [(_run(clean), _run(busy)) for _pair in range(RUNS)]
    ratio = 100 * (statistics.median(busy for _clean, busy in pairs) / statistics.median(c for c, _busy in pairs) - 1)
    beside = f"beside {ROUTES} foreign routes"
    figures = [
        Figure("clean host: back after a deletion, median", 1000 * statistics.median(few), " ms", at_most=5.0),
        Figure(f"{beside}: back, p99 of {len(many)}", statistics.quantiles(many, n=100)[98], " s", at_most=0.1),
        Figure(f"{beside}: memory", memory, " MB", at_most=40.0, note="resident"),
        Figure(f"{beside}: processor in a storm", share, " %", at_most=5.0, note=f"of a core, {rate:.0f} changes/s"),
        Figure(f"{beside}: a module run longer by", ratio, " %", at_most=10.0, note=f"processor time, {RUNS} pairs"),
    ]
    data = {"clean": few, "beside": many, "runs": pairs, "storm_rate": rate}
    return figures, data


@contextmanager
def _host() -> Iterator[Kept]:
    with tempfile.TemporaryDirectory() as directory, Hosts("server", "gateway") as hosts:
        hosts.link("server", "eth0", "gateway", "eth0")
        hosts["gateway"].address("eth0", "192.168.168.11/24")
        hosts["server"].address("eth0", "192.168.168.50/24")
        kept = Kept(hosts["server"], Path(directory))
        for module, options in (("ip_aliases", {"aliases": ALIASES}), ("policy_routing", ROUTING)):
            result = kept.run(module, **options)
            assert result.get("changed"), result
        kept.start()
        try:
            yield kept
        finally:
            kept.stop()


def _fill(kept: Kept) -> None:
    lines = (f"route add 20.{n >> 16}.{n >> 8 & 255}.{n & 255}/32 dev eth0 proto 186\n" for n in range(ROUTES))
    kept.host.run("ip", "-batch", "-", feed="".join(lines), timeout=300)
    time.sleep(1)


def _on_host(kept: Kept, *words: str) -> Any:
    environment = f"PYTHONPATH={os.pathsep.join(path for path in sys.path if path.endswith('site-packages'))}"
    command = ("env", environment, sys.executable, str(_ON_HOST), *words)
    return json.loads(kept.host.run(*command, timeout=300).stdout)


def _repairs(kept: Kept) -> list[float]:
    return [float(each) for each in _on_host(kept, "repairs", str(DELETIONS))]


def _storm(kept: Kept) -> tuple[float, float]:
    """Return the percentage of a core that the keeper took, and the changes a second."""
    before, begin = _processor_seconds(kept), time.monotonic()
    rate = float(_on_host(kept, "storm", str(STORM)))
    return 100 * (_processor_seconds(kept) - before) / (time.monotonic() - begin), rate


def _processor_seconds(kept: Kept) -> float:
    assert kept.process is not None
    return int(Path(f"/proc/{kept.process.pid}/schedstat").read_text().split()[0]) / 1e9


def _resident(kept: Kept) -> float:
    assert kept.process is not None
    status = Path(f"/proc/{kept.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _run(kept: Kept) -> float:
    """Return the processor time of a run of a module that has nothing to do: the machine may have other work."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = kept.run("policy_routing", **ROUTING)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.get("changed") is False, result
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
