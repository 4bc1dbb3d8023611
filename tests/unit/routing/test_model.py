# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries: what means the same is equal, what is said is said again, and every fault has its place and its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.alias_engine import AliasEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import (
    Alias,
    Route,
    Rule,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.rule_fields import NO_GOTO
from hypothesis import given
from hypothesis import strategies as st

from . import hosts

NAME_RULE = "a routing table's name is made of letters, digits, '_', '.' and '-', not of digits alone"


def faults_of_aliases(*entries: Any, **options: Any) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        AliasEngine(list(entries), **options)
    return list(caught.value.faults)


def faults_of_routing(tables: Any = None, rules: Any = None) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        RoutingEngine(tables, rules)
    return list(caught.value.faults)


def faults_of_route(**route: Any) -> list[str]:
    faults = faults_of_routing([{"id": 1001, "routes": [{"name": "r", **route}]}])
    return [fault.partition("): ")[2] for fault in faults]


def faults_of_rule(**rule: Any) -> list[str]:
    return [fault.partition("): ")[2] for fault in faults_of_routing(rules=[{"name": "r", **rule}])]


@given(hosts.aliases)
def test_an_alias_is_read_as_it_is_written(entry: Any) -> None:
    alias = Alias.parse(entry)
    again = Alias.parse(alias.as_input())
    assert again.satisfied_by(alias)
    assert again.key == alias.key
    assert Alias.parse(again.as_input()) == again


@given(hosts.routes, hosts.tables)
def test_a_route_is_read_as_it_is_written(entry: Any, table: int) -> None:
    route = Route.parse(entry, table)
    written = route.as_input()
    assert written.pop("table") == table
    assert Route.parse(written, table) == route


numbers = st.integers(0, 0xFFFFFFFF)
whole_rules = st.fixed_dictionaries(
    {"priority": numbers, "family": st.sampled_from(("ipv4", "ipv6")), "table": st.integers(1, 0xFFFFFFFF)},
    optional={
        "in_interface": st.just("eth0"),
        "out_interface": st.just("eth1"),
        "mark": numbers,
        "ip_protocol": st.integers(1, 255),
        "invert": st.booleans(),
        "suppress_prefix_length": st.integers(0, 32),
        "suppress_interface_group": st.integers(0, 0xFFFFFFFE),
        "tos": st.integers(0, 255),
        "uid_range": st.sampled_from((0, "1000", "0-4294967294")),
    },
)


@given(st.one_of(hosts.rules, whole_rules))
def test_a_policy_rule_is_read_as_it_is_written(entry: Any) -> None:
    rule = Rule.parse(entry)
    assert Rule.parse(rule.as_input()) == rule


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"source": "10.0.0.1"}, {"source": "10.0.0.1/32"}),
        ({"source": "fd00::1"}, {"source": "FD00:0::1/128"}),
        ({"source": "0.0.0.0/0"}, {"family": "ipv4"}),
        ({"destination": "::/0"}, {"family": "ipv6"}),
        ({"family": "ipv4", "mark": "0x1"}, {"family": "ipv4", "mark": 1}),
        ({"family": "ipv4", "mark": "1/0xffffffff"}, {"family": "ipv4", "mark": "1"}),
        ({"family": "ipv4", "table": "main"}, {"family": "ipv4", "table": 254}),
        ({"family": "ipv4", "table": "local"}, {"family": "ipv4", "table": "255"}),
        ({"family": "ipv4", "ip_protocol": "tcp"}, {"family": "ipv4", "ip_protocol": 6}),
        (
            {"family": "ipv4", "ip_protocol": "tcp", "source_port": 80},
            {"family": "ipv4", "ip_protocol": "tcp", "source_port": "80-80"},
        ),
        ({"family": "ipv4", "invert": False, "action": "lookup", "mark": None}, {"family": "ipv4"}),
        ({"family": "ipv4", "name": "a label"}, {"family": "ipv4"}),
        ({"family": "ipv4", "tos": 16}, {"family": "ipv4", "tos": "0x10"}),
        ({"family": "ipv4", "tos": 0}, {"family": "ipv4"}),
        ({"family": "ipv4", "uid_range": 1000}, {"family": "ipv4", "uid_range": "1000-1000"}),
    ],
)
def test_two_ways_to_write_a_policy_rule(one: Any, other: Any) -> None:
    base = {"priority": 5, "table": 7}
    assert Rule.parse({**base, **one}) == Rule.parse({**base, **other})


@pytest.mark.parametrize(
    "changed",
    [{"source": "10.0.0.2"}, {"invert": True}, {"mark": "0/0xff"}, {"priority": 6}, {"tos": 8}, {"uid_range": 0}],
)
def test_policy_rules_that_differ(changed: Any) -> None:
    base = {"priority": 5, "source": "10.0.0.1", "table": 7}
    assert Rule.parse({**base, **changed}).key != Rule.parse(base).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"destination": "default", "gateway": "10.0.0.1"}, {"destination": "0.0.0.0/0", "gateway": "10.0.0.1"}),
        ({"destination": "default", "gateway": "fd00::1"}, {"destination": "::/0", "gateway": "fd00:0::1"}),
        (
            {"destination": "::/0", "interface": "eth0"},
            {"destination": "default", "family": "ipv6", "interface": "eth0", "metric": 1024},
        ),
        ({"destination": "::/0", "interface": "eth0", "metric": 0}, {"destination": "::/0", "interface": "eth0"}),
        ({"destination": "10.0.0.1", "type": "throw"}, {"destination": "10.0.0.1/32", "type": "throw", "metric": 0}),
        (
            {"destination": "10.0.0.0/8", "nexthops": [{"gateway": "10.0.0.1"}, {"gateway": "10.0.0.2"}]},
            {"destination": "10.0.0.0/8", "nexthops": [{"gateway": "10.0.0.2", "weight": 1}, {"gateway": "10.0.0.1"}]},
        ),
        (
            {"destination": "10.0.0.0/8", "nexthops": [{"gateway": "10.0.0.1", "interface": "eth0", "weight": 7}]},
            {"destination": "10.0.0.0/8", "gateway": "10.0.0.1", "interface": "eth0"},
        ),
    ],
)
def test_two_ways_to_write_a_route(one: Any, other: Any) -> None:
    assert Route.parse(one, 7) == Route.parse(other, 7)


def test_the_weights_of_next_hops_are_no_small_matter() -> None:
    hops = [{"gateway": "10.0.0.1", "weight": 4}, {"gateway": "10.0.0.2"}]
    swapped = [{"gateway": "10.0.0.1"}, {"gateway": "10.0.0.2", "weight": 4}]
    one, other = (Route.parse({"destination": "10.0.0.0/8", "nexthops": some}, 7) for some in (hops, swapped))
    assert one.key == other.key
    assert not one.satisfied_by(other)


def test_an_interface_left_out_is_the_kernels_choice() -> None:
    asked = Route.parse({"destination": "10.0.0.0/8", "gateway": "10.0.0.1"}, 7)
    found = Route.parse({"destination": "10.0.0.0/8", "gateway": "10.0.0.1", "interface": "eth0"}, 7)
    assert asked.satisfied_by(found)
    assert not found.satisfied_by(asked)


def test_every_fault_of_a_list_of_aliases_is_told_with_its_place() -> None:
    twice = "two entries for one address 10.0.0.9/32 on eth0; keep one of them"
    assert faults_of_aliases(
        {"address": "192.168.168.300/24", "interface": "eth0"},
        {"name": "unicom", "address": "10.0.0.0/24", "interface": "eth0/1", "label": 5},
        None,
        "10.0.0.1/24",
        {},
        {"address": "10.0.0.1/24", "interface": "eth0", "adress": "10.0.0.1/24"},
        {"address": "fd00::1/64", "interface": "eth0", "label": "eth0:1"},
        {"address": "10.0.0.2/24", "interface": "eth0", "label": "eth1:1"},
        {"address": "10.0.0.2/24", "interface": "eth0", "label": "eth0:" + "x" * 11},
        {"address": "10.0.0.9", "interface": "eth0"},
        {"address": "10.0.0.9/32", "interface": "eth0"},
        owner=300,
    ) == [
        "aliases[0] (192.168.168.300/24): not an IP address",
        'aliases[1] (unicom): address "10.0.0.0/24": the address of the network 10.0.0.0/24, not of a host',
        'aliases[1] (unicom): interface "eth0/1": not an interface name',
        'aliases[1] (unicom): label "5": not a printable, non-empty string',
        "aliases[2]: not a dictionary but NoneType",
        "aliases[3]: not a dictionary but str",
        "aliases[4]: address is missing",
        "aliases[4]: interface is missing",
        'aliases[5] (10.0.0.1/24): unknown field "adress"; known are address, interface, label, preferred_lifetime',
        'aliases[6] (fd00::1/64): label "eth0:1": IPv6 addresses have no label',
        'aliases[7] (10.0.0.2/24): label "eth1:1": begin it with the interface, as in "eth0:1"',
        f'aliases[8] (10.0.0.2/24): label "eth0:{"x" * 11}": a label has at most 15 bytes',
        f"aliases[9] (10.0.0.9) and aliases[10] (10.0.0.9/32): {twice}",
        'protocol "300": not within 1 to 255',
    ]


def test_an_interface_has_an_ipv6_address_once() -> None:
    entries = ({"address": f"fd00::1/{length}", "interface": "eth0"} for length in (64, 48))
    (fault,) = faults_of_aliases(*entries)
    assert fault.startswith("aliases[0] (fd00::1/64) and aliases[1] (fd00::1/48): two entries for one address")


@pytest.mark.parametrize("taken", [1, 2, 3, 4])
def test_an_owner_that_is_taken(taken: int) -> None:
    (fault,) = faults_of_aliases(owner=taken)
    assert fault.startswith(f"protocol {taken}: protocol {taken} (")
    assert fault.endswith("is taken; choose one from 5 to 255")


def test_every_fault_of_tables_and_rules_is_told_at_once() -> None:
    assert faults_of_routing(
        tables=[
            {"id": 0},
            {"name": "unnumbered", "routes": []},
            {"id": 1001, "name": "un icom", "routes": "none"},
            {"id": 1002, "name": "interlink", "routes": [{"destination": "10.0.0.1/8"}, None]},
            {"id": 1002, "name": "main"},
            7,
        ],
        rules=[{"priority": "first"}, {"priority": 5, "source": "10.0.0.1", "table": "nowhere"}],
    ) == [
        "tables[0] (0): not within 1 to 4294967295",
        "tables[1] (unnumbered): id is missing",
        f'tables[2] (un icom): name "un icom": {NAME_RULE}',
        'tables[2] (un icom): routes "none": not a list',
        "tables[3] (interlink) and tables[4] (main): two entries for one routing table 1002; keep one of them",
        'tables[4] (main): name "main": is the routing table 254 on every host',
        "tables[5]: not a dictionary but int",
        "tables[3] (interlink).routes[0] (10.0.0.1/8): has host bits set; the prefix is 10.0.0.0/8, the host 10.0.0.1",
        "tables[3] (interlink).routes[1]: not a dictionary but NoneType",
        "rules[0] (first): not a whole number",
        'rules[1] (5): table "nowhere": no table of this name is declared in tables',
    ]


@pytest.mark.parametrize(
    ("route", "reasons"),
    [
        ({}, ["destination is missing"]),
        ({"destination": "default", "interface": "eth0"}, ["the family is missing; write destination"]),
        ({"destination": "10.0.0.0/8", "gateway": "fd00::1"}, ["mixes IPv4 and IPv6"]),
        ({"destination": "10.0.0.0/8"}, ["needs a gateway, an interface or nexthops"]),
        (
            {"destination": "10.0.0.0/8", "type": "blackhole", "gateway": "10.0.0.1"},
            ["a route of type blackhole has no"],
        ),
        ({"destination": "10.0.0.0/8", "type": "throw", "onlink": True}, ["a route of type throw has no next hop"]),
        ({"destination": "10.0.0.0/8", "type": "local"}, ['type "local": not one of unicast, blackhole, unreachable']),
        ({"destination": "10.0.0.0/8", "gateway": "10.0.0.1", "onlink": True}, ["onlink needs both a gateway and an"]),
        ({"destination": "10.0.0.0/8", "gateway": "0.0.0.0"}, ['gateway "0.0.0.0": not the address of a host']),
        (
            {"destination": "10.0.0.0/8", "interface": "eth0", "source": "::"},
            ['source "::": not the address of a host'],
        ),
        (
            {"destination": "fd00::/8", "gateway": "fe80::1"},
            ['gateway "fe80::1": is on every link; name the interface'],
        ),
        ({"destination": "10.0.0.0/8", "interface": "eth0", "mtu": 65521}, ['mtu "65521": not within 68 to 65520']),
        ({"destination": "10.0.0.0/8", "interface": "eth0", "metric": -1}, ['metric "-1": not within 0 to 4294967295']),
        ({"destination": "10.0.0.0/8", "nexthops": []}, ["nexthops: not a list of next hops"]),
        (
            {"destination": "10.0.0.0/8", "gateway": "10.0.0.1", "nexthops": [{"gateway": "10.0.0.2"}]},
            ["has nexthops beside a gateway or interface; use one of them"],
        ),
        (
            {"destination": "10.0.0.0/8", "nexthops": [{}, {"gateway": "x", "weight": 257}]},
            ['nexthops: [0] needs a gateway, an interface or both; [1] not an IP address; weight "257": not within'],
        ),
        (
            {"destination": "10.0.0.0/8", "nexthops": [{"gateway": "10.0.0.1"}, {"gateway": "10.0.0.1", "weight": 2}]},
            ["nexthops: the same next hop twice; give it a weight instead"],
        ),
        (
            {"destination": "fd00::/8", "nexthops": [{"gateway": "fe80::1"}, {"gateway": "fd00::2"}]},
            ['nexthops: [0] gateway "fe80::1": is on every link; name the interface too'],
        ),
        (
            {"destination": "fd00::/8", "nexthops": [{"gateway": "fd00::1"}, {"interface": "eth0"}]},
            ["each of several IPv6 next hops needs a gateway"],
        ),
    ],
)
def test_routes_that_cannot_be_meant(route: Any, reasons: list[str]) -> None:
    faults = faults_of_route(**route)
    assert [fault[: len(reason)] for fault, reason in zip(faults, reasons, strict=True)] == reasons


@pytest.mark.parametrize(
    ("rule", "reasons"),
    [
        ({}, ["priority is missing"]),
        ({"priority": 5, "table": 7}, ["the family is missing; give family: ipv4 or ipv6"]),
        ({"priority": 5, "source": "10.0.0.1"}, ["a rule that looks up needs a table"]),
        ({"priority": 5, "source": "10.0.0.1", "destination": "::/0", "table": 7}, ["mixes IPv4 and IPv6"]),
        ({"priority": 5, "source": "10.0.0.1", "family": "ipv6", "table": 7}, ["mixes IPv4 and IPv6"]),
        ({"priority": 5, "family": "ipx", "table": 7}, ['family "ipx": not one of ipv4, ipv6']),
        (
            {"priority": 5, "source": "10.0.0.1", "action": "unreachable", "table": 7},
            ["action unreachable looks up no route; leave out table"],
        ),
        (
            {"priority": 5, "source": "10.0.0.1", "action": "prohibit", "suppress_interface_group": 109},
            ["action prohibit looks up no route; leave out suppress_interface_group"],
        ),
        ({"priority": 5, "source": "10.0.0.1", "goto": 100}, [NO_GOTO]),
        ({"priority": 5, "source": "10.0.0.1", "action": "goto"}, [f'action "goto": {NO_GOTO}']),
        ({"priority": 5, "source": "10.0.0.1", "table": 7, "tos": 256}, ['tos "256": not within 0 to 255']),
        ({"priority": 5, "source": "10.0.0.1", "table": 7, "tos": "low"}, ['tos "low": not a number as 16 or 0x10']),
        (
            {"priority": 5, "source": "10.0.0.1", "table": 7, "uid_range": "root"},
            ['uid_range "root": not a user ID or a range FIRST-LAST'],
        ),
        (
            {"priority": 5, "source": "10.0.0.1", "table": 7, "uid_range": "1000-4294967295"},
            ['uid_range "1000-4294967295": not a user ID or a range FIRST-LAST'],
        ),
        (
            {"priority": 5, "source": "10.0.0.1", "table": 7, "uid_range": "2-1"},
            ['uid_range "2-1": the range runs backwards'],
        ),
        (
            {"priority": 5, "source": "10.0.0.1", "table": 7, "suppress_interface_group": 4294967295},
            ['suppress_interface_group "4294967295": not within 0 to 4294967294'],
        ),
        (
            {"priority": 5, "source": "10.0.0.1", "table": 7, "source_port": 80},
            ["a port selects nothing without ip_protocol"],
        ),
        ({"priority": 5, "source": "10.0.0.1", "table": 0}, ['table "0": table number not within 1 to 4294967295']),
        ({"priority": 5, "source": "10.0.0.1", "table": -1}, ['table "-1": table number not within 1 to 4294967295']),
        ({"priority": 2**32, "source": "10.0.0.1", "table": 7}, ['priority "4294967296": not within 0 to 4294967295']),
        (
            {"priority": 5, "source": "10.0.0.1", "table": 7, "suppress_prefix_length": 33},
            ["suppress_prefix_length: IPv4 prefixes have at most 32 bits"],
        ),
        (
            {"priority": 5, "source": "fd00::1", "table": 7, "suppress_prefix_length": 129},
            ['suppress_prefix_length "129": not within 0 to 128'],
        ),
        (
            {"priority": 5, "source": "10.0.0.1", "table": 7, "ip_protocol": "tcp", "source_port": 0},
            ['source_port "0": port 0 is not within 1 to 65535'],
        ),
        (
            {"priority": 5, "source": "10.0.0.1", "table": 7, "ip_protocol": "tcp", "destination_port": "1-65535"},
            ['destination_port "1-65535": Linux takes only ports 1 to 65534 in a policy rule'],
        ),
        (
            {"priority": 5, "source": "10.0.0.1", "table": 7, "invert": "never"},
            ['invert "never": neither true nor false'],
        ),
    ],
)
def test_rules_that_cannot_be_meant(rule: Any, reasons: list[str]) -> None:
    assert faults_of_rule(**rule) == reasons


def test_the_largest_values_that_the_kernel_takes_in_a_rule_are_accepted() -> None:
    ports = {"ip_protocol": "tcp", "source_port": "1-65534", "destination_port": 65534}
    ipv4 = {"priority": 5, "source": "10.0.0.1", "table": 7, "suppress_prefix_length": 32, **ports}
    ipv6 = {"priority": 5, "source": "fd00::1", "table": 7, "suppress_prefix_length": 128}
    assert [Rule.parse(entry).suppress_prefix_length for entry in (ipv4, ipv6)] == [32, 128]


def test_rules_written_twice_and_rules_that_the_kernel_cannot_hold_together() -> None:
    assert faults_of_routing(
        rules=[
            {"priority": 5, "source": "10.0.0.1", "table": "main"},
            {"priority": 5, "source": "10.0.0.1/32", "table": 7},
        ]
    ) == ["rules[0] (5) and rules[1] (5): two entries for one IPv4 rule 5 (source 10.0.0.1, table 7); keep one of them"]
    (fault,) = faults_of_routing(
        rules=[
            {"priority": 5, "source": "10.0.0.1", "table": 7},
            {"priority": 5, "source": "10.0.0.2", "table": 7},
            {"priority": 5, "family": "ipv4", "table": 7, "name": "all"},
        ]
    )
    assert fault == (
        "rules[2] (all): the kernel cannot tell it from rules[0] (5), which differs only in source, destination, "
        "tos or invert; give it another priority"
    )


junk = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(("10.0.0.1/24", "eth0")))
fields = st.sampled_from(sorted({*Alias.FIELDS, *Route.FIELDS, *Rule.FIELDS}))
junk_entries = st.one_of(junk, st.dictionaries(fields, junk))


@given(st.lists(junk_entries, max_size=4), st.lists(junk_entries, max_size=4), st.lists(junk_entries, max_size=4))
def test_of_any_list_comes_an_engine_or_its_faults(aliases: Any, routes: Any, rules: Any) -> None:
    for make in (
        lambda: AliasEngine(aliases),
        lambda: RoutingEngine([{"id": 5, "routes": routes}, *routes], rules),
    ):
        faults = faults_of(make)
        assert all(faults)
        assert len(set(faults)) == len(faults)


def faults_of(make: Callable[[], Any]) -> tuple[str, ...]:
    try:
        make()
    except InvalidInput as error:
        return error.faults
    return ()
