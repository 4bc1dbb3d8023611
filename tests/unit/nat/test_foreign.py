# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translations of other programs that take connections of an entry, and those that take none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.rulesets import (
    Table,
    read_iptables,
    read_nft,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.foreign import (
    FIRST,
    LATER,
    UNKNOWN,
    foreign_translations,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import parse_rules

WEB = {
    "name": "web",
    "type": "dnat",
    "protocol": "tcp",
    "destination": "203.0.113.10",
    "destination_port": "80",
    "to_address": "192.168.168.1",
}
OUT = {"type": "snat", "source": "192.168.168.1", "out_interface": "wan0", "to_address": "203.0.113.10"}
DOCKER = """*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport {port} -j DNAT --to-destination 172.17.0.2:80
COMMIT
"""
BY_HAND = """*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
{}
COMMIT
"""
JUMP = "-A PREROUTING -m comment --comment multihome.linux -j multihome-destination"


def found(tables: list[Table], *rules: dict[str, Any], backend: str = "nftables") -> list[tuple[str, str]]:
    """Return order and rule of each finding."""
    parsed = [entry.object for entry in parse_rules(list(rules) or [WEB, OUT])]
    return [(one.order, one.rule) for one in foreign_translations(tables, parsed, backend, "multihome")]


def by_hand(*lines: str) -> list[Table]:
    """Return the tables of iptables with some rules."""
    return read_iptables(BY_HAND.format("\n".join(lines)), 4)


@pytest.mark.parametrize(
    ("rule", "takes"),
    [
        ("-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80", True),
        ("-A PREROUTING -p tcp -m multiport --dports 443,70:90 -j DNAT --to-destination 172.17.0.2", True),
        ("-A PREROUTING -d 203.0.113.0/24 -j DNAT --to-destination 172.17.0.2", True),
        ("-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 3128", True),
        ("-A PREROUTING -p tcp -m tcp --dport 81 -j DNAT --to-destination 172.17.0.2:80", False),
        ("-A PREROUTING -p udp -m udp --dport 80 -j DNAT --to-destination 172.17.0.2:80", False),
        ("-A PREROUTING -d 203.0.113.11/32 -j DNAT --to-destination 172.17.0.2", False),
        ("-A PREROUTING -p tcp -m tcp --dport 80 -j RETURN", False),
        ("-A PREROUTING -d 203.0.113.0/24 -j NETMAP --to 172.17.0.0/24", True),
        ("-A PREROUTING -d 203.0.114.0/24 -j NETMAP --to 172.17.0.0/24", False),
        ("-A POSTROUTING -s 192.168.168.0/24 -j NETMAP --to 203.0.113.0/24", True),
        ("-A POSTROUTING -o wan0 -j MASQUERADE", True),
        ("-A POSTROUTING -o wan1 -j MASQUERADE", False),
        ("-A POSTROUTING -s 10.0.0.0/8 -j SNAT --to-source 203.0.113.11", False),
    ],
)
def test_a_rule_takes_connections_or_not(rule: str, takes: bool) -> None:
    listed = found(by_hand(rule))
    assert len(listed) == takes
    # With nftables, the entries are asked first.
    assert {order for order, _rule in listed} <= {LATER}


def test_the_place_before_the_jump_decides_with_iptables() -> None:
    dnat = "-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80"
    shown = "DNAT protocol tcp port 80"
    assert found(by_hand(dnat, JUMP), backend="iptables") == [(FIRST, shown)]
    assert found(by_hand(JUMP, dnat), backend="iptables") == [(LATER, shown)]
    # The jump becomes the first rule when it is added.
    assert found(by_hand(dnat), backend="iptables") == [(LATER, shown)]


def test_a_container_engine_takes_only_the_ports_that_it_publishes() -> None:
    tables = read_iptables(DOCKER.format(port=80), 4)
    assert found(tables) == [
        (LATER, "DNAT in_interface".replace("in_interface", "from not docker0 protocol tcp port 80"))
    ]
    [one] = foreign_translations(tables, [entry.object for entry in parse_rules([WEB])], "nftables", "multihome")
    assert (one.owner, one.place) == ("Docker", "iptables table nat, chain DOCKER")
    assert found(read_iptables(DOCKER.format(port=8080), 4)) == []


def nft(priority: int, *expressions: Any, hook: str = "prerouting") -> list[Table]:
    """Return a table of nft with one rule."""
    base = {"family": "inet", "table": "other", "name": "c", "type": "nat", "hook": hook, "prio": priority}
    rule = {"family": "inet", "table": "other", "chain": "c", "handle": 2, "expr": list(expressions)}
    return read_nft(
        [{"table": {"family": "inet", "name": "other"}}, {"chain": {**base, "policy": "accept"}}, {"rule": rule}]
    )[0]


PORT = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 80}}
DNAT = {"dnat": {"family": "ip", "addr": "172.17.0.2"}}


@pytest.mark.parametrize(
    ("priority", "backend", "order"),
    [
        (-150, "nftables", FIRST),
        (-101, "nftables", UNKNOWN),
        (-100, "nftables", LATER),
        (-101, "iptables", FIRST),
        (-100, "iptables", UNKNOWN),
        (0, "iptables", LATER),
    ],
)
def test_the_priority_decides_with_nft(priority: int, backend: str, order: str) -> None:
    assert found(nft(priority, PORT, DNAT), backend=backend) == [(order, "DNAT protocol tcp port 80")]


def test_conditions_that_are_not_known_make_the_finding_uncertain() -> None:
    mark = {"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 7}}
    mapped = {"dnat": {"family": "ip", "addr": {"map": {"key": {"payload": {}}, "data": "@theirs"}}}}
    several = {"match": {**PORT["match"], "right": {"set": [443, {"range": [70, 90]}]}}}
    assert [order for order, _rule in found(nft(-150, several, DNAT))] == [FIRST]
    for expressions in ([PORT, mark, DNAT], [PORT, mapped]):
        assert [order for order, _rule in found(nft(-150, *expressions))] == [UNKNOWN]


@pytest.mark.parametrize(("name", "order"), [("wan0", LATER), ("wan1", None)])
@pytest.mark.parametrize("key", ["oif", "oifname"])
def test_an_interface_is_known_by_its_name_and_by_its_number(key: str, name: str, order: str | None) -> None:
    leaves = {"match": {"op": "==", "left": {"meta": {"key": key}}, "right": name}}
    listed = found(nft(100, leaves, {"masquerade": None}, hook="postrouting"))
    assert [one for one, _rule in listed] == ([] if order is None else [order])


def test_entries_that_translate_nothing_and_the_own_table_are_left_out() -> None:
    assert found(nft(-150, PORT, DNAT), {"type": "exempt", "destination": "203.0.113.10"}) == []
    own = nft(-150, PORT, DNAT)
    own[0].name = "multihome"
    assert found(own) == []
    # A chain of another type translates nothing.
    chain = nft(-150, PORT, DNAT)
    chain[0].chains["c"].type = "filter"
    assert found(chain) == []


def test_a_message_names_entry_rule_and_program() -> None:
    rules = [entry.object for entry in parse_rules([WEB, {**WEB, "name": None, "destination": "203.0.113.11"}])]
    [one] = foreign_translations(nft(-150, PORT, DNAT), rules, "nftables", "multihome")
    assert one.message == (
        "its rule DNAT protocol tcp port 80 is asked first, and takes connections of the entry web and of 1 more"
    )
    assert one.as_result()["entry"]["to_address"] == "192.168.168.1"


EXEMPT = "-A POSTROUTING -s 192.168.168.0/24 -d 10.9.0.0/16 -j ACCEPT"
RETURNED = "-A PREROUTING -p tcp -m tcp --dport 80 -j RETURN"
SOURCE_JUMP = JUMP.replace("PREROUTING", "POSTROUTING").replace("destination", "source")


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ((EXEMPT, SOURCE_JUMP), "ACCEPT source 192.168.168.0/24 destination 10.9.0.0/16"),
        ((RETURNED, JUMP), "RETURN protocol tcp port 80"),
        # Behind the jump it decides nothing, and for another port it is no matter.
        ((JUMP, RETURNED), None),
        ((RETURNED.replace("80", "81"), JUMP), None),
        # Nor is it for what this host sends to itself.
        (("-A PREROUTING -i lo -j ACCEPT", JUMP), None),
        (("-A PREROUTING ! -i lo -j ACCEPT", JUMP), "ACCEPT from not lo"),
        # A chain of its own returns to the next rule of the base chain.
        (("-A PREROUTING -j THEIRS", RETURNED.replace("PREROUTING", "THEIRS"), JUMP), None),
        (("-A PREROUTING -j THEIRS", "-A THEIRS -p tcp -j ACCEPT", JUMP), "ACCEPT protocol tcp"),
    ],
)
def test_an_accept_before_the_jump_keeps_connections_from_the_entries_of_iptables(
    lines: tuple[str, ...], rule: str | None
) -> None:
    tables = read_iptables(BY_HAND.format("\n".join((":THEIRS - [0:0]", *lines))), 4)
    assert found(tables, backend="iptables") == ([] if rule is None else [(UNKNOWN, rule)])
    # Other chains do not care for the accept of one.
    assert found(tables) == []


def test_a_message_of_a_rule_that_translates_nothing_says_so() -> None:
    [one] = foreign_translations(
        by_hand(RETURNED, JUMP), [entry.object for entry in parse_rules([WEB])], "iptables", "multihome"
    )
    assert one.message == (
        "its rule RETURN protocol tcp port 80 may be asked first, and may leave connections of the entry web"
        " untranslated"
    )
    assert "limit it to packets that no entry is for" in one.remedy


RAW = """*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
{}
COMMIT
"""


@pytest.mark.parametrize(
    ("rule", "order"),
    [
        ("-A PREROUTING -p tcp -m tcp --dport 80 -j CT --notrack", FIRST),
        ("-A PREROUTING -p tcp -m tcp --dport 80 -j NOTRACK", FIRST),
        ("-A PREROUTING -i wan0 -p tcp -m tcp --dport 80 -m mark --mark 0x7 -j CT --notrack", UNKNOWN),
        # What the server initiates is not translated either, if it leaves by a line.
        ("-A PREROUTING -s 192.168.168.0/24 -p udp -m udp --dport 53 -j CT --notrack", UNKNOWN),
        ("-A PREROUTING -d 169.254.20.10/32 -p udp -m udp --dport 53 -j CT --notrack", UNKNOWN),
        ("-A PREROUTING -i wan0 -p udp -m udp --dport 53 -j CT --notrack", None),
        ("-A PREROUTING -i lo -j CT --notrack", None),
        ("-A PREROUTING -p tcp -m tcp --dport 80 -j CT --zone 7", None),
        ("-A OUTPUT -p tcp -m tcp --dport 80 -j CT --notrack", None),
    ],
)
@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_packets_that_are_not_tracked_are_translated_by_nobody(rule: str, order: str | None, backend: str) -> None:
    listed = found(read_iptables(RAW.format(rule), 4), backend=backend)
    # A rule for any source is one for what comes in, and for what servers initiate.
    assert [one for one, _rule in listed][:1] == ([] if order is None else [order])
    assert {one for one, _rule in listed[1:]} <= {UNKNOWN}


@pytest.mark.parametrize(("priority", "order"), [(-300, FIRST), (-201, FIRST), (-200, None), (-150, None)])
def test_tracking_ends_before_it_begins_only(priority: int, order: str | None) -> None:
    tables = nft(priority, PORT, {"notrack": None}, {"accept": None})
    tables[0].chains["c"].type = "filter"
    assert found(tables, WEB) == ([] if order is None else [(order, "NOTRACK protocol tcp port 80")])
