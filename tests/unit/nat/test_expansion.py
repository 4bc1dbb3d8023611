# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries with lists, ranges and negations become plain entries that match the same, each packet by one of them."""

from __future__ import annotations

import ipaddress
from typing import Any, Literal

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.expansion import Expansion
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import parse_rules
from ansible_collections.multihome.linux.tests.unit.nat.hosts import KINDS, FakeHost
from hypothesis import given
from hypothesis import strategies as st

WEB = {"type": "dnat", "protocol": "tcp", "destination": "203.0.113.10", "to_address": "192.168.168.1"}


def of(field: str, written: str) -> list[str]:
    """Return the values of a field."""
    expansion = Expansion({"type": "snat", field: written})
    parts = [entry[field] for entry in expansion.parts()]
    assert len(parts) == expansion.count
    return parts


@pytest.mark.parametrize(
    ("field", "written", "expected"),
    [
        ("source", "10.0.0.0/8", ["10.0.0.0/8"]),
        ("source", "10.0.0.0/25, 10.0.0.128/25,10.0.0.7", ["10.0.0.0/24"]),
        ("source", "10.0.0.1-10.0.0.4", ["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/32"]),
        ("source", "!0.0.0.0/1", ["128.0.0.0/1"]),
        ("source", "!128.0.0.0/1,0.0.0.0/2", ["64.0.0.0/2"]),
        ("destination", "!::/1", ["8000::/1"]),
        ("destination_port", "443, 80", ["80", "443"]),
        ("destination_port", "5000-5010,5005-5020,80", ["80", "5000-5020"]),
        ("source_port", "5000-6000", ["5000-6000"]),
    ],
)
def test_a_value_becomes_several(field: str, written: str, expected: list[str]) -> None:
    assert of(field, written) == expected


@given(st.data(), st.sampled_from([4, 6]))
def test_each_address_is_matched_by_one_part_or_by_none(data: st.DataObject, family: Literal[4, 6]) -> None:
    addresses = st.ip_addresses(v=family)
    limits = sorted(data.draw(st.tuples(addresses, addresses)), key=int)
    prefix = ipaddress.ip_network(
        (int(data.draw(addresses)), data.draw(st.integers(1, 128 if family == 6 else 32))), False
    )
    written = f"{limits[0]}-{limits[1]},{prefix}"
    # The limits, and whatever is beside them.
    near = [int(limit) + step for limit in (*limits, prefix[0], prefix[-1]) for step in (-1, 0, 1)]
    kind: Any = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
    parts = [ipaddress.ip_network(part) for part in of("source", written)]
    try:
        others = [ipaddress.ip_network(part) for part in of("source", f"!{written}")]
    except InvalidInput:
        others = []
    for address in (kind(number) for number in near if 0 <= number < 2 ** (32 if family == 4 else 128)):
        expected = address in prefix or int(limits[0]) <= int(address) <= int(limits[1])
        assert sum(address in part for part in parts) == expected
        assert sum(address in part for part in others) == (not expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_is_an_entry_for_each_combination_and_the_second_run_does_nothing(kind: str) -> None:
    listed = [{**WEB, "source": "192.0.2.0/24,198.51.100.7", "destination_port": "80,443", "to_port": "8080"}]
    host = FakeHost(kind)
    engine, outcome = host.run(listed)
    found = [(entry["source"], entry["destination_port"]) for entry in engine.after(outcome.plan)]
    sources = ("192.0.2.0/24", "198.51.100.7")
    assert sorted(found) == [(source, port) for source in sources for port in ("443", "80")]
    assert not host.run(listed)[1].changed
    assert host.run([{**listed[0], "destination_port": "80"}])[1].changed


def test_a_range_to_one_port_is_one_element() -> None:
    host = FakeHost("nft 1.0.6")
    host.run([{**WEB, "destination_port": "5000-6000", "to_port": "443"}])
    assert (
        "dnat_ipv4_daddr_proto_djoin { 203.0.113.10 . 6 . 5000-6000 counter : 192.168.168.1 . 443 }"
        in host.nft.written[0]
    )


def test_a_fault_is_said_once_and_combinations_have_a_limit() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_rules([{**WEB, "source": "10.0.0.1,10.0.0.3", "to_address": "x", "destination_port": "80,443"}])
    assert raised.value.faults == ('rules[0] (203.0.113.10): to_address "x": not an IP prefix',)
    ports = ",".join(str(port) for port in range(1, 2000, 2))
    with pytest.raises(InvalidInput, match="combinations of sources and ports; at most 100000"):
        parse_rules([{**WEB, "source": "!2001:db8::1", "destination": "2001:db8::1", "destination_port": ports}])


def test_an_entry_of_millions_of_combinations_is_refused_before_they_are_made() -> None:
    listed = {
        name: ",".join(f"10.{net}.{number >> 8}.{number & 255}" for number in range(1, 6001, 2))
        for net, name in enumerate(("source", "destination"))
    }
    with pytest.raises(InvalidInput) as raised:
        parse_rules([{**WEB, **listed}, {**WEB, "source": "x,y"}])
    assert raised.value.faults[1:] == (
        "rules has 9000000 combinations of sources and ports; at most 100000 are supported",
    )
    assert raised.value.faults[0].startswith('rules[1] (203.0.113.10): source "x,y"')


FIRST = {**WEB, "to_address": "192.168.168.2"}


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        ({"destination_port": "443"}, {"destination_port": "80,443"}, ["80"]),
        ({"destination_port": "80,443"}, {"destination_port": "443,8443,80"}, ["8443"]),
        ({"source": "10.0.0.1"}, {"source": "10.0.0.1,10.0.0.3"}, ["10.0.0.3"]),
        ({"source": "!10.0.0.0/8"}, {"source": "!11.0.0.0/8"}, ["10.0.0.0/8"]),
    ],
)
def test_the_first_entry_decides_about_what_several_name(
    first: dict[str, Any], second: dict[str, Any], left: list[str]
) -> None:
    found = [entry.object for entry in parse_rules([{**FIRST, **first}, {**WEB, **second}])]
    assert len({rule.key for rule in found}) == len(found)
    field = next(iter(second))
    of_second = [rule.as_input()[field] for rule in found if rule.to_address == WEB["to_address"]]
    assert of_second == left


@pytest.mark.parametrize("ports", ["443", "443,80", "80,443"])
def test_an_entry_that_others_leave_nothing_of_is_refused(ports: str) -> None:
    listed = [{**FIRST, "destination_port": "80"}, {**FIRST, "destination_port": "443"}]
    with pytest.raises(InvalidInput, match="two entries for one dnat") as raised:
        parse_rules([*listed, {**WEB, "name": "last", "destination_port": ports}, {**WEB, "source": "!10.0.0.1"}])
    assert len(raised.value.faults) == 1
    assert "and rules[2] (last): " in raised.value.faults[0]
