# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""connection_marks with packets: every reply leaves by the line its request came in by."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.marks import lab as mark_lab
from ansible_collections.multihome.linux.tests.integration.marks.lab import (
    CONTAINER,
    CONTAINER_PORT,
    FAMILIES,
    LINES,
    MARKS,
    SERVER,
    answering,
    asked,
    load,
    mark,
    must,
    public,
)
from ansible_collections.multihome.linux.tests.integration.namespaces import Hosts

PROTOCOLS = ("tcp", "udp", "icmp")
EVERY_LINE = [1, 2, 3]


@pytest.fixture(scope="module")
def network() -> Iterator[Hosts]:
    with Hosts(*mark_lab.NAMES) as made:
        mark_lab.build(made)
        yield made


@pytest.fixture
def hosts(network: Hosts) -> Iterator[Hosts]:
    """The network with the three lines known in both families."""
    must(network["server"], "connection_marks", marks=MARKS)
    yield network
    network["server"].run("nft", "flush", "ruleset")


def delete(hosts: Hosts, holder: str, key: str) -> None:
    """Delete one element on the server."""
    hosts["server"].run("nft", "delete", "element", "inet", "multihome", holder, "{", key, "}")


def each(error: str | None) -> dict[int, set[str | None]]:
    """What asked() gives when every question by every line had this outcome."""
    return {line: {error} for line in LINES}


@pytest.mark.parametrize("family", FAMILIES)
def test_without_marks_only_the_main_tables_line_answers(network: Hosts, family: int) -> None:
    assert answering(network, family) == [1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_local_process_answers_by_the_line_it_was_asked_by(hosts: Hosts, family: int, protocol: str) -> None:
    assert asked(hosts, family, protocol, times=20) == each(None)


@pytest.mark.parametrize("family", FAMILIES)
def test_errors_about_a_connection_leave_by_its_line(hosts: Hosts, family: int) -> None:
    # Nobody listens on port 8: the server's TCP refuses, and its ICMP tells of a closed port.
    assert asked(hosts, family, "tcp", port=8) == each("connection refused")
    assert asked(hosts, family, "udp", port=8) == each("port unreachable")


def forward(family: int, protocol: str) -> dict[str, Any]:
    """The translation that puts the container behind a port of the server."""
    match = {"protocol": protocol, "destination": SERVER[family], "destination_port": str(CONTAINER_PORT)}
    return {"type": "dnat", **match, "to_address": CONTAINER[family], "to_port": "7"}


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_container_behind_destination_nat_answers_by_the_line(hosts: Hosts, family: int, protocol: str) -> None:
    must(hosts["server"], "nat_rules", rules=[forward(family, protocol)])
    assert asked(hosts, family, protocol, port=CONTAINER_PORT, times=20) == each(None)


@pytest.mark.parametrize("family", FAMILIES)
def test_errors_about_a_forwarded_connection_leave_by_its_line(hosts: Hosts, family: int) -> None:
    # The container refuses by itself; then its host says that it is gone.
    must(hosts["server"], "nat_rules", rules=[{**forward(family, "udp"), "to_port": "8"}, forward(family, "tcp")])
    route = ["ip", f"-{family}", "route"]
    assert asked(hosts, family, "udp", port=CONTAINER_PORT) == each("port unreachable")
    hosts["server"].run(*route, "add", "unreachable", CONTAINER[family])
    try:
        error = {4: "no route to the host", 6: "no route"}[family]
        # Linux tells one peer about five of these at once, and then of one a second (ip_error).
        assert asked(hosts, family, "tcp", port=CONTAINER_PORT, times=1) == each(error)
    finally:
        hosts["server"].run(*route, "del", "unreachable", CONTAINER[family])


@pytest.mark.parametrize("family", FAMILIES)
def test_each_part_is_needed(hosts: Hosts, family: int) -> None:
    # By gateway: without the element of its hardware address, and without the one of its mark.
    server = hosts["server"]
    listed = server.run("nft", "-j", "list", "map", "inet", "multihome", "marks_neighbours").stdout
    elements = json.loads(listed)["nftables"][-1]["map"]["elem"]
    [second] = [key for key, verdict in elements if verdict["goto"]["target"] == "marks_connection_2"]
    delete(hosts, "marks_neighbours", '"eth0" . ' + second["concat"][1])
    delete(hosts, "marks_interfaces", '"eth1"')
    assert answering(hosts, family) == [1]
    must(server, "connection_marks", marks=MARKS)
    assert answering(hosts, family) == EVERY_LINE
    delete(hosts, "marks_packets", "2")
    assert answering(hosts, family) == [1, 3]
    must(server, "connection_marks", marks=MARKS)
    server.run("nft", "flush", "chain", "inet", "multihome", "marks_output")
    assert answering(hosts, family) == [1]
    must(server, "connection_marks", marks=MARKS)
    assert answering(hosts, family) == EVERY_LINE


def test_replies_of_a_container_need_the_mark_before_they_are_routed(hosts: Hosts) -> None:
    server = hosts["server"]
    must(server, "nat_rules", rules=[forward(4, "udp")])
    assert answering(hosts, 4, port=CONTAINER_PORT) == EVERY_LINE
    [restore] = [rule for rule in rules_of(hosts, "marks_prerouting") if "@marks_packets" in json.dumps(rule)]
    handle = str(restore["handle"])
    server.run("nft", "delete", "rule", "inet", "multihome", "marks_prerouting", "handle", handle)
    assert answering(hosts, 4, port=CONTAINER_PORT) == [1]
    assert answering(hosts, 4) == EVERY_LINE


def rules_of(hosts: Hosts, chain: str) -> list[dict[str, Any]]:
    """The rules of a chain on the server."""
    listed = hosts["server"].run("nft", "-j", "list", "chain", "inet", "multihome", chain).stdout
    return [item["rule"] for item in json.loads(listed)["nftables"] if "rule" in item]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_other_bits_of_both_marks_stay(hosts: Hosts, family: int) -> None:
    server = hosts["server"]
    others = "ct mark set 0xabcd00 meta mark set 0x123400"
    load(server, "first", "type filter hook prerouting priority -190;", f"ct state new {others}")
    load(server, "out", "type filter hook output priority -190;", "meta mark set 0x567800")
    load(
        server,
        "last",
        "type filter hook postrouting priority 300;",
        'oifname "eth0" ct mark 0xabcd02 meta mark 0x567802 counter accept',
        'oifname "eth0" meta l4proto udp counter comment "wrong"',
    )
    assert asked(hosts, family, "udp", lines=[2]) == {2: {None}}
    listed = json.loads(server.run("nft", "-j", "list", "chain", "inet", "test", "last").stdout)["nftables"]
    counted = [
        expression["counter"]["packets"]
        for item in listed
        for expression in item.get("rule", {}).get("expr", [])
        if "counter" in expression
    ]
    assert counted[0] >= 5
    assert counted[1] == 0


# Sends one datagram by one line and one by another, from one socket; says where each answer came from.
TWO_LINES = """
import socket, sys
family, source, first, second = sys.argv[1:]
probe = socket.socket(socket.AF_INET if family == "4" else socket.AF_INET6, socket.SOCK_DGRAM)
probe.bind((source, 0))
probe.settimeout(3)
for destination in (first, second, first):
    probe.sendto(b"x", (destination, 7))
    print(probe.recvfrom(100)[1][0], flush=True)
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_each_reply_leaves_by_the_line_of_the_latest_request(hosts: Hosts, family: int) -> None:
    # Both firewalls translate to one address of the server, which therefore sees one connection: as when a client with
    # a fixed port tries the other line because the first is dead.
    arguments = [str(family), mark_lab.CLIENT[family], public(2, family), public(3, family)]
    done = hosts["client"].run(sys.executable, "-c", TWO_LINES, *arguments)
    assert done.stdout.split() == [public(line, family) for line in (2, 3, 2)]


# Keeps one TCP connection and asks once more for each line of its input.
TALKING = """
import socket, sys
family, source, destination = sys.argv[1:]
probe = socket.socket(socket.AF_INET if family == "4" else socket.AF_INET6, socket.SOCK_STREAM)
probe.settimeout(3)
probe.bind((source, 0))
probe.connect((destination, 7))
probe.recv(100)
for line in sys.stdin:
    probe.send(line.encode())
    print(probe.recv(100).decode(), end="", flush=True)
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_connections_keep_their_line_when_the_lists_change(hosts: Hosts, family: int) -> None:
    client = hosts["client"]
    arguments = [str(family), mark_lab.CLIENT[family], public(2, family)]
    talk = client.start(sys.executable, "-c", TALKING, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def said(word: str) -> str:
        assert talk.stdin is not None
        assert talk.stdout is not None
        talk.stdin.write(f"{word}\n")
        talk.stdin.flush()
        return str(talk.stdout.readline()).strip()

    assert said("one") == "one"
    # The second gateway stands for no line any more; mark 2 stays in use, for an interface that is not there yet.
    changed = [mark(3), *(mark(1, f) for f in FAMILIES)]
    must(hosts["server"], "connection_marks", marks=[*changed, {"mark": 2, "in_interface": "ppp9"}], purge=True)
    assert said("two") == "two"
    assert answering(hosts, family) == [1, 3]


def test_a_connection_that_is_older_than_the_marks_gets_one(network: Hosts) -> None:
    server, client = network["server"], network["client"]
    arguments = ["4", mark_lab.CLIENT[4], public(1, 4)]
    talk = client.start(sys.executable, "-c", TALKING, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert talk.stdin is not None
    assert talk.stdout is not None
    # By the main table it would leave by line 2 from now on.
    talk.stdin.write("one\n")
    talk.stdin.flush()
    assert talk.stdout.readline() == "one\n"
    must(server, "connection_marks", marks=MARKS)
    server.run("ip", "route", "replace", "default", "via", mark_lab.gateway(2, 4), "src", SERVER[4], "proto", "109")
    try:
        talk.stdin.write("two\n")
        talk.stdin.flush()
        assert talk.stdout.readline() == "two\n"
        assert answering(network, 4) == EVERY_LINE
        server.run("nft", "flush", "ruleset")
        assert answering(network, 4) == [2]
    finally:
        server.run("ip", "route", "replace", "default", "via", mark_lab.gateway(1, 4), "src", SERVER[4], "proto", "109")
        server.run("nft", "flush", "ruleset")


def test_forwarded_connections_keep_their_line_without_any_translation_on_the_host(hosts: Hosts) -> None:
    # A firewall of its own: what comes in by its lines goes on to a host behind it, which answers through it.
    server = hosts["server"]
    for line in LINES:
        hosts[f"fw{line}"].run("nft", "flush", "ruleset")
        hosts[f"fw{line}"].run("ip", "route", "add", CONTAINER[4], "via", SERVER[4] if line < 3 else "10.0.3.103")
        rule = f"ip daddr {public(line, 4)} dnat ip to {CONTAINER[4]}"
        load(hosts[f"fw{line}"], "prerouting", "type nat hook prerouting priority dstnat;", rule)
    try:
        for protocol in PROTOCOLS:
            assert asked(hosts, 4, protocol) == each(None)
        server.run("nft", "flush", "map", "inet", "multihome", "marks_packets")
        assert answering(hosts, 4) == [1]
    finally:
        for line in LINES:
            hosts[f"fw{line}"].run("nft", "flush", "ruleset")
            hosts[f"fw{line}"].run("ip", "route", "del", CONTAINER[4])
            mark_lab.translate(hosts[f"fw{line}"], line)
