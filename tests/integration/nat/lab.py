# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client, a firewall on two lines, and two servers behind it, to see what translations do to real packets.

    client  wan0 203.0.113.200 .201 ── .10 .11 wan0 ┐            ┌ lan0 192.168.1.1 ── .2 web
            wan1 198.51.100.200 ─────────── .20 wan1 ┘ firewall ──┴ lan1 192.168.2.1 ── .2 db

IPv6 is the same with 2001:db8:a::/64, 2001:db8:b::/64, fd00:1::/64 and fd00:2::/64. The client knows no way to the
servers' own networks: what it reaches, it reaches by translation.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.tests.integration.namespaces import Hosts
from ansible_collections.multihome.linux.tests.integration.nat.programs import NFT, Programs
from ansible_collections.multihome.linux.tests.integration.run_module import run_module

PROBE = str(Path(__file__).with_name("probe.py"))
SERVED = [*range(5000, 5006), *range(6000, 6006), 80, 8080]


class NatLab:
    """The running network."""

    def __init__(self, hosts: Hosts, programs: Programs, path: str) -> None:
        self.hosts = hosts
        self.firewall = hosts["firewall"]
        self.programs = programs
        self.environment = {"PATH": path}

    def translate(self, *rules: Mapping[str, Any], purge: bool = True, **options: Any) -> dict[str, Any]:
        """Run nat_rules on the firewall; AssertionError when it fails."""
        arguments = {"rules": list(rules), "purge": purge, "backend": self.programs.backend, **options}
        result = self.module("nat_rules", arguments)
        assert not result.get("failed"), result
        return result

    def module(self, name: str, arguments: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """Run a module on the firewall with the programs of this lab; ``options`` are those of run_module()."""
        return run_module(name, arguments, netns_prefix=self.firewall.prefix, environment=self.environment, **options)

    def ask(
        self, protocol: str, address: str, port: int, source: str = "", source_port: int = 0, host: str = "client"
    ) -> dict[str, Any] | None:
        """Ask from a host; ``{"host", "peer", "own"}`` as the answering server sees it, or None."""
        command = [sys.executable, PROBE, "ask", protocol, address, str(port), source, str(source_port)]
        answer: dict[str, Any] | None = json.loads(self.hosts[host].run(*command).stdout)
        return answer

    def reached(self, *asked: Any, **options: Any) -> tuple[str, int] | None:
        """Return which server answers, on which port."""
        answer = self.ask(*asked, **options)
        return (answer["host"], answer["own"][1]) if answer else None

    def eventually_reached(self, expected: tuple[str, int], *asked: Any) -> tuple[str, int] | None:
        """Ask again until the expected server answers, for at most 15 s; return the last answer."""
        end = time.monotonic() + 15
        while (answer := self.reached(*asked)) != expected and time.monotonic() < end:
            time.sleep(0.2)
        return answer

    def by_hand(self, program: str, *arguments: str, feed: str | None = None) -> str:
        """Run a program of this lab on the firewall and return what it prints."""
        return self.firewall.run("env", f"PATH={self.environment['PATH']}", program, *arguments, feed=feed).stdout


def serve(lab: NatLab, host: str, ports: Sequence[int] = SERVED) -> None:
    """Start the service on a host."""
    command = [sys.executable, PROBE, "serve", host, *map(str, ports)]
    server = lab.hosts[host].start(*command, stdout=-1)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"


@contextmanager
def nat_lab(programs: Programs = NFT) -> Iterator[NatLab]:
    """Build the network, with the services running, and take it down."""
    with programs.path() as path, Hosts("client", "firewall", "web", "db") as hosts:
        for name in hosts.names:
            # A link-local address that is still being checked for duplicates cannot ask for neighbours.
            hosts[name].sysctl(net__ipv6__conf__default__accept_dad=0)
        for number in (0, 1):
            hosts.link("client", f"wan{number}", "firewall", f"wan{number}")
        hosts.link("firewall", "lan0", "web", "eth0")
        hosts.link("firewall", "lan1", "db", "eth0")
        addresses = {
            ("client", "wan0"): ["203.0.113.200/24", "203.0.113.201/24", "2001:db8:a::200/64", "2001:db8:a::201/64"],
            ("client", "wan1"): ["198.51.100.200/24", "2001:db8:b::200/64"],
            ("firewall", "wan0"): ["203.0.113.10/24", "203.0.113.11/24", "2001:db8:a::10/64", "2001:db8:a::11/64"],
            ("firewall", "wan1"): ["198.51.100.20/24", "2001:db8:b::20/64"],
            ("firewall", "lan0"): ["192.168.1.1/24", "fd00:1::1/64"],
            ("firewall", "lan1"): ["192.168.2.1/24", "fd00:2::1/64"],
            ("web", "eth0"): ["192.168.1.2/24", "fd00:1::2/64"],
            ("db", "eth0"): ["192.168.2.2/24", "fd00:2::2/64"],
        }
        for (host, interface), given in addresses.items():
            hosts[host].address(interface, *given)
        hosts["firewall"].sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        for host, number in (("web", 1), ("db", 2)):
            hosts[host].run("ip", "route", "add", "default", "via", f"192.168.{number}.1")
            hosts[host].run("ip", "-6", "route", "add", "default", "via", f"fd00:{number}::1")
        lab = NatLab(hosts, programs, path)
        for host in ("web", "db", "client", "firewall"):
            serve(lab, host)
        yield lab
