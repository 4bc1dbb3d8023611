# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel changes only by taking an address away is no instant without it: a neighbour asks all the while."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ..namespaces import Host, Hosts
from .hosts import addresses, routes, run

# The one asks again as soon as it has its answer, some ten thousand times a second; what is lost never comes.
ANSWER = """
import socket, sys
sock = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 7))
print("ready", flush=True)
while True:
    query, client = sock.recvfrom(64)
    try:
        sock.sendto(query, client)
    except OSError:
        pass  # it has no way back at this moment; the asker will miss it
"""
ASK = """
import socket, sys, threading
sock = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
sock.connect((sys.argv[1], 7))
sock.settimeout(0.3)
ended, asked, lost = threading.Event(), 0, 0
threading.Thread(target=lambda: (sys.stdin.read(), ended.set())).start()
while not ended.is_set():
    query = b"%d" % asked
    asked += 1
    try:
        sock.send(query)
        while sock.recv(64) != query:
            pass
    except OSError:
        lost += 1
    if asked == 1:
        print("asking", flush=True)
print(asked, lost)
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    """A server and its neighbour on one link."""
    with Hosts("server", "neighbour") as made:
        made.link("server", "eth0", "neighbour", "eth0")
        for name, number in (("server", 1), ("neighbour", 9)):
            # No link-local address that comes when it likes.
            made[name].sysctl(net__ipv6__conf__eth0__addr_gen_mode=1)
            made[name].address("eth0", f"10.0.9.{number}/24", f"fd00:9::{number}/64")
        made["neighbour"].run("ip", "route", "add", "10.0.0.0/24", "via", "10.0.9.1")
        made["neighbour"].run("ip", "route", "add", "fd00::/64", "via", "fd00:9::1")
        yield made


@contextmanager
def asked(hosts: Hosts, address: str) -> Iterator[list[int]]:
    """Ask without a break within the context; give how often, and how often in vain, at its end."""
    counts: list[int] = []
    server = hosts["server"].start(sys.executable, "-c", ANSWER, address, stdout=subprocess.PIPE)
    assert server.stdout
    assert server.stdout.readline()
    client = hosts["neighbour"].start(sys.executable, "-c", ASK, address, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert client.stdout
        assert client.stdout.readline()
        yield counts
        output, _errors = client.communicate(input="", timeout=30)
        counts += map(int, output.split())
    finally:
        for process in (client, server):
            process.kill()


def held(host: Host, address: str) -> list[tuple[str, int, str | None]]:
    return [(a["interface"], a["prefixlen"], a.get("label")) for a in addresses(host) if a["local"] == address]


# Each with what it is changed to and back.
CHANGES = {
    "an IPv6 address with another length": ("fd00::1", {"address": "fd00::1/65"}, {"address": "fd00::1/64"}),
    "an IPv4 address with another label": (
        "10.0.0.1",
        {"address": "10.0.0.1/24", "label": "eth0:1"},
        {"address": "10.0.0.1/24", "label": "eth0:2"},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_lost_meanwhile(hosts: Hosts, change: str) -> None:
    server = hosts["server"]
    address, *forms = CHANGES[change]
    run(server, "ip_aliases", aliases=[{**forms[1], "interface": "eth0"}], purge=True)
    before = held(server, address)
    with asked(hosts, address) as counts:
        for form in forms * 2:
            done = run(server, "ip_aliases", aliases=[{**form, "interface": "eth0"}], purge=True)
            assert [action["op"] for action in done["actions"]] == ["replace"]
    assert counts[0] > 50
    assert counts[1] == 0
    assert held(server, address) == before, "a stand-in stayed"
    run(server, "ip_aliases", aliases=[], purge=True)
    assert not [route for route in routes(server) if route["dst"] == address]


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_by_hand_loses_some(hosts: Hosts, change: str) -> None:
    server = hosts["server"]
    address, *forms = CHANGES[change]
    run(server, "ip_aliases", aliases=[{**forms[1], "interface": "eth0"}], purge=True)
    standing = forms[1]
    with asked(hosts, address) as counts:
        for form in forms:
            server.run("ip", "address", "del", standing["address"], "dev", "eth0")
            # As long as a fork takes on a busy host.
            time.sleep(0.1)
            label = ("label", form["label"]) if "label" in form else ("nodad",)
            server.run("ip", "address", "add", form["address"], "dev", "eth0", *label)
            standing = form
    assert counts[1] > 0, counts


def test_an_address_that_the_loopback_interface_has_anyhow_stays_there(hosts: Hosts) -> None:
    """As the address that several servers share is often held; it belongs to somebody else."""
    server = hosts["server"]
    server.run("ip", "address", "add", "fd00::2/128", "dev", "lo")
    try:
        for length in (64, 65):
            run(server, "ip_aliases", aliases=[{"address": f"fd00::2/{length}", "interface": "eth0"}], purge=True)
        assert held(server, "fd00::2") == [("lo", 128, None), ("eth0", 65, None)]
    finally:
        server.run("ip", "address", "del", "fd00::2/128", "dev", "lo")


def test_a_loopback_interface_without_the_family_is_done_without(hosts: Hosts) -> None:
    server = hosts["server"]
    server.sysctl(net__ipv6__conf__lo__disable_ipv6=1)
    try:
        for length in (64, 65):
            done = run(server, "ip_aliases", aliases=[{"address": f"fd00::3/{length}", "interface": "eth0"}])
            assert done["changed"] is True
        assert held(server, "fd00::3") == [("eth0", 65, None)]
    finally:
        server.sysctl(net__ipv6__conf__lo__disable_ipv6=0)
