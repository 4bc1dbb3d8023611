# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rules of nft are read as translations, and which are not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.nftables_json import read_table
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.maps import MapName
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import NatRule
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.nftables_reading import fixed_text, parse_rule


def match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    """A comparison."""
    return {"match": {"op": op, "left": left, "right": right}}


def payload(protocol: str, field: str) -> dict[str, Any]:
    """A field of a packet."""
    return {"payload": {"protocol": protocol, "field": field}}


OUT = match({"meta": {"key": "oifname"}}, "wan0")
IPV4 = match({"meta": {"key": "nfproto"}}, "ipv4")
SOURCE = match(payload("ip", "saddr"), {"prefix": {"addr": "10.0.0.0", "len": 8}})
TCP = match({"meta": {"key": "l4proto"}}, "tcp")
COUNTER = {"counter": {"packets": 2, "bytes": 120}}
MASQUERADE: dict[str, Any] = {"masquerade": None}
LOOKUP = {
    "snat": {"family": "ip", "addr": {"map": {"key": payload("ip", "saddr"), "data": "@snat_ipv4_saddr"}}},
}


def read(*expressions: Any, hook: str = "source") -> Any:
    """The item that a rule is read as."""
    [rule] = read_table([{"rule": {"chain": "c", "handle": 1, "comment": "label", "expr": list(expressions)}}]).rules
    return parse_rule(rule, hook)


def test_a_rule_is_read_with_all_its_fields() -> None:
    port = match(payload("th", "dport"), {"range": [80, 81]})
    expected = NatRule(4, "masquerade", "tcp", "10.0.0.0/8", None, None, (80, 81), None, "wan0", name="label")
    assert read(IPV4, OUT, SOURCE, TCP, port, COUNTER, MASQUERADE) == expected
    # Newer versions print the protocol within the field.
    assert read(OUT, SOURCE, match(payload("tcp", "dport"), {"range": [80, 81]}), MASQUERADE) == expected


@pytest.mark.parametrize(
    "expressions",
    [
        [],
        [IPV4, match({"meta": {"key": "oifname"}}, "wan0", "!="), MASQUERADE],
        [match({"meta": {"key": "nfproto"}}, "ipv6"), SOURCE, MASQUERADE],
        [IPV4, TCP, match(payload("udp", "dport"), 53), MASQUERADE],
        [IPV4, match({"meta": {"key": "mark"}}, 1), MASQUERADE],
        [IPV4, match({"meta": {"key": "oifname"}}, {"set": ["wan0", "wan1"]}), MASQUERADE],
        [IPV4, match({"meta": {"key": "l4proto"}}, "no-protocol"), MASQUERADE],
        [IPV4, {"log": None}, MASQUERADE],
        [OUT, MASQUERADE],
        [IPV4, OUT, {"accept": None}],
        [IPV4, OUT, {"masquerade": {"addr": "192.0.2.1"}}],
        [IPV4, OUT, {"masquerade": {"flags": "fully-random"}}],
        [IPV4, OUT, {"snat": {"port": 1}}],
        [IPV4, OUT, {"snat": {"family": "ip6", "addr": "192.0.2.1"}}],
        # A translation that belongs in a map.
        [IPV4, SOURCE, {"snat": {"family": "ip", "addr": "192.0.2.1"}}],
        [OUT, LOOKUP],
        [{"snat": {"family": "ip", "addr": {"map": {"key": payload("ip", "daddr"), "data": "@snat_ipv4_saddr"}}}}],
        [{"snat": {"family": "ip", "addr": {"map": {"key": payload("ip", "saddr"), "data": "@others"}}}}],
    ],
)
def test_any_other_rule_is_unmanaged(expressions: list[Any]) -> None:
    assert read(*expressions) is None


def test_a_lookup_belongs_to_the_hook_of_its_map() -> None:
    assert read(LOOKUP) == MapName("snat", 4, ("saddr",))
    assert read(LOOKUP, hook="destination") is None
    assert read(IPV4, OUT, MASQUERADE, hook="destination") is None


def test_a_lookup_of_a_port_names_family_and_protocols() -> None:
    def lookup(*key: Any, data: str) -> dict[str, Any]:
        return {"redirect": {"port": {"map": {"key": {"concat": list(key)}, "data": data}}}}

    protocol, port = {"meta": {"key": "l4proto"}}, payload("th", "dport")
    guard = match(protocol, {"set": ["tcp", "udp", "sctp"]})
    addressed = lookup(payload("ip", "daddr"), protocol, port, data="@redirect_ipv4_daddr_proto_dport")
    name = MapName("redirect", 4, ("daddr", "proto", "dport"))
    assert read(IPV4, guard, addressed, hook="destination") == name
    # nft 1.1.3 leaves out the family, which the address implies.
    assert read(guard, addressed, hook="destination") == name
    assert read(addressed, hook="destination") is None
    assert read(IPV4, guard, addressed) is None
    bare = lookup(protocol, port, data="@redirect_ipv4_proto_dport")
    assert read(IPV4, guard, bare, hook="destination") == MapName("redirect", 4, ("proto", "dport"))
    for before in ((guard,), (match({"meta": {"key": "nfproto"}}, "ipv6"), guard), (IPV4,), (IPV4, OUT, guard)):
        assert read(*before, bare, hook="destination") is None
    flagged = {"redirect": {**bare["redirect"], "flags": "random"}}
    assert read(IPV4, guard, flagged, hook="destination") is None


def test_fixed_rules_are_compared_as_text() -> None:
    local = match({"fib": {"result": "type", "flags": ["daddr"]}}, "local")
    not_loopback = match(payload("ip", "daddr"), {"prefix": {"addr": "127.0.0.0", "len": 8}}, "!=")
    jump = {"jump": {"target": "nat_destination"}}
    [rule] = read_table([{"rule": {"chain": "c", "expr": [not_loopback, local, jump]}}]).rules
    assert fixed_text(rule) == "ip daddr != 127.0.0.0/8 fib daddr type local jump nat_destination"
    [counted] = read_table([{"rule": {"chain": "c", "expr": [COUNTER, jump]}}]).rules
    assert fixed_text(counted) == ""
