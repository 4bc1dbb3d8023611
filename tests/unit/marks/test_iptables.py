# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What iptables-restore is told, and what is read back from what iptables-save prints."""

from __future__ import annotations

import copy
import re
import shlex
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core import requirements
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import (
    ApplyFailed,
    InvalidInput,
    Unsupported,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.iptables import Iptables, parse, quoted
from ansible_collections.multihome.linux.plugins.module_utils._core.mark_backends import choose
from ansible_collections.multihome.linux.plugins.module_utils._core.mark_iptables import (
    HOOKS,
    IptablesMarks,
    record,
    recover,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.mark_model import ConnectionMark, Marks
from ansible_collections.multihome.linux.tests.unit.marks.strategies import all_marks
from hypothesis import given

ONE = Marks(0xFF, (ConnectionMark(1, "wan0", name="unicom"),))
OTHER = Marks(0xFF, (ConnectionMark(2, "wan1"),))
THEIRS = ["-i wan9 -j theirs", "-o wan9 -j MASQUERADE"]


class Filter:
    """iptables of one family in memory: what restore is told, save prints."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, list[str]]] = {
            "mangle": {"PREROUTING": [THEIRS[0]], "OUTPUT": [], "theirs": []},
            "nat": {"POSTROUTING": [THEIRS[1]]},
        }
        self.refuse = ""

    def run(self, program: str, arguments: Sequence[str], text: str | None) -> tuple[int, str, str]:
        """Do what iptables-save or iptables-restore do; a table with what is refused in it is not changed at all."""
        if text is None:
            lines = []
            for table, chains in self.tables.items():
                lines += [f"*{table}", *(f":{chain} - [0:0]" for chain in chains)]
                lines += [f"-A {chain} {rule}" for chain, rules in chains.items() for rule in rules]
                lines.append("COMMIT")
            return 0, "\n".join(lines) + "\n", ""
        assert program.endswith("-restore")
        assert "--noflush" in arguments
        for part in text.split("COMMIT\n")[:-1]:
            if self.refuse and self.refuse in part:
                return 2, "", "iptables-restore: line 2 failed"
            self._apply(part)
        return 0, "", ""

    def _apply(self, part: str) -> None:
        table = self.tables[part.splitlines()[0][1:]]
        for line in part.splitlines()[1:]:
            words = line.split(" ", 2)
            if line.startswith(":"):
                table[words[0][1:]] = []
            elif words[0] == "-A":
                table[words[1]].append(words[2])
            elif words[0] == "-I":
                table[words[1]].insert(0, words[2].partition(" ")[2])
            elif words[0] == "-D":
                table[words[1]].remove(words[2])
            else:
                assert table.pop(words[1]) == []


def backend() -> tuple[IptablesMarks, dict[int, Filter]]:
    """Return a backend over two filters in memory."""
    filters = {4: Filter(), 6: Filter()}
    return IptablesMarks("multihome", {family: Iptables(family, made.run) for family, made in filters.items()}), filters


def tables(filters: dict[int, Filter]) -> dict[int, Any]:
    """Return a copy of what stands in all tables."""
    return {family: copy.deepcopy(held.tables) for family, held in filters.items()}


def theirs(made: Filter) -> list[str]:
    """Return the rules of others in the chains that we hook."""
    chains = [made.tables[table].get(base, []) for table, base in HOOKS.values()]
    return [rule for rules in chains for rule in rules if "multihome" not in rule]


@given(all_marks())
def test_a_record_tells_the_marks_it_was_made_of(marks: Marks) -> None:
    told = recover(record(marks))
    assert set(told.marks) == set(marks.marks)
    assert (told.mask, told.balance) == (marks.mask, marks.balance)
    assert (told.balance_from, told.balance_exclude) == (marks.balance_from, marks.balance_exclude)


@given(all_marks(), all_marks())
def test_what_is_written_is_read_back_and_taken_away(first: Marks, second: Marks) -> None:
    made, filters = backend()
    empty = tables(filters)
    for marks in (first, second):
        made.write(made.read(), marks)
        standing = made.read()
        assert standing.faults == ()
        assert set(standing.marks.marks) == set(marks.marks)
        for held in filters.values():
            assert theirs(held) == THEIRS
            # Every chain that a rule goes to is there.
            for chains in held.tables.values():
                targets = re.findall(r"-[jg] (multihome_\w+)", str(chains))
                assert set(targets) <= set(chains)
                assert all(len(chain) <= 28 for chain in chains)
    made.write(made.read(), Marks())
    assert tables(filters) == empty


@pytest.mark.parametrize("refuse", ["*mangle", "*nat"])
def test_what_one_program_refuses_is_taken_back_in_both(refuse: str) -> None:
    made, filters = backend()
    made.write(made.read(), ONE)
    before = tables(filters)
    filters[6].refuse = "wan1"
    with pytest.raises(ApplyFailed, match=r"ip6tables-restore: .*line 2 failed: .*\nundone: iptables\nthe host is as"):
        made.write(made.read(), OTHER)
    assert tables(filters) == before
    filters[4].refuse = filters[6].refuse = refuse
    failures = made.undo(backend()[0].read())
    assert len(failures) == (2 if refuse == "*mangle" else 0)


def test_a_jump_that_is_missing_or_twice_is_one_fault_and_mended() -> None:
    made, filters = backend()
    made.write(made.read(), ONE)
    jump = "-j multihome_marks_pre"
    for rules in ([*THEIRS[:1]], [jump, *THEIRS[:1], jump], [f"-i wan3 {jump}", jump, *THEIRS[:1]]):
        filters[6].tables["mangle"]["PREROUTING"] = list(rules)
        assert made.read().faults == ("ip6tables: jumps of table mangle",)
        made.write(made.read(), ONE)
        assert made.read().faults == ()
        assert theirs(filters[6]) == THEIRS


def test_words_survive_what_iptables_save_does_to_them() -> None:
    words = ["-m", "comment", "--comment", "mark 1 in wan0; it's é", "-i", "br-lan.7", "!", "--mark", "0x1/0xff"]
    assert shlex.split(quoted(words)) == words
    dump = parse(':x - [0:0]\n*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m comment --comment "a \\"b\\"" -j x\n')
    assert dump["mangle"] == {"PREROUTING": [["-m", "comment", "--comment", 'a "b"', "-j", "x"]]}


def test_a_program_that_may_not_read_is_told() -> None:
    with pytest.raises(Unsupported, match="Permission denied"):
        Iptables(4, lambda *_arguments: (4, "", "Permission denied (you must be root)")).read()


@pytest.mark.parametrize("name", ["multihomed", "1st", "a b", ""])
def test_a_name_that_chains_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="at most 9"):
        IptablesMarks(name)


def test_auto_prefers_nftables_and_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise Unsupported("nft", "1.0.2")

    tools = {"iptables-restore": "/sbin/iptables-restore"}
    monkeypatch.setattr(requirements, "nft", lambda: "nft")
    assert [choose(asked, "multihome").name for asked in ("auto", "nftables", "iptables")] == [
        "nftables",
        "nftables",
        "iptables",
    ]
    monkeypatch.setattr(requirements, "nft", missing)
    monkeypatch.setattr(requirements, "tool", tools.get)
    assert choose("auto", "multihome").name == "iptables"
    assert choose("nftables", "multihome").name == "nftables"
    tools.clear()
    # Nothing fits: nftables says what is needed.
    assert choose("auto", "multihome").name == "nftables"
