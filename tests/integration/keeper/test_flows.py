# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running keeper deletes connections that are older than a translation that it restores, at its start and later."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..namespaces import Host
from ..nat.lab import PROBE
from .host import NAT, Kept, kept

# Seconds for the keeper to look.
PATIENCE = 30
PUBLIC = {4: "192.168.168.1", 6: "fd00:168::1"}
TARGET = {4: "192.168.168.50", 6: "fd00:168::50"}
CLIENT = {4: "192.168.168.11", 6: "fd00:168::11"}
MAPPED = [
    {
        "type": "dnat",
        "protocol": "udp",
        "destination": PUBLIC[family],
        "destination_port": "5001",
        "to_address": TARGET[family],
        "to_port": "5002",
    }
    for family in (4, 6)
]
# The kernel tracks connections only while something needs it.
TRACKING = "table inet tracking { chain c { type filter hook prerouting priority 0; ct state new accept; }; }"


@dataclass
class Site:
    """A host with a keeper, a client beside it, and the packet filter of its translations."""

    kept: Kept
    client: Host
    options: dict[str, Any]

    def ports(self, own: int = 41000) -> list[int | None]:
        """The ports that answer one datagram by each family, of a client that keeps its own."""
        found = []
        for family in (4, 6):
            words = ("ask", "udp", PUBLIC[family], "5001", CLIENT[family], str(own))
            answer = json.loads(self.client.run(sys.executable, PROBE, *words).stdout)
            found.append(answer["own"][1] if answer else None)
        return found

    def remove(self) -> None:
        """Remove all translations, as another program does."""
        if self.options["backend"] == "nftables":
            self.kept.host.run("nft", "delete", "table", "inet", "multihome")
            return
        for program in ("iptables", "ip6tables"):
            for what in ("-F", "-X"):
                self.kept.host.run(program, "-t", "nat", what)


@pytest.fixture(params=["nftables", "iptables"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """The site, with the keeper stopped."""
    with kept(tmp_path) as made:
        client = made.gateway
        assert client is not None
        for host, address in ((made.host, TARGET[6]), (client, CLIENT[6])):
            host.sysctl(net__ipv6__conf__eth0__accept_dad=0)
            host.address("eth0", f"{address}/64")
        server = made.host.start(sys.executable, PROBE, "serve", "server", "5001", "5002", stdout=-1)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        options = {"rules": [*NAT["rules"], *MAPPED], "purge": True, "backend": request.param}
        changed = made.run("nat_rules", **options)
        assert not changed.get("failed"), changed
        made.host.run("nft", "-f", "-", feed=TRACKING)
        yield Site(made, client, options)
        made.stop()


def test_at_its_start(site: Site) -> None:
    site.remove()
    assert site.ports() == [5001, 5001]
    # The control: with the translations alone, as the module configures them, the client never reaches them.
    changed = site.kept.run("nat_rules", **site.options)
    assert not changed.get("failed"), changed
    assert site.ports() == [5001, 5001]
    site.remove()
    site.kept.start()
    site.kept.eventually(lambda: site.ports() == [5002, 5002], PATIENCE)


def test_after_a_flush(site: Site) -> None:
    site.kept.start()
    # A client whose connection is translated, and one that comes while nothing is.
    assert site.ports() == [5002, 5002]
    process = site.kept.process
    assert process is not None
    # So that the client is surely quicker than the keeper.
    process.send_signal(signal.SIGSTOP)
    try:
        site.remove()
        assert site.ports(42000) == [5001, 5001]
    finally:
        process.send_signal(signal.SIGCONT)
    site.kept.eventually(lambda: site.ports(42000) == [5002, 5002], PATIENCE)
    assert site.ports() == [5002, 5002]
