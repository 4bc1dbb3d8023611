# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries with several addresses and ports, negations, and protocols without ports, by real packets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.multihome.linux.tests.integration.nat.lab import NatLab, nat_lab
from ansible_collections.multihome.linux.tests.integration.nat.programs import IPTABLES, NFT, NFT_OF_DEBIAN_13
from ansible_collections.multihome.linux.tests.integration.nat.test_packets import FAMILIES, PUBLIC, WEB, forward

CLIENTS = {4: ("203.0.113.200", "203.0.113.201"), 6: ("2001:db8:a::200", "2001:db8:a::201")}


@pytest.fixture(scope="module", params=[NFT, IPTABLES, NFT_OF_DEBIAN_13], ids=str)
def lab(request: pytest.FixtureRequest) -> Iterator[NatLab]:
    with nat_lab(request.param) as running:
        yield running


@FAMILIES
def test_several_ports_and_a_negated_source(lab: NatLab, family: int) -> None:
    one, other = CLIENTS[family]
    rule = forward(family, "tcp", "443,5000,7000-7001", to_port="80", source=f"!{one}")
    lab.translate(rule)
    assert not lab.translate(rule)["changed"]
    for port in (443, 5000, 7001):
        assert lab.reached("tcp", PUBLIC[family], port, other) == ("web", 80)
    # The address that is excepted, and a port that is not listed.
    assert lab.reached("tcp", PUBLIC[family], 5000, one) == ("firewall", 5000)
    assert lab.reached("tcp", PUBLIC[family], 5001, other) == ("firewall", 5001)
    lab.translate({**rule, "source": f"{one}-{other}"})
    assert lab.reached("tcp", PUBLIC[family], 443, one) == ("web", 80)


@FAMILIES
def test_a_range_of_ports_reaches_one_port(lab: NatLab, family: int) -> None:
    rule = forward(family, "udp", "5000-5005", to_port="8080")
    lab.translate(rule)
    assert not lab.translate(rule)["changed"]
    assert [lab.reached("udp", PUBLIC[family], port) for port in (5000, 5005)] == [("web", 8080)] * 2
    assert lab.reached("udp", PUBLIC[family], 6000) == ("firewall", 6000)
    # More fields than a map has: it is a rule then, with the same meaning.
    match = {"source": CLIENTS[family][0], "source_port": "40000", "in_interface": "wan0"}
    lab.translate({**rule, **match})
    assert lab.reached("udp", PUBLIC[family], 5003, CLIENTS[family][0], 40000) == ("web", 8080)


@FAMILIES
def test_protocols_without_ports(lab: NatLab, family: int) -> None:
    icmp = "icmp" if family == 4 else "icmpv6"
    rules = [
        {"type": "dnat", "protocol": protocol, "destination": PUBLIC[family], "to_address": WEB[family]}
        for protocol in (icmp, "gre", "esp", "99", "89")
    ]
    rules.append({"type": "masquerade", "protocol": icmp, "out_interface": "wan0"})
    assert lab.translate(*rules)["changed"]
    assert not lab.translate(*rules)["changed"]
    for kind, counted in ((icmp, 1), ("gre", 0)):
        found = lab.module("multihome_info", {"gather_subset": ["nat_counters"]})["nat_counters"]
        before = {entry["protocol"]: entry["packets"] for entry in found if entry["type"] == "dnat"}
        lab.hosts["client"].run("ping", "-c", "1", "-W", "2", PUBLIC[family])
        found = lab.module("multihome_info", {"gather_subset": ["nat_counters"]})["nat_counters"]
        after = {entry["protocol"]: entry["packets"] for entry in found if entry["type"] == "dnat"}
        assert after[kind] - before[kind] == counted
