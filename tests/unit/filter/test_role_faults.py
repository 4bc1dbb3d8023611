# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role refuses faulty variables before it changes anything: with all faults at once, each of them once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter import declarations, derived
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS

LINE = {"name": "a", "id": 1, "interface": "wan0", "public_addresses": ["192.0.2.1/24"], "gateway": "192.0.2.254"}
OTHER = {**LINE, "name": "b", "id": 2, "interface": "wan1", "public_addresses": ["198.51.100.1/24"]}
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
        ({"lines": [{**LINE, "id": 0}]}, ["isp_firewall_lines[0] (a): id: 0 is not from 1 to 250"]),
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
        ({"priority_base": 0}, ["isp_firewall_priority_base: 0 is not from 1"]),
        ({"lines": [LINE, {**OTHER, "interface": "wan0"}]}, ['isp_firewall_lines[1] (b): interface "wan0" is taken']),
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
