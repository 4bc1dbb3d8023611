# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that decide what a host does at boot, or behind our back: sysctl.d, networkd.conf, the kernel's modules."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .kernel_parameter_file import parameter_path, parameter_value

# The first directory that has a file of some name hides those of the same name in the others (systemd.unit(5)).
_PLACES = ("etc", "run", "usr/local/lib", "usr/lib", "lib")
_FALSE = ("0", "no", "n", "false", "f", "off")
# What the roles' packet filter and policy routing are made of: module (none where it cannot be one), option.
_FEATURES = (
    ("nf_tables", "NF_TABLES"),
    ("nf_conntrack", "NF_CONNTRACK"),
    ("nft_ct", "NFT_CT"),
    ("nft_chain_nat", "NFT_NAT"),
)
# By these it leaves alone what is not its own; all are yes by default (networkd.conf(5)).
NETWORKD_SETTINGS = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules", "ManageForeignNextHops")
_ROUTING_FEATURES = ("IP_MULTIPLE_TABLES", "IPV6_MULTIPLE_TABLES")


@dataclass(frozen=True)
class Setting:
    """A value, and the file that it is from."""

    value: str
    file: str


def configuration_files(root: str, directory: str) -> list[str]:
    """Return the ``*.conf`` files of a directory such as sysctl.d, in the order in which they are applied."""
    found: dict[str, str] = {}
    for place in _PLACES:
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
    """Yield what a file says: no comments, no empty lines; nothing when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as text:
            stripped = [line.strip() for line in text]
    except OSError:
        return
    yield from (line for line in stripped if line and line[0] not in "#;")


def boot_parameters(root: str = "/") -> list[tuple[str, Setting]]:
    """Return ``(path below /proc/sys, setting)`` of every assignment that is made at boot, in order (sysctl.d(5)).

    A pattern never has the last word over an assignment by name, and is left out.
    """
    found = []
    for file in configuration_files(root, "sysctl.d"):
        for line in lines_of(file):
            name, equals, value = line.partition("=")
            try:
                path = parameter_path(name.strip().lstrip("-").strip())
                if equals:
                    found.append((path, Setting(parameter_value(value), _shown(root, file))))
            except ValueError:
                # A pattern, or a line that systemd-sysctl passes over as well.
                continue
    return found


def networkd_settings(root: str = "/") -> dict[str, Setting]:
    """Return the settings of section [Network] of networkd.conf and its drop-ins (networkd.conf(5))."""
    mains = (os.path.join(root, place, "systemd/networkd.conf") for place in _PLACES)
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
                found[name.strip()] = Setting(value.strip(), _shown(root, file))
    return found


def is_off(setting: Setting | None) -> bool:
    """Tell whether a boolean setting says no; nothing, or an empty value, is the default, which is yes."""
    return setting is not None and setting.value.lower() in _FALSE


def _shown(root: str, file: str) -> str:
    return "/" + os.path.relpath(file, root)


def networkd_process(proc: str = "/proc") -> str | None:
    """Return the directory of the systemd-networkd of this network namespace; another's is no concern of ours."""
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
            # It has ended meanwhile, or belongs to somebody whose namespaces we may not enter anyway.
            continue
    return None


def networkd_knows(process: str) -> list[str]:
    """Return which of ``NETWORKD_SETTINGS`` a running systemd-networkd knows: their names stand in its program.

    Nothing else tells: they came one by one, the last with systemd 256, and distributions take such things back.
    """
    try:
        with open(os.path.join(process, "exe"), "rb") as program:
            text = program.read()
    except OSError:
        return []
    return [name for name in NETWORKD_SETTINGS if name.encode() in text]


def kernel_features(root: str = "/", release: str | None = None) -> dict[str, bool | None]:
    """Return for each feature (its option in the kernel's configuration) whether it is there; None: nobody tells."""
    name = release or os.uname().release
    directory = os.path.join(root, "lib/modules", name)
    known = [os.path.join(directory, file) for file in ("modules.dep", "modules.builtin")]
    modules = {os.path.basename(line.split(":")[0]).split(".")[0] for file in known for line in lines_of(file)}
    options = _kernel_options(root, name)
    found: dict[str, bool | None] = {}
    for module, option in _FEATURES:
        if module in modules or os.path.isdir(os.path.join(root, "sys/module", module)) or options.get(option) == "y":
            found[option] = True
        elif modules or (options and option not in options):
            found[option] = False
        else:
            found[option] = None
    found.update({option: option in options if options else None for option in _ROUTING_FEATURES})
    return found


def _kernel_options(root: str, release: str) -> Mapping[str, str]:
    """Return the options of the kernel's configuration without their prefix; empty when it is nowhere to be read."""
    try:
        with gzip.open(os.path.join(root, "proc/config.gz"), "rt", encoding="utf-8") as packed:
            lines = packed.read().splitlines()
    except OSError:
        lines = list(lines_of(os.path.join(root, f"boot/config-{release}")))
    pairs = (line.partition("=") for line in lines if line.startswith("CONFIG_"))
    return {name[len("CONFIG_") :]: value for name, _equals, value in pairs}
