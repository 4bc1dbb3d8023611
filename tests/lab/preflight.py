# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can a lab run here? The tools that it needs, and whether the system lets this user have namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from . import linux
from .state import CHECKOUT, LabError, find_tool

# What the lab and the tests on it call, and Debian's package of each.
TOOLS = {
    "ip": "iproute2",
    "iptables": "iptables",
    "nft": "nftables",
    "nsenter": "util-linux",
    "ping": "iputils-ping",
    "setpriv": "util-linux",
}

_REFUSALS = {
    "user/max_user_namespaces": (
        "0",
        "user namespaces are turned off (user.max_user_namespaces=0)",
        "sysctl -w user.max_user_namespaces=15000",
    ),
    "kernel/unprivileged_userns_clone": (
        "0",
        "user namespaces are kept from ordinary users (kernel.unprivileged_userns_clone=0)",
        "sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "AppArmor keeps user namespaces from ordinary users (kernel.apparmor_restrict_unprivileged_userns=1)",
        f"sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for {sys.executable}",
    ),
}


def missing_packages(find: Callable[[str], str | None] = find_tool) -> tuple[list[str], list[str]]:
    """Return the tools that are missing and the Debian packages that bring them, each sorted."""
    tools = [tool for tool in TOOLS if find(tool) is None]
    return tools, sorted({TOOLS[tool] for tool in tools})


def read_setting(name: str) -> str | None:
    """Return a kernel setting by its path below /proc/sys, None where this kernel lacks it."""
    try:
        return Path("/proc/sys", name).read_text(encoding="ascii").strip()
    except OSError:
        return None


def try_namespaces(user_namespace: bool) -> str | None:
    """Make the lab's kind of namespaces in a process of its own; return why that failed, None if it did not."""
    command = [sys.executable, "-m", "tests.lab.preflight", "user" if user_namespace else "root"]
    result = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return (result.stderr.strip().splitlines() or ["no reason given"])[-1] if result.returncode else None


def check(
    user_namespace: bool,
    read: Callable[[str], str | None] = read_setting,
    attempt: Callable[[bool], str | None] = try_namespaces,
    find: Callable[[str], str | None] = find_tool,
) -> None:
    """Raise LabError, one line that names the remedies, unless a lab can run here."""
    tools, packages = missing_packages(find)
    if tools:
        raise LabError(f"missing: {', '.join(tools)}; install with: apt-get install -y {' '.join(packages)}")
    failure = attempt(user_namespace)
    if failure is None:
        return
    if not user_namespace:
        raise LabError(
            f"this root may not make namespaces ({failure}); in a container, start it with --privileged, "
            "or run the lab as an ordinary user"
        )
    found = [(reason, remedy) for name, (value, reason, remedy) in _REFUSALS.items() if read(name) == value]
    reasons = "; ".join(reason for reason, _remedy in found) or "the system refuses namespaces to ordinary users"
    remedies = "; or ".join([f"as root: {remedy}" for _reason, remedy in found] + ["run the lab as root"])
    raise LabError(f"{reasons} ({failure}). Remedies: {remedies}")


def _attempt(user_namespace: bool) -> None:
    uid, gid = os.getuid(), os.getgid()
    linux.unshare(linux.HOST_NAMESPACES | (linux.CLONE_NEWUSER if user_namespace else 0))
    if user_namespace:
        linux.map_root_user(uid, gid)
    # AppArmor lets the namespaces be made and then denies what one makes them for.
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("tmpfs", str(CHECKOUT), "tmpfs")


if __name__ == "__main__":
    try:
        _attempt(sys.argv[1] == "user")
    except OSError as error:
        sys.exit(str(error))
