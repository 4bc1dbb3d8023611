# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans that remove the address of the controller, or the last usable line, are refused; others are not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import WouldDisconnect
from ansible_collections.multihome.linux.plugins.module_utils._core.host.connection import Connection
from ansible_collections.multihome.linux.plugins.module_utils._core.plan import Action, Plan
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.disconnection import (
    refuse_addresses,
    refuse_routes,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias, Neighbour, Route
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.neighbours import Gateway, Resolution
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.way_back import Steps

CONNECTED = Connection("192.0.2.9", "192.168.168.1")
A = Route(1001, "0.0.0.0/0", 0, gateway="192.168.168.11")
B = Route(1002, "0.0.0.0/0", 0, gateway="192.168.168.12")
B6 = Route(1002, "::/0", 1024, gateway="fd00:168::12")
MAIN = Route(254, "0.0.0.0/0", 0, gateway="192.168.168.254")


def aliases(remove: Iterable[str] = (), add: Iterable[str] = ()) -> Plan[Alias]:
    """A plan of addresses, ``eth0 192.168.168.1/24``."""
    steps = [("remove", text) for text in remove] + [("add", text) for text in add]
    made = [(op, Alias(text.split(" ")[0], text.split(" ")[1])) for op, text in steps]
    return Plan(tuple(Action(op, alias) for op, alias in made), (), tuple(a for op, a in made if op == "add"))


def steps(remove: Iterable[Route], after: Iterable[Route] = ()) -> Steps:
    """The steps of a plan of routes."""
    return Steps(109, [Action("remove", route) for route in remove], ways_left=tuple(after))


def answering(*gateways: str) -> Any:
    """Gateways that answer."""

    def resolve(asked: Iterable[Gateway]) -> Resolution:
        return Resolution({one: Neighbour("eth0", "02::1") for one in asked if one[0] in gateways}, {})

    return resolve


def test_the_controllers_address_stays() -> None:
    with pytest.raises(WouldDisconnect, match=r"192\.168\.168\.1.* by which 192\.0\.2\.9 is connected"):
        refuse_addresses(aliases(["eth0 192.168.168.1/24"]), lambda: CONNECTED)


@pytest.mark.parametrize(
    ("plan", "connection"),
    [
        (aliases(["eth0 192.168.168.2/24"]), CONNECTED),
        (aliases(["eth0 192.168.168.1/24"], ["eth1 192.168.168.1/24"]), CONNECTED),
        (aliases(["eth0 192.168.168.1/24"]), None),
        (aliases(add=["eth0 192.168.168.1/24"]), CONNECTED),
    ],
)
def test_other_addresses_and_moves_are_not_refused(plan: Plan[Alias], connection: Connection | None) -> None:
    refuse_addresses(plan, lambda: connection)


def test_nobody_looks_for_the_connection_where_nothing_is_removed() -> None:
    def unexpected() -> Connection | None:
        raise AssertionError

    refuse_addresses(aliases(add=["eth0 192.168.168.1/24"]), unexpected)


@pytest.mark.parametrize(
    ("removed", "after", "existing", "up", "refused"),
    [
        ([A], [B], None, ["192.168.168.11"], True),
        # The control: the other line is usable, or the removed one was not either.
        ([A], [B], None, ["192.168.168.11", "192.168.168.12"], False),
        ([A], [B], None, [], False),
        # The whole configuration is removed: by a role only if main has a way out.
        ([A, B], [], None, ["192.168.168.11"], False),
        ([A, B], [], [A, B], ["192.168.168.11"], True),
        ([A, B], [], [A, B, MAIN], ["192.168.168.11", "192.168.168.254"], False),
        ([A, B], [], [A, B, MAIN], ["192.168.168.11"], True),
        # Each family for itself; one that no line has any more was given up.
        ([A], [B, B6], None, ["192.168.168.11", "fd00:168::12"], True),
        ([A], [B6], None, ["192.168.168.11", "fd00:168::12"], False),
        # No default route of a line.
        ([Route(1001, "203.0.113.0/24", 0, interface="eth0")], [A], None, [], False),
    ],
)
def test_the_last_usable_line_stays(
    removed: list[Route], after: list[Route], existing: list[Route] | None, up: list[str], refused: bool
) -> None:
    everything = None if existing is None else (lambda: existing)
    expected = pytest.raises(WouldDisconnect, match="table 1001, IPv4 is the last usable line")
    with expected if refused else contextlib.nullcontext():
        refuse_routes(steps(removed, after), everything, answering(*up))
