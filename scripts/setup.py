# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make setup`: the system's tools, and the virtual environment `.venv` with the collection in it.

Run by any Python from 3.11 on, with its standard library only. Does nothing when all is there; an interrupted
run leaves no stamp behind and the next one begins anew; runs at the same time wait for each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import name_servers
import system_tools

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "stamp"
REQUIREMENTS = ROOT / "requirements" / "test.txt"
OLDEST = ROOT / "requirements" / "oldest.txt"


@contextlib.contextmanager
def exclusively() -> Iterator[None]:
    """Hold the set-up of this checkout; the kernel gives the lock back even after a kill -9."""
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    with (cache / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def wanted_stamp() -> list[str]:
    """What the environment depends on, in two lines: the Python and its own place; the requirements."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + OLDEST.read_bytes()).hexdigest()
    version = ".".join(map(str, sys.version_info[:2]))
    return [f"Python {version} {sys.executable} in {VENV}", f"requirements {digest}"]


def present_stamp() -> list[str]:
    """What the environment was built from; empty when there is none or it was left half-built."""
    try:
        return STAMP.read_text().splitlines()
    except FileNotFoundError:
        return []


def pip(*arguments: str) -> None:
    """Run the environment's own pip; raises subprocess.CalledProcessError when it fails."""
    command = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-qq", *arguments]
    subprocess.run(command, check=True)


def link_collection() -> None:
    """Have Python find the checkout as ansible_collections.multihome.linux; so does Ansible, and so does mypy.

    mypy gets a tree of its own, because it does not check what lies in site-packages.
    """
    for tree in (next(VENV.glob("lib/python*/site-packages")), VENV / "typing"):
        link = tree / "ansible_collections" / "multihome" / "linux"
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(ROOT, link.parent))


def create() -> None:
    """Make the virtual environment anew, still without its packages."""
    print(f"Making .venv with {sys.executable} ...", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    pip("install", "--upgrade", "pip >= 25")


def install() -> None:
    """Install or update the packages."""
    print("Installing the Python packages into .venv ...", flush=True)
    pip("install", "--upgrade", "--requirement", str(REQUIREMENTS))
    pip("install", "--upgrade", "--target", str(VENV / "oldest"), "--requirement", str(OLDEST))


def ensure_environment() -> None:
    """Have a whole virtual environment; its stamp, taken away first and written last, says that it is whole.

    Raises subprocess.CalledProcessError when a step fails.
    """
    wanted, present = wanted_stamp(), present_stamp()
    if present == wanted:
        return
    STAMP.unlink(missing_ok=True)
    if present[:1] != wanted[:1]:
        create()
    install()
    link_collection()
    partial = STAMP.with_suffix(".part")
    partial.write_text("".join(f"{line}\n" for line in wanted))
    partial.rename(STAMP)


def main() -> int:
    """Return the exit status: 0 when everything is there."""
    with exclusively():
        system_tools.ensure()
        try:
            ensure_environment()
            name_servers.ensure(ROOT / ".cache")
            name_servers.ensure_promtool(ROOT / ".cache")
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"Set-up failed: {' '.join(map(str, error.cmd))}") from error
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
