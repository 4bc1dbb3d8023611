# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files that other programs apply at boot: sysctl.d, networkd.conf, the kernel's modules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from .kernel_parameter_file import parameter_path, parameter_value

# The first directory that has a file of some name hides those of the same name in the others (systemd.unit(5)).
PLACES = ("etc", "run", "usr/local/lib", "usr/lib", "lib")


@dataclass(frozen=True)
class Setting:
    """A value, and the file that sets it."""

    value: str
    file: str


def configuration_files(root: str, directory: str) -> list[str]:
    """Return the ``*.conf`` files of a directory such as sysctl.d, in the order in which they are applied."""
    found: dict[str, str] = {}
    for place in PLACES:
        path = os.path.join(root, place, directory)
        try:
            names = os.listdir(path)
        except OSError:
            continue
        for name in names:
            if name.endswith(".conf"):
                found.setdefault(name, os.path.join(path, name))
    return [found[name] for name in sorted(found)]


def lines_of(path: str) -> Iterator[str]:
    """Yield the lines of a file without comments and empty lines; none when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as text:
            stripped = [line.strip() for line in text]
    except OSError:
        return
    yield from (line for line in stripped if line and line[0] not in "#;")


def boot_parameters(root: str = "/") -> list[tuple[str, Setting]]:
    """Return ``(path below /proc/sys, setting)`` of every assignment that is made at boot, in order (sysctl.d(5)).

    Patterns are left out: an assignment by name takes precedence over them.
    """
    found = []
    for file in configuration_files(root, "sysctl.d"):
        for line in lines_of(file):
            name, equals, value = line.partition("=")
            try:
                path = parameter_path(name.strip().lstrip("-").strip())
                if equals:
                    found.append((path, Setting(parameter_value(value), shown(root, file))))
            except ValueError:
                # A pattern, or a line that systemd-sysctl ignores too.
                continue
    return found


def shown(root: str, file: str) -> str:
    """Return the path of a file without the leading ``root``."""
    return "/" + os.path.relpath(file, root)
