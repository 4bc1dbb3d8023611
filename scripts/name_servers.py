# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of the tests, and the browser of a measurement: Debian's packages, unpacked below .cache.

Nothing is installed, so no service starts, now or at the next boot, and root is not needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

PACKAGES = (
    "knot",
    "bind9",
    "bind9-dnsutils",
    "pdns-server",
    "pdns-backend-sqlite3",
    "unbound",
    "openssh-server",
    "openssh-client",
)
# For the library that gives a process another time of day.
COMPILER = ("tcc",)
BROWSER = ("chromium-headless-shell",)
PROMTOOL = "promtool"
STAMP = "packages"


def ensure(cache: Path) -> None:
    """Unpack the packages and the libraries that this system lacks, unless that is done.

    Raises subprocess.CalledProcessError when they cannot be had.
    """
    unpack(cache / "dns", PACKAGES, "servers for the tests")
    unpack(cache / "compiler", COMPILER, "a compiler for the tests")


def ensure_browser(cache: Path) -> None:
    """Do the same with Chromium; raises subprocess.CalledProcessError."""
    unpack(cache / "chromium", BROWSER, "a browser for the measurement")


def ensure_promtool(cache: Path) -> Path:
    """Return Prometheus' checker of metrics and rules, of its package; raises subprocess.CalledProcessError."""
    program = cache / PROMTOOL
    if not program.exists():
        unpacked = cache / "prometheus"
        unpack(unpacked, ("prometheus",), "Prometheus' checker for the tests")
        # The package has 300 MB.
        (unpacked / "usr" / "bin" / PROMTOOL).rename(program)
        shutil.rmtree(unpacked)
    return program


def unpack(unpacked: Path, packages: Sequence[str], called: str) -> None:
    """Unpack packages and the libraries that this system lacks into a directory, unless that is done."""
    stamp = unpacked / STAMP
    wanted = "".join(f"{name}\n" for name in packages)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Unpacking {called}: {' '.join(packages)}", flush=True)
    archives = unpacked.with_name(f"{unpacked.name}-packages")
    for directory in (unpacked, archives):
        shutil.rmtree(directory, ignore_errors=True)
    (archives / "partial").mkdir(parents=True)
    unpacked.mkdir()
    download(archives, packages)
    for archive in sorted(archives.glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", archive, unpacked], check=True)
    shutil.rmtree(archives)
    stamp.write_text(wanted)


def download(archives: Path, packages: Sequence[str]) -> None:
    """Fetch the packages, and those that they need and this system lacks, into a directory."""
    command = ["apt-get", "install", "--yes", "--no-install-recommends", "--download-only", "--quiet=2"]
    command += ["-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    first = subprocess.run([*command, *packages], env=environment, check=False, stderr=subprocess.DEVNULL)
    if first.returncode == 0:
        return
    if os.geteuid() == 0:
        subprocess.run(["apt-get", "update"], env=environment, check=True)
    subprocess.run([*command, *packages], env=environment, check=True)
