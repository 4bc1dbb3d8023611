# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backend keeps the marks, and what becomes of those that the other one kept."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed, ReadFailed, Unsupported
from ansible_collections.multihome.linux.plugins.module_utils._core.filters import selection as backend_choice
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.backend import Standing
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.engine import MarkEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.model import ConnectionMark, Marks
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.selection import Moving, choose
from ansible_collections.multihome.linux.tests.unit.marks.strategies import Memory

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
    monkeypatch.setattr(backend_choice, "missing", lambda name: Unsupported(name, "1") if name in missing else None)
    backend, why = choose(wanted, "multihome")
    assert (backend.name, why) == (name, reason)
    assert isinstance(backend, Moving) == (not missing)
    # iptables cannot have put anything there under a name that it cannot write.
    if wanted != "iptables" and "nftables" not in missing:
        assert not isinstance(choose(wanted, "a_longer_name")[0], Moving)


@pytest.mark.parametrize("wanted", ["auto", "nftables", "iptables"])
def test_nothing_fit_is_told(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setattr(backend_choice, "missing", lambda name: Unsupported(name, "1"))
    with pytest.raises(Unsupported, match="iptables" if wanted == "iptables" else "nftables"):
        choose(wanted, "multihome")


def run(here: Memory, there: Memory, **options: Any) -> list[dict[str, Any]]:
    """Converge from one backend to the other, twice; return the first run's actions."""
    there.name = "other"
    backend = Moving(here, there)
    first = converge(MarkEngine((backend, ""), marks=LISTED, **options), False, contextlib.nullcontext)
    again = converge(MarkEngine((backend, ""), marks=LISTED, **options), False, contextlib.nullcontext)
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


def test_what_the_other_does_not_let_go_is_taken_back() -> None:
    class Holding(Memory):
        def write(self, _standing: Any, _marks: Marks) -> None:
            raise ApplyFailed("other", "in use")

    here, there = Memory(), Holding(ONE)
    with pytest.raises(ApplyFailed, match="in use\nundone: memory\nthe host is as it was before"):
        run(here, there)
    assert (here.marks, there.marks) == (Marks(), ONE)


def test_undo_puts_back_both() -> None:
    here, there = Memory(), Memory(ONE)
    backend = Moving(here, there)
    before = backend.read()
    backend.write(before, ONE)
    assert backend.undo(before) == []
    assert (here.marks, there.marks) == (Marks(), ONE)


def test_what_cannot_be_read_there_hinders_nothing() -> None:
    class Unreadable(Memory):
        def read(self) -> Standing:
            raise ReadFailed("other")

    here = Memory()
    run(here, Unreadable())
    assert here.marks == ONE
