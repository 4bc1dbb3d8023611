# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes as the lines allow them: the kernel gets those, and results and stored files keep what is wanted."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.engine import Allowed
from ansible_collections.multihome.linux.plugins.module_utils._core.health.effective import (
    UNUSABLE,
    Observed,
    allowed,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import parse_lines
from ansible_collections.multihome.linux.plugins.module_utils._core.health.usable_lines import Usable
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.tests.unit.keeper.hosts import Host

LINES = parse_lines([
    {"name": "a", "id": 1, "interface": "eth0", "gateways": ["10.0.0.253"]},
    {"name": "b", "id": 2, "interface": "eth0", "gateways": ["10.0.0.254"]},
])  # fmt: skip
MAIN = [
    {
        "id": 254,
        "routes": [
            {"destination": "default", "gateway": "10.0.0.253", "interface": "eth0", "metric": 257},
            {"destination": "default", "gateway": "10.0.0.254", "interface": "eth0", "metric": 514},
        ],
    }
]
BOTH, ONLY_B = ("a", "b"), ("b",)


class Site:
    """A host whose lines are usable as a test says."""

    def __init__(self, root: Path) -> None:
        self.host = Host(root)
        self.host.aliases([{"address": "10.0.0.50/24", "interface": "eth0"}])
        self.usable: tuple[str, ...] = BOTH

    def engine(self, tables: Any, purge: bool = False) -> RoutingEngine:
        """An engine that asks for the lines."""
        options = {"tables": tables, "rules": None, "protocol": 109, "purge": purge}

        def ask() -> Allowed | None:
            return allowed("policy_routing", options, Observed(LINES, {4: Usable(self.usable)}))

        return RoutingEngine(tables, None, 109, purge, self.host.fake.executor(), ask_allowed=ask)

    def run(self, tables: Any = None, check: bool = False, **more: Any) -> tuple[RoutingEngine, Outcome[Any]]:
        """Run policy_routing."""
        engine = self.engine(MAIN if tables is None else tables, **more)
        return engine, converge(engine, check, contextlib.nullcontext)

    def defaults(self) -> list[tuple[str | None, int | None]]:
        """Gateway and metric of our routes."""
        routes = [each.object for each in self.host.fake.snapshot().routes() if each.owner == 109]
        return sorted(((route.gateway, route.metric) for route in routes), key=lambda found: found[1] or 0)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


WANTED = [("10.0.0.253", 257), ("10.0.0.254", 514)]
A_IS_DEAD = [("10.0.0.254", 514), ("10.0.0.253", 257 + UNUSABLE)]


def steps(outcome: Outcome[Any]) -> list[tuple[str, int]]:
    return [(each["op"], each["object"]["metric"]) for each in outcome.actions()]


@pytest.mark.parametrize("purge", [False, True])
def test_a_dead_line_is_demoted_and_its_usual_route_removed_afterwards(site: Site, purge: bool) -> None:
    site.run(purge=purge)
    assert site.defaults() == WANTED
    site.usable = ONLY_B
    assert steps(site.run(purge=purge, check=True)[1]) == [("add", 257 + UNUSABLE), ("remove", 257)]
    site.run(purge=purge)
    assert site.defaults() == A_IS_DEAD
    site.usable = BOTH
    assert steps(site.run(purge=purge)[1]) == [("add", 257), ("remove", 257 + UNUSABLE)]
    assert site.defaults() == WANTED


def test_a_run_during_the_outage_changes_nothing_and_shows_what_is_wanted(site: Site) -> None:
    site.usable = ONLY_B
    site.run()
    for check in (True, False):
        engine, outcome = site.run(check=check)
        assert not outcome.changed
        assert engine.before(outcome.plan) == engine.after(outcome.plan)
        [table] = engine.after(outcome.plan)["tables"]
        assert [route["metric"] for route in table["routes"]] == [257, 514]
        assert engine.to_store(None, outcome.plan)["tables"][0]["routes"] == table["routes"]
        assert not any(str(UNUSABLE + 257) in line for side in engine.lines(outcome.plan).values() for line in side)
        # What a killed run is rolled back to is what is there.
        [before] = engine.state_before(outcome.plan)["tables"]
        assert sorted(route["metric"] for route in before["routes"]) == [514, 257 + UNUSABLE]


def test_control_an_engine_that_asks_nobody_would_repair_the_demoted_route(site: Site) -> None:
    site.usable = ONLY_B
    site.run()
    engine = RoutingEngine(MAIN, None, 109, False, site.host.fake.executor())
    outcome = converge(engine, True, contextlib.nullcontext)
    assert ("add", 257) in steps(outcome)


def test_a_line_that_is_new_and_dead_comes_with_its_demoted_route(site: Site) -> None:
    site.run([{**MAIN[0], "routes": MAIN[0]["routes"][1:]}])  # type: ignore[index]  # plain data
    site.usable = ONLY_B
    engine, outcome = site.run()
    assert steps(outcome) == [("add", 257 + UNUSABLE)]
    [table] = engine.after(outcome.plan)["tables"]
    assert [route["metric"] for route in table["routes"]] == [257, 514]


def test_a_route_of_another_program_is_never_withdrawn(site: Site) -> None:
    foreign = RoutingEngine(MAIN, None, 16, False, site.host.fake.executor())
    converge(foreign, False, contextlib.nullcontext)
    site.usable = ONLY_B
    site.run()
    owners = {each.object.metric: each.owner for each in site.host.fake.snapshot().routes() if each.object.metric}
    assert owners[257] == 16
    assert owners[257 + UNUSABLE] == 109


def test_without_stored_lines_the_lists_are_configured_as_they_are(site: Site) -> None:
    engine = RoutingEngine(MAIN, None, 109, False, site.host.fake.executor(), ask_allowed=lambda: None)
    converge(engine, False, contextlib.nullcontext)
    assert site.defaults() == WANTED
