# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries as rules of iptables, word for word, and what no entry asks for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.iptables_save import split
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.iptables_text import parse_rule, rule_text
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import NatRule
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import hook as hook_of
from ansible_collections.multihome.linux.tests.unit.nat.entries import entries, plain
from ansible_collections.multihome.linux.tests.unit.nat.fake_iptables import Row
from ansible_collections.multihome.linux.tests.unit.nat.listed import MASQUERADE, SIX
from hypothesis import given

FORWARD = {"type": "dnat", "protocol": "tcp", "destination": "203.0.113.1", "to_address": "10.0.0.2"}


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (
            {**FORWARD, "name": "two \\ 'words'"},
            r"""-d 203.0.113.1/32 -p tcp -m comment --comment "two \\ 'words'" -j DNAT --to-destination 10.0.0.2""",
        ),
        (
            {**FORWARD, "destination_port": "1-3", "to_port": "11-13", "in_interface": "w", "source": "10.0.0.0/8"},
            "-s 10.0.0.0/8 -d 203.0.113.1/32 -i w -p tcp -m tcp --dport 1:3 -j DNAT --to-destination 10.0.0.2:11-13/1",
        ),
        (
            {**SIX, "protocol": "sctp", "destination_port": 9, "to_port": 10, "source_port": "1-2"},
            "-d 2001:db8::1/128 -p sctp -m sctp --sport 1:2 --dport 9 -j DNAT --to-destination [fd00::1]:10",
        ),
        (
            {**FORWARD, "destination_port": "80-82", "to_port": 90},
            "-d 203.0.113.1/32 -p tcp -m tcp --dport 80:82 -j DNAT --to-destination 10.0.0.2:90",
        ),
        ({**SIX, "protocol": "47"}, "-d 2001:db8::1/128 -p gre -j DNAT --to-destination fd00::1"),
        ({"type": "exempt", "destination": "10.9.0.0/16"}, "-d 10.9.0.0/16 -j NETMAP --to 0.0.0.0/0"),
        ({"type": "exempt", "family": "ipv6", "in_interface": "lan0"}, "-i lan0 -j NETMAP --to ::/0"),
        (SIX, "-d 2001:db8::1/128 -j DNAT --to-destination fd00::1"),
        (
            {
                "type": "redirect",
                "protocol": "tcp",
                "source": "fd00::/64",
                "destination_port": "80-81",
                "to_port": 3128,
            },
            "-s fd00::/64 -p tcp -m tcp --dport 80:81 -j REDIRECT --to-ports 3128",
        ),
        ({"type": "redirect", "destination": "10.0.0.1"}, "-d 10.0.0.1/32 -j REDIRECT"),
        (
            {**FORWARD, "random": True, "persistent": True},
            "-d 203.0.113.1/32 -p tcp -j DNAT --to-destination 10.0.0.2 --random --persistent",
        ),
        ({**MASQUERADE, "random": True}, "-o wan0 -j MASQUERADE --random"),
        (
            {"type": "snat", "source": "10.0.0.1", "to_address": "10.1.0.1", "protocol": "udp", "to_port": "1024-2000"},
            "-s 10.0.0.1/32 -p udp -j SNAT --to-source 10.1.0.1:1024-2000",
        ),
        ({**MASQUERADE, "protocol": "udp", "to_port": 53}, "-o wan0 -p udp -j MASQUERADE --to-ports 53"),
        (
            {"type": "dnat", "destination": "fd00::/64", "to_address": "fd01::/64"},
            "-d fd00::/64 -j NETMAP --to fd01::/64",
        ),
        (
            {"type": "snat", "source": "10.0.0.0/24", "to_address": "10.1.0.0/24"},
            "-s 10.0.0.0/24 -j NETMAP --to 10.1.0.0/24",
        ),
    ],
)
def test_an_entry_is_this_rule(entry: dict[str, Any], text: str) -> None:
    assert rule_text(NatRule.parse(entry)) == text


@given(entries())
def test_what_is_written_is_read_back_as_it_was(listed: list[dict[str, Any]]) -> None:
    for rule in map(NatRule.parse, plain(listed)):
        hook = hook_of(rule)
        printed = str(Row(split(rule_text(rule))))
        assert parse_rule(split(printed), rule.family, hook) == rule
        assert parse_rule(split(printed), rule.family, "source" if hook == "destination" else "destination") != rule


@pytest.mark.parametrize(
    "text",
    [
        "-j RETURN",
        "-j DNAT",
        "-p tcp",
        "",
        "! -d 10.0.0.1/32 -j DNAT --to-destination 10.0.0.2",
        "-d 10.0.0.1/32 -d 10.0.0.1/32 -j DNAT --to-destination 10.0.0.2",
        "-d 10.0.0.1/255.0.0.255 -j DNAT --to-destination 10.0.0.2",
        "-d 10.0.0.1/32 -m mark --mark 0x1 -j DNAT --to-destination 10.0.0.2",
        "-d 10.0.0.1/32 -m state -j DNAT --to-destination 10.0.0.2",
        "-p tcp -m udp --dport 80 -j DNAT --to-destination 10.0.0.2",
        "-p no-protocol -j DNAT --to-destination 10.0.0.2",
        "-p tcp -m tcp --dport 0 -j DNAT --to-destination 10.0.0.2",
        "-p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2-10.0.0.3",
        "-p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2:70000",
        "-p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2 --random-fully",
        "-p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2:80",
        "-p tcp -m tcp --dport 80:82 -j DNAT --to-destination 10.0.0.2:90-92",
        "-p tcp -m tcp --dport 80:82 -j DNAT --to-destination 10.0.0.2:90-92/81",
        "-p tcp -m tcp --dport 80:82 -j DNAT --to-destination 10.0.0.2:90-91/80",
        "-p tcp -m tcp --dport 80:82 -j DNAT --to-destination 10.0.0.2:90/80",
        "-p tcp -j DNAT --to-destination 10.0.0.2:90",
        "-d 10.0.0.1/32 -j DNAT --to-destination 10.0.0.0/24",
        "-d 10.0.0.0/25 -j NETMAP --to 10.1.0.0/24",
        "-d 10.0.0.1/32 -j NETMAP --to 10.1.0.1",
        "-s 10.0.0.1/32 -j SNAT --to-source 10.1.0.1",
        "-j MASQUERADE",
        "-p tcp -j REDIRECT --to-ports 80",
    ],
)
def test_what_no_entry_asks_for_is_none(text: str) -> None:
    assert parse_rule(split(text), 4, "destination") is None
