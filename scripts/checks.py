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
    ("yamllint", "--strict", "."),
    ("ansible-lint", "--offline"),
    ("antsibull-changelog", "lint"),
    ("reuse", "lint", "--quiet"),
)


def tests(name: str, *arguments: str) -> Phase:
    """A phase that runs pytest; one that finds no test fails, as pytest does then."""
    report = REPORTS / f"{name}.xml"
    return Phase(name, [("python", "-m", "pytest", f"--junit-xml={report}", *arguments)], report)


# The lab itself and the two-line design on it: what runs once more as an ordinary user.
LAB = ("tests/lab", *(f"tests/e2e/test_{name}.py" for name in ("demo", "deploy", "packets")))
IN_FILES = ("--numprocesses=2", "--dist=loadfile")

# The phases of one row do not disturb each other and run at the same time.
GROUPS = [
    [Phase("lint", LINT), Phase("sanity", [("python", "scripts/sanity.py")])],
    [tests("unit", "--numprocesses=2", "tests/unit")],
    [tests("integration", *IN_FILES, "tests/integration")],
    [tests("lab-test", *IN_FILES, *LAB)],
    [tests("end-to-end", *IN_FILES, "tests/e2e", *(f"--ignore={path}" for path in LAB))],
    [tests("machines", "--numprocesses=2", "tests/machines")],
]
# As an ordinary user all of the above was just that.
if os.geteuid() == 0:
    report = REPORTS / "ordinary-user.xml"
    GROUPS.append([Phase("ordinary-user", [("python", "scripts/ordinary_user.py", "lab-test", str(report))], report)])


def selected(names: list[str]) -> list[list[Phase]]:
    """The rows of the table, left to the phases named; all of them when none is.

    Raises SystemExit when there is no such phase.
    """
    known = {phase.name for group in GROUPS for phase in group}
    if unknown := sorted(set(names) - known):
        raise SystemExit(f"No such phase: {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    rows = ([phase for phase in group if not names or phase.name in names] for group in GROUPS)
    return [row for row in rows if row]


def main() -> int:
    """Return the exit status: 0 when every phase went well."""
    groups = selected(sys.argv[1:])
    runner = Runner(environment(), ROOT)
    results = runner.run(groups)
    print(f"\n{summary(results)}", flush=True)
    if runner.stopping:
        print("interrupted", flush=True)
        return 130
    return int(any(result.failed for result in results))


if __name__ == "__main__":
    sys.exit(main())
