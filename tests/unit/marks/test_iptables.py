# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text that iptables-restore gets, and the marks that are read back from iptables-save."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed, InvalidInput, StepFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.iptables import Iptables
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.iptables import (
    HOOKS,
    IptablesMarks,
    IptablesState,
    record,
    recover,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.model import ConnectionMark, Marks
from ansible_collections.multihome.linux.plugins.module_utils._core.rollback import apply_or_restore
from ansible_collections.multihome.linux.tests.unit.marks.strategies import all_marks
from hypothesis import given

ONE = Marks(0xFF, (ConnectionMark(1, "wan0", name="unicom"),))
OTHER = Marks(0xFF, (ConnectionMark(2, "wan1"),))
THEIRS = ["-i wan9 -j theirs", "-o wan9 -j MASQUERADE"]


class Programs(Iptables):
    """The programs of both families in memory: iptables-save prints what iptables-restore got."""

    def __init__(self) -> None:
        super().__init__(self.answer, lambda name: f"/sbin/{name}", "/nonexistent")
        self.tables: dict[int, dict[str, dict[str, list[str]]]] = {
            family: {
                "mangle": {"PREROUTING": [THEIRS[0]], "OUTPUT": [], "POSTROUTING": [], "theirs": []},
                "nat": {"POSTROUTING": [THEIRS[1]]},
            }
            for family in (4, 6)
        }
        # What a table that a family is given must not contain.
        self.refuse: dict[int, str] = {}

    def families(self) -> list[int]:
        """Return both."""
        return [4, 6]

    def answer(self, path: str, arguments: Sequence[str], text: str | None) -> tuple[int, str, str]:
        """Do what iptables-save or iptables-restore do; a table with what is refused in it is not changed at all."""
        family = 6 if "ip6" in path else 4
        if "--version" in arguments:
            return 0, "iptables-restore v1.8.9 (nf_tables)\n", ""
        if text is None:
            chains = self.tables[family][arguments[-1]]
            lines = [f"*{arguments[-1]}", *(f":{chain} - [0:0]" for chain in chains)]
            lines += [f"[1:2] -A {chain} {rule}" for chain, rules in chains.items() for rule in rules]
            return 0, "\n".join([*lines, "COMMIT", ""]), ""
        assert path.endswith("-restore")
        assert "--noflush" in arguments
        for part in text.split("COMMIT\n")[:-1]:
            if self.refuse.get(family, "no such text") in part:
                return 2, "", "iptables-restore: line 2 failed"
            self._apply(self.tables[family][part.splitlines()[0][1:]], part)
        return 0, "", ""

    def _apply(self, table: dict[str, list[str]], part: str) -> None:
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


def backend() -> tuple[IptablesMarks, Programs]:
    """Return a backend over programs in memory."""
    programs = Programs()
    return IptablesMarks("multihome", programs), programs


def write(made: IptablesMarks, marks: Marks) -> None:
    """Replace the marks."""
    current = made.read()
    apply_or_restore(Writing(made), marks, current)


class Writing:
    """A backend as the part of an engine that a rollback needs."""

    def __init__(self, backend: IptablesMarks) -> None:
        self._backend = backend

    def apply(self, plan: Marks, current: IptablesState) -> None:
        """Write the marks."""
        change = self._backend.change(current, plan)
        if change is not None:
            self._backend.apply(change, current)

    def restore(self, _plan: Marks, current: IptablesState) -> list[str]:
        """Restore the marks."""
        return self._backend.restore(current)


def theirs(tables: dict[str, dict[str, list[str]]]) -> list[str]:
    """Return the rules of others in the chains that we hook."""
    chains = [tables[table].get(base, []) for table, base in HOOKS.values()]
    return [rule for rules in chains for rule in rules if "multihome" not in rule]


@given(all_marks())
def test_a_record_tells_the_marks_it_was_made_of(marks: Marks) -> None:
    found = recover(record(marks))
    assert set(found.marks) == set(marks.marks)
    assert (found.mask, found.balance) == (marks.mask, marks.balance)
    assert (found.balance_from, found.balance_exclude) == (marks.balance_from, marks.balance_exclude)


@given(all_marks(), all_marks())
def test_written_marks_are_read_back_and_removed(first: Marks, second: Marks) -> None:
    made, programs = backend()
    empty = copy.deepcopy(programs.tables)
    for marks in (first, second):
        write(made, marks)
        state = made.read()
        assert state.faults == ()
        assert set(state.marks.marks) == set(marks.marks)
        for tables in programs.tables.values():
            assert theirs(tables) == THEIRS
            # Every chain that a rule goes to is there.
            for chains in tables.values():
                targets = re.findall(r"-[jg] (multihome_\w+)", str(chains))
                assert set(targets) <= set(chains)
                assert all(len(chain) <= 28 for chain in chains)
    write(made, Marks())
    assert programs.tables == empty


@pytest.mark.parametrize("refuse", ["*mangle", "*nat"])
def test_a_refusal_of_one_program_is_undone_in_both(refuse: str) -> None:
    made, programs = backend()
    write(made, ONE)
    before = copy.deepcopy(programs.tables)
    programs.refuse[6] = "wan1"
    with pytest.raises(ApplyFailed, match=r"ip6tables-restore: .*line 2 failed\nundone: iptables\nthe host is as"):
        write(made, OTHER)
    assert programs.tables == before
    programs.refuse = {4: refuse, 6: refuse}
    failures = made.restore(backend()[0].read())
    assert len(failures) == (2 if refuse == "*mangle" else 0)


def test_a_refusal_of_the_first_program_is_a_failed_step_since_it_may_have_changed_one_table() -> None:
    made, programs = backend()
    before = made.read()
    programs.refuse[4] = "wan1"
    with pytest.raises(StepFailed) as caught:
        Writing(made).apply(OTHER, before)
    assert caught.value.done == ()
    assert made.read() == before


def test_a_missing_or_repeated_jump_is_one_fault_and_repaired() -> None:
    made, programs = backend()
    write(made, ONE)
    jump = "-j multihome_marks_pre"
    for rules in ([*THEIRS[:1]], [jump, *THEIRS[:1], jump], [f"-i wan3 {jump}", jump, *THEIRS[:1]]):
        programs.tables[6]["mangle"]["PREROUTING"] = list(rules)
        assert made.read().faults == ("ip6tables: jumps of table mangle",)
        write(made, ONE)
        assert made.read().faults == ()
        assert theirs(programs.tables[6]) == THEIRS


@pytest.mark.parametrize("name", ["multihomed", "1st", "a b", ""])
def test_a_name_that_chains_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="at most 9"):
        IptablesMarks(name)
