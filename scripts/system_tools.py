# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system's part of the set-up: which tools must be there, and how Debian's packages bring them.

Only the standard library is used: this runs before the virtual environment exists.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

# Command -> the Debian package that brings it.
TOOLS = {
    "ip": "iproute2",
    "ping": "iputils-ping",
    "nft": "nftables",
    "iptables": "iptables",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "sysctl": "procps",
}
# What only root can use, and only the tests of whole machines need: they are skipped where it cannot be had.
TOOLS_OF_ROOT = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container"}
# Debian splits these off its own Python.
PYTHON_PARTS = {"venv": "python3-venv", "ensurepip": "python3-venv"}
# The keeper runs on the distribution's Python, so its tests need the distribution's libraries, outside of .venv.
FILES = {
    "/usr/lib/python3/dist-packages/pyroute2": "python3-pyroute2",
    "/usr/lib/python3/dist-packages/dns": "python3-dnspython",
}
# An ordinary user's PATH leaves out where Debian keeps most of the tools above.
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def missing_packages() -> list[str]:
    """The Debian packages whose command, Python module or file is not there, each once, sorted."""
    search = os.environ.get("PATH", os.defpath) + os.pathsep + SYSTEM_PATH
    for_root = os.geteuid() == 0 and shutil.which("apt-get") is not None
    tools = {**TOOLS, **(TOOLS_OF_ROOT if for_root else {})}
    missing = {package for tool, package in tools.items() if shutil.which(tool, path=search) is None}
    missing |= {package for part, package in PYTHON_PARTS.items() if importlib.util.find_spec(part) is None}
    missing |= {package for path, package in FILES.items() if not Path(path).exists()}
    return sorted(missing)


def install(packages: list[str]) -> None:
    """Install packages with apt-get; the package lists are fetched only when the first try needs them.

    Raises subprocess.CalledProcessError when apt-get cannot install them.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if subprocess.run(command, env=environment, check=False, stderr=subprocess.DEVNULL).returncode == 0:
        return
    subprocess.run(["apt-get", "update"], env=environment, check=True)
    subprocess.run(command, env=environment, check=True)


def ensure() -> None:
    """Have every tool there, or end the program with one line that says what to install and how."""
    packages = missing_packages()
    if not packages:
        return
    remedy = f"apt-get install --yes --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0:
        raise SystemExit(f"Missing: {', '.join(packages)}. Install with: sudo {remedy}")
    if shutil.which("apt-get") is None:
        raise SystemExit(f"Missing, and there is no apt-get to install them: {', '.join(packages)}")
    print(f"Installing: {' '.join(packages)}", flush=True)
    try:
        install(packages)
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"apt-get failed with exit status {error.returncode}") from error
    importlib.invalidate_caches()
    if still := missing_packages():
        raise SystemExit(f"Still missing after the installation: {', '.join(still)}")
