# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client, a web server, and any number of firewalls side by side between them, each with a line of its own.

    client 198.18.N.1 ── 198.18.N.10 firewall N 192.168.N.11 ── 192.168.N.1 server

All stand at the same time, so one after the other can be asked in turn, again and again, without changing anything.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ...integration.namespaces import Host, Hosts
from ...integration.run_module import run_module

FIRST_PORT = 10_000
# How many shapes in_shapes() makes.
SHAPES = 4
# Above the ports of the mappings: those of ranges, two in each.
_FIRST_RANGE = 30_000
_WORKERS = 4  # clients, and servers; more do not raise the rate on two cores
_LOAD = str(Path(__file__).with_name("load.py"))


@dataclass(frozen=True)
class Load:
    """What all clients together saw."""

    answered: int
    failed: int
    rate: float  # answered requests per second
    fault: str


class Site:
    """A context manager; ``firewalls`` are the names of the firewalls."""

    def __init__(self, *firewalls: str) -> None:
        self.firewalls = firewalls
        self._hosts = Hosts("client", "server", *firewalls)
        self._clients: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Site:
        """Make the hosts, their links, and start the server and the clients."""
        self._hosts.__enter__()
        try:
            for number, name in enumerate(self.firewalls, 1):
                self._connect(number, name)
            for _worker in range(_WORKERS):
                server = self._hosts["server"].start(sys.executable, _LOAD, "serve", "0.0.0.0", "80", stdout=-1)
                assert server.stdout is not None
                if server.stdout.readline() != "ready\n":
                    raise RuntimeError("the web server did not start")
                client = self._hosts["client"].start(sys.executable, _LOAD, "ask", stdin=-1, stdout=-1)
                self._clients.append(client)
        except BaseException:
            self._hosts.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self._hosts.__exit__(kind, error, trace)

    def __getitem__(self, firewall: str) -> Host:
        """Return a firewall's host."""
        return self._hosts[firewall]

    def _connect(self, number: int, name: str) -> None:
        hosts = self._hosts
        hosts.link("client", f"line{number}", name, "wan0")
        hosts.link(name, "lan0", "server", f"lan{number}")
        hosts["client"].address(f"line{number}", f"198.18.{number}.1/24")
        hosts[name].address("wan0", f"198.18.{number}.10/24")
        hosts[name].address("lan0", f"192.168.{number}.11/24")
        hosts["server"].address(f"lan{number}", f"192.168.{number}.1/24")
        hosts["server"].run("ip", "route", "add", f"198.18.{number}.0/24", "via", f"192.168.{number}.11")
        hosts[name].sysctl(net__ipv4__ip_forward=1)

    def mappings(self, firewall: str, count: int) -> list[dict[str, str]]:
        """Return ``count`` port forwardings of a firewall to the server, as entries of nat_rules."""
        number = self.firewalls.index(firewall) + 1
        return mappings(count, f"198.18.{number}.10", f"192.168.{number}.1")

    def load_ours(self, firewall: str, rules: list[dict[str, str]]) -> dict[str, Any]:
        """Have nat_rules make a list stand, and nothing else; return the module's result."""
        result = run_module("nat_rules", {"rules": rules, "purge": True}, netns_prefix=self[firewall].prefix)
        if result.get("failed"):
            raise RuntimeError(f"nat_rules: {result}")
        return result

    def load_linear(self, firewall: str, rules: list[dict[str, str]]) -> None:
        """Make the same stand as one iptables rule each, in one chain."""
        lines = [
            f"-A PREROUTING -d {rule['destination']}/32 -p tcp -m tcp --dport {rule['destination_port']} "
            f"-j DNAT --to-destination {rule['to_address']}:{rule['to_port']}\n"
            for rule in rules
        ]
        self[firewall].run("iptables-restore", feed="*nat\n" + "".join(lines) + "COMMIT\n")

    def forget_ended_flows(self, firewall: str) -> None:
        """Keep connections that were reset in mind for one second, not ten: thousands per second are reset here."""
        self[firewall].sysctl(net__netfilter__nf_conntrack_tcp_timeout_close=1)

    def start_asking(self, firewall: str, port: int, seconds: float) -> None:
        """Have all clients send requests to one port of a firewall."""
        address = f"198.18.{self.firewalls.index(firewall) + 1}.10"
        for client in self._clients:
            assert client.stdin is not None
            client.stdin.write(json.dumps({"address": address, "port": port, "seconds": seconds}) + "\n")
            client.stdin.flush()

    def finish_asking(self, now: bool = False) -> Load:
        """Return what the clients saw, when their time is over, or ``now``."""
        told = []
        for client in self._clients:
            if now:
                client.send_signal(signal.SIGTERM)
        for client in self._clients:
            assert client.stdout is not None
            told.append(json.loads(client.stdout.readline()))
        return Load(
            answered=sum(one["answered"] for one in told),
            failed=sum(one["failed"] for one in told),
            rate=sum(one["answered"] / one["seconds"] for one in told),
            fault=next((one["fault"] for one in told if one["fault"]), ""),
        )

    def ask(self, firewall: str, port: int, seconds: float) -> Load:
        """Send requests for so many seconds to one port of a firewall."""
        self.start_asking(firewall, port, seconds)
        return self.finish_asking()


def mappings(count: int, public: str = "203.0.113.10", server: str = "192.168.168.1") -> list[dict[str, str]]:
    """Return ``count`` port forwardings, ports from FIRST_PORT on, all to the server's port 80."""
    return [
        {
            "name": f"service-{number}",
            "type": "dnat",
            "protocol": "tcp",
            "destination": public,
            "destination_port": str(FIRST_PORT + number),
            "to_address": server,
            "to_port": "80",
        }
        for number in range(count)
    ]


def in_shapes(rules: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return as many mappings in turns: of a range, restricted by source, of a second address, and exact ones.

    The last one stays exact.
    """
    result = []
    for number, rule in enumerate(rules):
        kind = SHAPES - 1 if number == len(rules) - 1 else number % SHAPES
        first = _FIRST_RANGE + number // SHAPES * 2
        without_port = {name: value for name, value in rule.items() if name != "to_port"}
        second = f"{rule['destination'].rpartition('.')[0]}.11"
        result.append(
            (
                {**without_port, "protocol": "udp", "destination_port": f"{first}-{first + 1}"},
                {**rule, "source": f"198.51.{number // 250 % 250}.{number % 250}"},
                {**rule, "destination": second},
                rule,
            )[kind]
        )
    return result
