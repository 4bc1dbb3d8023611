# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a line whose addresses are declared, and one whose addresses its ISP assigns; a LAN host behind it.

    inside ─ lan ─ host ─ a ─ isp-a
                        └ b ─ isp-b

Both ISPs have a client behind their router, and one address in common that says by which ISP it was asked.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.tests.integration.keeper.host import write_program
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.integration.run_module import run_module
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

FAMILIES = (4, 6)
LENGTH = {4: 24, 6: 64}
PATIENCE = 60.0
# Line a, and what line b has before and after its ISP changes its mind.
FIXED = {4: "203.0.113.10", 6: "2001:db8:a::10"}
OLD = {4: "198.51.100.10", 6: "2001:db8:b::10"}
NEW = {4: "198.51.101.77", 6: "2001:db8:c::77"}
GATEWAYS = {
    "a": {4: "203.0.113.1", 6: "2001:db8:a::1"},
    "old": {4: "198.51.100.1", 6: "2001:db8:b::1"},
    "new": {4: "198.51.101.1", 6: "2001:db8:c::1"},
}
CLIENTS = {"a": {4: "192.0.2.1", 6: "2001:db8:f::1"}, "b": {4: "192.0.2.2", 6: "2001:db8:f::2"}}
ANYWHERE = {4: "192.0.2.9", 6: "2001:db8:f::9"}
INSIDE = {4: "10.1.0.2", 6: "fd00:1::2"}
LAN = {4: "10.1.0.1", 6: "fd00:1::1"}
PORT = 7
# Says to each line of its input who asks, at which host, and the line again.
_SERVE = """
import socket, sys, threading
def serve(connection, peer):
    with connection:
        while data := connection.recv(200):
            connection.sendall(f"{sys.argv[1]} {peer.removeprefix('::ffff:')} ".encode() + data)
listening = socket.create_server(("::", 7), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    connection, peer = listening.accept()
    threading.Thread(target=serve, args=(connection, peer[0]), daemon=True).start()
"""
# One connection from one address, which is asked once for each line of the input.
_CLIENT = """
import socket, sys
try:
    source = (sys.argv[2], 0) if sys.argv[2] else None
    connection = socket.create_connection((sys.argv[1], 7), timeout=float(sys.argv[3]), source_address=source)
    connection.settimeout(15.0)
    print("open", flush=True)
    for row in sys.stdin:
        connection.sendall(row.encode())
        print(connection.recv(200).decode().strip(), flush=True)
except OSError as error:
    print(type(error).__name__, flush=True)
"""


class Connection:
    """A client with one connection, as long as the test lasts."""

    def __init__(self, host: Host, address: str, source: str = "", patience: float = 2.0) -> None:
        command = (sys.executable, "-c", _CLIENT, address, source, str(patience))
        self._process = host.start(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.is_open = self._hears() == "open"

    def _hears(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def asks(self, text: str = "x") -> list[str]:
        """What comes back: the host that answers, the address that it saw, and the text."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()
        return self._hears().split()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


class Site:
    """The hosts, and the keeper on the one in the middle."""

    def __init__(self, hosts: Hosts, directory: Path) -> None:
        self.hosts, self.host = hosts, hosts["host"]
        self._log = directory / "log"
        self._program = write_program(directory)
        self._keeper: subprocess.Popen[str] | None = None
        for name in ("a", "b"):
            hosts.link("host", name, f"isp-{name}", "customer")
        hosts.link("host", "lan", "inside", "lan")
        self.host.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1, net__ipv4__conf__all__rp_filter=0)
        self.host.address("lan", *_with_length(LAN))
        hosts["inside"].address("lan", *_with_length(INSIDE))
        for family in FAMILIES:
            hosts["inside"].run("ip", f"-{family}", "route", "add", "default", "via", LAN[family])
        for name, gateways in (("a", ("a",)), ("b", ("old", "new"))):
            isp = hosts[f"isp-{name}"]
            isp.address("customer", *(each for one in gateways for each in _with_length(GATEWAYS[one])))
            isp.address("lo", *(f"{each[family]}/{32 if family == 4 else 128}" for family in FAMILIES
                                for each in (CLIENTS[name], ANYWHERE)))  # fmt: skip
        for name in ("host", "inside", "isp-a", "isp-b"):
            serving = hosts[name].start(sys.executable, "-c", _SERVE, name, stdout=subprocess.PIPE)
            assert serving.stdout is not None
            assert serving.stdout.readline() == "ready\n"
        self.host.address("a", *_with_length(FIXED))
        for family in FAMILIES:
            self._default("add", family, "a", GATEWAYS["a"][family], 100)
        self.host.run("ip", "link", "set", "dev", "b", "up")
        self.assign(OLD, "old")

    # ---------------------------------------------------------------- what the ISP of line b does
    def assign(self, addresses: dict[int, str], gateways: str, *taken: dict[int, str], metric: int = 200) -> None:
        """Give line b these addresses and gateways, in place of those ``taken`` away; main prefers line a."""
        for family in FAMILIES:
            for each in taken:
                self.host.run("ip", "address", "del", f"{each[family]}/{LENGTH[family]}", "dev", "b")
        self.host.address("b", *_with_length(addresses))
        for family in FAMILIES:
            self._default("replace", family, "b", GATEWAYS[gateways][family], metric)

    def take(self, addresses: dict[int, str], metric: int = 200) -> None:
        """Take line b's addresses away; its default routes end with them."""
        for family in FAMILIES:
            ip = ["ip", f"-{family}"]
            self.host.run(*ip, "address", "del", f"{addresses[family]}/{LENGTH[family]}", "dev", "b")
            self.host.run(*ip, "route", "del", "default", "dev", "b", "metric", str(metric), check=False)

    def _default(self, operation: str, family: int, name: str, gateway: str, metric: int) -> None:
        way = ("default", "via", gateway, "dev", name, "metric", str(metric), "proto", "dhcp")
        self.host.run("ip", f"-{family}", "route", operation, *way)

    def yield_defaults(self) -> None:
        """Have the ISPs' default routes come behind those of the roles, as docs/auto.md says."""
        for family in FAMILIES:
            for name, gateways, metric in (("a", "a", 100), ("b", "old", 200)):
                self._default("append", family, name, GATEWAYS[gateways][family], 40000000 + metric)
                self.host.run("ip", f"-{family}", "route", "del", "default", "dev", name, "metric", str(metric))

    # ---------------------------------------------------------------- what is deployed
    def run(self, module: str, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run a module on the host; one that fails is an error."""
        result = run_module(module, options, check=check, netns_prefix=self.host.prefix)
        assert not result.get("failed"), result
        return result

    def stored(self, name: str) -> str:
        """The text of a stored file."""
        return self.host.run("cat", f"/etc/multihome/{name}.json").stdout

    def start(self) -> None:
        """Start the keeper, and wait until it has looked."""
        self.host.run("rm", "-f", "/run/multihome/keeper.json")
        with self._log.open("a") as log:
            self._keeper = self.host.start("/usr/bin/python3", "-I", str(self._program), stderr=log)
        self.eventually(lambda: bool(self.report()), "the keeper has looked")

    def stop(self) -> None:
        """End the keeper, if it runs."""
        if self._keeper is not None:
            self._keeper.terminate()
            assert self._keeper.wait(20) == 0
            self._keeper = None

    def report(self) -> dict[str, Any]:
        """What the keeper says of itself."""
        text = self.host.run("cat", "/run/multihome/keeper.json", check=False).stdout
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def health(self, name: str, family: int) -> dict[str, Any]:
        """What the keeper says of a line."""
        text = self.host.run("cat", "/run/multihome/health.json", check=False).stdout
        found: dict[str, Any] = json.loads(text)["lines"][name][f"ipv{family}"] if text else {}
        return found

    def log(self) -> str:
        """What the keeper has written."""
        return self._log.read_text() if self._log.exists() else ""

    # ---------------------------------------------------------------- packets
    def visits(self, name: str, family: int, address: str) -> list[str]:
        """What a client behind an ISP hears from an address, by a new connection; nothing without an answer."""
        visitor = Connection(self.hosts[f"isp-{name}"], address, CLIENTS[name][family])
        try:
            return visitor.asks() if visitor.is_open else []
        finally:
            visitor.close()

    def eventually(self, holds: Callable[[], object], what: str) -> None:
        """Wait until something holds."""
        eventually(holds, lambda: f"{what}\n{self.log()[-3000:]}\n{self.state()}", PATIENCE)

    def answered(self, name: str, addresses: dict[int, str], by: str = "host") -> None:
        """Wait until a host answers at these addresses of a line."""
        for family in FAMILIES:
            self.eventually(
                functools.partial(self._is_answered, name, family, addresses[family], by), f"IPv{family} {addresses}"
            )

    def _is_answered(self, name: str, family: int, address: str, by: str) -> bool:
        return self.visits(name, family, address)[:1] == [by]

    def state(self) -> str:
        """The host's rules and tables, for messages."""
        commands = (
            "ip rule",
            "ip -6 rule",
            "ip route show table 2002",
            "ip -6 route show table 2002",
            "nft list ruleset",
        )
        return "\n".join(self.host.run(*each.split(), check=False).stdout for each in commands)


def _with_length(addresses: dict[int, str]) -> list[str]:
    return [f"{addresses[family]}/{LENGTH[family]}" for family in FAMILIES]


@contextmanager
def site(directory: Path) -> Iterator[Site]:
    """Make the hosts, and remove everything."""
    with Hosts("host", "inside", "isp-a", "isp-b") as hosts:
        made = Site(hosts, directory)
        try:
            yield made
        finally:
            made.stop()
