# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which routes are read: enough for the plan to be that of all routes, and none of a table that others fill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ForeignObject
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Filters, Message
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine, RoutingPlan
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias, Route
from hypothesis import given
from hypothesis import strategies as st

from .fake_kernel import INTERFACES, FakeKernel

OURS, BIRD = 109, 12
TABLES = [254, 1001, 1002]
DESTINATIONS = ["10.1.0.0/16", "10.2.0.0/16", "0.0.0.0/0", "fd01::/32", "::/0"]
ROUTES = st.tuples(
    st.sampled_from(TABLES), st.sampled_from(DESTINATIONS), st.sampled_from([1, 2]), st.sampled_from([OURS, BIRD])
)


class Counting(FakeKernel):
    """A kernel that notes what it was asked for, and may refuse to select."""

    asked: list[Filters | None]
    selects = True

    def dump(self, kind: str, only: Filters | None = None) -> list[Message]:
        """Note, and dump."""
        if kind == "route":
            self.asked.append(only)
        return super().dump(kind, only if self.selects else None)


def host(routes: list[tuple[int, str, int, int]]) -> Counting:
    """A host with these routes."""
    fake = Counting(Path("/nonexistent"))
    fake.asked = []
    for address in ("10.0.0.50/24", "fd00::50/64"):
        alias = Alias.parse({"address": address, "interface": "eth0"})
        fake.carry_out("add", rtnetlink_encoding.encode_alias(alias, INTERFACES["eth0"], 0))
    for table, destination, gateway, owner in routes:
        route = Route.parse(entry(destination, gateway), table)
        fake.routes.append(fake._resolved(rtnetlink_encoding.encode_route(route, INTERFACES, owner)))
    return fake


def entry(destination: str, gateway: int) -> dict[str, Any]:
    """An entry of `routes`."""
    return {"destination": destination, "gateway": f"fd00::{gateway}" if ":" in destination else f"10.0.0.{gateway}"}


def planned(fake: Counting, tables: list[dict[str, Any]], purge: bool, narrow: bool) -> RoutingPlan | tuple[str, ...]:
    """The plan on this host, or the conflicts."""
    engine = RoutingEngine(tables, None, OURS, purge, fake.executor())
    engine.desired_tables_only = narrow
    try:
        return engine.plan(engine.read())
    except ForeignObject as error:
        return error.conflicts


def actions(result: RoutingPlan | tuple[str, ...]) -> list[str]:
    """The steps of a plan, or the conflicts."""
    return sorted(map(str, result.actions) if isinstance(result, RoutingPlan) else result)


@given(
    st.lists(ROUTES, max_size=6, unique_by=lambda route: (route[:2], route[3])),
    st.lists(st.tuples(st.sampled_from(TABLES), st.sampled_from(DESTINATIONS)), unique=True, max_size=4),
    st.booleans(),
)
def test_the_plan_is_that_of_all_routes(
    routes: list[tuple[int, str, int, int]], desired: list[tuple[int, str]], purge: bool
) -> None:
    tables = [
        {"id": table, "routes": [entry(destination, 1) for here, destination in desired if here == table]}
        for table in TABLES
    ]
    fake, whole = host(routes), host(routes)
    whole.selects = False
    expected = planned(whole, tables, purge, narrow=False)
    assert actions(planned(fake, tables, purge, narrow=False)) == actions(expected)
    assert all(only is not None for only in fake.asked)
    if not purge:
        assert actions(planned(fake, tables, purge, narrow=True)) == actions(expected)


def test_a_table_that_others_fill_is_never_read_as_a_whole() -> None:
    fake = host([(254, "10.1.0.0/16", 1, BIRD)])
    result = planned(fake, [{"id": 254, "routes": [entry("10.2.0.0/16", 1)]}], purge=False, narrow=True)
    assert actions(result) == ["add route 10.2.0.0/16 in table 254"]
    filters = [each for only in fake.asked for each in only or ()]
    assert all(each.protocol == OURS or each.destinations for each in filters if each.table in (None, 254))


@pytest.mark.parametrize("narrow", [True, False])
def test_a_route_of_ours_in_place_needs_one_dump(narrow: bool) -> None:
    fake = host([(1001, "10.1.0.0/16", 1, OURS)])
    result = planned(fake, [{"id": 1001, "routes": [entry("10.1.0.0/16", 1)]}], purge=False, narrow=narrow)
    assert actions(result) == []
    assert len(fake.asked) == 1
