# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of connection marks: what is done is what was foretold, and then there is nothing to do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput, VerifyFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.backend import State
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.engine import MarkEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.model import ConnectionMark, Marks
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Neighbour
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.neighbours import Gateway, Resolution
from ansible_collections.multihome.linux.tests.unit.marks.strategies import Memory, all_marks, selected
from hypothesis import given
from hypothesis import strategies as st

HERE, THERE = Neighbour("eth0", "02:00:00:00:00:01"), Neighbour("eth0", "02:00:00:00:00:02")
WHY = "a test"
GATEWAY = {"mark": 1, "gateway": "192.0.2.1"}


def finding(neighbours: dict[Gateway, Neighbour]) -> Callable[[Iterable[Gateway]], Resolution]:
    """Return a stand-in for resolve() that finds these."""

    def find(wanted: Iterable[Gateway]) -> Resolution:
        keys = list(wanted)
        reasons = {key: "no answer on eth0" for key in keys if key not in neighbours}
        return Resolution({key: neighbours[key] for key in keys if key in neighbours}, reasons)

    return find


def run(
    backend: Memory, check: bool = False, at: Neighbour | None = None, **options: Any
) -> tuple[MarkEngine, Outcome[Any]]:
    """Converge once; the gateway of GATEWAY is ``at`` a neighbour, or silent."""
    find = finding({("192.0.2.1", None): at} if at else {})
    engine = MarkEngine(selected(backend, reason=WHY), find=find, **options)
    return engine, converge(engine, check, contextlib.nullcontext)


def entries(marks: Marks) -> dict[str, Any]:
    """Return the options that ask for these marks."""
    return {
        "marks": [mark.as_input() for mark in marks.marks],
        "balance": [line.as_input() for line in marks.balance],
        "balance_from": marks.balance_from or ["192.0.0.8"],
        "balance_exclude": marks.balance_exclude,
    }


@given(all_marks(), all_marks(), st.booleans())
def test_check_mode_foretells_and_a_second_run_does_nothing(before: Marks, wanted: Marks, purge: bool) -> None:
    backend = Memory(before)
    find = finding({mark.key: mark.neighbour for mark in wanted.marks if mark.gateway and mark.neighbour})
    options = {**entries(wanted), "purge": purge, "find": find}
    try:
        foretold = converge(MarkEngine(selected(backend, reason=WHY), **options), True, contextlib.nullcontext)
    except InvalidInput:
        # An existing mark that is not listed may be a neighbour of another mark.
        assert not purge
        return
    assert (backend.marks, backend.writes) == (before, 0)
    done = converge(MarkEngine(selected(backend, reason=WHY), **options), False, contextlib.nullcontext)
    assert (foretold.actions(), foretold.plan.after) == (done.actions(), done.plan.after)
    assert backend.writes == bool(done.actions())
    if done.actions():
        assert backend.marks == done.plan.after
    kept = {mark.key for mark in backend.marks.marks}
    assert {mark.key for mark in wanted.marks} <= kept
    assert kept <= {mark.key for mark in (*wanted.marks, *(() if purge else before.marks))}
    again = converge(MarkEngine(selected(backend, reason=WHY), **options), False, contextlib.nullcontext)
    assert again.actions() == []


@given(all_marks(), st.randoms())
def test_the_order_of_the_lists_changes_nothing(wanted: Marks, random: Any) -> None:
    backend = Memory()
    converge(
        MarkEngine(selected(backend, reason=WHY), **entries(wanted), find=finding({})), False, contextlib.nullcontext
    )
    marks, balance = list(wanted.marks), list(wanted.balance)
    random.shuffle(marks)
    random.shuffle(balance)
    shuffled = entries(replace(wanted, marks=tuple(marks), balance=tuple(balance)))
    again = converge(
        MarkEngine(selected(backend, reason=WHY), **shuffled, purge=True, find=finding({})),
        False,
        contextlib.nullcontext,
    )
    assert again.actions() == []


def test_a_gateway_is_learned_replaced_and_kept_when_it_falls_silent() -> None:
    backend = Memory()
    engine, outcome = run(backend, marks=[GATEWAY])
    assert outcome.actions() == [{"op": "add", "object": GATEWAY}]
    remarks = engine.remarks(outcome.plan)
    unresolved = [{**GATEWAY, "reason": "no answer on eth0"}]
    assert remarks == {"backend": "memory", "backend_reason": WHY, "unresolved": unresolved}
    for at in (HERE, THERE):
        engine, outcome = run(backend, at=at, marks=[GATEWAY])
        assert outcome.actions() == [{"op": "replace", "object": GATEWAY}]
        assert at.address in engine.lines(outcome.plan)["after"][1]
        assert not run(backend, at=at, marks=[GATEWAY])[1].changed
    assert not run(backend, marks=[GATEWAY])[1].changed
    # Silent, and now of another line: what was learned is not lost.
    run(backend, marks=[{**GATEWAY, "mark": 2}])
    assert backend.marks.marks == (ConnectionMark(2, gateway="192.0.2.1", neighbour=THERE),)


def test_gateways_are_looked_for_once_in_a_run() -> None:
    asked: list[list[Gateway]] = []

    def find(wanted: Iterable[Gateway]) -> Resolution:
        asked.append(list(wanted))
        return Resolution({("192.0.2.1", None): HERE}, {})

    marks = [GATEWAY, {"mark": 2, "in_interface": "wan0"}]
    converge(MarkEngine(selected(Memory()), marks=marks, find=find), False, contextlib.nullcontext)
    assert asked == [[("192.0.2.1", None)]]


def test_a_list_that_is_not_given_is_left_alone() -> None:
    backend = Memory()
    shares = [{"mark": 3, "sources": ["192.0.2.3"]}]
    run(backend, at=HERE, marks=[GATEWAY], balance=shares, balance_from=["192.0.0.8"])
    configured = backend.marks
    assert not run(backend, at=HERE, marks=[GATEWAY], purge=True)[1].changed
    assert not run(backend, balance=shares, balance_from=["192.0.0.8"], purge=True)[1].changed
    assert backend.marks == configured
    run(backend, balance=[], purge=True)
    assert backend.marks == Marks(0xFF, configured.marks)


def test_changed_settings_of_existing_marks_are_steps_and_those_of_new_marks_are_not() -> None:
    backend = Memory()
    engine, outcome = run(backend, marks=[GATEWAY], mask="0xf")
    assert [action["op"] for action in outcome.actions()] == ["add"]
    _engine, outcome = run(backend, marks=[GATEWAY])
    assert outcome.actions() == [{"op": "replace", "object": {"mask": 255}}]
    assert engine.lines(outcome.plan)["after"][0] == "mask 0xff"


def test_a_mask_without_the_bits_of_an_existing_mark_is_refused() -> None:
    backend = Memory(Marks(0xFF, (ConnectionMark(0x20, "wan9"),)))
    with pytest.raises(InvalidInput, match="wan9 exists, is not listed, and has bits outside the mask 0xf"):
        run(backend, marks=[GATEWAY], mask=0xF)
    run(backend, marks=[GATEWAY], mask=0xF, purge=True)


def test_one_neighbour_cannot_be_two_lines() -> None:
    backend = Memory(Marks(0xFF, (ConnectionMark(2, gateway="192.0.2.9", neighbour=HERE),)))
    with pytest.raises(InvalidInput, match="both gateways are 02:00:00:00:00:01"):
        run(backend, at=HERE, marks=[GATEWAY])
    assert backend.writes == 0
    run(backend, at=HERE, marks=[GATEWAY], purge=True)


def test_faults_are_repaired_when_marks_exist_or_are_purged() -> None:
    backend = Memory(Marks(0xFF, (ConnectionMark(1, gateway="192.0.2.1", neighbour=HERE),)), ("chain marks_output",))
    _engine, outcome = run(backend, at=HERE, marks=[GATEWAY])
    assert outcome.actions() == [{"op": "replace", "object": {"table": "chain marks_output"}}]
    empty = Memory(Marks(), ("chain marks_stranger",))
    assert not run(empty, marks=[])[1].changed
    _engine, outcome = run(empty, marks=[], purge=True)
    assert outcome.actions() == [{"op": "remove", "object": {"table": "chain marks_stranger"}}]


def test_a_backend_that_forgets_is_found_out_and_put_back() -> None:
    class Forgetful(Memory):
        def apply(self, _change: Marks, _current: State) -> None:
            self.marks = Marks()

    before = Marks(0xFF, (ConnectionMark(7, "wan7"),))
    backend = Forgetful(before)
    with pytest.raises(VerifyFailed):
        run(backend, marks=[GATEWAY])
    assert backend.marks == before


def test_a_source_within_another_one_is_refused_also_beside_existing_marks() -> None:
    wide, narrow = {"mark": 1, "source": "10.1.0.0/16"}, {"mark": 2, "source": "10.1.2.3", "name": "inner"}
    with pytest.raises(InvalidInput) as raised:
        run(Memory(), marks=[narrow, wide, {"mark": 1, "source": "10.2.0.0/16"}])
    assert str(raised.value) == (
        "marks[1] (1) and marks[0] (inner): source 10.1.2.3 is within source 10.1.0.0/16; "
        "list prefixes that do not overlap"
    )
    backend = Memory()
    run(backend, marks=[wide])
    with pytest.raises(InvalidInput, match=r"mark 0x1 for source 10.1.0.0/16 and marks\[0\]"):
        run(backend, marks=[narrow])
    _engine, outcome = run(backend, marks=[narrow], purge=True)
    assert [action["op"] for action in outcome.actions()] == ["add", "remove"]


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"mark": 1, "source": "0.0.0.0/0"}, "every source address is within it"),
        ({"mark": 1, "source": "10.0.0.1/8"}, "has host bits set"),
        ({"mark": 1, "source": "10.0.0.1", "in_interface": "eth0"}, "source alone identifies the line"),
        ({"mark": 1}, "give in_interface, gateway or source"),
    ],
)
def test_a_source_that_tells_no_line_is_refused(entry: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        run(Memory(), marks=[entry])
