# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a deployment could have touched on a host, as lines that are equal if nothing was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..lab.holder import LOG_DIRECTORY
from ..lab.lab import Lab
from ..lab.network import is_managed

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "addresses": ("ip", "-details", "-oneline", "address", "show"),
    "links": ("ip", "-details", "-oneline", "link", "show"),
    "rules, IPv4": ("ip", "-Numeric", "-details", "-4", "rule", "show"),
    "rules, IPv6": ("ip", "-Numeric", "-details", "-6", "rule", "show"),
    "routes, IPv4": ("ip", "-Numeric", "-details", "-4", "route", "show", "table", "all"),
    "routes, IPv6": ("ip", "-Numeric", "-details", "-6", "route", "show", "table", "all"),
    "nft": ("nft", "--json", "list", "ruleset"),
    "settings": ("sysctl", "--all", "--ignore", "--pattern", r"^net\."),
    # Of each file its mode, owner, size, and when its content and its inode changed.
    "files": (
        "find", "/etc", "/run", "/usr/lib/multihome", "/usr/local/sbin", "/var/lib/multihome", "-xdev",
        "-path", str(LOG_DIRECTORY), "-prune", "-o", "-printf", "%p %y %m %u:%g %s %T@ %C@ %l\\n",
    ),
}  # fmt: skip
# What changes by itself, and the locks that every run takes which may have to write.
_LOCKS = ("/run/multihome/lock ", "/run/multihome/installation.lock ", "/run/xtables.lock ")
_VOLATILE = ("net.netfilter.nf_conntrack_count", *_LOCKS)
Dump = dict[tuple[str, str], list[str]]


def dump(lab: Lab) -> Dump:
    """Return what stands on the managed hosts, by host and kind."""
    found = {}
    for host in lab.topology.hosts.values():
        if is_managed(host):
            for kind, command in COMMANDS.items():
                # find(1) fails for a directory that is not there, which is as good a fact as any.
                text = lab.exec(host.name, *command, check=kind != "files").stdout
                lines = nft_lines(text) if kind == "nft" else text.splitlines()
                assert lines, f"{host.name}: no {kind}"
                found[host.name, kind] = [line for line in lines if not line.startswith(_VOLATILE)]
    return found


def differences(before: Dump, after: Dump) -> list[str]:
    """Return what went (-) and what came (+), [] if two dumps are equal."""
    found = []
    for host, kind in before:
        old, new = before[host, kind], after[host, kind]
        found += [f"{host}: {kind}: -{line}" for line in old if line not in new]
        found += [f"{host}: {kind}: +{line}" for line in new if line not in old]
        if old != new and sorted(old) == sorted(new):
            found.append(f"{host}: {kind}: in another order")
    return found


def nft_lines(text: str) -> list[str]:
    """Return a line for each object and each element of a map, with its handle but without what it has counted.

    A handle tells an object that was left alone from one that was made anew.
    """
    lines = []
    for part in json.loads(text)["nftables"]:
        ((kind, values),) = part.items()
        for element in values.pop("elem", []) if isinstance(values, dict) else []:
            lines.append(f"element of {values['table']} {values['name']} {json.dumps(_uncounted(element))}")
        lines.append(f"{kind} {json.dumps(_uncounted(values))}")
    return lines


def _uncounted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _uncounted(part) for name, part in value.items() if name not in ("packets", "bytes")}
    return [_uncounted(part) for part in value] if isinstance(value, list) else value
