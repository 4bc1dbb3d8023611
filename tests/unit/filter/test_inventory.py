# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the roles in the inventory add to what the lists give; contradictions are faults."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS, firewall_lists, firewall_variables

WEB = {"line": "line1", "protocol": "tcp", "port": 80, "to_address": "192.168.168.101"}
HAIRPIN = {"protocol": "tcp", "port": 80, "to_address": "192.168.168.101"}
TAKEN = declarations.ALL["a2"]["lines"][0]["id"]


def faults(inventory: dict[str, Any], declaration: declarations.Declaration | None = None) -> list[str]:
    """The faults of two lines with a firewall each, beside variables of the inventory by host."""
    return list(FILTERS["declaration_faults"](declaration or declarations.ALL["a2"], None, inventory))


def test_entries_are_added_and_those_of_both_are_listed_once() -> None:
    add = FILTERS["with_inventory"]
    assert add([1, 2], [2, 3]) == [1, 2, 3]
    assert add([1]) == add([1], None) == [1]
    assert add(["a"], "b, c") == ["a", "b", "c"]
    assert add([1], {"no": "list"}) == [1, {"no": "list"}]


SOUND: list[dict[str, Any]] = [
    {"isp_firewall_forwards": [{**WEB, "port": 8080, "name": "more"}]},
    # The same in other words.
    {"isp_firewall_forwards": [{**WEB, "name": "again", "to_port": "80"}]},
    # The rest, and an exception from it.
    {"isp_firewall_forwards": [{**WEB, "sources": ["192.0.2.0/24"], "to_address": "192.168.168.77"}]},
    {"isp_firewall_forwards": [{"line": "line1", "protocol": "any", "to_address": "192.168.168.77"}]},
    {"isp_firewall_snat": [{"line": "line1", "source": "192.168.168.77"}]},
    {"isp_firewall_snat": [{"line": "line1", "source": "192.168.168.101"}]},
    {"isp_firewall_inside_networks": ["192.168.50.0/24"]},
    {"isp_firewall_hairpins": [{**HAIRPIN, "public_address": "192.0.2.80"}]},
    {"isp_firewall_forwards": []},
]


@pytest.mark.parametrize("variables", SOUND)
def test_what_adds_is_sound(variables: dict[str, Any]) -> None:
    assert faults({"fw-1": variables}) == []
    # All that the modules get is of each kind once.
    given = firewall_variables(declarations.ALL["a2"], "fw-1")
    merged = {name: FILTERS["with_inventory"](given[name], variables.get(f"isp_firewall_{name}")) for name in given}
    rules = firewall_lists(merged)["nat_rules"]
    matches = [tuple((k, v) for k, v in rule.items() if k not in ("name", "to_address", "to_port")) for rule in rules]
    assert len(set(matches)) == len(matches)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    (
        "fw-1",
        {"isp_firewall_forwards": [{**WEB, "name": "mine", "to_address": "192.168.168.77"}]},
        "fw-1: isp_firewall_forwards[0] (mine) leads 80/tcp on 198.18.1.10 to 192.168.168.77 port 80, and service web",
    ),
    (
        "fw-1",
        {"isp_firewall_forwards": [{**WEB, "name": "mine", "port": "70-90"}]},
        "fw-1: isp_firewall_forwards[0] (mine) leads 70-90/tcp on 198.18.1.10",
    ),
    (
        "fw-1",
        {
            "isp_firewall_hairpins": [
                {**HAIRPIN, "public_address": "198.18.2.10", "to_address": "192.168.168.9", "name": "theirs"}
            ]
        },
        "fw-1: isp_firewall_hairpins[0] (theirs) leads 80/tcp on 198.18.2.10 to 192.168.168.9 port 80",
    ),
    (
        "fw-1",
        {"isp_firewall_snat": [{"line": "line1", "source": "192.168.168.101", "to_address": "198.18.1.10"}]},
        "fw-1: isp_firewall_snat[0]: 192.168.168.101 leaves line line1 by 198.18.1.10, and by its first address in",
    ),
    ("fw-1", {"isp_firewall_snat": [{"line": "line9", "source": "10.0.0.1"}]}, 'line "line9" is not in'),
    (
        "fw-1",
        {"isp_firewall_lines": [{"name": "line1", "id": 9, "interface": "wan9", "public_addresses": ["192.0.2.9/24"]}]},
        'fw-1: isp_firewall_lines[1] (line1): name "line1" is taken by isp_firewall_lines[0] (line1)',
    ),
    (
        "fw-1",
        {
            "isp_firewall_forwards": [
                {**WEB, "port": 8554, "name": name, "to_address": f"192.168.168.{number}"}
                for number, name in enumerate(("camera", "another"), 60)
            ]
        },
        "(camera) and isp_firewall_forwards[7] (another): two entries for one dnat",
    ),
    ("fw-1", {"isp_firewall_forwards": {"no": "list"}}, 'isp_firewall_forwards[6]: unknown key "no"'),
    (
        "web1",
        {
            "multihomed_web_lines": [
                {
                    "name": "more",
                    "id": TAKEN,
                    "interface": "eth1",
                    "addresses": ["10.1.0.2/24"],
                    "gateways": ["10.1.0.1"],
                }
            ]
        },
        f"web1: multihomed_web_lines[2] (more): id {TAKEN} is taken by multihomed_web_lines[0] (line1)",
    ),
]


@pytest.mark.parametrize(("host", "variables", "fault"), WRONG)
def test_what_contradicts_is_a_fault(host: str, variables: dict[str, Any], fault: str) -> None:
    assert fault in "\n".join(faults({host: variables}))
    # The control: on another host, and without it.
    assert faults({"elsewhere": variables}) == faults({}) == []
