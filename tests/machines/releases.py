# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian releases that machines boot, and whether machines can boot here at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..lab import preflight
from ..lab.state import CHECKOUT, LabError, find_tool
from . import control_groups

SUITES = ("bookworm", "trixie")
# What a server or firewall of that release has, with every manager of interfaces that the tests turn to.
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "iproute2", "iputils-ping", "procps", "nftables", "iptables"),
    *("python3", "python3-pyroute2", "python3-dnspython", "knot", "network-manager", "ifupdown"),
)
# Programs that write packet filters of their own, by release, and what a container needs. None is started by itself.
FILTER_PROGRAMS = {
    "bookworm": ("ufw", "firewalld", "docker.io", "busybox-static"),
    "trixie": ("ufw", "firewalld", "docker.io", "docker-cli", "busybox-static"),
}
# systemd-nspawn is Debian's package systemd-container.
_TOOLS = {"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap"}


def made(suite: str, more: Sequence[str] = ()) -> Path:
    """Return the root of a release, with ``more`` packages, made by scripts/debian_root.py if it is not there.

    Raises LabError where it cannot be made.
    """
    command = [sys.executable, str(CHECKOUT / "scripts" / "debian_root.py"), "--whole", suite, *PACKAGES, *more]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode:
        raise LabError((result.stderr.strip().splitlines() or ["no reason given"])[-1])
    return Path(result.stdout.strip().splitlines()[-1])


def check() -> None:
    """Raise LabError with the reason and the remedy unless machines can boot here."""
    if os.geteuid() != 0:
        raise LabError("machines boot only for root")
    if missing := [tool for tool in _TOOLS if find_tool(tool) is None]:
        packages = " ".join(_TOOLS[tool] for tool in missing)
        raise LabError(f"missing: {', '.join(missing)}; install with: apt-get install -y {packages}")
    preflight.check(user_namespace=False)
    control_groups.make("check", "here").rmdir()
