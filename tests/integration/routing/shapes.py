# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host of each shape, deployed, with the replies that have to leave by their lines and clients that ask for them.

A: a server behind a firewall for each line. B: one firewall with all lines, for a server inside. C: a server on which
the lines end. D: a server behind firewalls that has services on one line only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.multihome.linux.plugins.filter.multihomed_web import FilterModule

from ..namespaces import Host, Hosts
from .foreign import OnLan, Place
from .lines import FAR, LAN, LINES, deploy, host_in, options, replies, server_with_lines

FAMILIES = (4, 6)
FILTERS = FilterModule().filters()
INSIDE = {4: "192.168.168.50", 6: "fd00:168::50"}
FIREWALL = """
table inet firewall {
  chain marks {
    type filter hook prerouting priority mangle
    iifname "wan1" ct state new ct mark set 1
    iifname "wan2" ct state new ct mark set 2
    iifname "lan0" meta mark set ct mark
  }
  chain mappings {
    type nat hook prerouting priority dstnat
    iifname { "wan1", "wan2" } meta nfproto ipv4 dnat ip to 192.168.168.50
    iifname { "wan1", "wan2" } icmpv6 type echo-request dnat ip6 to fd00:168::50
  }
}
"""


@dataclass(frozen=True)
class Request:
    """A client asks an address by a line."""

    line: int
    family: int
    host: str
    client: str
    address: str


@dataclass(frozen=True)
class Shape:
    """A deployed host: ``place`` names its lines for setups of others."""

    hosts: Hosts
    replies: Sequence[dict[str, Any]]
    requests: Sequence[Request]
    place: Place = field(default_factory=Place)

    @property
    def host(self) -> Host:
        """The host."""
        return self.hosts["server"]


def _deploy(host: Host, lists: dict[str, Any]) -> None:
    done = deploy(host, **lists)
    assert done.get("changed") is True, done


@contextmanager
def server_on_which_lines_end() -> Iterator[Shape]:
    """Make shape C: a client far away asks, and one in the network of the other line."""
    with server_with_lines() as hosts:
        _deploy(hosts["server"], options())
        asked = [
            Request(line, family, f"isp{line}", client, host_in(line, family, 10))
            for line in LINES
            for family in FAMILIES
            for client in (FAR[family], host_in(3 - line, family, 50))
        ]
        yield Shape(hosts, [entry for family in FAMILIES for entry in replies(family)], asked)


@contextmanager
def firewall_of_all_lines() -> Iterator[Shape]:
    """Make shape B: a client far away asks, and a server inside answers."""
    with server_with_lines() as hosts:
        host = hosts["server"]
        host.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        host.run("nft", "-f", "-", feed=FIREWALL)
        lists = options()
        for line in LINES:
            for family in FAMILIES:
                by_mark = {"family": f"ipv{family}", "mark": f"{line:#x}/0xff"}
                lists["rules"] += [
                    {**by_mark, "priority": 20000 + 10 * line, "table": 1000 + line},
                    {**by_mark, "priority": 20001 + 10 * line, "action": "unreachable"},
                ]
        _deploy(host, lists)
        forwarded = [
            {**entry, "source": INSIDE[family], "mark": f"{line:#x}", "forwarded": True}
            for family in FAMILIES
            for line, entry in zip(LINES, replies(family), strict=True)
        ]
        # A client in a line's network is left out: a rule of others by that source takes its request, not the reply.
        asked = [
            Request(line, family, f"isp{line}", FAR[family], host_in(line, family, 10))
            for line in LINES
            for family in FAMILIES
        ]
        yield Shape(hosts, forwarded, asked)


@contextmanager
def server_behind_firewalls(lines: Sequence[int] = LINES) -> Iterator[Shape]:
    """Make shape A, or D with one line: each firewall asks as a client far away."""
    place = OnLan()
    with Hosts("server", "isp1", "isp2", "lan", "vpn") as hosts:
        for name in hosts.names:
            hosts[name].sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)
        lan = hosts["lan"]
        lan.run("ip", "link", "add", "name", "switch", "type", "bridge")
        lan.run("ip", "link", "set", "switch", "up")
        for number, (name, interface) in enumerate((("server", "lan0"), ("isp1", "lan0"), ("isp2", "lan0"))):
            hosts.link(name, interface, "lan", f"port{number}")
            lan.run("ip", "link", "set", f"port{number}", "master", "switch", "up")
        hosts.link("server", "tun0", "vpn", "eth0")
        server = hosts["server"]
        aliases = [f"{place.own(line, family)}/{24 if family == 4 else 64}" for line in lines for family in FAMILIES]
        server.address("lan0", *aliases)
        server.address("tun0", "10.8.0.2/24", "fd00:8::2/64")
        hosts["vpn"].address("eth0", "10.8.0.1/24", "fd00:8::1/64")
        for line in LINES:
            firewall = hosts[f"isp{line}"]
            firewall.address("lan0", *(f"{place.gateway(line, f)}/{24 if f == 4 else 64}" for f in FAMILIES))
            firewall.address("lo", *(f"{text}/{128 if ':' in text else 32}" for text in FAR.values()))
        settings = {f"net__ipv4__conf__{name}__rp_filter": 0 for name in ("all", "lan0", "tun0")}
        server.sysctl(**settings)
        variables = [
            {
                "name": f"line{line}",
                "id": line,
                "interface": "lan0",
                "addresses": [f"{place.own(line, family)}/{24 if family == 4 else 64}" for family in FAMILIES],
                "gateways": [place.gateway(line, family) for family in FAMILIES],
            }
            for line in lines
        ]
        names = ("tables", "rules", "interface_groups")
        _deploy(server, {name: FILTERS[f"multihomed_web_{name}"](variables) for name in names})
        asked = [
            Request(line, family, f"isp{line}", FAR[family], place.own(line, family))
            for line in lines
            for family in FAMILIES
        ]
        yield Shape(hosts, FILTERS["multihomed_web_replies"](variables)["replies"], asked, place)


SHAPES: dict[str, Callable[[], AbstractContextManager[Shape]]] = {
    "A": server_behind_firewalls,
    "B": firewall_of_all_lines,
    "C": server_on_which_lines_end,
    "D": lambda: server_behind_firewalls((2,)),
}
INSIDE_NETWORKS = list(LAN.values())
