# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The spread of new connections as the lines allow it: results and stored files keep what is wanted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from ansible_collections.multihome.linux.plugins.module_utils._core.filters.backend import Current as FilterState
from ansible_collections.multihome.linux.plugins.module_utils._core.health.effective import Observed, allowed
from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import parse_lines
from ansible_collections.multihome.linux.plugins.module_utils._core.health.usable_lines import Usable
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.backend import State
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.engine import Current, MarkEngine, MarkPlan
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.model import Marks
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.neighbours import Resolution

LINES = parse_lines([{"name": f"line{n}", "id": n, "mark": f"{n}/255"} for n in (1, 2)])
BALANCE = [
    {"mark": 1, "weight": 4, "sources": ["203.0.113.10", "2001:db8:a::10"], "name": "line1"},
    {"mark": 2, "weight": 1, "sources": ["198.51.100.20", "2001:db8:b::20"], "name": "line2"},
]
OPTIONS: dict[str, Any] = {"marks": [], "balance": BALANCE}


class Engine(MarkEngine):
    """The engine on marks that a test has."""

    def __init__(self, usable4: tuple[str, ...], usable6: tuple[str, ...], purge: bool = False) -> None:
        observed = Observed(LINES, {4: Usable(usable4), 6: Usable(usable6)})
        super().__init__(
            cast("Any", SimpleNamespace(other=None)),  # nothing is read or written
            [],
            BALANCE,
            balance_from=["192.0.0.8", "100::8"],
            purge=purge,
            ask_allowed=lambda: allowed("connection_marks", OPTIONS, observed),
        )

    def planned(self, marks: Marks) -> MarkPlan:
        """The plan from these marks."""
        self._limit()
        return self.plan(Current(FilterState(State(marks), None), Resolution({}, {})))


BOTH = ("line1", "line2")


def shares(marks: Marks) -> dict[int, list[str]]:
    """The sources of each mark."""
    return {share.mark: list(share.sources) for share in marks.balance}


def test_a_dead_line_leaves_the_spread_and_comes_back() -> None:
    start = Engine(BOTH, BOTH).planned(Marks()).after
    assert set(shares(start)) == {1, 2}
    dead = Engine(("line2",), ("line2",)).planned(start)
    assert [(action.op, action.object.as_input()["mark"]) for action in dead.actions] == [("remove", 1)]
    assert set(shares(dead.after)) == {2}
    assert Engine(("line2",), ("line2",)).planned(dead.after).actions == ()
    healed = Engine(BOTH, BOTH).planned(dead.after)
    assert healed.after == start


def test_one_family_is_dead_alone() -> None:
    start = Engine(BOTH, BOTH).planned(Marks()).after
    dead = Engine(BOTH, ("line2",)).planned(start)
    assert [action.op for action in dead.actions] == ["replace"]
    assert shares(dead.after)[1] == ["203.0.113.10"]


def test_results_and_files_keep_what_is_wanted() -> None:
    start = Engine(BOTH, BOTH).planned(Marks()).after
    for usable6 in (BOTH, ("line2",)):
        engine = Engine(("line2",), usable6)
        during = engine.planned(start).after
        engine = Engine(("line2",), usable6)
        plan = engine.planned(during)
        assert plan.actions == ()
        wanted = Engine(BOTH, BOTH)
        assert engine.lines(plan) == wanted.lines(wanted.planned(start))
        assert engine.to_store(None, plan) == wanted.to_store(None, plan)
        # What a killed run is rolled back to is what is there.
        assert engine.state_before(plan)["balance"] != wanted.to_store(None, plan)["balance"]


def test_with_both_dead_everything_stays() -> None:
    start = Engine(BOTH, BOTH).planned(Marks()).after
    assert Engine((), ()).planned(start).actions == ()
