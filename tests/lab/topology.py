# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab consists of: from a few options to lines, hosts, cables and addresses. Pure data, no I/O.

Lines 1 and 2 and their addresses are those of the design: `unicom` on 203.0.113.0/24 and `interlink` on
198.51.100.0/24 (RFC 5737). Further lines take 198.18.0.0/16 and the links behind the ISPs 198.19.0.0/16
(RFC 2544); IPv6 is 2001:db8::/32 (RFC 3849) outside and fd00:168::/64 on the LAN.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from .state import LabError

SHAPES = ("A", "B", "C", "D")
LAN_CLIENT, SWITCH, INTERNET = "lan1", "switch", "internet"
MAXIMUM_LINES, MAXIMUM_SERVERS = 250, 99
_DEFAULTS = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class Options:
    """What a user chooses. `ids` are the lines' ids in order, `web` whether web servers run."""

    lines: int = 2
    servers: int = 1
    shape: str = "A"
    ids: tuple[int, ...] = (1, 2)
    web: bool = True


@dataclass(frozen=True)
class Line:
    """One ISP line. `number` is its place in the list (1…), `end` the host and `interface` where it ends."""

    name: str
    number: int
    id: int
    isp: str
    end: str
    interface: str
    public: tuple[str, ...]  # with prefix length, IPv4 then IPv6, like all address tuples here
    gateways: tuple[str, ...]
    inside: tuple[str, ...]  # the firewall's LAN addresses, without prefix length; empty in shape C
    weight: int


@dataclass(frozen=True)
class Server:
    """A server. `addresses` maps a line's name to the server's own addresses for it (with prefix length)."""

    name: str
    number: int
    addresses: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Interface:
    """One network interface of a host; a `bridge` has the interfaces named in `ports`."""

    name: str
    addresses: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Host:
    """One host. `role` is internet, isp, firewall, switch, server, client or lan_client."""

    name: str
    role: str
    interfaces: tuple[Interface, ...]
    routes: tuple[tuple[str, str], ...] = ()  # (destination, gateway)
    customer: tuple[str, ...] = ()  # of an ISP: the prefixes that its customer may send from


@dataclass(frozen=True)
class Topology:
    """A whole lab. A cable is a pair of (host, interface)."""

    options: Options
    lines: tuple[Line, ...]
    servers: tuple[Server, ...]
    hosts: dict[str, Host]
    cables: tuple[tuple[tuple[str, str], tuple[str, str]], ...] = field(default=())


def choose(
    lines: int | None = None,
    servers: int | None = None,
    shape: str = "A",
    ids: Iterable[int] | None = None,
    web: bool = True,
) -> Options:
    """Complete and check a user's choice; raise LabError naming what does not fit."""
    chosen = tuple(ids) if ids is not None else tuple(range(1, (2 if lines is None else lines) + 1))
    lines = len(chosen) if lines is None else lines
    servers = (2 if shape == "D" else 1) if servers is None else servers
    faults = []
    if shape not in SHAPES:
        faults.append(f'shape "{shape}" is none of {", ".join(SHAPES)}')
    if not 1 <= lines <= MAXIMUM_LINES:
        faults.append(f"lines: {lines} is not in 1..{MAXIMUM_LINES}")
    if not 1 <= servers <= MAXIMUM_SERVERS:
        faults.append(f"servers: {servers} is not in 1..{MAXIMUM_SERVERS}")
    if len(chosen) != lines or len(set(chosen)) != lines or not all(1 <= i <= 250 for i in chosen):
        faults.append(f"ids: {lines} different numbers in 1..250 are needed, one for each line")
    if shape == "C" and servers > lines:
        faults.append(f"shape C: {servers} servers need as many lines, there are {lines}")
    if faults:
        raise LabError("; ".join(faults))
    return Options(lines, servers, shape, chosen, web)


def line_name(number: int) -> str:
    """Return the name of the line in place `number`."""
    return {1: "unicom", 2: "interlink"}.get(number, f"line{number}")


def firewall_name(number: int) -> str:
    """Return the firewall of line `number`: fw-a … fw-z, fw-aa … (letters counted without a zero)."""
    letters = ""
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(ord("a") + digit) + letters
    return f"fw-{letters}"


def build(options: Options) -> Topology:
    """Return the lab that `options` (from `choose`) describe."""
    lan_length = 24 if options.lines <= 10 and options.servers <= 5 else 16
    lines = tuple(_line(options, number) for number in range(1, options.lines + 1))
    servers = tuple(_server(options, number, lines, lan_length) for number in range(1, options.servers + 1))
    hosts = [_internet(lines), *_clients(), *(_isp(line) for line in lines)]
    if options.shape != "C":
        hosts += _firewalls(lines, lan_length)
    hosts += [_server_host(server, lines, lan_length) for server in servers]
    hosts.append(_lan_client(lines, lan_length))
    on_lan = [host.name for host in hosts if host.role in ("firewall", "server", "lan_client")]
    hosts.append(Host(SWITCH, "switch", (Interface("lan", ports=tuple(on_lan)), *map(Interface, on_lan))))
    cables = [(("client1", "eth0"), (INTERNET, "client1")), (("client2", "eth0"), (INTERNET, "client2"))]
    cables += [((line.isp, "up0"), (INTERNET, f"isp{line.number}")) for line in lines]
    cables += [((line.isp, "line0"), (line.end, line.interface)) for line in lines]
    cables += [((name, "lan0" if name.startswith("fw") else "eth0"), (SWITCH, name)) for name in on_lan]
    return Topology(options, lines, servers, {host.name: host for host in hosts}, tuple(cables))


def network_of(address: str) -> str:
    """Return the network that an address with prefix length lies in."""
    return str(ipaddress.ip_interface(address).network)


def _lan(third: int, last: int, length: int | None = None) -> tuple[str, str]:
    """Return 192.168.THIRD.LAST and its IPv6 twin, whose groups are read like the decimal digits."""
    ipv4, ipv6 = f"192.168.{third}.{last}", f"fd00:168::{last}" if third == 168 else f"fd00:168::{third}:{last}"
    return (ipv4, ipv6) if length is None else (f"{ipv4}/{length}", f"{ipv6}/64")


def _firewall_place(number: int) -> tuple[int, int]:
    return (168, 10 + number) if number <= 10 else (100, number)


def _alias_place(server: int, line: int) -> tuple[int, int]:
    return (168, 20 * (server - 1) + line) if server <= 5 and line <= 10 else (server, line)


def _public(number: int) -> tuple[str, str, int]:
    """Return the IPv4 and IPv6 prefix of line `number`, without the host's part, and the firewall's host number."""
    if number == 1:
        return "203.0.113", "2001:db8:a", 10
    if number == 2:
        return "198.51.100", "2001:db8:b", 20
    return f"198.18.{number}", f"2001:db8:{0x1000 + number:x}", 10


def _line(options: Options, number: int) -> Line:
    ipv4, ipv6, own = _public(number)
    interface = "wan0"
    inside: tuple[str, ...] = _lan(*_firewall_place(number))
    if options.shape == "B":
        end, interface, inside = "fw", f"wan{number - 1}", _lan(*_firewall_place(1))
    elif options.shape == "C":
        server, place = (number - 1) % options.servers + 1, (number - 1) // options.servers
        end, interface, inside = f"web{server}", f"wan{place}", ()
    else:
        end = firewall_name(number)
    return Line(
        name=line_name(number),
        number=number,
        id=options.ids[number - 1],
        isp=f"isp-{line_name(number)}",
        end=end,
        interface=interface,
        public=(f"{ipv4}.{own}/24", f"{ipv6}::{own}/64"),
        gateways=(f"{ipv4}.1", f"{ipv6}::1"),
        inside=inside,
        weight=4 if number == 1 else 1,
    )


def _server(options: Options, number: int, lines: tuple[Line, ...], lan_length: int) -> Server:
    name = f"web{number}"
    if options.shape == "C":
        return Server(name, number, {line.name: line.public for line in lines if line.end == name})
    # Shape D: the first server is on every line, each other one lacks another line.
    lacking = (number - 2) % len(lines) + 1 if options.shape == "D" and number > 1 and len(lines) > 1 else 0
    own = [line for line in lines if line.number != lacking]
    return Server(name, number, {line.name: _lan(*_alias_place(number, line.number), lan_length) for line in own})


def _internet(lines: tuple[Line, ...]) -> Host:
    interfaces = [
        Interface("clients", ("192.0.2.1/24", "2001:db8:c::1/64"), ports=("client1", "client2")),
        Interface("client1"),
        Interface("client2"),
    ]
    routes: tuple[tuple[str, str], ...] = ()
    for line in lines:
        to_isp = (f"198.19.{line.number}.1/30", f"2001:db8:ffff:{line.number:x}::1/64")
        interfaces.append(Interface(f"isp{line.number}", to_isp))
        next_hops = (f"198.19.{line.number}.2", f"2001:db8:ffff:{line.number:x}::2")
        routes += _routes(map(network_of, line.public), next_hops)
    return Host(INTERNET, "internet", tuple(interfaces), routes)


def _isp(line: Line) -> Host:
    customer = (f"{line.gateways[0]}/24", f"{line.gateways[1]}/64")
    uplink = (f"198.19.{line.number}.2/30", f"2001:db8:ffff:{line.number:x}::2/64")
    routes = _routes(_DEFAULTS, (f"198.19.{line.number}.1", f"2001:db8:ffff:{line.number:x}::1"))
    prefixes = tuple(map(network_of, line.public))
    return Host(line.isp, "isp", (Interface("up0", uplink), Interface("line0", customer)), routes, prefixes)


def _clients() -> list[Host]:
    routes = _routes(_DEFAULTS, ("192.0.2.1", "2001:db8:c::1"))
    interfaces = [Interface("eth0", (f"192.0.2.{100 + n}/24", f"2001:db8:c::{100 + n}/64")) for n in (1, 2)]
    return [Host(f"client{n}", "client", (interface,), routes) for n, interface in enumerate(interfaces, 1)]


def _firewalls(lines: tuple[Line, ...], lan_length: int) -> list[Host]:
    """Return each firewall as its owner would have it: addresses, and the default route by its first line."""
    firewalls = []
    for name in dict.fromkeys(line.end for line in lines):
        own = [line for line in lines if line.end == name]
        inside = (f"{own[0].inside[0]}/{lan_length}", f"{own[0].inside[1]}/64")
        interfaces = (Interface("lan0", inside), *(Interface(line.interface, line.public) for line in own))
        routes = _routes(_DEFAULTS, own[0].gateways)
        firewalls.append(Host(name, "firewall", interfaces, routes))
    return firewalls


def _server_host(server: Server, lines: tuple[Line, ...], lan_length: int) -> Host:
    """Return a server as it is before it is deployed: its own address, no alias, no default route."""
    wan = [Interface(line.interface) for line in lines if line.end == server.name]
    return Host(server.name, "server", (Interface("eth0", _lan(168, 100 + server.number, lan_length)), *wan))


def _lan_client(lines: tuple[Line, ...], lan_length: int) -> Host:
    """Return the LAN client: its default is the first firewall, each line's public prefix goes by that line's own."""
    routes = _routes(_DEFAULTS, lines[0].inside)
    for line in lines:
        routes += _routes(map(network_of, line.public), line.inside)
    return Host(LAN_CLIENT, "lan_client", (Interface("eth0", _lan(168, 201, lan_length)),), routes)


def _routes(destinations: Iterable[str], gateways: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Pair destinations with gateways, IPv4 then IPv6; no gateways, no routes."""
    return tuple(map(lambda destination, gateway: (destination, gateway), destinations, gateways))
