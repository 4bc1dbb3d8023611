# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of selected routes: asked of the kernel where it can select, sorted out of all routes where it cannot."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import (
    Netlink,
    RequestFailed,
    RouteFilter,
)

OURS, BIRD = 109, 12
MAIN = 254


def route(family: int, table: int, protocol: int, destination: bytes, length: int) -> bytes:
    """A message of a route, as Linux writes it, without sequence number."""
    number = table if table < 256 else 252
    body = struct.pack("=8BI", family, length, 0, 0, number, protocol, 0, 1, 0) + struct.pack("=HHI", 8, 15, table)
    if destination:
        body += struct.pack("=HH", 4 + len(destination), 1) + destination
    return struct.pack("=IHHII", 16 + len(body), 24, 2, 0, 0) + body


ROUTES = [
    (2, MAIN, BIRD, b"\x0a\x01\x00\x00", 16),
    (2, MAIN, BIRD, b"\x0a\x02\x00\x00", 16),
    (2, MAIN, OURS, b"\x0a\x03\x00\x00", 16),
    (2, 1001, OURS, b"", 0),
    (2, 1001, BIRD, b"\x0a\x01\x00\x00", 16),
    (10, 1001, OURS, b"", 0),
    (10, 1002, OURS, b"", 0),
]


class FakeSocket:
    """A netlink socket of a kernel that selects, or of one that knows nothing of it."""

    strict = True
    asked: list[tuple[int, int, int]] = []

    def __init__(self, *_arguments: int) -> None:
        self._told: list[bytes] = []

    def setsockopt(self, level: int, option: int, _value: int) -> None:
        """Take the option, or refuse it as a kernel before 4.20."""
        assert (level, option) == (270, 12)
        if not self.strict:
            raise OSError(92, "Protocol not available")

    def settimeout(self, _seconds: float) -> None:
        """Take a timeout."""

    def bind(self, _address: tuple[int, int]) -> None:
        """Take an address."""

    def send(self, data: bytes) -> None:
        """Answer a dump request."""
        family, _dst, _src, _tos, table, protocol = struct.unpack_from("=6B", data, 16)
        if len(data) > 28:
            _length, number, table = struct.unpack_from("=HHI", data, 28)
            assert number == 15
        type(self).asked.append((family, table, protocol))
        selected = [
            one
            for one in ROUTES
            if one[0] == family and (not self.strict or (table in (0, one[1]) and protocol in (0, one[2])))
        ]
        sequence = data[8:12]
        if self.strict and table and not selected:
            self._told = [struct.pack("=IHH", 20, 2, 0) + sequence + struct.pack("=Ii", 0, -2)]
            return
        messages = [route(*one) for one in selected]
        done = struct.pack("=IHH", 20, 3, 2) + sequence + struct.pack("=Ii", 0, 0)
        self._told = [b"".join(one[:8] + sequence + one[12:] for one in messages) + done]

    def recv(self, _size: int) -> bytes:
        """Give the answer, or none."""
        if not self._told:
            raise TimeoutError("timed out")
        return self._told.pop()

    def close(self) -> None:
        """End."""


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Netlink]:
    def connected(strict: bool) -> Netlink:
        monkeypatch.setattr(FakeSocket, "strict", strict)
        monkeypatch.setattr(FakeSocket, "asked", [])
        monkeypatch.setattr(socket, "socket", FakeSocket)
        return Netlink()

    return connected


def places(messages: list[Any]) -> list[tuple[int, int, int]]:
    """Family, table and protocol of each route."""
    return [(m.header["family"], m.get("RTA_TABLE"), m.header["proto"]) for m in messages]


CASES: list[tuple[list[RouteFilter], list[tuple[int, int, int]]]] = [
    ([RouteFilter(protocol=OURS)], [(2, MAIN, OURS), (2, 1001, OURS), (10, 1001, OURS), (10, 1002, OURS)]),
    ([RouteFilter(1001, None, 2)], [(2, 1001, OURS), (2, 1001, BIRD)]),
    ([RouteFilter(1001, OURS)], [(2, 1001, OURS), (10, 1001, OURS)]),
    ([RouteFilter(1003, None, 10)], []),
    ([RouteFilter(MAIN, None, 2, frozenset([(b"\x0a\x02\x00\x00", 16)]))], [(2, MAIN, BIRD)]),
    ([RouteFilter(None, None, 2, frozenset([(b"", 0)]))], [(2, 1001, OURS)]),
    ([RouteFilter(1001, None, 10), RouteFilter(1002)], [(10, 1001, OURS), (10, 1002, OURS)]),
    ([], []),
]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("filters", "expected"), CASES)
def test_the_same_routes_are_selected_by_either_kernel(
    connect: Callable[[bool], Netlink], strict: bool, filters: list[RouteFilter], expected: list[tuple[int, int, int]]
) -> None:
    assert places(connect(strict).dump("route", filters)) == expected


def test_a_kernel_that_selects_is_asked_for_table_and_protocol(connect: Callable[[bool], Netlink]) -> None:
    connect(True).dump("route", [RouteFilter(1001, OURS, 2), RouteFilter(protocol=OURS)])
    assert FakeSocket.asked == [(2, 1001, OURS), (2, 0, OURS), (10, 0, OURS)]


def test_a_kernel_that_cannot_select_is_not_asked_for_everything_again_and_again(
    connect: Callable[[bool], Netlink],
) -> None:
    found = connect(False).dump("route", [RouteFilter(table, None, 2) for table in range(1001, 1251)])
    assert FakeSocket.asked == [(2, 0, 0), (10, 0, 0)]
    assert len(found) == len(ROUTES)


def test_a_kernel_that_does_not_answer_is_not_waited_for_without_end(
    connect: Callable[[bool], Netlink], monkeypatch: pytest.MonkeyPatch
) -> None:
    netlink = connect(True)
    monkeypatch.setattr(FakeSocket, "send", lambda _self, _data: None)
    with pytest.raises(RequestFailed, match="the kernel did not answer within 30 s"):
        netlink.dump("route")
