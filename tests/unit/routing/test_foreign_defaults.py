# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Default routes of other programs that are preferred to those of the lines."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ReadFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.defaults import INTERVAL, DefaultCheck
from ansible_collections.multihome.linux.plugins.module_utils._core.plan import Existing
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.foreign_defaults import (
    ForeignDefault,
    foreign_defaults,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Route

OURS, DHCP = 109, 16
TABLES = [
    {
        "id": 254,
        "routes": [
            {"destination": "default", "gateway": "203.0.113.1", "interface": "a", "metric": 65281},
            {"destination": "default", "gateway": "198.51.100.1", "interface": "b", "metric": 65794},
            {"destination": "default", "gateway": "2001:db8::1", "interface": "a", "metric": 65281},
        ],
    },
    {"id": 1001, "routes": [{"destination": "default", "gateway": "203.0.113.1", "interface": "a"}]},
]


def a_route(table: int = 254, **entry: Any) -> Route:
    return Route.parse({"destination": "default", "gateway": "192.0.2.1", "interface": "c", **entry}, table)


@pytest.mark.parametrize(
    ("entry", "owner", "always"),
    [
        ({"metric": 100}, DHCP, [True]),
        ({"metric": 65500}, DHCP, [False]),
        # Behind all of the lines, also while these are dead.
        ({"metric": 40000001}, DHCP, []),
        ({"metric": 100}, OURS, []),
        ({"metric": 100, "destination": "10.0.0.0/8"}, DHCP, []),
        ({"metric": 100, "type": "unreachable"}, DHCP, []),
        ({"metric": 100, "table": 1001}, DHCP, []),
        # The same key: a conflict, which the run itself reports.
        ({"metric": 65281}, DHCP, []),
        # A router advertisement's, against those of the lines for IPv6 alone.
        ({"metric": 65500, "gateway": "fe80::1"}, 9, []),
        ({"metric": 1023, "gateway": "fe80::1"}, 9, [True]),
    ],
)
def test_which_routes_are_preferred(entry: dict[str, Any], owner: int, always: list[bool]) -> None:
    own = [route.object for route in RoutingEngine(TABLES, []).routes or ()]
    route = Route.parse({"destination": "0.0.0.0/0", **entry}, 254) if "type" in entry else a_route(**entry)
    found = foreign_defaults([Existing(route, owner)], own, OURS)
    assert [each.always for each in found] == always
    for each in found:
        assert f"metric {entry['metric']}" in each.message
    # Control: where main has no default route of the lines, there is nothing to prefer.
    assert foreign_defaults([Existing(route, owner)], [each for each in own if each.table != 254], OURS) == []


def test_each_is_logged_and_passed_on_once(capsys: pytest.CaptureFixture[str]) -> None:
    engine = RoutingEngine(TABLES, [])
    there: list[Any] = [Existing(a_route(metric=100), DHCP)]
    passed: list[ForeignDefault] = []

    def read(_executor: object) -> list[Any]:
        if there == ["broken"]:
            raise ReadFailed("the kernel does not answer")
        return there

    check = DefaultCheck(read, passed.append)
    for now in (0.0, INTERVAL):
        check.check(engine, now)
    assert [(each.interface, each.metric) for each in passed] == [("c", 100)]
    assert capsys.readouterr().err.count("leave by it") == 1
    # A dump that fails tells nothing.
    there[:] = ["broken"]
    check.check(engine, 2 * INTERVAL)
    assert len(check.report()) == 1
    there[:] = []
    check.check(engine, 3 * INTERVAL)
    assert check.report() == []
    assert "does not come before those of the lines any more" in capsys.readouterr().err
    there[:] = [Existing(a_route(metric=100), DHCP)]
    check.check(engine, 4 * INTERVAL)
    assert len(passed) == 2


def test_tables_of_lines_alone_are_no_reason_to_read_anything() -> None:
    def read(_executor: object) -> list[Any]:
        raise AssertionError("nothing is to be read")

    DefaultCheck(read).check(RoutingEngine(TABLES[1:], []), 0.0)
