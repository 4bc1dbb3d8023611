# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a list must not contain: each fault with its entry, its reason and its remedy, all at once; and near misses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.nftables import Nftables
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.engine import NatEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import NatRule, parse_rules

FORWARD = {
    "type": "dnat",
    "protocol": "tcp",
    "destination": "203.0.113.10",
    "destination_port": "80",
    "to_address": "192.168.168.1",
}
SIX = {"type": "dnat", "destination": "2001:db8::10", "to_address": "fd00:168::1"}
SNAT = {"type": "snat", "source": "192.168.168.0/24", "to_address": "203.0.113.10"}
REDIRECT = {
    "type": "redirect",
    "protocol": "tcp",
    "destination": "203.0.113.10",
    "destination_port": "80",
    "to_port": "8080",
}
EXEMPT = {"type": "exempt", "destination": "10.9.0.0/16"}
MASQUERADE = {"type": "masquerade", "family": "ipv4"}


def entry(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An entry with some fields changed; None takes one out."""
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (entry(FORWARD, type=None), "type is missing"),
        (entry(FORWARD, type="tproxy"), 'type "tproxy": not one of dnat, snat, masquerade, exempt, redirect'),
        (entry(FORWARD, type="redirect"), "redirect goes to this host itself: leave to_address out, or use dnat"),
        (entry(REDIRECT, out_interface="wan0"), "match in_interface instead of out_interface"),
        (entry(REDIRECT, destination_port="80-89", to_port="90-99"), "redirect leads to one port: give one port"),
        (entry(REDIRECT, destination_port=None), "to_port without destination_port"),
        (entry(REDIRECT, destination=None), "nothing tells the family"),
        (entry(FORWARD, keeps="source"), "keeps is for exempt only"),
        (entry(EXEMPT, keeps="both"), 'keeps "both": not one of destination, source'),
        (
            entry(EXEMPT, keeps="source", in_interface="wan0"),
            "exempt keeps the source, which in_interface cannot match",
        ),
        (entry(EXEMPT, random=True), "exempt translates nothing: leave random and persistent out"),
        (entry(FORWARD, destination_port=[80, 443]), 'a list; write one text with commas, such as "80,443"'),
        (entry(FORWARD, source=["10.0.0.0/8"]), 'a list; write one text with commas, such as "192.0.2.0/24,198'),
        (entry(SIX, destination="::ffff:203.0.113.10"), "IPv4 addresses written as IPv6, which no packet has"),
        (entry(SIX, source="::ffff:10.0.0.0/104"), "IPv4 addresses written as IPv6, which no packet has"),
        (entry(SIX, to_address="::ffff:192.168.168.1"), "IPv4 addresses written as IPv6, which no packet has"),
        (entry(SIX, to_address="fe80::1"), "a link-local address"),
        (entry(FORWARD, random="perhaps"), "neither true nor false"),
        (
            entry(FORWARD, destination_port="80-89", to_port="90-99", random=True),
            "random with a range of ports as to_port: each port has its own counterpart",
        ),
        (
            entry(SNAT, to_address="10.0.0.0/24", persistent=True),
            "each address has its counterpart, leave random and persistent out",
        ),
        (entry(SNAT, type="exempt"), "exempt translates nothing: leave to_address and to_port out"),
        ({"type": "exempt", "out_interface": "wan0"}, "nothing tells the family"),
        (
            {"type": "exempt", "family": "ipv4", "out_interface": "a", "in_interface": "b"},
            "exempt keeps the destination with in_interface, and the source with out_interface",
        ),
        (entry(SNAT, source=None, to_address="0.0.0.0/0"), "use type exempt to translate nothing"),
        (
            entry(FORWARD, protocol="ospf"),
            'protocol "ospf": not one of icmp, tcp, udp, gre, esp, ah, icmpv6, sctp, any, and',
        ),
        (entry(FORWARD, protocol="256", destination_port=None), 'protocol "256": not one of'),
        (entry(FORWARD, protocol="gre"), "destination_port without a protocol that has ports"),
        (entry(SNAT, protocol="icmpv6"), "mixes IPv4 and IPv6"),
        (entry(MASQUERADE, family="ipv6", protocol="51"), "protocol ah is an extension header of IPv6"),
        (entry(SNAT, source="!0.0.0.0/0"), 'source "!0.0.0.0/0": matches no packet'),
        (entry(SNAT, source="10.0.0.1,!10.0.0.2"), "one ! before the whole list"),
        (entry(SNAT, source="10.0.0.9-10.0.0.2"), "the range runs backwards"),
        (entry(SNAT, source="10.0.0.9-fd00::1"), "the range mixes IPv4 and IPv6"),
        (entry(SNAT, source="10.0.0.1/8,10.0.0.2"), "has host bits set"),
        (entry(SNAT, source="!10.0.0.0/24", to_address="203.0.113.0/24"), "source must then be a prefix of the same"),
        (entry(FORWARD, source="10.0.0.1,fd00::1"), "mixes IPv4 and IPv6"),
        (entry(FORWARD, destination_port="80,x"), "not a port or a range"),
        (entry(FORWARD, destination_port="80,443", to_port="90-91"), "has 1 ports and to_port 2"),
        (entry(FORWARD, protocol=None), "destination_port without a protocol that has ports"),
        (entry(FORWARD, protocol="any"), "give protocol tcp, udp or sctp"),
        (entry(FORWARD, destination_port="0"), "port 0 is not within 1 to 65535"),
        (entry(FORWARD, destination_port=65536), "port 65536 is not within 1 to 65535"),
        (entry(FORWARD, destination_port="90-80"), "the range runs backwards"),
        (entry(FORWARD, destination_port=80.5), "not a port or a range"),
        (entry(FORWARD, destination_port="80-89", to_port="90-98"), "has 10 ports and to_port 9"),
        (entry(FORWARD, to_port="90-99"), "has 1 ports and to_port 10: make them equally long, or give one port"),
        (entry(FORWARD, destination_port=None, to_port="90"), "to_port without destination_port"),
        (entry(FORWARD, to_address=None), "to_address is missing: dnat needs"),
        (entry(FORWARD, to_address="fd00::1"), "mixes IPv4 and IPv6: destination is IPv4, to_address is IPv6"),
        (entry(FORWARD, to_address="fd00::1", to_port="90"), "mixes IPv4 and IPv6: destination is IPv4, to_address"),
        (entry(FORWARD, to_port="0"), "port 0 is not within 1 to 65535"),
        (entry(FORWARD, to_port="65536"), "port 65536 is not within 1 to 65535"),
        (entry(FORWARD, source_port="0-9"), "port 0 is not within 1 to 65535"),
        (entry(FORWARD, source="fd00::/8"), "mixes IPv4 and IPv6: source is IPv6"),
        (entry(FORWARD, family="ipv6"), "family is IPv6"),
        (entry(FORWARD, to_address="0.0.0.0"), "not the address of a host"),
        (entry(FORWARD, to_address="192.168.168.0/24"), "destination must then be a prefix of the same length, /24"),
        (entry(FORWARD, destination="203.0.113.10/24"), "has host bits set"),
        (entry(FORWARD, destination="203.0.113.300"), "not an IP prefix"),
        (entry(FORWARD, destination=["203.0.113.10"]), "a list; write one text with commas"),
        (entry(FORWARD, destination=True), "not a printable, non-empty string"),
        (entry(FORWARD, out_interface="wan0"), "match in_interface instead of out_interface"),
        (entry(FORWARD, in_interface="a-name-longer-than-15"), "at most 15 bytes"),
        (entry(FORWARD, in_interface="wan*"), "a wildcard, which maps cannot hold; give one entry for each interface"),
        (entry(FORWARD, in_interface="wan+"), "a wildcard, which maps cannot hold; give one entry for each interface"),
        (entry(FORWARD, in_interface="a*b"), "nft cannot match an interface"),
        (entry(FORWARD, name='the "web"'), "cannot hold a quotation mark"),
        (entry(FORWARD, name="x" * 129), "longer than the 128 bytes"),
        (entry(FORWARD, name="ä" * 65), "longer than the 128 bytes"),
        (entry(FORWARD, destination_port="1-9", to_port="11-19", name="x" * 117), "has at most 116 bytes"),
        (
            entry(FORWARD, destination_port="1-9", to_port="2-10", source="10.0.0.1", source_port=1, in_interface="a"),
            "more than an nft map can match; leave one out",
        ),
        (entry(FORWARD, port="80"), 'unknown field "port"'),
        (entry(SNAT, out_interface="+"), "a wildcard"),
        (entry(SNAT, in_interface="wan0"), "match out_interface instead of in_interface"),
        (entry(SNAT, to_address=None), "to_address is missing: snat needs"),
        (entry(SNAT, to_address="203.0.113.0/25"), "source must then be a prefix of the same length, /25"),
        (entry(SNAT, protocol="tcp", to_address="10.0.0.0/24", to_port="1"), "ports are kept, leave to_port out"),
        (entry(SNAT, to_port="1024-2000"), "to_port without a protocol that has ports"),
        (entry(SNAT, protocol="udp", source_port="1-2", to_port="3-4"), "source_port together with to_port"),
        (entry(MASQUERADE, to_address="203.0.113.10"), "leave to_address out, or use snat"),
        (entry(MASQUERADE, family=None), "nothing tells the family"),
        (entry(MASQUERADE, family=None, source="10.0.0.0/33"), 'source "10.0.0.0/33": not an IP prefix'),
        (entry(FORWARD, destination_port="x", to_port="80"), 'destination_port "x": not a port'),
        ("dnat", "not a dictionary but str"),
    ],
)
def test_a_fault_is_said_with_its_entry(listed: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_rules([FORWARD, listed])
    assert len(raised.value.faults) == 1, raised.value.faults
    assert raised.value.faults[0].startswith("rules[1]")
    assert said in raised.value.faults[0]


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([FORWARD, SNAT, entry(FORWARD, to_address="192.168.168.2")], "rules[0] (203.0.113.10) and rules[2]"),
        ([FORWARD, entry(FORWARD, destination="203.0.113.10/32")], "two entries for one"),
        ([FORWARD, entry(FORWARD, destination_port="80-80")], "two entries for one"),
        ([MASQUERADE, entry(MASQUERADE, source="0.0.0.0/0")], "two entries for one"),
        (
            [entry(FORWARD, destination_port="1-9"), SNAT, entry(FORWARD, destination_port="9-12", name="b")],
            "rules[0] (203.0.113.10) and rules[2] (b): the ranges 1-9 and 9-12 of destination_port overlap",
        ),
        ([entry(FORWARD, destination_port="1-99"), entry(FORWARD, destination_port="5-9")], "1-99 and 5-9"),
        ([entry(FORWARD, source_port="1-9"), entry(FORWARD, source_port="2-10")], "of source_port overlap"),
        (
            [entry(FORWARD, destination_port=p) for p in ("1-99", "5-9", "50-60")],
            "rules[2] (203.0.113.10): the ranges 1-99 and 50-60",
        ),
        (
            [entry(FORWARD, destination_port="1-60000", to_port="2-60001", destination=f"10.0.0.{n}") for n in (1, 2)],
            "shifts 120000 single ports; at most 100000",
        ),
    ],
)
def test_entries_that_contradict_each_other_are_both_named(listed: list[Any], said: str) -> None:
    with pytest.raises(InvalidInput, match="rules") as raised:
        parse_rules(listed)
    assert any(said in fault for fault in raised.value.faults), raised.value.faults


def test_too_many_entries_are_refused_before_they_are_read() -> None:
    with pytest.raises(InvalidInput, match="rules has 100001 entries; at most 100000 are supported"):
        parse_rules([None] * 100_001)
    with pytest.raises(InvalidInput) as raised:
        parse_rules([None] * 100_000)
    assert len(raised.value.faults) == 100_000


def test_every_fault_of_the_list_and_of_the_table_is_said_at_once() -> None:
    with pytest.raises(InvalidInput) as raised:
        NatEngine([entry(FORWARD, destination_port=0, to_address="x"), {}], table="no name")
    shown = "\n".join(raised.value.faults)
    for part in ("rules[0] (203.0.113.10): destination_port", "rules[0] (203.0.113.10): to_address", "rules[1]: type"):
        assert part in shown
    assert 'table "no name": not a name' in shown


@pytest.mark.parametrize("name", ["", "a-b", "1a", "a b", "é", "a" * 65, None, 5])
def test_a_table_needs_a_name_that_nft_can_write(name: Any) -> None:
    with pytest.raises(InvalidInput, match="not a name for an nft table"):
        Nftables(name)


@pytest.mark.parametrize(
    "listed",
    [
        [entry(FORWARD, destination_port="1-99"), FORWARD],
        [entry(FORWARD, destination_port="1-79"), entry(FORWARD, destination_port="80-99")],
        [entry(FORWARD, destination_port="1-9"), entry(FORWARD, destination_port="1-10", source="10.0.0.0/8")],
        [entry(FORWARD, destination_port="1-9"), entry(FORWARD, destination_port="1-10", protocol="udp")],
        [entry(SNAT), {"type": "masquerade", "source": "192.168.168.0/24"}],
        [entry(FORWARD, name="x" * 128), entry(FORWARD, destination_port=65535, to_port="1", protocol="sctp")],
        [entry(FORWARD, destination_port="1-9", to_port="11-19", name="x" * 116)],
        [entry(SNAT, protocol="udp", source_port="1", to_port="3")],
        [],
    ],
)
def test_what_looks_like_a_fault_and_is_none(listed: list[Any]) -> None:
    assert len(parse_rules(listed)) == len(listed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (entry(FORWARD), entry(FORWARD, destination="203.0.113.10/32", destination_port=80, source="0.0.0.0/0")),
        (entry(FORWARD), entry(FORWARD, to_port=80, family="ipv4")),
        (entry(FORWARD, destination_port="1-9"), entry(FORWARD, destination_port="1-9", to_port="1-9")),
        (entry(MASQUERADE), entry(MASQUERADE, protocol="any")),
        (entry(FORWARD, name="80"), entry(FORWARD, name=80)),
        (
            {"type": "dnat", "destination": "2001:DB8::0001", "to_address": "FD00:0::1"},
            {"type": "dnat", "destination": "2001:db8::1/128", "to_address": "fd00::1/128"},
        ),
    ],
)
def test_two_ways_to_write_one_entry(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert NatRule.parse(one) == NatRule.parse(other)
    assert NatRule.parse(NatRule.parse(one).as_input()) == NatRule.parse(one)


def test_a_name_that_is_not_asked_for_may_be_any() -> None:
    named, other, plain = (NatRule.parse(entry(FORWARD, name=name)) for name in ("a", "b", None))
    assert plain.satisfied_by(named)
    assert not named.satisfied_by(plain)
    assert not named.satisfied_by(other)
