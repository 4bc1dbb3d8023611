# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab whose lines are watched: the declaration with targets, and the keeper on hosts that no systemd runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ..lab.declaration import declaration
from ..lab.lab import Lab
from ..lab.topology import Topology
from .offers import plain

KEEPER = "/usr/lib/multihome/multihome-keeper"
COMMAND = "/usr/local/sbin/multihome"


def targets(topology: Topology) -> list[str]:
    """What lines are judged by: hosts on the Internet, in both families."""
    hosts = [topology.hosts[name] for name in ("client1", "client2")]
    return [plain(address) for host in hosts for interface in host.interfaces for address in interface.addresses]


def watched(lab: Lab, **keys: Any) -> dict[str, Any]:
    """The lab's declaration as variables of ``deploy``, with health in each line; ``keys`` are more keys of lines."""
    lists = declaration(lab.topology)
    health = {"targets": targets(lab.topology), "up_after": 1}
    lines = [{**line, "health": health, **keys.get(line["name"], {})} for line in lists["multihome_lines"]]
    return {"multihome_lines": lines}


@contextmanager
def keepers(lab: Lab, *hosts: str) -> Iterator[None]:
    """Run the keeper that a deployment installed on these hosts, as their service manager would."""
    with ExitStack() as stack:
        for host in hosts:
            command = ("/usr/bin/python3", "-I", KEEPER)
            process = stack.enter_context(lab.popen(host, *command, stderr=subprocess.DEVNULL))
            stack.callback(process.terminate)
        yield
