# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an unchanged nat_rules costs with each supported ansible-core, in pings of the same ansible-core."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...lab.state import CHECKOUT
from ..figures import Figure, median_ratio
from ..nat import tasks

# So many mappings, and so many pings at most.
MOST = {1_000: 1.6, 10_000: 5.0}
ROUNDS = 3
# So many tasks more in the second run of a pair.
REPEATS = 4


def figures(say: Callable[[str], None]) -> tuple[list[Figure], dict[str, Any]]:
    """Return a figure for each ansible-core and number of mappings, and the seconds of each round.

    The environments are those of `make matrix`. A version that none of this machine's Pythons can have is not run.
    """
    matrix = _matrix()
    found: list[Figure] = []
    data: dict[str, Any] = {}
    matrix.MATRIX.mkdir(parents=True, exist_ok=True)
    for version, oldest in matrix.ANSIBLE.items():
        python = matrix.python_for(oldest)
        if python is None:
            say(f"ansible-core {version}: not run, as no Python {oldest[0]}.{oldest[1]} or newer is in PATH")
            continue
        say(f"nat_rules, ansible-core {version}")
        place = matrix.venv(f"ansible-{version}", python, f"ansible-core == {version}.*", "netaddr")
        program = place / "bin" / "ansible-playbook"
        rounds = [tasks.unchanged_texts(list(MOST), REPEATS, program, _collections()) for _round in range(ROUNDS)]
        data[version] = rounds
        found += [_figure(version, kind, count, rounds) for count in MOST for kind in ("installed", "sent")]
    return found, data


def _figure(version: str, kind: str, count: int, rounds: Sequence[Mapping[str, Mapping[int, float]]]) -> Figure:
    ratio = median_ratio([taken[kind][count] for taken in rounds], [taken["ping"][0] for taken in rounds])
    if kind == "sent":
        return Figure("    the same on a host without the installed engine", ratio)
    what = f"ansible-core {version}: nat_rules unchanged, {count:,} mappings, processor time, in pings"
    return Figure(what, ratio, at_most=MOST[count])


def _matrix() -> Any:
    scripts = str(CHECKOUT / "scripts")
    if scripts not in sys.path:
        sys.path.append(scripts)
    # The scripts are programs, and no package.
    import matrix  # noqa: PLC0415 - after sys.path is right

    return matrix


def _collections() -> Path:
    """Return the directory in which Ansible finds this collection, wherever these tests were imported from."""
    places = map(Path, sys.path)
    return next(place for place in places if (place / "ansible_collections" / "multihome" / "linux").exists())
