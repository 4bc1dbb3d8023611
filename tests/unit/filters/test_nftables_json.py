# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The typed reading of nft's JSON: every kind of object, both spellings of types and lists, and unknown objects."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.nftables_json import (
    NftChain,
    NftElement,
    NftMatch,
    NftTable,
    concatenated,
    read_prefix,
    read_ruleset,
    read_table,
    selector,
    values,
)

OF = {"family": "inet", "table": "t"}
TABLE: dict[str, Any] = {"table": {"family": "inet", "name": "t", "handle": 1}}
BASE: dict[str, Any] = {"chain": {**OF, "name": "c", "type": "filter", "hook": "forward", "prio": -5, "policy": "drop"}}
JUMPED: dict[str, Any] = {"chain": {**OF, "name": "d", "handle": 3}}
MATCH = {"match": {"op": "!=", "left": {"meta": {"key": "iifname"}}, "right": "wan0"}}
COUNTER = {"counter": {"packets": 3, "bytes": 180}}
RULE: dict[str, Any] = {
    "rule": {**OF, "chain": "c", "handle": 7, "comment": "why", "expr": [MATCH, COUNTER, {"accept": None}]}
}


def a_map(**changes: Any) -> dict[str, Any]:
    """A map as nft prints it."""
    body = {**OF, "name": "m", "type": ["ipv4_addr", "inet_service"], "map": "mark", "flags": ["interval"], **changes}
    return {"map": body}


def test_every_kind_of_object_is_read_in_any_order() -> None:
    objects = [{"metainfo": {"version": "1.1.3"}}, TABLE, a_map(), JUMPED, BASE, RULE]
    for order in (objects, [objects[1], *reversed(objects[2:])]):
        table = read_table(order)
        assert (table.family, table.name, table.has_others) == ("inet", "t", False)
        assert table.chains["c"] == NftChain("c", "filter", "forward", -5, "drop")
        assert table.chains["d"] == NftChain("d")
        [rule] = table.rules_of("c")
        assert (rule.handle, rule.comment, rule.counted) == (7, "why", (3, 180))
        assert [expression.kind for expression in rule.expressions] == ["match", "counter", "accept"]
        assert rule.expressions[0].match() == NftMatch("meta iifname", "!=", "wan0")
        assert rule.expressions[2].match() is None
        assert table.rules_of("d") == []


@pytest.mark.parametrize("printed", ["ipv4_addr . inet_service", ["ipv4_addr", "inet_service"]])
def test_both_spellings_of_concatenated_types_are_the_same(printed: Any) -> None:
    found = read_table([a_map(type=printed, map=printed, flags="interval")]).sets["m"]
    assert found.key_types == found.value_types == ("ipv4_addr", "inet_service")
    assert found.flags == ("interval",)


def test_elements_have_key_value_comment_and_counter() -> None:
    plain = ["10.0.0.1", 7]
    full = [{"elem": {"val": {"concat": ["10.0.0.2", 80]}, "comment": "web", **COUNTER}}, 8]
    found = read_table([a_map(elem=[plain, full])]).sets["m"]
    assert list(found.elements()) == [
        NftElement("10.0.0.1", 7, None, (0, 0)),
        NftElement({"concat": ["10.0.0.2", 80]}, 8, "web", (3, 180)),
    ]
    one = {"set": {**OF, "name": "s", "type": "ipv4_addr", "elem": ["10.0.0.1", {"elem": {"val": "10.0.0.2"}}]}}
    assert [element.key for element in read_table([one]).sets["s"].elements()] == ["10.0.0.1", "10.0.0.2"]


def test_unknown_kinds_are_noted_and_unknown_parts_do_no_harm() -> None:
    table = read_table(
        [TABLE, {"flowtable": {**OF, "name": "f"}}, {"rule": {**OF, "chain": "c", "expr": [{"new": 1}]}}]
    )
    assert table.has_others
    assert [expression.kind for rule in table.rules for expression in rule.expressions] == ["new"]
    assert read_table([{"chain": {"name": "c", "prio": "filter"}}]).chains["c"].priority is None
    assert read_table([{"rule": {"chain": "c"}}]).rules[0].expressions == []


def test_a_table_is_shared_when_anything_else_is_in_it() -> None:
    table = read_table([TABLE, BASE, RULE, a_map()])
    own: list[Any] = [lambda name: name == "c", lambda found: found.name == "m"]
    assert not table.is_shared(*own)
    assert table.is_shared(lambda _name: False, own[1])
    assert table.is_shared(own[0], lambda _found: False)
    assert read_table([TABLE, BASE, {"quota": {**OF, "name": "q"}}]).is_shared(*own)
    assert read_table([{"rule": {**OF, "chain": "e"}}]).is_shared(*own)


def test_a_ruleset_is_read_table_by_table() -> None:
    other = {"table": {"family": "ip", "name": "t"}}
    chain = {"chain": {"family": "ip", "table": "t", "name": "x"}}
    lost = {"chain": {"family": "ip6", "table": "t", "name": "y"}}
    tables = read_ruleset([TABLE, BASE, other, chain, lost])
    assert [(table.family, list(table.chains)) for table in tables] == [("inet", ["c"]), ("ip", ["x"])]
    assert read_ruleset([]) == []
    assert read_table([]) == NftTable()


@pytest.mark.parametrize(
    ("left", "words"),
    [
        ({"meta": {"key": "iifname"}}, "meta iifname"),
        ({"payload": {"protocol": "ip6", "field": "saddr"}}, "ip6 saddr"),
        ({"payload": {"base": "nh", "offset": 0, "len": 8}}, ""),
        ({"ct": {"key": "state"}}, "ct state"),
        ({"ct": {"key": "ip saddr", "dir": "reply"}}, "ct reply ip saddr"),
        ({"fib": {"result": "type", "flags": "daddr"}}, "fib daddr type"),
        ({"fib": {"result": "type", "flags": ["daddr"]}}, "fib daddr type"),
        ({"rt": {"key": "classid"}}, ""),
        ({"&": [1, 2]}, ""),
        ("text", ""),
        (None, ""),
    ],
)
def test_the_left_side_of_a_comparison_has_nfts_own_words(left: Any, words: str) -> None:
    assert selector(left) == words


def test_values_addresses_and_concatenations() -> None:
    assert list(values({"set": ["a", "b"]})) == ["a", "b"]
    assert list(values(["a", "b"])) == ["a", "b"]
    assert list(values("a")) == ["a"]
    assert list(concatenated({"concat": ["a", 1]})) == ["a", 1]
    assert list(concatenated("a")) == ["a"]
    assert read_prefix({"prefix": {"addr": "10.0.0.0", "len": 8}}) == "10.0.0.0/8"
    assert read_prefix("::ffff:1.2.3.4") == "::ffff:102:304"
    assert read_prefix("2001:db8::1.2.3.4") == "2001:db8::102:304"
    assert read_prefix({"range": [1, 2]}) is None
