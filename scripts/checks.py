# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make test` consists of. `python scripts/checks.py [PHASE...]` runs all phases, or the ones named."""

from __future__ import annotations

import os
import sys

from environment import CACHE, ROOT, environment
from phases import Phase, Runner, summary

COLLECTION = "ansible_collections.multihome.linux"
REPORTS = CACHE / "reports"

LINT = (
    ("ruff", "check", "--quiet"),
    ("ruff", "format", "--check", "--quiet"),
    ("mypy", "--package", f"{COLLECTION}.plugins", "--package", f"{COLLECTION}.tests"),
    ("mypy", "scripts"),
    ("python", "scripts/import_layers.py"),
    ("python", "scripts/language.py"),
    ("yamllint", "--strict", "."),
    ("ansible-lint", "--offline"),
    ("antsibull-changelog", "lint"),
    ("reuse", "lint", "--quiet"),
)


def tests(name: str, *arguments: str) -> Phase:
    """A phase that runs pytest; one that finds no test fails, as pytest does then."""
    report = REPORTS / f"{name}.xml"
    return Phase(name, [("python", "-m", "pytest", f"--junit-xml={report}", *arguments)], report)


def network_tests(name: str, *arguments: str) -> Phase:
    """A phase of tests that send packets: those few that fail beside another phase run once more, alone."""
    report, cache = REPORTS / f"{name}.xml", CACHE / "pytest" / name
    pytest = ("python", "-m", "pytest", f"--override-ini=cache_dir={cache}")
    again = (
        *pytest,
        "--last-failed",
        "--last-failed-no-failures=none",
        *(a for a in arguments if a.startswith("tests/")),
    )
    return Phase(name, [(*pytest, f"--junit-xml={report}", *arguments)], report, cache, again)


# What runs once more as an ordinary user: the lab itself, and the demonstration, which deploys, breaks and verifies.
DEMO = "tests/e2e/test_demo.py"
# In the order of the files: those with the most tests, which pytest-xdist would begin with, are not the longest.
IN_FILES = ("--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder")

# As an ordinary user all other phases are just that already.
report = REPORTS / "ordinary-user.xml"
AGAIN = [Phase("ordinary-user", [("python", "scripts/ordinary_user.py", "lab-test", str(report))], report)]
# None disturbs another. After what fails soonest the longest come first, so that none is left alone at the end.
PHASES = [
    Phase("lint", LINT),
    network_tests("end-to-end", *IN_FILES, "tests/e2e", f"--ignore={DEMO}"),
    network_tests("integration", *IN_FILES, "tests/integration"),
    network_tests("molecule", "tests/molecule"),
    network_tests("machines", "--numprocesses=2", "tests/machines"),
    *(AGAIN if os.geteuid() == 0 else []),
    Phase("sanity", [("python", "scripts/sanity.py")]),
    Phase("importer", [("python", "scripts/importer.py")]),
    network_tests("lab-test", *IN_FILES, DEMO, "tests/lab"),
    # Without a seed: every run tries other inputs, and prints the seed.
    Phase("fuzz", [("python", "-m", "tests.fuzz", "--seconds", "60")]),
    tests("unit", "--numprocesses=2", "tests/unit"),
]
# On two cores: while one waits, for timers, boots or a worker's last file, the other computes.
AT_ONCE = 2


def selected(names: list[str]) -> list[Phase]:
    """The phases named, in their order; all of them when none is.

    Raises SystemExit when there is no such phase.
    """
    known = {phase.name for phase in PHASES}
    if unknown := sorted(set(names) - known):
        raise SystemExit(f"No such phase: {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    return [phase for phase in PHASES if not names or phase.name in names]


def main() -> int:
    """Return the exit status: 0 when every phase went well."""
    runner = Runner(environment(), ROOT)
    results = runner.run(selected(sys.argv[1:]), AT_ONCE)
    print(f"\n{summary(results)}", flush=True)
    if runner.stopping:
        print("interrupted", flush=True)
        return 130
    return int(any(result.failed for result in results))


if __name__ == "__main__":
    sys.exit(main())
