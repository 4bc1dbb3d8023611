# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd-networkd of this host: its settings, its process, and the settings that version supports."""

from __future__ import annotations

import os

from .boot_configuration import PLACES, Setting, configuration_files, lines_of, shown

_FALSE = ("0", "no", "n", "false", "f", "off")

# Whether it removes foreign objects; all are yes by default (networkd.conf(5)).
NETWORKD_SETTINGS = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules", "ManageForeignNextHops")


def networkd_settings(root: str = "/") -> dict[str, Setting]:
    """Return the settings of section [Network] of networkd.conf and its drop-ins (networkd.conf(5))."""
    mains = (os.path.join(root, place, "systemd/networkd.conf") for place in PLACES)
    files = [next((path for path in mains if os.path.exists(path)), "")]
    files += configuration_files(root, "systemd/networkd.conf.d")
    found: dict[str, Setting] = {}
    for file in files:
        section = ""
        for line in lines_of(file):
            name, equals, value = line.partition("=")
            if line.startswith("["):
                section = line
            elif equals and section == "[Network]":
                found[name.strip()] = Setting(value.strip(), shown(root, file))
    return found


def is_off(setting: Setting | None) -> bool:
    """Tell whether a boolean setting is off; a missing or empty one has the default, yes."""
    return setting is not None and setting.value.lower() in _FALSE


def networkd_process(proc: str = "/proc") -> str | None:
    """Return the directory of the systemd-networkd of this network namespace; None if there is none."""
    try:
        here = os.readlink(os.path.join(proc, "self/ns/net"))
        numbers = [name for name in os.listdir(proc) if name.isdecimal()]
    except OSError:
        return None
    for number in numbers:
        try:
            with open(os.path.join(proc, number, "comm"), encoding="utf-8", errors="replace") as comm:
                # The kernel keeps 15 characters of a name.
                if comm.read().strip() != "systemd-network":
                    continue
            if os.readlink(os.path.join(proc, number, "ns/net")) == here:
                return os.path.join(proc, number)
        except OSError:
            # It has ended meanwhile, or belongs to another user.
            continue
    return None


def networkd_knows(process: str) -> list[str]:
    """Return which of ``NETWORKD_SETTINGS`` a running systemd-networkd supports: their names are in its program.

    The version does not tell: they came one by one, the last with systemd 256, and distributions backport them.
    """
    try:
        with open(os.path.join(process, "exe"), "rb") as program:
            text = program.read()
    except OSError:
        return []
    return [name for name in NETWORKD_SETTINGS if name.encode() in text]
