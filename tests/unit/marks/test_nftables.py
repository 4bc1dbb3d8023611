# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text that nft gets, and the marks that are read back from its output."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.nftables import Nftables
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.nftables_json import read_table
from ansible_collections.multihome.linux.plugins.module_utils._core.marks import nftables_layout
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.model import (
    BalanceLine,
    ConnectionMark,
    Marks,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.nftables import (
    NftablesMarks,
    NftablesState,
    transaction,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.nftables_layout import Layout, layout_of
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.nftables_reading import read_layout, recover
from ansible_collections.multihome.linux.tests.unit.marks.strategies import all_marks
from hypothesis import given

ONE = Marks(0xFF, (ConnectionMark(1, "wan0", name="unicom"),))
SPREAD = Marks(0xFF, (), (BalanceLine(1, ("10.0.0.1",), 4), BalanceLine(2, ("10.0.0.2", "fd00::2"))), ("192.0.0.8",))


@given(all_marks())
def test_a_layout_tells_the_marks_it_was_made_of(marks: Marks) -> None:
    found = recover(layout_of(marks)[0]) if marks else Marks()
    assert set(found.marks) == set(marks.marks)
    assert replace(found, marks=()) == replace(marks, marks=())


@given(all_marks())
def test_what_is_written_names_nothing_but_our_own(marks: Marks) -> None:
    text = transaction(NftablesState(Marks()), marks, "multihome")
    for line in text.splitlines():
        assert re.match(r"add (table inet multihome$|(chain|map|set|element|rule) inet multihome marks_)", line)
    # Every chain and map that a rule or an element goes to is there.
    wanted = set(re.findall(r"(?:goto |@)(marks_\w+)", text))
    made = set(re.findall(r"^add (?:chain|map|set) inet multihome (marks_\w+)", text, re.MULTILINE))
    assert wanted <= made


def test_the_transaction_of_one_line() -> None:
    lines = transaction(NftablesState(Marks()), ONE, "multihome").splitlines()
    assert 'add element inet multihome marks_interfaces { "wan0" comment "unicom" : goto marks_connection_1 }' in lines
    rules = [
        re.sub(r' comment ".*"', "", line[len("add rule inet multihome ") :]) for line in lines if " rule " in line
    ]
    assert rules == [
        "marks_prerouting ct direction original iifname . ether saddr vmap @marks_neighbours",
        "marks_prerouting ct direction original iifname vmap @marks_interfaces",
        "marks_prerouting ct mark & 0xff vmap @marks_packets",
        "marks_output ct mark & 0xff vmap @marks_packets",
        "marks_connection_1 ct mark set ct mark & 0xffffff00 | 0x1",
        "marks_packet_1 meta mark set meta mark & 0xffffff00 | 0x1",
    ]


def test_weights_become_turns_of_the_lines_that_have_the_family() -> None:
    rules = layout_of(SPREAD)[1]["marks_output"]
    assert rules[1].endswith("numgen inc mod 5 vmap { 0-3 : goto marks_new_1, 4 : goto marks_new_2 }")
    assert rules[2].startswith("ip6 saddr")
    assert rules[2].endswith("numgen inc mod 1 vmap { 0 : goto marks_new_2 }")
    none = replace(SPREAD, balance=tuple(replace(line, weight=0) for line in SPREAD.balance))
    assert len(layout_of(none)[1]["marks_output"]) == 1
    # Connections that are spread already keep their translation.
    assert len(layout_of(none)[1]["marks_postrouting"]) == 2


@pytest.mark.parametrize(
    ("other", "part"),
    [
        (replace(ONE, mask=0xF), "chain marks_output"),
        (Marks(0xFF, (ConnectionMark(2, "wan0", name="unicom"),)), "set marks_interfaces"),
        (SPREAD, "chain marks_postrouting"),
    ],
)
def test_what_differs_is_named(other: Marks, part: str) -> None:
    assert part in layout_of(ONE)[0].differences(layout_of(other)[0])
    assert layout_of(ONE)[0].differences(layout_of(ONE)[0]) == []


def test_what_is_not_ours_is_not_read() -> None:
    objects: list[dict[str, Any]] = [
        {"metainfo": {}},
        {"table": {"family": "inet", "name": "multihome"}},
        {"chain": {"name": "nat_output", "type": "nat", "hook": "output", "prio": -100}},
        {"rule": {"chain": "nat_output", "expr": []}},
    ]
    assert read_layout(read_table(objects[:2])) == (Layout(), False)
    assert read_layout(read_table(objects)) == (Layout(), True)
    ours = {"chain": {"name": "marks_output", "type": "route", "hook": "output", "prio": -150}}
    layout, shared = read_layout(read_table([*objects, ours]))
    assert (layout.hooks, shared) == ({"marks_output": ("route", "output", -150)}, True)


def test_the_table_goes_only_when_nothing_else_is_in_it() -> None:
    layout = layout_of(ONE)[0]
    alone = transaction(NftablesState(ONE, (), True, False, layout), Marks(), "multihome")
    assert alone == "delete table inet multihome\n"
    shared = transaction(NftablesState(ONE, (), True, True, layout), Marks(), "multihome")
    assert "delete table" not in shared
    assert shared.count("delete chain inet multihome marks_") == len(layout.hooks)
    assert transaction(NftablesState(Marks()), Marks(), "multihome") == ""


def test_chains_that_stay_are_not_unhooked() -> None:
    current = NftablesState(ONE, (), True, False, layout_of(ONE)[0])
    text = transaction(current, SPREAD, "multihome")
    assert "delete chain inet multihome marks_output" not in text
    assert "flush chain inet multihome marks_output" in text
    moved = {**current.layout.hooks, "marks_output": ("filter", "output", 0)}
    broken = replace(current, layout=replace(current.layout, hooks=moved))
    assert "delete chain inet multihome marks_output" in transaction(broken, SPREAD, "multihome")


def test_restore_reports_failures() -> None:
    answers = {"-j": (1, "", "No such file or directory"), "-f": (1, "", "Error: refused")}
    backend = NftablesMarks("multihome", Nftables("multihome", lambda arguments, _text: answers[arguments[0]]))
    before = NftablesState(ONE, (), True)
    [failure] = backend.restore(before)
    assert "refused" in failure
    with pytest.raises(ApplyFailed):
        backend.apply("anything", before)


def test_every_name_has_the_prefix_that_others_leave_alone() -> None:
    assert all(
        name.startswith(nftables_layout.PREFIX) for name in (*nftables_layout.SETS, *nftables_layout.BASE_CHAINS)
    )
