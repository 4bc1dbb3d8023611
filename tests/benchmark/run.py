# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.benchmark.run [NAME...]`: run all benchmarks, or the ones named; print tables, write JSON.

Without names, those that take 20 minutes are left out.

The JSON lies in .cache/reports/benchmark-NAME.json. A figure that is not reached is no failure: it depends on the
machine, and is for people to judge. The exit status is 0 when every benchmark ran to its end.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path

from ..lab.state import CHECKOUT
from .figures import Report, table

REPORTS = CHECKOUT / ".cache" / "reports"


# Those that take too long to be measured each time; named on the command line they are.
ON_REQUEST = ("health_loss",)


def names() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/benchmark.py"))


def say(text: str) -> None:
    """Say what is going on, apart from the tables."""
    print(f"… {text}", file=sys.stderr, flush=True)


def measure(name: str) -> None:
    """Run one benchmark, print its table and write its JSON."""
    benchmark = importlib.import_module(f".{name}.benchmark", __package__)
    print(f"\n=== {name}: {benchmark.TITLE}\n", flush=True)
    begin, load = time.monotonic(), os.getloadavg()[0]
    report: Report = benchmark.measure(say)
    print(f"{report.text}\n\n{table(report.figures)}" if report.text else table(report.figures))
    print(f"\nload before: {load:.1f} on {os.cpu_count()} processors")
    data = {
        "benchmark": name,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load_before": round(load, 2),
        "seconds": round(time.monotonic() - begin, 1),
        "figures": [figure.as_data() for figure in report.figures],
        "data": report.data,
    }
    REPORTS.mkdir(parents=True, exist_ok=True)
    path = REPORTS / f"benchmark-{name}.json"
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    print(f"\n{path.relative_to(CHECKOUT)}", flush=True)


def main() -> None:
    """Run what the command line names."""
    wanted = sys.argv[1:] or [name for name in names() if name not in ON_REQUEST]
    if unknown := sorted(set(wanted) - set(names())):
        raise SystemExit(f"No such benchmark: {', '.join(unknown)}; there are: {', '.join(names())}")
    for name in wanted:
        measure(name)


if __name__ == "__main__":
    main()
