# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line of a thousand addresses has no more rules than a line of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS
from netaddr import IPAddress

Rules = list[dict[str, Any]]
DEFAULT_ROUTES = ("none", "failover", "balance")


def line(number: int, addresses: Sequence[str]) -> dict[str, Any]:
    """A line with these addresses, whose gateway is 10.0.0.NUMBER or fd00::NUMBER."""
    gateways = {f"fd00::{number}" if ":" in address else f"10.0.0.{number}" for address in addresses}
    return {"name": f"line{number}", "id": number, "interface": "eth0", "addresses": addresses, "gateways": [*gateways]}


def run_of(first: str, count: int, length: int, step: int = 1) -> list[str]:
    """So many addresses, each ``step`` behind the one before, from ``first`` on."""
    return [f"{IPAddress(first) + step * number}/{length}" for number in range(count)]


def rules(lines: list[dict[str, Any]], **options: Any) -> Rules:
    found: Rules = FILTERS["multihomed_web_rules"](lines, **options)
    return found


def marks(lines: list[dict[str, Any]], **options: Any) -> Rules:
    found: Rules = FILTERS["multihomed_web_marks"](lines, **options)["marks"]
    return found


def one_each() -> list[dict[str, Any]]:
    return [line(number, [f"10.{number}.0.1/16", f"fd00:{number}::1/64"]) for number in (1, 2, 3, 4)]


def thousand_each() -> list[dict[str, Any]]:
    return [
        line(number, run_of(f"10.{number}.0.1", 1000, 16) + run_of(f"fd00:{number}::1", 1000, 64))
        for number in (1, 2, 3, 4)
    ]


def interleaved() -> list[dict[str, Any]]:
    """Four lines, each with every fourth of 4,000 addresses: no prefix holds two of one line."""
    return [line(number, run_of(f"10.9.0.{number}", 1000, 16, step=4)) for number in (1, 2, 3, 4)]


@pytest.mark.parametrize("default_route", DEFAULT_ROUTES)
def test_a_thousand_addresses_on_each_line_have_the_rules_of_one(default_route: str) -> None:
    few, many = (rules(lines, default_route=default_route) for lines in (one_each(), thousand_each()))
    assert len(many) == len(few)
    assert [(r["name"], r["priority"], r.get("table")) for r in many] == [
        (r["name"], r["priority"], r.get("table")) for r in few
    ]
    assert [r["source"] for r in many if r.get("table") == 1002 and "source" in r] == ["10.2.0.0/22", "fd00:2::/118"]
    assert {r.get("in_interface") for r in many if "source" in r} == {"lo"}
    assert marks(thousand_each(), default_route=default_route) == []


def test_up_to_eight_addresses_have_a_rule_each() -> None:
    assert [r["source"] for r in rules([line(1, run_of("10.1.0.1", 8, 16))]) if "table" in r and "source" in r] == [
        f"10.1.0.{number}" for number in range(1, 9)
    ]
    assert [r["source"] for r in rules([line(1, run_of("10.1.0.1", 9, 16))]) if "table" in r and "source" in r] == [
        "10.1.0.0/28"
    ]


def test_no_prefix_holds_another_address_of_the_server() -> None:
    lines = [line(1, run_of("10.1.0.1", 250, 16)), line(2, ["10.1.1.7/16"])]
    assert [r["source"] for r in rules(lines) if r.get("table") == 1001] == ["10.1.0.0/24"]
    sources = [r["source"] for r in rules(lines, other_addresses=["10.1.0.252"]) if r.get("table") == 1001]
    assert sources == [f"10.1.0.{part}" for part in ("0/25", "128/26", "192/27", "224/28", "240/29", "248/30")]
    # An address that a line has is no other, whoever put it there.
    assert rules(lines, other_addresses=["10.1.0.9"]) == rules(lines)


def test_interleaved_addresses_have_marks_and_few_rules() -> None:
    lines = interleaved()
    for default_route in DEFAULT_ROUTES:
        found = rules(lines, default_route=default_route)
        by_mark = [(r["priority"], r["mark"], r.get("table", r.get("action"))) for r in found if "mark" in r]
        assert by_mark == [
            part
            for n in (1, 2, 3, 4)
            for part in (
                (20000 + 10 * n, f"0x{n:x}/0xff", 1000 + n),
                (20001 + 10 * n, f"0x{n:x}/0xff", "unreachable"),
            )
        ]
        # Where main has no default route a packet needs another one before its mark is known.
        first = [(r["priority"], r["source"], r.get("table", r.get("action"))) for r in found if "source" in r]
        ways = [(23000 + 10 * n, "10.9.0.0/20", 1000 + n) for n in (1, 2, 3, 4)]
        assert first == ([*ways, (25509, "10.9.0.0/20", "unreachable")] if default_route == "none" else [])
    entries = marks(lines)
    assert len(entries) == 4000
    assert {"name": "line3", "mark": 3, "source": "10.9.0.7"} in entries


def test_lines_that_reply_by_mark_have_both_kinds() -> None:
    kinds = [set(entry) - {"name", "mark"} for entry in marks(interleaved(), reply="mark")]
    assert kinds[:4] == [{"in_interface", "gateway"}] * 4
    assert kinds[4:] == [{"source"}] * 4000


def test_only_the_family_and_the_line_that_need_it_are_marked() -> None:
    lines = interleaved()
    lines[0] = line(1, [*lines[0]["addresses"], "fd00:1::1/64"])
    lines[3] = line(4, ["10.9.0.4/16"])
    found = rules(lines)
    assert {(r["name"], r["family"]) for r in found if "mark" in r} == {(f"line{n}", "ipv4") for n in (1, 2, 3)}
    assert [r["source"] for r in found if r.get("table") == 1004] == ["10.9.0.4"]
    assert next(r["source"] for r in found if r.get("table") == 1001 and "source" in r) == "fd00:1::1"


def test_a_fault_of_the_other_addresses_is_reported() -> None:
    with pytest.raises(AnsibleFilterError, match=r'multihomed_web: other addresses\[0\]: "nothing": not an IP address'):
        rules(one_each(), other_addresses=["nothing"])
