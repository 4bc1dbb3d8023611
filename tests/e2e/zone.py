# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A zone for the lab's services: a real name server on a host of the lab, and the declaration that publishes there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from ..integration.dns.servers import KEY, ZONE, Knot, NameServer
from ..integration.namespaces import Host
from ..lab.lab import Lab
from . import playbooks

DOMAIN = f"www.{ZONE}"


class LabHost:
    """A host of the lab, as name servers need it."""

    def __init__(self, lab: Lab, name: str) -> None:
        # Only the network of the host: the server's files are the test's.
        kept = lab.command(name)
        apart = {"--mount", "--uts", "--ipc", "--pid"}
        self.prefix = [word for word in kept[: kept.index("--")] if word not in apart]

    def start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command, which ends with the host."""
        options = {"stdin": subprocess.DEVNULL, "text": True, **options}
        child: subprocess.Popen[str] = subprocess.Popen(
            [*self.prefix, "setpriv", "--pdeathsig", "KILL", *command], **options
        )
        return child


@contextmanager
def name_server(lab: Lab, host: str, directory: Path) -> Iterator[NameServer]:
    """Run Knot DNS on a host of the lab, at the host's IPv4 address."""
    shown = json.loads(lab.exec(host, "ip", "-json", "-4", "address", "show", "dev", "eth0").stdout)
    made = Knot(cast(Host, LabHost(lab, host)), directory, shown[0]["addr_info"][0]["local"])
    try:
        made.start()
        yield made
    finally:
        made.stop()


def declared(lab: Lab, server: NameServer | None = None) -> dict[str, Any]:
    """The lab's lists with a domain, and with a zone where there is a server."""
    lists: dict[str, Any] = playbooks.declared(lab)
    lists["multihome_services"][0]["domain"] = DOMAIN
    if server is None:
        return lists
    key = {"name": KEY.name, "secret": KEY.secret}
    zone = {"zone": ZONE, "primary": server.address, "key": key}
    return {**lists, "multihome_zones": [zone], "multihome_dns_package": ""}
