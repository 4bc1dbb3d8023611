# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of many addresses, with packets: few policy rules, and each address answers and begins by its own line.

    fw1 ─┐
         ├─ LAN ── eth0 server
    fw2 ─┘

Both firewalls have the client's addresses themselves, so that what leaves by the wrong line finds nobody who asked.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.filter.multihomed_web import FilterModule
from netaddr import IPAddress

from ..namespaces import Host, Hosts
from ..run_module import run_module

FILTERS = FilterModule().filters()
CLIENT = {4: "198.51.100.9", 6: "2001:db8:ff::9"}
LENGTH = {4: 16, 6: 64}
# Addresses of the server that are of no line; the first is in the midst of the first line's.
FOREIGN, FOREIGN6 = "10.0.1.100", "fd00::fe"

# Answers TCP on port 7 with the host's name.
ANSWERING = """
import socket, sys
listening = socket.create_server(("::", 7), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
print("ready", flush=True)
while True:
    connection, _peer = listening.accept()
    with connection:
        connection.send(sys.argv[1].encode())
"""
# Connects to (or from) each address of its input, in vain at most three times; says what was answered or went wrong.
CONNECTING = """
import socket, sys
direction, client = sys.argv[1:]
failed = 0
for address in sys.stdin.read().split():
    to, source = (address, client) if direction == "to" else (client, address)
    try:
        with socket.create_connection((to, 7), 1, (source, 0)) as connection:
            print(address, connection.recv(9).decode())
    except OSError as error:
        print(address, error.__class__.__name__, error.errno)
        failed += 1
        if failed == 3:
            break
"""


def addresses(first: str, count: int, step: int = 1) -> list[str]:
    """So many addresses from ``first`` on."""
    return [str(IPAddress(first) + step * number) for number in range(count)]


def line(number: int, *own: Sequence[str]) -> dict[str, Any]:
    """A line with these addresses, its gateways fw1's or fw2's."""
    held = [address for part in own for address in part]
    families = sorted({IPAddress(address).version for address in held})
    return {
        "name": f"line{number}",
        "id": number,
        "interface": "eth0",
        "addresses": [f"{address}/{LENGTH[6 if ':' in address else 4]}" for address in held],
        "gateways": [{4: f"10.0.255.{number}", 6: f"fd00::ffff:{number}"}[family] for family in families],
    }


LARGE = (
    [address for address in addresses("10.0.0.1", 1000) if address != FOREIGN] + addresses("fd00::1:0", 100),
    addresses("10.0.8.1", 1000) + addresses("fd00::2:0", 100),
)
# Every other address is of the other line: no prefix holds two of one.
INTERLEAVED = (
    addresses("10.0.16.1", 100, step=2) + addresses("fd00::3:1", 100, step=2),
    addresses("10.0.16.2", 100, step=2) + addresses("fd00::3:2", 100, step=2),
)


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with Hosts("server", "lan", "fw1", "fw2") as made:
        made["lan"].run("ip", "link", "add", "name", "lan", "up", "type", "bridge")
        for name in ("server", "fw1", "fw2"):
            made.link(name, "eth0", "lan", name)
            made["lan"].run("ip", "link", "set", "dev", name, "master", "lan", "up")
            made[name].sysctl(net__ipv6__conf__eth0__accept_dad=0)
        for number in (1, 2):
            made[f"fw{number}"].address("eth0", f"10.0.255.{number}/16", f"fd00::ffff:{number}/64")
            made[f"fw{number}"].address("lo", *CLIENT.values())
            # Neighbours are asked for with an address of the LAN, not the client's.
            made[f"fw{number}"].sysctl(net__ipv4__conf__all__arp_announce=2)
            # The neighbour table of all hosts of this machine together has room for about a thousand.
            for prefix, via in (("10.0.0.0/19", FOREIGN), ("fd00::/108", FOREIGN6)):
                made[f"fw{number}"].run("ip", "route", "add", prefix, "via", via)
            made[f"fw{number}"].run("ip", "-6", "route", "add", FOREIGN6, "dev", "eth0")
            made[f"fw{number}"].run("ip", "route", "add", FOREIGN, "dev", "eth0")
        # What came by one interface is routed back by it, or it is dropped.
        made["server"].sysctl(net__ipv4__conf__all__rp_filter=2, net__ipv4__conf__eth0__rp_filter=2)
        made["server"].address("eth0", f"{FOREIGN}/16", f"{FOREIGN6}/64")
        for name in ("server", "fw1", "fw2"):
            answering = made[name].start(sys.executable, "-c", ANSWERING, name, stdout=subprocess.PIPE)
            assert answering.stdout is not None
            assert answering.stdout.readline() == "ready\n"
        yield made


def must(server: Host, module: str, **options: Any) -> dict[str, Any]:
    """Run a module that must not fail."""
    result = run_module(module, options, netns_prefix=server.prefix)
    assert "failed" not in result, result.get("msg")
    return result


def deploy(
    server: Host, lines: list[dict[str, Any]], others: Sequence[str] | None = None, reply: str = "source"
) -> int:
    """Do what the role does; return how many policy rules the server then has of ours."""
    must(server, "ip_aliases", aliases=FILTERS["multihomed_web_aliases"](lines), purge=True)
    if others is None:
        others = must(server, "multihome_info", gather_subset=["foreign_addresses"])["foreign_addresses"]
    marks = FILTERS["multihomed_web_marks"](lines, reply, other_addresses=others)["marks"]
    must(server, "connection_marks", marks=marks, purge=True)
    rules = FILTERS["multihomed_web_rules"](lines, reply=reply, other_addresses=others)
    must(server, "policy_routing", tables=FILTERS["multihomed_web_tables"](lines), rules=rules, purge=True)
    return len(rules)


def connected(host: Host, direction: str, own: Sequence[str]) -> dict[str, str]:
    """Connect from a host to each address, or from each, of both families; return what came of it by address."""
    said = ""
    for family, mark in ((4, "."), (6, ":")):
        part = [address for address in own if mark in address]
        said += host.run(sys.executable, "-c", CONNECTING, direction, CLIENT[family], feed="\n".join(part)).stdout
    return dict(row.split(" ", 1) for row in said.splitlines())


def faults(hosts: Hosts, *lines: Sequence[str]) -> list[str]:
    """Each address of each line answers by it, and what it begins leaves by it."""
    found = []
    for number, own in enumerate(lines, 1):
        answers = connected(hosts[f"fw{number}"], "to", own)
        begun = connected(hosts["server"], "from", own)
        for address in own:
            if answers.get(address) != "server":
                found.append(f"{address} of line {number} answers {answers.get(address)}")
            if begun.get(address) != f"fw{number}":
                found.append(f"{address} of line {number} leaves by {begun.get(address)}")
    return found


def test_a_thousand_addresses_by_prefix(hosts: Hosts) -> None:
    server = hosts["server"]
    own = [part[:1] + part[-1:] for part in LARGE]
    few = deploy(server, [line(number, part) for number, part in enumerate(own, 1)])
    assert faults(hosts, *own) == []
    many = deploy(server, [line(number, part) for number, part in enumerate(LARGE, 1)], others=[])
    assert many == few
    assert faults(hosts, *LARGE) == []


def test_a_foreign_address_within_is_left_alone(hosts: Hosts) -> None:
    server = hosts["server"]
    lines = [line(number, part) for number, part in enumerate(LARGE, 1)]
    # Not told of it, the rules by prefix take it along.
    deploy(server, lines, others=[])
    assert connected(server, "from", [FOREIGN]) == {FOREIGN: "fw1"}
    deploy(server, lines)
    assert connected(server, "from", [FOREIGN]) == {FOREIGN: "OSError 101"}
    assert faults(hosts, *(part[::20] for part in LARGE)) == []


@pytest.mark.parametrize("reply", ["source", "mark"])
def test_interleaved_addresses_by_mark(hosts: Hosts, reply: str) -> None:
    server = hosts["server"]
    count = deploy(server, [line(number, part) for number, part in enumerate(INTERLEAVED, 1)], reply=reply)
    # Of each family: main, then for each line a mark and its end and the first look-up, and the end of that.
    assert count == 2 * (1 + 2 * 3 + 1)
    assert faults(hosts, *INTERLEAVED) == []
    assert connected(server, "from", [FOREIGN]) == {FOREIGN: "OSError 101"}


def test_a_lost_mark_is_noticed(hosts: Hosts) -> None:
    server = hosts["server"]
    deploy(server, [line(number, part) for number, part in enumerate(INTERLEAVED, 1)])
    lost = INTERLEAVED[1][7]
    server.run("nft", "delete", "element", "inet", "multihome", "marks_addresses4", "{", lost, "}")
    # It takes the first line's way.
    assert faults(hosts, *INTERLEAVED) == [
        f"{lost} of line 2 answers TimeoutError None",
        f"{lost} of line 2 leaves by fw1",
    ]
    assert deploy(server, [line(number, part) for number, part in enumerate(INTERLEAVED, 1)])
    assert faults(hosts, *INTERLEAVED) == []


def test_the_end_of_a_dead_line_of_many_addresses(hosts: Hosts) -> None:
    server = hosts["server"]
    for lines in (LARGE, INTERLEAVED):
        deploy(server, [line(number, part) for number, part in enumerate(lines, 1)])
        server.run("ip", "route", "flush", "table", "1002")
        first, second = lines
        assert connected(server, "from", first[:1]) == {first[0]: "fw1"}
        # A mark is known only after the first look-up, when the packet is dropped without a word.
        outcome = "OSError 101" if lines is LARGE else "TimeoutError None"
        assert connected(server, "from", second[:1]) == {second[0]: outcome}
        assert faults(hosts, first[:5], second[:2]) == [
            f"{address} of line 2 {what} {said}"
            for address in second[:2]
            for what, said in (("answers", "TimeoutError None"), ("leaves by", outcome))
        ]


def test_a_more_specific_route_of_somebody_else_wins(hosts: Hosts) -> None:
    server = hosts["server"]
    own = [part[:1] for part in LARGE]
    deploy(server, [line(number, part) for number, part in enumerate(own, 1)])
    assert connected(server, "from", own[1]) == {own[1][0]: "fw2"}
    # As a VPN adds them to main: what it carries must not leave by a line.
    server.run("ip", "route", "add", f"{CLIENT[4]}/32", "via", "10.0.255.1")
    assert connected(server, "from", own[1]) == {own[1][0]: "fw1"}
    server.run("ip", "route", "del", f"{CLIENT[4]}/32")
    assert connected(server, "from", own[1]) == {own[1][0]: "fw2"}


def test_one_address_for_all_lines_with_a_loose_filter_and_no_default_route(hosts: Hosts) -> None:
    server = hosts["server"]
    own = ["10.0.24.1", "fd00::4:1"]
    deploy(server, [line(number, own) for number in (1, 2)], reply="mark")
    assert "default" not in server.run("ip", "route").stdout + server.run("ip", "-6", "route").stdout
    assert server.run("sysctl", "-n", "net.ipv4.conf.eth0.rp_filter").stdout == "2\n"
    for name in ("fw1", "fw2"):
        assert connected(hosts[name], "to", own) == dict.fromkeys(own, "server")
    # Without its mark a reply takes the first line's way.
    server.run("nft", "delete", "element", "inet", "multihome", "marks_packets", "{", "2", "}")
    assert connected(hosts["fw1"], "to", own) == dict.fromkeys(own, "server")
    assert connected(hosts["fw2"], "to", own) == dict.fromkeys(own, "TimeoutError None")
