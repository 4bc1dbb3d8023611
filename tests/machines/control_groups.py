# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control group for each machine, below our own: the only thing of a machine that does not go by itself."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from ..lab.state import LabError

_PREFIX = "multihome"
_TIMEOUT = 10.0  # seconds; the kernel lets go of the last process within milliseconds


def make(lab: str, machine: str) -> Path:
    """Make the control group of a machine and return its directory. Raises LabError where that cannot be."""
    directory = own() / f"{_PREFIX}.{lab}.{machine}"
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise LabError(f"no control group can be made here: {error}") from error
    return directory


def remove(lab: str) -> None:
    """Remove the control groups of a lab that is down."""
    for directory in own().glob(f"{_PREFIX}.{lab}.*"):
        deadline = time.monotonic() + _TIMEOUT
        while directory.is_dir() and time.monotonic() < deadline:
            for below in sorted(directory.rglob("*/"), reverse=True):
                with contextlib.suppress(OSError):  # still busy with its last process
                    below.rmdir()
            try:
                directory.rmdir()
            except OSError:
                time.sleep(0.01)


def own() -> Path:
    """Return the directory of our own control group in the unified hierarchy (cgroups(7)).

    Raises LabError where that hierarchy is not mounted.
    """
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields, _dash, kind = line.partition(" - ")
        if kind.split()[0] == "cgroup2":
            root, mounted = fields.split()[3:5]
            (own,) = (
                entry.removeprefix("0::")
                for entry in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
                if entry.startswith("0::")
            )
            return Path(mounted, own.removeprefix(root).lstrip("/"))
    raise LabError("the unified hierarchy of control groups (cgroup2) is not mounted here")
