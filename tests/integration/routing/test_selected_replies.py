# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of other programs that select replies by protocol, port, user, type of service or a narrow destination.

Packets show which replies a rule takes; path_info has to name it, though plain replies still leave by their line.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from ..namespaces import Host, Hosts
from .lines import FAR, alive, deploy, findings, host_in, options, replies, server_with_lines

FAMILIES = (4, 6)
VPN = {4: "10.8.0.1", 6: "fd00:8::1"}
# Answers TCP and UDP on port 7 of the addresses of line 1, each from the address that was asked.
ANSWERING = """
import socket, sys, threading
def by_tcp(listening):
    while True:
        connection = listening.accept()[0]
        threading.Thread(target=lambda: connection.send(connection.recv(100))).start()
def by_udp(receiving):
    while True:
        said, peer = receiving.recvfrom(100)
        try:
            receiving.sendto(said, peer)
        except OSError:
            pass
for address in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind, answer in ((socket.SOCK_STREAM, by_tcp), (socket.SOCK_DGRAM, by_udp)):
        opened = socket.socket(family, kind)
        opened.bind((address, 7))
        if kind == socket.SOCK_STREAM:
            opened.listen()
        threading.Thread(target=answer, args=(opened,)).start()
print("ready", flush=True)
"""
# Asks port 7 from a port, with 0 from any, and says whether there was an answer.
ASKING = """
import socket, sys
kind, client, port, address = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
asking = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
asking.bind((client, int(port)))
asking.settimeout(3)
try:
    asking.connect((address, 7))
    asking.send(b"x")
    print(len(asking.recv(100)))
except OSError:
    print(0)
"""


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with server_with_lines() as made:
        assert deploy(made["server"])["changed"] is True
        for family in FAMILIES:
            made["server"].run("ip", f"-{family}", *f"route add default via {VPN[family]} dev tun0 table 200".split())
        own = [host_in(1, family, 10) for family in FAMILIES]
        answering = made["server"].start(sys.executable, "-c", ANSWERING, *own, stdout=subprocess.PIPE)
        assert answering.stdout is not None
        assert answering.stdout.readline() == "ready\n"
        yield made


def rule(server: Host, family: int, operation: str, selector: str) -> None:
    """Add or delete a rule of somebody else."""
    far, icmp = ("192.0.2.0/24", "icmp") if family == 4 else ("2001:db8:c::/48", "ipv6-icmp")
    words = selector.format(far=far, icmp=icmp)
    server.run("ip", f"-{family}", "rule", operation, "priority", "100", *words.split(), "lookup", "200")


def asked(hosts: Hosts, family: int, kind: str, port: int) -> bool:
    """Tell whether a client far away on line 1 is answered, by ping, TCP or UDP."""
    client, address = FAR[family], host_in(1, family, 10)
    if kind == "ping":
        ping = ("ping", "-n", "-c", "1", "-W", "3", "-I", client, address)
        return hosts["isp1"].run(*ping, check=False).returncode == 0
    done = hosts["isp1"].run(sys.executable, "-c", ASKING, kind, client, str(port), address)
    return done.stdout.strip() != "0"


# The selector; the requests whose replies it takes, and others that are answered all the same; the traffic it names.
KINDS = {
    "the port of a service": ("ipproto tcp sport 7", ("tcp", 0), ("udp", 5000), "tcp, from port 7"),
    "a range of ports": ("ipproto udp sport 5-9", ("udp", 5001), ("tcp", 0), "udp, from port 5"),
    "the port of a client": ("ipproto udp dport 4500", ("udp", 4500), ("udp", 4501), "udp, to port 4500"),
    "a protocol": ("ipproto {icmp}", ("ping", 0), ("tcp", 0), "icmp"),
    "both ports": ("ipproto udp sport 7 dport 4502", ("udp", 4502), ("udp", 4503), "udp, from port 7, to port 4502"),
    "a public network": ("to {far}", ("tcp", 0), None, None),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_that_takes_some_replies_only(hosts: Hosts, family: int, kind: str) -> None:
    server = hosts["server"]
    selector, taken, other, traffic = KINDS[kind]
    assert findings(server, family) == []
    assert asked(hosts, family, *taken)
    rule(server, family, "add", selector)
    assert not asked(hosts, family, *taken)
    assert other is None or asked(hosts, family, *other)
    found = findings(server, family)
    assert {(finding["id"], finding["line"], finding["rule"]["priority"]) for finding in found} == {
        ("reply-taken", f"line{line}", 100) for line in (1, 2)
    }
    named = traffic.replace("icmp", "icmpv6") if family == 6 and traffic else traffic
    assert {finding["traffic"] for finding in found} == {named}
    rule(server, family, "del", selector)
    assert asked(hosts, family, *taken)
    assert findings(server, family) == []


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("selector", "traffic"),
    [
        ("uidrange 1234-1300", "of user 1234"),
        ("tos 0x10", "tos 0x10"),
        # The kernel cannot be asked about these protocols: the answer is computed.
        ("ipproto sctp", "sctp"),
        ("ipproto gre", "gre"),
        ("from {own} ipproto tcp sport 443", "tcp, from port 443"),
    ],
)
def test_other_selectors_are_asked_for(hosts: Hosts, family: int, selector: str, traffic: str) -> None:
    server = hosts["server"]
    words = selector.format(own=host_in(1, family, 10))
    rule(server, family, "add", words)
    found = findings(server, family)
    assert {finding["traffic"] for finding in found} == {traffic}
    lines = {"line1"} if "from" in selector else {"line1", "line2"}
    assert {(finding["line"], finding["rule"]["priority"]) for finding in found} == {(line, 100) for line in lines}
    assert all(alive(hosts, family).values()), "plain replies leave by their line"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("selector", ["ipproto tcp sport 7", "ipproto gre", "to {far}"])
def test_a_rule_that_leads_nowhere_else_or_comes_later_is_none(hosts: Hosts, family: int, selector: str) -> None:
    server = hosts["server"]
    rule(server, family, "add", selector)
    server.run("ip", f"-{family}", "route", "del", "default", "table", "200")
    assert findings(server, family) == []
    rule(server, family, "del", selector)
    server.run("ip", f"-{family}", *f"route add default via {VPN[family]} dev tun0 table 200".split())
    words = selector.format(far="192.0.2.0/24" if family == 4 else "2001:db8:c::/48")
    server.run("ip", f"-{family}", *f"rule add priority 30000 {words} lookup 200".split())
    assert findings(server, family) == []
    assert asked(hosts, family, "tcp", 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_rule_for_private_networks_takes_no_replies(hosts: Hosts, family: int) -> None:
    server = hosts["server"]
    inside = "10.99.0.0/16" if family == 4 else "fd00:99::/48"
    server.run("ip", f"-{family}", *f"rule add priority 100 to {inside} lookup 200".split())
    assert findings(server, family) == []
    assert all(alive(hosts, family).values())


# As VPNs do: what comes in is marked, and so are the answers of the connection.
MARKING = """table inet vpn {
  chain output { type route hook output priority mangle; udp sport 7 meta mark set meta mark | 0x80000; }
}
"""


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("selector", ["fwmark 0x80000/0xff0000", "fwmark 0x80000/0xff0000 ipproto udp"])
def test_a_rule_that_selects_the_mark_of_another_program(hosts: Hosts, family: int, selector: str) -> None:
    server = hosts["server"]
    server.run("ip", f"-{family}", *f"rule add priority 100 {selector} lookup 200".split())
    [found] = findings(server, family)
    assert (found["id"], found["rule"]["priority"]) == ("reply-may-be-taken", 100)
    assert found["mark"] == "0x80000/0xff0000"
    assert found["route"]["interface"] == "tun0"
    # Replies without the mark leave by their line; those that a packet filter marks do not, and the finding was right.
    assert asked(hosts, family, "udp", 5000)
    server.run("nft", "-f", "-", feed=MARKING)
    assert not asked(hosts, family, "udp", 5000)
    assert asked(hosts, family, "tcp", 0)
    # The control: the same rule behind ours, or for a table without a way, is no finding, and takes nothing.
    server.run("ip", f"-{family}", "rule", "del", "priority", "100")
    server.run("ip", f"-{family}", *f"rule add priority 30000 {selector} lookup 200".split())
    server.run("ip", f"-{family}", *f"rule add priority 101 {selector} lookup 201".split())
    assert findings(server, family) == []
    assert asked(hosts, family, "udp", 5000)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_rule_by_the_interface_of_a_container(hosts: Hosts, family: int) -> None:
    """Of replies that are routed by mark; one by source leaves from this host itself."""
    server = hosts["server"]
    server.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    server.run("ip", f"-{family}", *["rule", "add", "priority", "100", "iif", "lan0", "lookup", "200"])
    assert findings(server, family) == []
    marked = [{**reply, "mark": f"{line:#x}"} for line, reply in enumerate(replies(family), 1)]
    rules = [
        {"priority": 20000 + 10 * line, "family": f"ipv{family}", "mark": f"{line:#x}/0xff", "table": 1000 + line}
        for line in (1, 2)
    ]
    assert deploy(server, rules=[*rules, *options()["rules"]])["changed"] is True
    [found] = findings(server, family, replies=marked, inside_networks=[])
    assert (found["id"], found["rule"]["priority"], found["in_interface"]) == ("reply-may-be-taken", 100, "lan0")
    server.run("ip", f"-{family}", "rule", "del", "priority", "100")
    assert findings(server, family, replies=marked, inside_networks=[]) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_jump_over_our_rules_is_named(hosts: Hosts, family: int) -> None:
    server = hosts["server"]
    server.run("ip", f"-{family}", *f"route add default via {VPN[family]} dev tun0".split())
    selector = ("ipproto", "tcp", "sport", "7")
    server.run("ip", f"-{family}", "rule", "add", "priority", "100", *selector, "goto", "32766")
    assert not asked(hosts, family, "tcp", 0)
    assert asked(hosts, family, "udp", 5000)
    found = findings(server, family)
    assert {(finding["line"], finding["rule"]["priority"], finding["rule"]["goto"]) for finding in found} == {
        (f"line{line}", 100, 32766) for line in (1, 2)
    }
    assert "rule 100 (goto 32766)" in found[0]["message"]
