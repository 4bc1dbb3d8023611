# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with two lines on interfaces of its own, an inside network, and a VPN interface of somebody else.

Both ISPs can stand in for any client: a request comes in by the line of the ISP that sends it, and is answered only if
the reply leaves by the same line.
"""

from __future__ import annotations

import concurrent.futures
import json
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

from ..namespaces import Host, Hosts
from ..run_module import run_module

GROUP = 109
LINES = (1, 2)
# How long an answer is waited for that has to come: machines are busy.
PATIENCE = 30.0
LAN = {4: "192.168.168.0/24", 6: "fd00:168::/64"}
# A client that is far away, and one in each line's own network.
FAR = {4: "192.0.2.9", 6: "2001:db8:c::9"}
SUPPRESS = {4: 7, 6: 6}


def network(line: int, family: int) -> str:
    """Return the connected network of a line."""
    return f"198.18.{line}.0/24" if family == 4 else f"2001:db8:{line}::/64"


def host_in(line: int, family: int, number: int) -> str:
    """Return an address in the network of a line: 1 is the ISP's, 10 ours."""
    return f"198.18.{line}.{number}" if family == 4 else f"2001:db8:{line}::{number}"


def length(family: int) -> int:
    """Return the prefix length of a line's network."""
    return 24 if family == 4 else 64


@contextmanager
def server_with_lines() -> Iterator[Hosts]:
    """Make the hosts: server, isp1, isp2, lan and vpn, without any of our rules."""
    with Hosts("server", "isp1", "isp2", "lan", "vpn") as hosts:
        server = hosts["server"]
        for name in hosts.names:
            # Without duplicate address detection a host can send by IPv6 at once.
            hosts[name].sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)
        for line in LINES:
            isp = hosts[f"isp{line}"]
            hosts.link("server", f"wan{line}", f"isp{line}", "wan0")
            server.address(f"wan{line}", *(f"{host_in(line, family, 10)}/{length(family)}" for family in (4, 6)))
            isp.address("wan0", *(f"{host_in(line, family, 1)}/{length(family)}" for family in (4, 6)))
            # It sends for anybody: for the far client, and for neighbours of the other line.
            others = [host_in(3 - line, family, 50) for family in (4, 6)]
            isp.address("lo", *(f"{text}/{128 if ':' in text else 32}" for text in (*FAR.values(), *others)))
            for family in (4, 6):
                gateway = ("via", host_in(line, family, 10), "dev", "wan0")
                isp.run("ip", f"-{family}", "route", "add", "default", *gateway)
        hosts.link("server", "lan0", "lan", "eth0")
        hosts.link("server", "tun0", "vpn", "eth0")
        server.address("lan0", "192.168.168.1/24", "fd00:168::1/64")
        hosts["lan"].address("eth0", "192.168.168.50/24", "fd00:168::50/64")
        hosts["lan"].run("ip", "route", "add", "default", "via", "192.168.168.1")
        hosts["lan"].run("ip", "-6", "route", "add", "default", "via", "fd00:168::1")
        server.address("tun0", "10.8.0.2/24", "fd00:8::2/64")
        hosts["vpn"].address("eth0", "10.8.0.1/24", "fd00:8::1/64")
        server.sysctl(net__ipv4__conf__all__rp_filter=0, net__ipv4__conf__default__rp_filter=0)
        for name in ("wan1", "wan2", "lan0", "tun0"):
            server.sysctl(**{f"net__ipv4__conf__{name}__rp_filter": 0})
        _await_links(server)
        yield hosts


def _await_links(host: Host) -> None:
    """Wait until each link is up and has its link-local address: until then the kernel adds routes by itself."""
    deadline = time.monotonic() + 30
    while True:
        links = json.loads(host.run("ip", "-json", "address").stdout)
        late = [link for link in links if link["ifname"] != "lo" and not _is_settled(link)]
        if not late:
            return
        assert time.monotonic() < deadline, late
        time.sleep(0.01)


def _is_settled(link: dict[str, Any]) -> bool:
    of_link = [one for one in link["addr_info"] if one["family"] == "inet6" and one["scope"] == "link"]
    return link["operstate"] == "UP" and bool(of_link) and not any(one.get("tentative") for one in of_link)


def options(suppress: dict[int, int] | None = None, group: int | None = GROUP) -> dict[str, Any]:
    """Return the options of policy_routing; with suppress 0 and no group as the previous version had them."""
    lengths = suppress or SUPPRESS
    tables = []
    rules: list[dict[str, Any]] = []
    for family in (4, 6):
        first: dict[str, Any] = {"priority": 20000, "family": f"ipv{family}", "table": "main"}
        first["suppress_prefix_length"] = lengths[family]
        if group is not None:
            first["suppress_interface_group"] = group
        rules.append(first)
    for line in LINES:
        routes = []
        for family in (4, 6):
            address = host_in(line, family, 10)
            routes += [
                {"destination": network(line, family), "interface": f"wan{line}"},
                {
                    "destination": "default",
                    "gateway": host_in(line, family, 1),
                    "interface": f"wan{line}",
                },
            ]
            base = 23000 + 10 * line
            rules += [
                {"priority": base, "source": address, "table": 1000 + line},
                {"priority": base + 1, "source": address, "action": "unreachable"},
            ]
        tables.append({"id": 1000 + line, "name": f"line{line}", "routes": routes})
    groups = [] if group is None else [{"interface": f"wan{line}", "group": group} for line in LINES]
    return {"tables": tables, "rules": rules, "interface_groups": groups, "purge": True}


def deploy(server: Host, **given: Any) -> dict[str, Any]:
    """Run policy_routing."""
    return run_module("policy_routing", {**options(), **given}, netns_prefix=server.prefix)


def replies(family: int) -> list[dict[str, Any]]:
    """Return the replies that have to leave by their line."""
    return [
        {
            "line": f"line{line}",
            "table": 1000 + line,
            "source": host_in(line, family, 10),
            "gateways": [host_in(line, family, 1)],
            "interface": f"wan{line}",
            "networks": [network(line, family)],
        }
        for line in LINES
    ]


def findings(server: Host, family: int, **more: Any) -> list[dict[str, Any]]:
    """Return what path_info finds about the replies."""
    asked = {"replies": replies(family), "inside_networks": [LAN[family]], **more}
    result = run_module("path_info", asked, netns_prefix=server.prefix)
    assert "findings" in result, result
    found = result["findings"]
    assert isinstance(found, list)
    return found


def answered(host: Host, client: str, address: str, patience: float = PATIENCE) -> bool:
    """Tell whether a client is answered by the way that it asked; without patience it asks twice, and briefly."""
    ping = ("ping", "-n", "-c", "2", "-i", "0.2", "-W", "0.7", "-I", client, address)
    deadline = time.monotonic() + patience
    while host.run(*ping, check=False).returncode:
        if time.monotonic() >= deadline:
            return False
    return True


def alive(hosts: Hosts, family: int, dead: Container[str] | None = ()) -> dict[str, bool]:
    """Return for each kind of client and line whether it is answered.

    Those in ``dead`` are asked only briefly; None where it is not known which these are.
    """
    asked: dict[str, tuple[str, str, str]] = {}
    inside = ("192.168.168.50", "192.168.168.1") if family == 4 else ("fd00:168::50", "fd00:168::1")
    for line in LINES:
        isp, ours = f"isp{line}", host_in(line, family, 10)
        asked[f"far by line {line}"] = (isp, FAR[family], ours)
        asked[f"neighbour of line {3 - line} by line {line}"] = (isp, host_in(3 - line, family, 50), ours)
        asked[f"ISP of line {line}"] = (isp, host_in(line, family, 1), ours)
        asked[f"LAN asks line {line}"] = ("lan", inside[0], ours)
    asked["LAN"] = ("lan", *inside)

    def ask(name: str) -> bool:
        host, client, address = asked[name]
        return answered(hosts[host], client, address, 0 if dead is None or name in dead else PATIENCE)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        return dict(zip(asked, pool.map(ask, asked), strict=True))
