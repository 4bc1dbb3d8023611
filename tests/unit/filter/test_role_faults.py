# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role refuses faulty variables before it changes anything: with all faults at once, each of them once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import parse_rules
from ansible_collections.multihome.linux.tests.unit.filter import declarations, derived
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS

ADDRESS, SECOND, OTHER_ADDRESS = "192.0.2.1", "192.0.2.2", "198.51.100.1"
LINE = {"name": "a", "id": 1, "interface": "wan0", "public_addresses": [f"{ADDRESS}/24"], "gateway": "192.0.2.254"}
OTHER = {**LINE, "name": "b", "id": 2, "interface": "wan1", "public_addresses": [f"{OTHER_ADDRESS}/24"]}
FORWARD = {"line": "a", "protocol": "tcp", "port": 80, "to_address": "10.0.0.1"}
SERVER_LINE = {"name": "a", "id": 1, "interface": "eth0", "addresses": ["10.0.0.1/24"], "gateways": ["10.0.0.11"]}
SHARED = {**SERVER_LINE, "name": "b", "id": 2, "gateways": ["10.0.0.12"]}


@pytest.mark.parametrize("declaration", declarations.ALL.values(), ids=list(declarations.ALL))
def test_the_variables_of_every_declaration_are_sound(declaration: declarations.Declaration) -> None:
    for host in derived.hosts(declaration):
        if host in derived.servers(declaration):
            lines = FILTERS["multihomed_web_lines"](declaration, host)
            reply = FILTERS["multihomed_web_reply"](declaration, host)
            usable = FILTERS["multihomed_web_learned"](lines)["lines"]
            assert FILTERS["multihomed_web_faults"](usable, reply=reply) == []
        else:
            assert FILTERS["isp_firewall_faults"](**derived.firewall_variables(declaration, host)) == []


@pytest.mark.parametrize(
    ("variables", "faults"),
    [
        ({}, []),
        ({"lines": [{**LINE, "id": 0}]}, ['isp_firewall_lines[0] (a): id: "0": not within 1 to 250']),
        (
            {"forwards": [{**FORWARD, "line": "c"}], "snat": [{"line": "d", "source": "10.0.0.1"}]},
            [
                'isp_firewall_snat[0]: line "d" is not in isp_firewall_lines',
                'isp_firewall_forwards[0]: line "c" is not in isp_firewall_lines',
            ],
        ),
        (
            {"hairpins": [{**FORWARD, "line": None, "public_address": "2001:db8::1"}], "mark_mask": "0x5"},
            [
                "isp_firewall_mark_mask: 0x5 has bits that are not adjacent",
                'isp_firewall_hairpins[0]: unknown key "line"',
                "public_address 2001:db8::1 and to_address 10.0.0.1 are of different families",
            ],
        ),
        ({"table_base": 253}, ["isp_firewall_table_base: 253 gives line a table 254"]),
        ({"priority_base": 0}, ['isp_firewall_priority_base: "0": not within 1 to 30256']),
        ({"lines": [LINE, {**OTHER, "interface": "wan0"}]}, ['isp_firewall_lines[1] (b): interface "wan0" is taken']),
        (
            {"inside_networks": ["10.0.0.0/8", "0.0.0.0/0"]},
            ["isp_firewall_inside_networks: 0.0.0.0/0 is every address"],
        ),
        ({"snat": [{"line": "a", "source": "::ffff:10.0.0.0/104"}]}, ["IPv4 addresses written as IPv6"]),
        ({"snat": [{"line": "a", "source": "0.0.0.0/0"}]}, []),
        (
            {"lines": [LINE, OTHER], "snat": [{"line": "a", "source": "0.0.0.0/0"}]},
            [f'isp_firewall_snat[0]: 0.0.0.0/0 contains {OTHER_ADDRESS} of line "b", which would leave by line "a"'],
        ),
        # The line of the greatest id comes last, and has the rest.
        ({"lines": [LINE, OTHER], "snat": [{"line": "b", "source": "0.0.0.0/0"}]}, []),
    ],
)
def test_the_faults_of_a_firewall(variables: dict[str, Any], faults: list[str]) -> None:
    found = FILTERS["isp_firewall_faults"](**{"lines": [LINE], **variables})
    assert len(found) == len(faults), found
    assert all(fault in text for fault, text in zip(faults, found, strict=True)), found


@pytest.mark.parametrize(
    ("variables", "faults"),
    [
        ({}, []),
        ({"lines": [{**SERVER_LINE, "gateways": []}]}, ["has IPv4 addresses, but no gateway for them"]),
        ({"lines": [SERVER_LINE, SHARED], "reply": "mark"}, []),
        ({"lines": [SERVER_LINE, SHARED]}, ["only with multihomed_web_reply: mark can replies be assigned to a line"]),
        (
            {"mark_mask": "?", "default_route": "other", "balance_from": ["1"]},
            ["multihomed_web_default_route", "multihomed_web_mark_mask"],
        ),
        ({"default_route": "balance", "balance_from": ["x"]}, ["multihomed_web_balance_from[0]"]),
        ({"other_addresses": ["y"]}, ["other addresses[0]"]),
    ],
)
def test_the_faults_of_a_server(variables: dict[str, Any], faults: list[str]) -> None:
    found = FILTERS["multihomed_web_faults"](**{"lines": [SERVER_LINE], **variables})
    assert len(found) == len(faults), found
    assert all(fault in text for fault, text in zip(faults, found, strict=True)), found


def test_numbers_from_the_command_line_are_text() -> None:
    """As in ``-e multihomed_web_table_base=2000``, and in inventories in INI form."""
    numbers = {"table_base": "2000", "priority_base": "10000", "source_priority_base": "13000", "mark_mask": "255"}
    line = {**SERVER_LINE, "id": "7", "weight": "3", "interface": 123, "learned": "yes"}
    assert FILTERS["multihomed_web_faults"]([line], **numbers) == []
    assert FILTERS["isp_firewall_faults"]([{**LINE, "id": "7"}, {**OTHER, "id": "8"}], **numbers) == []
    tables = FILTERS["multihomed_web_tables"]([line], table_base="2000")
    assert [(table["id"], table["routes"][0]["interface"]) for table in tables] == [(2007, "123")]
    rules = FILTERS["multihomed_web_rules"]([line], "2000", "10000", "13000")
    assert [rule["priority"] for rule in rules] == [10000, 13070, 13071]
    assert FILTERS["multihomed_web_aliases"]([line]) == []


def test_control_other_text_is_no_number() -> None:
    assert FILTERS["multihomed_web_faults"]([SERVER_LINE], table_base="2_000") == [
        'multihomed_web_table_base: "2_000": not a whole number'
    ]


def test_the_limits_of_nat_rules_are_checked_with_the_variables_of_a_firewall() -> None:
    shifted = {**FORWARD, "name": "a" * 117, "port": "80-81", "to_port": "90-91"}
    assert FILTERS["isp_firewall_faults"]([LINE], [shifted]) == [
        "isp_firewall_forwards[0] ("
        + "a" * 60
        + "… (117 characters)): name: at most 116 bytes, as a range of ports becomes"
        " another range"
    ]
    many = {**FORWARD, "port": "1-65534", "to_port": "2-65535", "sources": ["192.0.2.0/24", "198.51.100.0/24"]}
    (fault,) = FILTERS["isp_firewall_faults"]([LINE], [many])
    assert fault.startswith("isp_firewall_forwards: with all addresses and sources 131068 ports of ranges")
    repeated = {**FORWARD, "sources": ["192.0.2.0/24", "192.0.2.0/24"]}
    assert FILTERS["isp_firewall_faults"]([LINE], [repeated]) == [
        'isp_firewall_forwards[0]: sources[1]: "192.0.2.0/24" is listed twice'
    ]


TWICE = {**FORWARD, "name": "again", "to_address": "10.0.0.2"}


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"forwards": [FORWARD, TWICE]}, "isp_firewall_forwards[0] and isp_firewall_forwards[1] (again): two entries"),
        (
            {"forwards": [{**FORWARD, "port": "70-90"}, {**TWICE, "port": "80-100"}]},
            "isp_firewall_forwards[0] and isp_firewall_forwards[1] (again): the ranges 70-90 and 80-100 of destination",
        ),
        (
            {"forwards": [FORWARD], "hairpins": [{**TWICE, "line": None, "public_address": ADDRESS}]},
            "isp_firewall_forwards[0] and isp_firewall_hairpins[0] (again): two entries",
        ),
        (
            {
                "snat": [
                    {"line": "a", "source": "10.0.0.1"},
                    {"line": "a", "source": "10.0.0.1/32", "to_address": SECOND},
                ]
            },
            "isp_firewall_snat[0] (10.0.0.1) and isp_firewall_snat[1] (10.0.0.1): two entries for one snat",
        ),
        ({"forwards": [FORWARD, {**FORWARD, "name": "the same"}]}, ""),
        ({"forwards": [FORWARD, {**TWICE, "sources": ["192.0.2.0/24"]}]}, ""),
        ({"inside_networks": ["10.0.0.0/24", "fd00::/64", "10.0.0.0/24", "FD00:0::/64"]}, ""),
    ],
)
def test_entries_for_the_same_packets_are_named_before_a_host_refuses_them(
    variables: dict[str, Any], fault: str
) -> None:
    forwards, hairpins = (
        [{key: value for key, value in entry.items() if value is not None} for entry in variables.get(name, ())]
        for name in ("forwards", "hairpins")
    )
    line = {**LINE, "public_addresses": [f"{ADDRESS}/24", f"{SECOND}/24"]}
    given = {"lines": [line], **variables, "forwards": forwards, "hairpins": hairpins}
    found = FILTERS["isp_firewall_faults"](**given)
    assert bool(found) == bool(fault), found
    assert all(text.startswith(fault) for text in found), found
    # The module refuses the same lists, and no others.
    rules = FILTERS["isp_firewall_nat_rules"](**given)
    if fault:
        with pytest.raises(InvalidInput, match=r"two entries for one|overlap, for one match"):
            parse_rules(rules)
    else:
        parse_rules(rules)


def test_of_entries_for_the_same_packets_the_narrower_one_comes_first() -> None:
    forwards = [
        {"line": "a", "protocol": "any", "to_address": "10.0.0.1"},
        {**FORWARD, "port": "70-90"},
        {**FORWARD, "to_address": "10.0.0.2"},
        {**FORWARD, "port": "70-90", "to_address": "10.0.0.3", "sources": ["192.0.0.0/16"]},
        {**FORWARD, "to_address": "10.0.0.4", "sources": ["192.0.2.0/24"]},
        {**FORWARD, "to_address": "10.0.0.5", "sources": ["192.0.2.7"]},
    ]
    snat = [{"line": "a", "source": source} for source in ("10.0.0.0/8", "10.0.0.1", "10.0.0.0/24")]
    rules = FILTERS["isp_firewall_nat_rules"]([LINE], forwards, snat)
    assert [rule["to_address"] for rule in rules if rule["type"] == "dnat"] == [
        f"10.0.0.{number}" for number in (5, 4, 3, 2, 1, 1)
    ]
    assert [rule["source"] for rule in rules if rule["type"] == "snat"] == ["10.0.0.1", "10.0.0.0/24", "10.0.0.0/8"]
