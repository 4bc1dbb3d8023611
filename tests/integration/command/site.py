# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A firewall with two lines and a server with one address for both, deployed, and the command as hosts run it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation import host as keeper_host
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation import unit as keeper_unit

from ..namespaces import Host, Hosts
from ..run_module import run_module

# Line, interface, public address, gateway (where a client is too), their IPv6 counterparts.
LINES = (
    ("a", "wan0", "203.0.113.10", "203.0.113.1", "2001:db8:a::10", "2001:db8:a::1"),
    ("b", "wan1", "198.51.100.20", "198.51.100.1", "2001:db8:b::20", "2001:db8:b::1"),
)
SERVER, SERVER6 = "192.168.168.1", "fd00:168::1"
# The far client of each ISP: an address of its own that is in no network of the firewall.
FAR, FAR6 = "192.0.2.99", "2001:db8:9::99"
_NUMBERS = {"a": 1, "b": 2}

# One HTTP request, whose answer ends the program with 0.
_ASK = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_STREAM) as one:
    one.settimeout(float(sys.argv[3]))
    one.bind((sys.argv[2], 0))
    one.connect((sys.argv[1], 80))
    one.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    found = b""
    while part := one.recv(65536):
        found += part
    sys.exit(not found)
"""


def routing() -> dict[str, Any]:
    """The options of policy_routing: a table and a mark rule for each line, and one by the public address."""
    tables, rules = [], []
    for name, interface, public, gateway, public6, gateway6 in LINES:
        number = _NUMBERS[name]
        table = 1000 + number
        defaults = [{"destination": "default", "gateway": each, "interface": interface} for each in (gateway, gateway6)]
        networks = [f"{public.rpartition('.')[0]}.0/24", f"{public6.partition('::')[0]}::/64"]
        connected = [{"destination": each, "interface": interface} for each in networks]
        tables.append({"id": table, "name": name, "routes": [*defaults, *connected]})
        mark = f"{number:#x}/0xff"
        for family in ("ipv4", "ipv6"):
            rules.append({"priority": 20000 + 10 * number, "family": family, "mark": mark, "table": table})
            rules.append({"priority": 20001 + 10 * number, "family": family, "mark": mark, "action": "unreachable"})
        for address in (public, public6):
            rules.append({"priority": 23000 + 10 * number, "source": address, "table": table})
    first = LINES[0]
    main = [{"destination": "default", "gateway": each, "interface": first[1]} for each in (first[3], first[5])]
    tables.append({"id": 254, "routes": main})
    for family, length in (("ipv4", 7), ("ipv6", 6)):
        rules.append({"priority": 20000, "family": family, "table": 254, "suppress_prefix_length": length})
    return {"tables": tables, "rules": rules}


def translations() -> dict[str, Any]:
    """The options of nat_rules: the service web by both lines."""
    rules = []
    for _name, _interface, public, _gateway, public6, _gateway6 in LINES:
        for address, server in ((public, SERVER), (public6, SERVER6)):
            match = {"protocol": "tcp", "destination": address, "destination_port": "80"}
            rules.append({"name": "web", "type": "dnat", **match, "to_address": server})
    return {"rules": rules}


class Site:
    """The hosts ``isp-a``, ``isp-b``, ``firewall`` and ``server``, and the command on the firewall."""

    def __init__(self, hosts: Hosts, directory: Path) -> None:
        self.hosts, self.firewall = hosts, hosts["firewall"]
        for path, text in keeper_host.own_code().items():
            (directory / "_core" / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / "_core" / path).write_text(text)
        self.keeper = directory / "multihome-keeper"
        self.keeper.write_text(keeper_unit.PROGRAM_TEXT)
        # The distribution's Python, as on a host, and nothing of this checkout.
        command = keeper_unit.command_text("/usr/bin/python3").replace(keeper_unit.LIBRARY, str(directory))
        self.command = directory / "multihome"
        self.command.write_text(command)
        self.command.chmod(0o755)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command on the firewall."""
        return self.firewall.run(str(self.command), *arguments, check=False, timeout=120)

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run the command with --json, and return what it says."""
        done = self.run(*arguments, "--json")
        assert done.stdout, done.stderr
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown

    def deploy(self, module: str, **options: Any) -> dict[str, Any]:
        """Run a module on the firewall with ``persist``."""
        done = run_module(module, {"persist": True, **options}, netns_prefix=self.firewall.prefix)
        assert not done.get("failed"), done
        return done

    def delete_connections(self) -> None:
        """Delete every tracked connection of the firewall."""
        code = (
            "import sys; sys.path.insert(0, sys.argv[1]); from _core.nat.conntrack import Conntrack as C; "
            "sys.exit(bool(C().delete(list(C().flows(False)))))"
        )
        self.firewall.run("/usr/bin/python3", "-I", "-c", code, str(self.command.parent))

    def answers(self, line: str, family: int = 4, patience: float = 15.0) -> bool:
        """Tell whether the far client of a line's ISP gets an answer of the service by that line."""
        one = next(each for each in LINES if each[0] == line)
        address, far = (one[2], FAR) if family == 4 else (one[4], FAR6)
        client = self.hosts[f"isp-{line}"]
        done = client.run("/usr/bin/python3", "-c", _ASK, address, far, str(patience), check=False)
        return done.returncode == 0


def _connect(hosts: Hosts) -> None:
    for name, interface, public, gateway, public6, gateway6 in LINES:
        isp: Host = hosts[f"isp-{name}"]
        hosts.link("firewall", interface, f"isp-{name}", "line0")
        isp.address("line0", f"{gateway}/24", f"{gateway6}/64")
        isp.address("lo", f"{FAR}/32", f"{FAR6}/128")
        hosts["firewall"].address(interface, f"{public}/24", f"{public6}/64")
    hosts.link("firewall", "lan0", "server", "eth0")
    hosts["firewall"].address("lan0", "192.168.168.11/24", "fd00:168::11/64")
    hosts["firewall"].sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    server = hosts["server"]
    server.address("eth0", f"{SERVER}/24", f"{SERVER6}/64")
    server.run("ip", "route", "add", "default", "via", "192.168.168.11")
    server.run("ip", "-6", "route", "add", "default", "via", "fd00:168::11")
    server.start("/usr/bin/python3", "-m", "http.server", "80", "--bind", "::", stderr=subprocess.DEVNULL)


@contextmanager
def site(directory: Path) -> Iterator[Site]:
    """Yield the deployed site; nothing of it stays."""
    with Hosts("isp-a", "isp-b", "firewall", "server") as hosts:
        _connect(hosts)
        made = Site(hosts, directory)
        made.deploy("policy_routing", **routing())
        made.deploy("nat_rules", **translations())
        made.deploy(
            "connection_marks", marks=[{"mark": 1, "in_interface": "wan0"}, {"mark": 2, "in_interface": "wan1"}]
        )
        yield made
