# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""connection_marks spreads what the server begins itself: exactly by weight, every connection answered."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.marks import lab as mark_lab
from ansible_collections.multihome.linux.tests.integration.marks.lab import (
    CLIENT,
    FAMILIES,
    LAN_HOST,
    UNBOUND,
    alias,
    gateway,
    must,
)
from ansible_collections.multihome.linux.tests.integration.namespaces import Hosts

LAN = ["10.0.0.0/24", "fd00:10::/64"]

# Opens many connections at once, from an address or from none; prints per local address that the peer saw, how many.
ASKING = """
import collections, json, selectors, socket, sys, time
family, source, destination, count = sys.argv[1:]
poll = selectors.DefaultSelector()
for _number in range(int(count)):
    probe = socket.socket(socket.AF_INET if family == "4" else socket.AF_INET6, socket.SOCK_STREAM)
    probe.setblocking(False)
    if source:
        probe.bind((source, 0))
    try:
        probe.connect((destination, 7))
    except BlockingIOError:
        pass
    poll.register(probe, selectors.EVENT_READ)
seen = collections.Counter()
deadline = time.monotonic() + 20
while poll.get_map() and time.monotonic() < deadline:
    for key, _events in poll.select(1):
        try:
            seen[key.fileobj.recv(100).decode().strip()] += 1
        except OSError as error:
            seen[str(error)] += 1
        poll.unregister(key.fileobj)
        key.fileobj.close()
print(json.dumps(seen))
"""

# After some thousand connections a port comes round again; what is still tracked of it would send it by its old line.
FORGETTING = """
from pyroute2 import NFCTSocket
with NFCTSocket() as tracked:
    tracked.flush()
"""


@pytest.fixture(scope="module")
def network() -> Iterator[Hosts]:
    """What is bound to no line's address begins with an address of its own."""
    with Hosts(*mark_lab.NAMES) as made:
        mark_lab.build(made)
        server = made["server"]
        must(server, "ip_aliases", aliases=[{"address": UNBOUND[f], "interface": "lo"} for f in FAMILIES])
        defaults = [{"destination": "default", "gateway": gateway(1, f), "source": UNBOUND[f]} for f in FAMILIES]
        must(server, "policy_routing", tables=[{"id": 254, "routes": defaults}])
        yield made


@pytest.fixture
def hosts(network: Hosts) -> Iterator[Hosts]:
    yield network
    network["server"].run("nft", "flush", "ruleset")
    network["server"].run(sys.executable, "-c", FORGETTING)


def share(line: int, weight: int = 1) -> dict[str, Any]:
    """The entry of ``balance`` for a line."""
    return {"mark": line, "weight": weight, "sources": [alias(line, family) for family in FAMILIES]}


def balance(hosts: Hosts, *shares: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Let the server spread its connections."""
    options = {"balance_from": list(UNBOUND.values()), **options}
    return must(hosts["server"], "connection_marks", balance=list(shares), purge=True, **options)


def seen(hosts: Hosts, family: int, count: int, source: str = "", destination: str | None = None) -> dict[str, int]:
    """Open connections on the server; return how many the peer saw from each address."""
    arguments = [str(family), source, destination or CLIENT[family], str(count)]
    done = hosts["server"].run("prlimit", "--nofile=4096:4096", sys.executable, "-c", ASKING, *arguments)
    found: dict[str, int] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("lines", [(1, 2), (3, 1)], ids=["one-interface", "several-interfaces"])
def test_four_to_one_over_two_thousand_connections(hosts: Hosts, lines: Sequence[int], family: int) -> None:
    heavy, light = lines
    balance(hosts, share(heavy, 4), share(light, 1))
    found = seen(hosts, family, 2000)
    assert sum(found.values()) == 2000
    assert set(found) == {alias(heavy, family), alias(light, family)}
    assert abs(found[alias(heavy, family)] - 1600) <= 0.03 * 2000


def test_three_lines_by_weight_and_none_with_weight_zero(hosts: Hosts) -> None:
    balance(hosts, share(1, 2), share(2, 1), share(3, 0))
    assert seen(hosts, 4, 300) == {alias(1, 4): 200, alias(2, 4): 100}
    balance(hosts, share(1, 2), share(2, 1), share(3, 3))
    assert seen(hosts, 4, 300) == {alias(1, 4): 100, alias(2, 4): 50, alias(3, 4): 150}


@pytest.mark.parametrize("family", FAMILIES)
def test_without_balance_nothing_that_is_not_bound_is_answered(hosts: Hosts, family: int) -> None:
    # The source of its own is no line's: what shows below is the work of the marks.
    balance(hosts, share(1), share(2))
    assert seen(hosts, family, 10) == {alias(1, family): 5, alias(2, family): 5}
    hosts["server"].run("nft", "flush", "chain", "inet", "multihome", "marks_postrouting")
    assert set(seen_quickly(hosts, family)) <= {"nobody"}
    balance(hosts, share(1), share(2))
    hosts["server"].run("nft", "flush", "chain", "inet", "multihome", "marks_output")
    assert set(seen_quickly(hosts, family)) <= {"nobody"}


def seen_quickly(hosts: Hosts, family: int) -> dict[str, int]:
    """Ask once, for a second."""
    code = ASKING.replace("+ 20", "+ 1")
    done = hosts["server"].run(sys.executable, "-c", code, str(family), "", CLIENT[family], "2")
    found: dict[str, int] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_a_socket_bound_to_a_line_keeps_it(hosts: Hosts, family: int) -> None:
    balance(hosts, share(1), share(2), share(3))
    for line in mark_lab.LINES:
        assert seen(hosts, family, 20, source=alias(line, family)) == {alias(line, family): 20}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_process_that_marks_its_packets_is_left_alone(hosts: Hosts, family: int) -> None:
    balance(hosts, share(1), share(2))
    assert seen(hosts, family, 4, source=UNBOUND[family]) == {alias(1, family): 2, alias(2, family): 2}
    # Untranslated, the source is nobody's that the peer could answer.
    code = ASKING.replace("+ 20", "+ 1").replace("setblocking(False)", "setblocking(False); probe.setsockopt(1, 36, 2)")
    arguments = [str(family), UNBOUND[family], CLIENT[family], "4"]
    assert json.loads(hosts["server"].run(sys.executable, "-c", code, *arguments).stdout) == {}
    arguments[1] = alias(2, family)
    assert json.loads(hosts["server"].run(sys.executable, "-c", code, *arguments).stdout) == {alias(2, family): 4}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_lan_is_reached_as_before_and_takes_no_turn(hosts: Hosts, family: int) -> None:
    balance(hosts, share(1), share(2))
    counted = {alias(1, family): 0, alias(2, family): 0}
    for _turn in range(6):
        # Were the LAN's connections in the sequence, each turn's one connection would take the same line.
        [source] = seen(hosts, family, 1, destination=LAN_HOST[family])
        assert family == 6 or source == mark_lab.SERVER[4]
        [line] = seen(hosts, family, 1)
        counted[line] += 1
    assert set(counted.values()) == {3}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_excluded_destination_is_not_spread(hosts: Hosts, family: int) -> None:
    # One address for everything, the LAN included: then the LAN has to be excluded.
    own = mark_lab.SERVER[family]
    shares = [share(1), share(2)]
    balance(hosts, *shares, balance_from=[own])
    mixed = seen(hosts, family, 20, source=own, destination=LAN_HOST[family])
    assert mixed == {alias(1, family): 10, alias(2, family): 10}
    balance(hosts, *shares, balance_from=[own], balance_exclude=LAN)
    assert seen(hosts, family, 20, source=own, destination=LAN_HOST[family]) == {own: 20}
    assert seen(hosts, family, 20, source=own) == {alias(1, family): 10, alias(2, family): 10}


@pytest.mark.parametrize("family", FAMILIES)
def test_connections_stay_on_their_line_when_weights_and_lines_change(hosts: Hosts, family: int) -> None:
    balance(hosts, share(1), share(2))
    talks = [talk(hosts, family) for _number in range(4)]
    peers = [said(process) for process in talks]
    assert sorted(peers) == sorted([alias(1, family), alias(2, family)] * 2)
    for shares in ([share(1, 9), share(2, 1)], [share(3), share(2, 0), share(1, 0)]):
        balance(hosts, *shares)
        for process in talks:
            assert process.stdin is not None
            process.stdin.write("still\n")
            process.stdin.flush()
            assert said(process) == "still"
    # While those talk on by lines 1 and 2, new ones take line 3 alone.
    assert seen(hosts, family, 10) == {alias(3, family): 10}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_gateway_of_the_main_table_need_not_exist(hosts: Hosts, family: int) -> None:
    nobody = {4: "10.0.0.77", 6: "fd00:10::77"}[family]
    defaults = [{"destination": "default", "gateway": nobody, "source": UNBOUND[family]}]
    must(hosts["server"], "policy_routing", tables=[{"id": 254, "routes": defaults}])
    balance(hosts, share(1), share(2))
    try:
        assert seen(hosts, family, 10) == {alias(1, family): 5, alias(2, family): 5}
    finally:
        defaults = [{**defaults[0], "gateway": gateway(1, family)}]
        must(hosts["server"], "policy_routing", tables=[{"id": 254, "routes": defaults}])


# Keeps one connection, prints what comes, and sends each line of its input.
TALKING = """
import socket, sys
family, destination = sys.argv[1:]
probe = socket.socket(socket.AF_INET if family == "4" else socket.AF_INET6, socket.SOCK_STREAM)
probe.settimeout(5)
probe.connect((destination, 7))
print(probe.recv(100).decode(), end="", flush=True)
for line in sys.stdin:
    probe.send(line.encode())
    print(probe.recv(100).decode(), end="", flush=True)
"""


def talk(hosts: Hosts, family: int) -> subprocess.Popen[str]:
    """Open a connection from the server that stays."""
    arguments = [sys.executable, "-c", TALKING, str(family), CLIENT[family]]
    return hosts["server"].start(*arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def said(process: subprocess.Popen[str]) -> str:
    """Return the next line that came by a connection."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_connections_that_come_in_are_neither_spread_nor_translated(hosts: Hosts) -> None:
    server = hosts["server"]
    must(
        server, "connection_marks", marks=mark_lab.MARKS, balance=[share(1, 4), share(2, 1)], balance_from=[UNBOUND[4]]
    )
    forward = {
        "type": "dnat",
        "protocol": "tcp",
        "destination": mark_lab.SERVER[4],
        "destination_port": str(mark_lab.CONTAINER_PORT),
        "to_address": mark_lab.CONTAINER[4],
        "to_port": "7",
    }
    must(server, "nat_rules", rules=[forward])
    code = ASKING.replace("(destination, 7)", f"(destination, {mark_lab.CONTAINER_PORT})")
    for line in mark_lab.LINES:
        arguments = ["4", CLIENT[4], mark_lab.public(line, 4), "5"]
        done = hosts["client"].run(sys.executable, "-c", code, *arguments)
        # The container saw the real client.
        assert json.loads(done.stdout) == {CLIENT[4]: 5}


def test_udp_stays_on_the_line_of_its_first_datagram(hosts: Hosts) -> None:
    balance(hosts, share(1), share(2))
    code = (
        "import socket\n"
        "for _flow in range(4):\n"
        "    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "    probe.settimeout(3)\n"
        "    seen = set()\n"
        "    for _number in range(5):\n"
        f"        probe.sendto(b'x', ('{CLIENT[4]}', 7))\n"
        "        seen.add(probe.recv(100).split()[0].decode())\n"
        "    print(*seen)\n"
    )
    found = hosts["server"].run(sys.executable, "-c", code).stdout.split()
    assert sorted(found) == sorted([alias(1, 4), alias(2, 4)] * 2)
