# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key ``mss`` of a line, deployed with the roles: the segment sizes that the hosts at both ends see in SYN packets.

The interface of the line takes packets of 1400 bytes, as one of PPPoE or of a tunnel does, and no host is told.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, FAMILIES, plain, url
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

SERVER = "web1"
MTU = 1400
# The headers of IP and TCP.
HEADERS = {"IPv4": 40, "IPv6": 60}
# Notes the sizes in the packets that open connections to a host, requests and answers alike.
NOTES = """
table inet noted {
    set IPv4 { typeof tcp option maxseg size; flags dynamic; size 64; }
    set IPv6 { typeof tcp option maxseg size; flags dynamic; size 64; }
    chain input {
        type filter hook input priority -300;
        meta nfproto ipv4 tcp flags & (syn | rst) == syn add @IPv4 { tcp option maxseg size }
        meta nfproto ipv6 tcp flags & (syn | rst) == syn add @IPv6 { tcp option maxseg size }
    }
}
"""


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """One line with a small MTU on its firewall."""
    lab = start_lab(lines=1)
    (line,) = lab.lines
    lab.exec(line.end, "ip", "link", "set", line.interface, "mtu", str(MTU))
    return lab


def deploy(lab: Lab, backend: str, mss: Any = None) -> playbooks.Run:
    """Deploy with a value of ``mss``, None for a line without one."""
    lists = playbooks.declared(lab)
    if mss is not None:
        lists["multihome_lines"][0]["mss"] = mss
    return playbooks.deploy(lab, variables={**lists, "isp_firewall_backend": backend})


def sizes(lab: Lab) -> dict[str, dict[str, list[int]]]:
    """The sizes that the server and the client see, of connections that either of them opens, by family."""
    hosts = (SERVER, CLIENT)
    for host in hosts:
        lab.exec(host, "nft", "-f", "-", stdin=NOTES)
    try:
        services = [url(plain(address)) for address in lab.lines[0].public]
        outside = [url(plain(address)) for address in lab.topology.hosts[CLIENT].interfaces[0].addresses]
        assert len(ask(lab, CLIENT, services, timeout=30)) == len(services)
        assert len(ask(lab, SERVER, outside, timeout=30)) == len(outside)
        return {host: {family: _noted(lab, host, family) for family in FAMILIES} for host in hosts}
    finally:
        for host in hosts:
            lab.exec(host, "nft", "delete", "table", "inet", "noted")


def _noted(lab: Lab, host: str, family: str) -> list[int]:
    listed = json.loads(lab.exec(host, "nft", "--json", "list", "set", "inet", "noted", family).stdout)
    [found] = [part["set"].get("elem", []) for part in listed["nftables"] if "set" in part]
    return sorted(one["elem"]["val"] if isinstance(one, dict) else one for one in found)


def at_both_ends(**by_family: int) -> dict[str, dict[str, list[int]]]:
    """What ``sizes`` returns where every packet has the size of its family."""
    return {host: {family: [size] for family, size in by_family.items()} for host in (SERVER, CLIENT)}


# What a host without any limit announces on Ethernet.
UNCHANGED = at_both_ends(**{family: 1500 - headers for family, headers in HEADERS.items()})


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_hosts_at_both_ends_see_the_size_of_the_line(lab: Lab, backend: str) -> None:
    # The control: without the key, and with off, nobody tells them.
    deploy(lab, backend)
    assert sizes(lab) == UNCHANGED
    deploy(lab, backend, "auto")
    assert sizes(lab) == at_both_ends(**{family: MTU - headers for family, headers in HEADERS.items()})
    assert checks.nothing_changed(deploy(lab, backend, "auto")) == []
    deploy(lab, backend, 1200)
    assert sizes(lab) == at_both_ends(IPv4=1200, IPv6=1200)
    assert checks.services_answered(lab) == []
    deploy(lab, backend, "off")
    assert sizes(lab) == UNCHANGED
