# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make matrix`: the built collection on each supported ansible-core, with each pyroute2 on the hosts.

Each cell installs the archive offline into an environment of its own, deploys a lab of two lines, deploys again,
which may change nothing, and verifies. Versions that this machine's Pythons cannot have are shown as not run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import sources
from environment import CACHE, ROOT, environment

MATRIX = CACHE / "matrix"
LAB = "matrix"
# ansible-core by the oldest Python that it runs on.
ANSIBLE = {"2.19": (3, 11), "2.20": (3, 12), "2.21": (3, 12)}
# On the hosts: Debian 12 has 0.7.2, Debian 13 has 0.7.7.
PYROUTE2 = {"0.7.2": "== 0.7.2", "0.7.7": "== 0.7.7", "newest": ">= 0.9"}
PYTHONS = ("python3.13", "python3.12", "python3.11")
NOT_RUN = "not run"


class CellFailed(Exception):
    """A step of a cell failed; the text says which, and ends with its output."""


@dataclass(frozen=True)
class Outcome:
    """A cell of the matrix: what it shows, and the reason where it is not ok."""

    text: str
    reason: str = ""


def main() -> int:
    """Run the whole matrix and print it; the exit status is 1 when a cell failed."""
    MATRIX.mkdir(parents=True, exist_ok=True)
    archive = build()
    rows = {ansible: {host: cell(ansible, host, archive) for host in PYROUTE2} for ansible in ANSIBLE}
    print(f"\n{table(rows)}")
    return int(any(outcome.text == "FAILED" for row in rows.values() for outcome in row.values()))


def table(rows: dict[str, dict[str, Outcome]]) -> str:
    """The matrix, one row for each ansible-core, and the reasons of all that is not ok."""
    lines = [["ansible-core", *(f"pyroute2 {host}" for host in PYROUTE2)]]
    lines += [[ansible, *(row[host].text for host in PYROUTE2)] for ansible, row in rows.items()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(word.ljust(width) for word, width in zip(words, widths, strict=True)).rstrip() for words in lines]
    reasons = {
        f"{ansible}, {outcome.text}: {outcome.reason}": None
        for ansible, row in rows.items()
        for outcome in row.values()
        if outcome.reason
    }
    return "\n".join([*text, *reasons])


def build() -> Path:
    """Build the archive from the checkout's own files."""
    copy = MATRIX / "checkout"
    sources.copy_to(copy)
    step("the build", ["ansible-galaxy", "collection", "build", "--force"], environment(), copy)
    (archive,) = copy.glob("multihome-linux-*.tar.gz")
    return archive


def cell(ansible: str, host: str, archive: Path) -> Outcome:
    """Deploy twice and verify with one pair of versions."""
    python = python_for(ANSIBLE[ansible])
    if python is None:
        needed = ".".join(map(str, ANSIBLE[ansible]))
        return Outcome(NOT_RUN, f"there is no Python {needed} or newer among {', '.join(PYTHONS)} in PATH")
    begun = time.monotonic()
    print(f"ansible-core {ansible}, pyroute2 {host} ...", flush=True)
    try:
        controller = venv(f"ansible-{ansible}", python, f"ansible-core == {ansible}.*", "netaddr")
        managed = venv(f"pyroute2-{host}", sys.executable, f"pyroute2 {PYROUTE2[host]}")
        run(controller, managed, archive)
    except CellFailed as error:
        return Outcome("FAILED", f"{error}")
    return Outcome(f"ok {time.monotonic() - begun:.0f} s")


def run(controller: Path, managed: Path, archive: Path) -> None:
    """Install offline, bring a lab up, deploy, deploy again, verify; raises CellFailed."""
    collections = MATRIX / "collections"
    shutil.rmtree(collections, ignore_errors=True)
    settings = environment() | {
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_CONFIG": str(ROOT / "inventory" / "lab" / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "LAB_NAME": LAB,
        "LAB_PYTHON": str(managed / "bin" / "python"),
    }
    settings["PATH"] = os.pathsep.join((str(controller / "bin"), settings["PATH"]))
    settings.pop("VIRTUAL_ENV")
    install = ["ansible-galaxy", "collection", "install", "--offline", "-p", str(collections), str(archive)]
    step("the offline installation", install, settings, MATRIX)
    lab = [str(ROOT / ".venv" / "bin" / "python"), "-m", "tests.lab"]
    step("the lab", [*lab, "up", "--name", LAB, "--lines", "2"], settings)
    try:
        step("the deployment", ["ansible-playbook", "multihome.linux.deploy"], settings)
        again = step("the second deployment", ["ansible-playbook", "multihome.linux.deploy"], settings)
        if any(f"changed={number}" in again for number in range(1, 10)):
            raise CellFailed(f"the second deployment changed something:\n{again[-2000:]}")
        step("the verification", ["ansible-playbook", "multihome.linux.verify"], settings)
    finally:
        step("the end of the lab", [*lab, "down", "--name", LAB], settings)


def step(name: str, command: list[str], settings: dict[str, str], directory: Path = ROOT) -> str:
    """Run one command and return its output; raises CellFailed."""
    done = subprocess.run(command, env=settings, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CellFailed(f"{name} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def python_for(needed: tuple[int, int]) -> str | None:
    """The newest Python in PATH that is new enough and runs."""
    return next((path for name in PYTHONS for path in candidates(name) if version(path) >= needed), None)


def candidates(name: str) -> list[str]:
    """The programs of a name: that in PATH, and where that is the shim of a version manager, those it stands for."""
    path = shutil.which(name)
    if path is None:
        return []
    installed = Path(path).parent.parent.glob(f"versions/*/bin/{name}")
    return [path, *sorted(map(str, installed), reverse=True)]


def version(python: str) -> tuple[int, ...]:
    """The version of a Python; (0,) where it does not run, as a shim whose version is not selected."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError, ValueError):
        text = subprocess.run(
            [python, "-c", "import sys; print(*sys.version_info[:2])"], check=True, capture_output=True, text=True
        ).stdout
        return tuple(map(int, text.split()))
    return (0,)


def venv(name: str, python: str, *requirements: str) -> Path:
    """A virtual environment with some packages, which later runs use again; raises CellFailed."""
    place = MATRIX / name
    if not (place / "done").exists():
        shutil.rmtree(place, ignore_errors=True)
        step(f"the environment {name}", [python, "-m", "venv", str(place)], environment())
        pip = [str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
        step(f"the installation into {name}", [*pip, *requirements], environment())
        (place / "done").touch()
    return place


if __name__ == "__main__":
    sys.exit(main())
