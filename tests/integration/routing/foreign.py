# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules, routes, tables, groups and interfaces as VPNs, containers and cloud tools create them, chosen by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from ..namespaces import Host
from .lines import GROUP, LINES, host_in
from .lines import network as network_of

# Halves of the address space, as OpenVPN's redirect-gateway def1 and others set them.
HALVES = {
    4: (("0.0.0.0/1", "128.0.0.0/1"), ("0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/1")),
    6: (("2000::/3",), ("::/1", "8000::/1")),
}
VPN = {4: "10.8.0.1", 6: "fd00:8::1"}
PRIVATE = {4: ("10.9.0.0/16", "172.30.0.0/16"), 6: ("fd00:9::/48", "fd00:30::/48")}
WIDE = {4: "128.0.0.0/1", 6: "2000::/3"}


class Place:
    """The names and addresses of a host's lines: each on an interface of its own."""

    # The group of the lines' interfaces.
    group = GROUP

    def gateway(self, line: int, family: int) -> str:
        """Return a line's gateway."""
        return host_in(line, family, 1)

    def own(self, line: int, family: int) -> str:
        """Return the host's address of a line."""
        return host_in(line, family, 10)

    def network(self, line: int, family: int) -> str:
        """Return a line's network on the host."""
        return network_of(line, family)

    def interface(self, line: int) -> str:
        """Return a line's interface."""
        return f"wan{line}"

    def way(self, line: int, family: int) -> str:
        """Return the next hop of a line, as `ip route` takes it."""
        return f"via {self.gateway(line, family)} dev {self.interface(line)}"


class OnLan(Place):
    """The same where the lines are behind firewalls of their own, on one LAN."""

    group = 0

    def gateway(self, line: int, family: int) -> str:
        """Return the address of a line's firewall."""
        return f"192.168.168.1{line}" if family == 4 else f"fd00:168::1{line}"

    def own(self, line: int, family: int) -> str:
        """Return the server's alias for a line."""
        return f"192.168.168.{line}" if family == 4 else f"fd00:168::{line}"

    def network(self, line: int, family: int) -> str:  # noqa: ARG002 - the LAN is that of all lines
        """Return the LAN."""
        return "192.168.168.0/24" if family == 4 else "fd00:168::/64"

    def interface(self, line: int) -> str:  # noqa: ARG002 - the LAN is that of all lines
        """Return the interface of the LAN."""
        return "lan0"


@dataclass
class Setup:
    """What one seed puts on a host: commands of ip by family, each with the one that takes it back."""

    seed: int
    place: Place = field(default_factory=Place)
    commands: dict[int, list[tuple[str, str]]] = field(default_factory=lambda: {4: [], 6: []})

    def add(self, family: int, kind: str, text: str) -> None:
        """Note a rule or route."""
        self.commands[family].append((f"{kind} add {text}", f"{kind} del {text}"))

    def apply(self, host: Host) -> None:
        """Put it on a host: rules last, as a kernel takes no gateway that they lead away from."""
        for commands in self.commands.values():
            commands.sort(key=lambda both: both[0].startswith("rule"))
        for family, commands in self.commands.items():
            host.run("ip", f"-{family}", "-batch", "-", feed="".join(f"{one}\n" for one, _back in commands))

    def remove(self, host: Host) -> None:
        """Take it off the host."""
        for family, commands in self.commands.items():
            backwards = "".join(f"{back}\n" for _one, back in reversed(commands))
            host.run("ip", "-force", f"-{family}", "-batch", "-", feed=backwards, check=False)

    def __str__(self) -> str:
        shown = [f"ip -{family} {one}" for family, commands in self.commands.items() for one, _back in commands]
        return f"seed {self.seed}:\n  " + "\n  ".join(shown)


Piece = Callable[[Setup, random.Random, int], None]


def _whole_way(setup: Setup, chance: random.Random, family: int) -> None:
    """A VPN that takes everything by two halves."""
    for half in chance.choice(HALVES[family]):
        setup.add(family, "route", f"{half} via {VPN[family]} dev tun0")


def _vpn_by_mark(setup: Setup, chance: random.Random, family: int) -> None:
    """As wg-quick: everything that is not its own goes by its table."""
    table = chance.choice((51820, 52420))
    setup.add(family, "route", f"default via {VPN[family]} dev tun0 table {table}")
    # wg-quick gives none, so that both come before all rules but the first; NetworkManager's are the last ones here.
    first = chance.choice((None, None, 100, 5000, 21000, 31210, 32700))
    places = ("", "") if first is None else (f" priority {first + 1}", f" priority {first}")
    setup.add(family, "rule", f"not fwmark 0xca6c lookup {table}{places[0]}")
    if chance.random() < 0.7:
        setup.add(family, "rule", f"lookup main suppress_prefixlength 0{places[1]}")


def _mesh(setup: Setup, chance: random.Random, family: int) -> None:
    """As a mesh VPN: its own table for all packets, with its own networks, and with a default at an exit node."""
    networks = [chance.choice(PRIVATE[family])] + (["default"] if chance.random() < 0.5 else [])
    for network in networks:
        setup.add(family, "route", f"{network} via {VPN[family]} dev tun0 table 520")
    setup.add(family, "rule", f"lookup 520 priority {chance.choice((5270, 220, 24500, 31000))}")


def _tailscale(setup: Setup, chance: random.Random, family: int) -> None:
    """As Tailscale: its own packets, which have its mark, pass its table; others do not at an exit node."""
    setup.add(family, "route", f"{'100.64.0.0/10' if family == 4 else 'fd7a:115c:a1e0::/48'} dev tun0 table 52")
    if chance.random() < 0.5:
        setup.add(family, "route", f"default via {VPN[family]} dev tun0 table 52")
    for priority, target in ((5210, "lookup main"), (5230, "lookup default"), (5250, "unreachable")):
        setup.add(family, "rule", f"fwmark 0x80000/0xff0000 {target} priority {priority}")
    setup.add(family, "rule", "lookup 52 priority 5270")


def _ipsec(setup: Setup, chance: random.Random, family: int) -> None:
    """As strongSwan: table 220, with the networks of its peers, or everything for a road warrior."""
    network = chance.choice((*PRIVATE[family], "default"))
    setup.add(family, "route", f"{network} via {VPN[family]} dev tun0 table 220")
    if chance.random() < 0.5:
        setup.add(family, "route", f"throw {setup.place.network(chance.choice(LINES), family)} table 220")
    setup.add(family, "rule", "lookup 220 priority 220")


def _cloud(setup: Setup, chance: random.Random, family: int) -> None:
    """As amazon-ec2-net-utils: a table for the addresses of each interface, with priorities from 10000 on."""
    line = chance.choice(LINES)
    other = chance.choice(LINES)
    table = 10000 + line
    setup.add(family, "route", f"default {setup.place.way(other, family)} table {table}")
    setup.add(family, "rule", f"from {setup.place.own(line, family)} lookup {table} priority {table}")


def _cluster(setup: Setup, chance: random.Random, family: int) -> None:
    """As Cilium: packets of its proxy have its marks, and its table takes them in."""
    setup.add(family, "route", "local default dev lo table 2004")
    setup.add(family, "route", f"default via {VPN[family]} dev tun0 table 2005")
    setup.add(family, "rule", "fwmark 0x200/0xf00 lookup 2004 priority 9")
    setup.add(family, "rule", f"fwmark 0xa00/0xf00 lookup 2005 priority {chance.choice((10, 20015))}")


def _vrf(setup: Setup, chance: random.Random, family: int) -> None:
    """The rule that comes with the first VRF, and sometimes one for a VRF that is gone."""
    setup.add(family, "rule", "l3mdev protocol kernel priority 1000")
    if chance.random() < 0.5:
        setup.add(family, "rule", "iif gone0 lookup 10 priority 1998")


def _by_source(setup: Setup, chance: random.Random, family: int) -> None:
    """As cloud tools: a table for each address."""
    line, other = chance.choice(LINES), chance.choice(LINES)
    source = chance.choice((setup.place.own(line, family), setup.place.network(line, family)))
    way = setup.place.way(other, family)
    setup.add(family, "route", f"default {way} table 2{line}")
    setup.add(family, "rule", f"from {source} lookup 2{line} priority {chance.choice((100, 1000, 30500))}")


def _by_protocol(setup: Setup, chance: random.Random, family: int) -> None:
    """A rule for one protocol, or for what one user sends."""
    setup.add(family, "route", f"default via {VPN[family]} dev tun0 table 530")
    which = chance.choice(("ipproto icmp" if family == 4 else "ipproto ipv6-icmp", "ipproto tcp sport 443", "tos 0x10"))
    setup.add(family, "rule", f"{which} lookup 530 priority {chance.choice((150, 22000, 31500))}")


def _static(setup: Setup, chance: random.Random, family: int) -> None:
    """Static routes of main, by a line's interface."""
    line = chance.choice(LINES)
    for inside in PRIVATE[family]:
        setup.add(family, "route", f"{inside} {setup.place.way(line, family)}")
    # On a LAN that lines share such a route is the administrator's will: docs/routing.md.
    if chance.random() < 0.5 and setup.place.group:
        far = "192.0.2.0/24" if family == 4 else "2001:db8:c::/48"
        setup.add(family, "route", f"{far} {setup.place.way(line, family)}")


def _default(setup: Setup, chance: random.Random, family: int) -> None:
    """Default routes of main, of several owners."""
    line = chance.choice(LINES)
    setup.add(
        family,
        "route",
        f"default {setup.place.way(line, family)} metric {chance.randint(1, 900)}",
    )


def _in_our_table(setup: Setup, chance: random.Random, family: int) -> None:
    """A route that somebody put into a line's table."""
    line, other = LINES if chance.random() < 0.5 else LINES[::-1]
    way = setup.place.way(other, family)
    setup.add(family, "route", f"{WIDE[family]} {way} table 100{line}")


def _refusing(setup: Setup, chance: random.Random, family: int) -> None:
    """A kill switch."""
    line = chance.choice(LINES)
    kind = chance.choice(("unreachable", "prohibit", "blackhole"))
    which = chance.choice((f"from {setup.place.own(line, family)}", f"to {WIDE[family]}", "not fwmark 0xca6c"))
    setup.add(family, "rule", f"{which} {kind} priority {chance.choice((50, 19000, 30000))}")


def _refusing_route(setup: Setup, chance: random.Random, family: int) -> None:
    """Networks that a routing daemon refuses, and sometimes everything."""
    kind = chance.choice(("unreachable", "prohibit", "blackhole"))
    setup.add(family, "route", f"{kind} {chance.choice((PRIVATE[family][0], WIDE[family], 'default'))} metric 4096")


def _jump(setup: Setup, chance: random.Random, family: int) -> None:
    """A jump over our rules."""
    setup.add(family, "rule", f"fwmark {chance.choice(('0', '0x40/0x40'))} goto 32766 priority 300")


def _group(setup: Setup, chance: random.Random, _family: int) -> None:
    """Another program puts a line's interface into a group of its own."""
    line = chance.choice(LINES)
    text = f"link set {setup.place.interface(line)} group"
    setup.commands[4].append((f"{text} {chance.choice((5, 77))}", f"{text} {setup.place.group}"))


def _container(setup: Setup, chance: random.Random, family: int) -> None:
    """The bridge of Docker or Podman, with the containers' network, and a rule for them."""
    name = f"{chance.choice(('docker', 'podman', 'br-'))}{family}{chance.randint(0, 99)}"
    address, network = (
        chance.choice((("172.17.0.1/16", "172.17.0.0/16"), ("10.88.0.1/16", "10.88.0.0/16")))
        if family == 4
        else ("fd00:17::1/64", "fd00:17::/64")
    )
    setup.commands[family].append((f"link add {name} type bridge", f"link del {name}"))
    setup.commands[family].append((f"link set {name} up", f"link set {name} down"))
    setup.add(family, "address", f"{address} dev {name}{' nodad' if family == 6 else ''}")
    which = chance.choice((f"from {network}", f"iif {name}"))
    setup.add(family, "rule", f"{which} lookup 300 priority {chance.choice((1000, 20005))}")


PIECES: tuple[Piece, ...] = (
    _whole_way,
    _vpn_by_mark,
    _mesh,
    _tailscale,
    _ipsec,
    _cloud,
    _cluster,
    _vrf,
    _by_source,
    _by_protocol,
    _static,
    _default,
    _in_our_table,
    _refusing,
    _refusing_route,
    _jump,
    _group,
    _container,
)


def setup_of(seed: int, place: Place | None = None) -> Setup:
    """Return the setup of a seed: one to three pieces, in one family or both."""
    chance = random.Random(seed)  # a test's choice, no secret
    setup = Setup(seed, place or Place())
    for piece in chance.sample(PIECES, chance.randint(1, 3)):
        for family in chance.choice(((4,), (6,), (4, 6))):
            piece(setup, chance, family)
    return setup
