# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backend keeps the marks, and what becomes of those that the other one kept."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed, ReadFailed, Unsupported
from ansible_collections.multihome.linux.plugins.module_utils._core.filters import selection as filter_selection
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.backend import State
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.engine import MarkEngine, select
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.model import ConnectionMark, Marks
from ansible_collections.multihome.linux.tests.unit.marks.strategies import Memory, selected

ONE = Marks(0xFF, (ConnectionMark(1, "wan0"),))
LISTED = [{"mark": 1, "in_interface": "wan0"}]


@pytest.mark.parametrize(
    ("wanted", "missing", "name", "reason"),
    [
        ("auto", [], "nftables", "auto prefers nftables"),
        ("auto", ["iptables"], "nftables", "auto prefers nftables"),
        ("auto", ["nftables"], "iptables", "auto prefers nftables, but nftables: needs 1, found nothing"),
        ("nftables", ["iptables"], "nftables", "backend: nftables was asked for"),
        ("iptables", [], "iptables", "backend: iptables was asked for"),
    ],
)
def test_the_choice_and_its_reason(
    monkeypatch: pytest.MonkeyPatch, wanted: str, missing: list[str], name: str, reason: str
) -> None:
    monkeypatch.setattr(filter_selection, "missing", lambda name: Unsupported(name, "1") if name in missing else None)
    monkeypatch.setattr(filter_selection, "iptables_has", lambda table, _nftables: table == "mangle")
    selection = select(wanted, "multihome")
    assert (selection.name, selection.backend.name, selection.reason) == (name, name, reason)
    assert (selection.other is not None) == (not missing)
    # iptables cannot hold anything under a name that it cannot use.
    if wanted != "iptables" and "nftables" not in missing:
        assert select(wanted, "a_longer_name").other is None
    monkeypatch.setattr(filter_selection, "iptables_has", lambda _table, _nftables: False)
    assert (select(wanted, "multihome").other is not None) == (name == "iptables" and not missing)


@pytest.mark.parametrize("wanted", ["auto", "nftables", "iptables"])
def test_nothing_fit_is_told(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setattr(filter_selection, "missing", lambda name: Unsupported(name, "1"))
    with pytest.raises(Unsupported, match="iptables" if wanted == "iptables" else "nftables"):
        select(wanted, "multihome")


def run(here: Memory, there: Memory, **options: Any) -> list[dict[str, Any]]:
    """Converge from one backend to the other, twice; return the first run's actions."""
    there.name = "other"
    selection = selected(here, there)
    first = converge(MarkEngine(selection, marks=LISTED, **options), False, contextlib.nullcontext)
    again = converge(MarkEngine(selection, marks=LISTED, **options), False, contextlib.nullcontext)
    assert again.actions() == []
    return first.actions()


def test_marks_are_moved_with_what_is_not_listed() -> None:
    here, there = Memory(), Memory(Marks(0xFF, (*ONE.marks, ConnectionMark(2, "wan1"))))
    both = there.marks
    assert run(here, there) == [{"op": "replace", "object": {"table": "marks kept by other"}}]
    assert (here.marks, there.marks) == (both, Marks())
    assert run(here, there, purge=True) == [{"op": "remove", "object": {"mark": 2, "in_interface": "wan1"}}]


def test_nothing_is_moved_where_nothing_is() -> None:
    here, there = Memory(), Memory()
    assert [action["op"] for action in run(here, there)] == ["add"]
    assert (here.writes, there.writes) == (1, 0)


def test_a_failed_move_is_undone() -> None:
    class Holding(Memory):
        def apply(self, _change: Marks, _current: State) -> None:
            raise ApplyFailed("other", "in use")

    here, there = Memory(), Holding(ONE)
    with pytest.raises(ApplyFailed, match="in use\nundone: memory\nthe host is as it was before"):
        run(here, there)
    assert (here.marks, there.marks) == (Marks(), ONE)


def test_restore_restores_both() -> None:
    here, there = Memory(), Memory(ONE)
    engine = MarkEngine(selected(here, there), marks=LISTED)
    current = engine.read()
    plan = engine.plan(current)
    engine.apply(plan, current)
    assert (here.marks, there.marks) == (ONE, Marks())
    assert engine.restore(plan, current) == []
    assert (here.marks, there.marks) == (Marks(), ONE)


def test_what_cannot_be_read_there_hinders_nothing() -> None:
    class Unreadable(Memory):
        def read(self) -> State:
            raise ReadFailed("other")

    here = Memory()
    run(here, Unreadable())
    assert here.marks == ONE
