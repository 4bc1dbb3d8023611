# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with two lines, each with a router of its own, and a world behind both with targets that answer.

    server ─ a ─ isp-a ─┐
           └ b ─ isp-b ─┴─ world: 192.0.2.1 .2 .3, 2001:db8:f::1 ::2 ::3

The server's main table prefers line a, so a probe of line b that is not kept on its line leaves by a, and the other
way round with ``prefer("b")``.
"""

from __future__ import annotations

import functools
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.lab.waiting import PATIENCE, eventually

TARGETS = {4: ["192.0.2.1", "192.0.2.2", "192.0.2.3"], 6: ["2001:db8:f::1", "2001:db8:f::2", "2001:db8:f::3"]}
ADDRESSES = {
    ("a", 4): "203.0.113.10",
    ("a", 6): "2001:db8:a::10",
    ("b", 4): "198.51.100.10",
    ("b", 6): "2001:db8:b::10",
}
GATEWAYS = {
    ("a", 4): "203.0.113.1",
    ("a", 6): "2001:db8:a::1",
    ("b", 4): "198.51.100.1",
    ("b", 6): "2001:db8:b::1",
}
INNER = {("a", 4): "10.0.1.", ("a", 6): "fd00:1::", ("b", 4): "10.0.2.", ("b", 6): "fd00:2::"}
# Behind the server: the network, and what its addresses begin with.
LAN = {4: ("10.7.0.0/24", "10.7.0."), 6: ("fd00:7::/64", "fd00:7::")}
LENGTH, EVERYTHING = {4: 24, 6: 64}, {4: "0.0.0.0/0", 6: "::/0"}
_IP = {4: "ip", 6: "ip6"}
LINES, FAMILIES = ("a", "b"), (4, 6)
_WATCHER = "ansible_collections.multihome.linux.tests.integration.health.watcher"
_FORWARDER = "ansible_collections.multihome.linux.tests.integration.health.delaying"


def table(line: str) -> int:
    """A line's routing table."""
    return 1001 + LINES.index(line)


def line(name: str, **settings: Any) -> dict[str, Any]:
    """A line as the service is given it; ``settings`` replace what it has by default."""
    return {
        "name": name,
        "id": 1 + LINES.index(name),
        "interface": name,
        "addresses": [ADDRESSES[name, family] for family in FAMILIES],
        "gateways": [GATEWAYS[name, family] for family in FAMILIES],
        "health": {"targets": [*TARGETS[4], *TARGETS[6]]},
        **settings,
    }


class Watcher:
    """The service on the server; what it says is read as it comes."""

    def __init__(self, host: Host, lines: Sequence[dict[str, Any]], **settings: Any) -> None:
        self.said: list[dict[str, Any]] = []
        self._process = host.start(
            sys.executable, "-m", _WATCHER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1
        )
        self._usage: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.tell(lines=list(lines), **settings)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for row in self._process.stdout:
            object_ = json.loads(row)
            if "seconds" in object_:
                self._usage.put(object_)
            else:
                self.said.append(object_)

    def tell(self, **command: Any) -> None:
        """Send a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def usage(self) -> dict[str, Any]:
        """What the process has used up to now."""
        self.tell(usage=True)
        return self._usage.get(timeout=30)

    def state(self, name: str, family: int) -> str:
        """The state that a line had last."""
        return str(self._last("lines").get(f"{name} {family}", [""])[0])

    def alarm(self, name: str, family: int) -> str:
        """The alarm that a line had last."""
        alarm: str = self._last("lines")[f"{name} {family}"][2]
        return alarm

    def usable(self, family: int) -> list[str]:
        """The lines that were usable last."""
        lines: list[str] = self._last("usable")[str(family)]
        return lines

    def _last(self, key: str) -> dict[str, Any]:
        return next((each[key] for each in reversed(self.said) if key in each), {})

    def got(self, name: str, family: int, state: str, after: float = 0.0) -> float | None:
        """When a line got into a state, after a time; None when it did not."""
        for each in list(self.said):
            if each["at"] >= after and each.get("lines", {}).get(f"{name} {family}", [""])[0] == state:
                moment: float = each["at"]
                return moment
        return None

    def waits(self, name: str, family: int, state: str, after: float = 0.0, patience: float = PATIENCE) -> float:
        """Wait until a line is in a state; return when that was."""
        eventually(lambda: self.got(name, family, state, after) is not None, f"{name} {family} {state}", patience)
        moment = self.got(name, family, state, after)
        assert moment is not None
        return moment

    def all_up(self, *lines: str) -> None:
        """Wait until lines are up in both families."""
        for name in lines or LINES:
            for family in FAMILIES:
                eventually(functools.partial(self._is_up, name, family), f"{name} {family} up")

    def _is_up(self, name: str, family: int) -> bool:
        return self.state(name, family) == "up"

    def stop(self) -> None:
        """End the service; it has to end by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.stdin = None
        assert self._process.wait(10) == 0
        self._reader.join(5)

    def kill(self) -> None:
        """End the service, however it is."""
        self._process.kill()
        self._process.wait(10)


class Lab:
    """The hosts; ``server`` is where health is watched."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.server, self.world = hosts["server"], hosts["world"]
        for name in LINES:
            isp = hosts[f"isp-{name}"]
            hosts.link("server", name, f"isp-{name}", "customer")
            hosts.link(f"isp-{name}", "core", "world", name)
            isp.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
            # A router that switches its port off still has its addresses when it is on again.
            isp.sysctl(net__ipv6__conf__all__keep_addr_on_down=1)
            self.server.address(name, *(f"{ADDRESSES[name, f]}/{LENGTH[f]}" for f in FAMILIES))
            isp.address("customer", *(f"{GATEWAYS[name, f]}/{LENGTH[f]}" for f in FAMILIES))
            isp.address("core", *(f"{INNER[name, f]}1/{LENGTH[f]}" for f in FAMILIES))
            self.world.address(name, *(f"{INNER[name, f]}2/{LENGTH[f]}" for f in FAMILIES))
            for family in FAMILIES:
                self._route(name, family)
        self.world.address("lo", *(f"{each}/{32 if f == 4 else 128}" for f in FAMILIES for each in TARGETS[f]))
        # What comes in by one line may leave by the other: only then can it be seen that no probe does.
        self.server.sysctl(net__ipv4__conf__all__rp_filter=0, net__ipv4__conf__a__rp_filter=0)
        self.prefer("a")
        self.count()
        self.settle()

    def settle(self) -> None:
        """Wait for duplicate address detection: before it ends, routers answer no neighbour discovery."""
        for name in self.hosts.names:
            show = ["ip", "-6", "address", "show", "tentative"]
            eventually(functools.partial(self._says_nothing, name, show), f"{name} has its addresses")

    def _says_nothing(self, name: str, command: Sequence[str]) -> bool:
        return not self.hosts[name].run(*command).stdout

    def _route(self, name: str, family: int) -> None:
        ip = ["ip", f"-{family}"]
        server, isp, world = self.server, self.hosts[f"isp-{name}"], self.world
        number = str(table(name))
        server.run(*ip, "route", "add", "default", "via", GATEWAYS[name, family], "dev", name, "table", number)
        server.run(*ip, "rule", "add", "from", ADDRESSES[name, family], "lookup", number, "priority", "23010")
        server.run(*ip, "rule", "add", "fwmark", f"{LINES.index(name) + 1}", "lookup", number, "priority", "20010")
        isp.run(*ip, "route", "add", "default", "via", f"{INNER[name, family]}2")
        prefix = f"{GATEWAYS[name, family].rpartition('.' if family == 4 else ':')[0]}{'.0' if family == 4 else ':'}"
        world.run(*ip, "route", "add", f"{prefix}/{LENGTH[family]}", "via", f"{INNER[name, family]}1")

    def prefer(self, name: str) -> None:
        """Send by a line what no rule sends elsewhere."""
        for family in FAMILIES:
            command = ["ip", f"-{family}", "route", "replace", "default", "via", GATEWAYS[name, family], "dev", name]
            self.server.run(*command)

    def count(self) -> None:
        """Count on the server what leaves by each line, by the address that it carries."""
        rows = [
            f'oifname "{out}" {_IP[family]} saddr {ADDRESSES[name, family]} counter comment "{name}{family} by {out}"'
            for out in LINES
            for name in LINES
            for family in FAMILIES
        ]
        chain = ["chain out {", "type filter hook postrouting priority 0;", *rows, "}"]
        self.server.run("nft", "-f", "-", feed="\n".join(["table inet counting {", *chain, "}", ""]))

    def counted(self) -> dict[str, int]:
        """Packets by ``LINE FAMILY by INTERFACE``."""
        listed = json.loads(self.server.run("nft", "-j", "list", "table", "inet", "counting").stdout)
        found: dict[str, int] = {}
        for each in listed["nftables"]:
            rule = each.get("rule")
            if rule and rule.get("comment"):
                packets = next(part["counter"]["packets"] for part in rule["expr"] if "counter" in part)
                found[rule["comment"]] = packets
        return found

    def filter(self, name: str, *rules: str) -> float:
        """Give a line's router these rules for what it forwards, in place of the ones before; return when."""
        rows = ["table inet test", "delete table inet test", "table inet test {", "chain forward {"]
        rows += ["type filter hook forward priority 0;", *rules, "}", "}", ""]
        moment = time.monotonic()
        self.hosts[f"isp-{name}"].run("nft", "-f", "-", feed="\n".join(rows))
        return moment

    def kill(self, name: str, family: int | None = None) -> float:
        """Make a line a black hole, or one family of it; return when."""
        return self.filter(name, {None: "drop", 4: "meta nfproto ipv4 drop", 6: "meta nfproto ipv6 drop"}[family])

    def heal(self, name: str) -> float:
        """Let everything through again; return when."""
        return self.filter(name)

    def lose(self, name: str, percent: int) -> float:
        """Lose so many packets of a line in each direction, by chance."""
        return self.filter(name, f"numgen random mod 100 < {percent} drop")

    def lose_one_way(self, name: str, percent: int) -> float:
        """Lose so many packets of a line on their way out, by chance."""
        return self.filter(name, f'iifname "customer" numgen random mod 100 < {percent} drop')

    def connect(self, client: str) -> Host:
        """Put a client behind the server, which forwards for it."""
        self.hosts.link("server", "lan", client, "eth0")
        for name, interface, last in (("server", "lan", "1"), (client, "eth0", "9")):
            self.hosts[name].address(interface, *(f"{LAN[f][1]}{last}/{LENGTH[f]}" for f in FAMILIES))
        self.server.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        for family in FAMILIES:
            self.hosts[client].run("ip", f"-{family}", "route", "add", "default", "via", f"{LAN[family][1]}1")
        return self.hosts[client]

    def delay(self, name: str, least: float, most: float) -> None:
        """Delay what leaves the server by a line by so many seconds, by chance; for the rest of the test."""
        isp, tunnel = self.hosts[f"isp-{name}"], "slow"
        command = (sys.executable, "-m", _FORWARDER, tunnel, str(least), str(most))
        process = isp.start(*command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        isp.run("ip", "link", "set", tunnel, "up")
        # Packets come back by an interface that their way back does not use.
        isp.sysctl(net__ipv4__conf__all__rp_filter=0, **{f"net__ipv4__conf__{tunnel}__rp_filter": 0})
        for family in FAMILIES:
            ip = ["ip", f"-{family}"]
            isp.run(*ip, "route", "add", "default", "dev", tunnel, "table", "77")
            isp.run(*ip, "rule", "add", "iif", "customer", "lookup", "77", "priority", "77")

    @contextmanager
    def watching(self, *lines: dict[str, Any], **settings: Any) -> Iterator[Watcher]:
        """Run the service for both lines, or for these."""
        watcher = Watcher(self.server, lines or [line("a"), line("b")], **settings)
        try:
            yield watcher
        except BaseException:
            watcher.kill()
            raise
        watcher.stop()


@contextmanager
def lab(*more: str) -> Iterator[Lab]:
    """Make the lab, with ``more`` hosts that nothing is connected to yet, and remove it."""
    with Hosts("server", "isp-a", "isp-b", "world", *more) as hosts:
        yield Lab(hosts)
