# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries with several addresses and ports, negations, and protocols without ports, by real packets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.multihome.linux.tests.integration.nat.lab import NatLab, nat_lab
from ansible_collections.multihome.linux.tests.integration.nat.programs import IPTABLES, NFT, NFT_OF_DEBIAN_13
from ansible_collections.multihome.linux.tests.integration.nat.test_packets import DB, FAMILIES, PUBLIC, WEB, forward

# Another program's translations, at the priorities that iptables, Docker and firewalld use; two of them for a control.
FOREIGN = """
table inet other {{
    chain prerouting {{
        type nat hook prerouting priority {}; policy accept;
        tcp dport 5000 dnat ip to 192.168.2.2
        tcp dport 5000 dnat ip6 to fd00:2::2
    }}
    chain postrouting {{
        type nat hook postrouting priority {}; policy accept;
        oifname "wan0" masquerade
    }}
}}
"""
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


@FAMILIES
def test_a_redirect_leads_to_a_port_of_the_firewall(lab: NatLab, family: int) -> None:
    one, other = CLIENTS[family]
    plain = {"type": "redirect", "protocol": "tcp", "destination_port": "443", "in_interface": "wan0", "to_port": "80"}
    redirect = {**plain, "family": f"ipv{family}"}
    ranged = {**redirect, "protocol": "udp", "destination_port": "7000-7010", "to_port": "8080"}
    lab.translate(redirect, ranged)
    assert not lab.translate(redirect, ranged)["changed"]
    # Whatever address was asked: that of the firewall, or one behind it.
    assert lab.reached("tcp", PUBLIC[family], 443) == ("firewall", 80)
    assert lab.reached("udp", PUBLIC[family], 7005) == ("firewall", 8080)
    # The first entry decides, whichever type it has.
    mapped = forward(family, "tcp", 443, to_port="80")
    lab.translate(mapped, redirect)
    assert lab.reached("tcp", PUBLIC[family], 443) == ("web", 80)
    lab.translate({**redirect, "source": one}, mapped)
    assert lab.reached("tcp", PUBLIC[family], 443, one) == ("firewall", 80)
    assert lab.reached("tcp", PUBLIC[family], 443, other) == ("web", 80)
    # More fields than a map has, and ports that stay: rules.
    everything = {"source": one, "source_port": "40000", "destination": PUBLIC[family]}
    lab.translate({**redirect, **everything}, mapped)
    assert lab.reached("tcp", PUBLIC[family], 443, one, 40000) == ("firewall", 80)
    # Entries that nothing looks up any more translate nothing.
    lab.translate(mapped)
    assert lab.reached("tcp", PUBLIC[family], 443, one) == ("web", 80)


@FAMILIES
def test_random_and_persistent_translate_like_entries_without_them(lab: NatLab, family: int) -> None:
    mapped = {**forward(family, "tcp", 443, to_port="80"), "random": True, "persistent": True}
    masked = {"type": "masquerade", "family": f"ipv{family}", "out_interface": "wan0", "random": True}
    redirect = {"type": "redirect", "protocol": "tcp", "destination": PUBLIC[family], "destination_port": "5000-5001"}
    rules = [mapped, {**redirect, "to_port": "80", "random": True}, masked]
    lab.translate(*rules)
    assert not lab.translate(*rules)["changed"]
    assert lab.reached("tcp", PUBLIC[family], 443) == ("web", 80)
    assert lab.reached("tcp", PUBLIC[family], 5001) == ("firewall", 80)
    answer = lab.ask("tcp", CLIENTS[family][0], 80, WEB[family], 40000, host="web")
    assert answer is not None
    assert answer["peer"][0] != WEB[family]
    assert answer["peer"][1] != 40000
    # The control: without the flag the kernel keeps the port.
    lab.translate(*rules[:2], {**masked, "random": False})
    answer = lab.ask("tcp", CLIENTS[family][0], 80, WEB[family], 40001, host="web")
    assert answer is not None
    assert answer["peer"][0] != WEB[family]
    assert answer["peer"][1] == 40001


def test_what_iptables_lacks_is_refused_before_anything_changes(lab: NatLab) -> None:
    listed = [{"type": "masquerade", "family": "ipv4", "out_interface": "wan0", "persistent": True}]
    lab.translate()
    if lab.programs.backend == "nftables":
        assert lab.translate(*listed)["changed"]
        assert not lab.translate(*listed)["changed"]
        return
    result = lab.module("nat_rules", {"rules": listed, "backend": "iptables"})
    assert "persistent: iptables has it for dnat and snat, not for masquerade" in result["msg"]
    assert lab.module("multihome_info", {"gather_subset": ["nat_rules"]})["nat_rules"] == []


class Foreign:
    """Another program's destination and source NAT beside the collection's."""

    def __init__(self, lab: NatLab) -> None:
        self._lab = lab
        self._is_nft = lab.programs.backend == "nftables"

    def add(self, before_ours: bool = False) -> None:
        """Load it; its hooks come before the collection's only if the control wants it."""
        if self._is_nft:
            self._lab.by_hand("nft", "-f", "-", feed=FOREIGN.format(*((-102, 98) if before_ours else (-100, 100))))
            return
        place = "-I" if before_ours else "-A"
        for program, target in (("iptables", DB[4]), ("ip6tables", f"[{DB[6]}]:5000")):
            dnat = ("-p", "tcp", "--dport", "5000", "-j", "DNAT", "--to-destination", target)
            self._lab.by_hand(program, "-t", "nat", place, "PREROUTING", *dnat)
            self._lab.by_hand(program, "-t", "nat", place, "POSTROUTING", "-o", "wan0", "-j", "MASQUERADE")

    def remove(self) -> None:
        """Remove all translations but the collection's, and with iptables these too."""
        if self._is_nft:
            self._lab.by_hand("nft", "-f", "-", feed="table inet other\ndelete table inet other\n")
            return
        for program in ("iptables", "ip6tables"):
            for chain in ("PREROUTING", "POSTROUTING"):
                self._lab.by_hand(program, "-t", "nat", "-F", chain)


@FAMILIES
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_entries_and_exemptions_hold_whichever_is_loaded_first(lab: NatLab, family: int, first: str) -> None:
    one, other = CLIENTS[family]
    network = WEB[family][:-1] + ("0/24" if family == 4 else "/64")
    word = [] if family == 4 else ["-6"]
    rules = [
        forward(family, "tcp", 5000),
        {"type": "exempt", "destination": other, "out_interface": "wan0"},
        {"type": "masquerade", "family": f"ipv{family}", "out_interface": "wan0"},
    ]
    foreign = Foreign(lab)

    def peer(address: str) -> str | None:
        answer = lab.ask("tcp", address, 80, host="web")
        return answer["peer"][0] if answer else None

    lab.hosts["client"].run("ip", *word, "route", "add", network, "via", PUBLIC[family])
    try:
        lab.translate()
        if first == "theirs":
            foreign.add()
        lab.translate(*rules)
        if first == "ours":
            foreign.add()
        assert not lab.translate(*rules)["changed"]
        assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)
        assert peer(other) == WEB[family]
        assert peer(one) not in (None, WEB[family])
        # The control: were theirs asked before ours, they would translate both.
        foreign.remove()
        foreign.add(before_ours=True)
        assert lab.reached("tcp", PUBLIC[family], 5000) == ("db", 5000)
        assert peer(other) not in (None, WEB[family])
    finally:
        foreign.remove()
        lab.hosts["client"].run("ip", *word, "route", "del", network)
    lab.translate(*rules)
    assert peer(other) is None  # without the way back that the test gave the client


@FAMILIES
def test_an_exemption_keeps_the_destination_of_an_interface(lab: NatLab, family: int) -> None:
    everywhere = forward(family, "tcp", 5000)
    exempt = {"type": "exempt", "source": CLIENTS[family][0], "in_interface": "wan0"}
    lab.translate(everywhere, exempt)
    assert lab.reached("tcp", PUBLIC[family], 5000, CLIENTS[family][0]) == ("web", 5000)
    # Without an interface it keeps destination and source, or the one that it is for.
    anywhere = {"type": "exempt", "source": CLIENTS[family][0], "destination": PUBLIC[family]}
    for keeping in (exempt, anywhere, {**anywhere, "keeps": "destination"}):
        result = lab.translate(keeping, everywhere)
        assert result["after"] == [keeping, everywhere]
        assert lab.reached("tcp", PUBLIC[family], 5000, CLIENTS[family][0]) == ("firewall", 5000)
        assert lab.reached("tcp", PUBLIC[family], 5000, CLIENTS[family][1]) == ("web", 5000)
    lab.translate({**anywhere, "keeps": "source"}, everywhere)
    assert lab.reached("tcp", PUBLIC[family], 5000, CLIENTS[family][0]) == ("web", 5000)
