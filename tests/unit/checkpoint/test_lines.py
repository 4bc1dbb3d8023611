# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line that was up when a run was armed must not be down when it is confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint import lines
from ansible_collections.multihome.linux.plugins.module_utils._core.confirm import Refused
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Neighbour
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.neighbours import Gateway, Resolution

from .world import World

NAMES = {2: "eth0", 3: "eth1"}


def route(table: int, protocol: int = 109, family: int = 2, length: int = 0, **attributes: Any) -> Message:
    """A route, as the kernel reports it."""
    header = {"family": family, "dst_len": length, "type": 1, "proto": protocol, "table": min(table, 255)}
    return Message("route", header, {"RTA_TABLE": table, **attributes})


def answering(*gateways: str) -> lines.Resolve:
    """A network in which only these gateways answer."""

    def resolve(asked: Iterable[Gateway]) -> Resolution:
        found = {one: Neighbour("eth0", "02:00:00:00:00:01") for one in asked if one[0] in gateways}
        return Resolution(found, {})

    return resolve


FOUND = lines.lines(
    [
        route(1001, RTA_GATEWAY="192.0.2.1", RTA_OIF=2),
        route(1001, RTA_GATEWAY="192.0.2.2", RTA_OIF=2, RTA_PRIORITY=9),
        route(1001, family=10, RTA_GATEWAY="2001:db8::1", RTA_OIF=2),
        route(1002, RTA_VIA={"family": 10, "addr": "fe80::1"}, RTA_OIF=3),
        route(254, 3, RTA_MULTIPATH=[{"oif": 2, "attrs": [("RTA_GATEWAY", "192.0.2.1")]}]),
        # No lines: of another owner, to one network, and to a device.
        route(1009, 3, RTA_GATEWAY="192.0.2.9", RTA_OIF=2),
        route(1001, length=24, RTA_GATEWAY="192.0.2.8", RTA_OIF=2),
        route(1003, RTA_OIF=3),
    ],
    NAMES,
    (109,),
)


def test_a_line_is_a_table_with_a_default_route() -> None:
    assert FOUND == {
        "IPv4, table 1001": [("192.0.2.1", "eth0"), ("192.0.2.2", "eth0")],
        "IPv6, table 1001": [("2001:db8::1", "eth0")],
        "IPv4, table 1002": [("fe80::1", "eth1")],
        "IPv4, table main": [("192.0.2.1", "eth0")],
    }


def test_a_line_is_up_when_one_of_its_gateways_answers() -> None:
    assert lines.up(FOUND, answering("192.0.2.2")) == ["IPv4, table 1001"]


def test_a_line_that_was_up_must_not_be_down() -> None:
    were_up = ["IPv4, table 1001", "IPv6, table 1001", "IPv4, table 7"]
    left = lines.down(were_up, FOUND, answering("2001:db8::1"))
    assert left == ["IPv4, table 1001: no answer from 192.0.2.1, 192.0.2.2"]
    # The controls: a line that was down before, and one that the run removed.
    assert lines.down(["IPv4, table 7"], FOUND, answering()) == []
    assert lines.down(were_up, FOUND, answering("192.0.2.1", "2001:db8::1")) == []


def test_a_run_with_a_lost_line_is_not_confirmed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write("a")
    world.state.down = ["IPv4, table 1001: no answer from 192.0.2.1"]
    with pytest.raises(Refused, match="run a is not confirmed, because a line was up before it: IPv4, table 1001: no"):
        world.ending().confirm("a")
    assert world.directory.state("a") == "armed"
    world.state.down = []
    assert world.ending().confirm("a")
    # What is confirmed is not looked at again.
    world.state.down = ["x"]
    assert not world.ending().confirm("a")
