# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways are found as the kernel knows them, and asked for when it does not."""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ReadFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message, RequestFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import (
    duplicate_address_detection,
    neighbours,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Neighbour
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.neighbours import (
    Gateway,
    Resolution,
    resolve,
)

INCOMPLETE, REACHABLE, STALE, FAILED, NO_ADDRESS = 1, 2, 4, 0x20, 0x40
INTERFACES = {"lo": 1, "eth0": 2, "ppp0": 3}
MAC = "02:00:00:00:00:01"


class Host:
    """A kernel with one connected network, 192.0.2.0/24 on eth0, whose neighbours answer the second look or never."""

    def __init__(self, table: dict[str, tuple[int, str | None]], answering: dict[str, str] | None = None) -> None:
        self.table = table
        self.answering = answering or {}
        self.asked: list[str] = []
        self.dumped: list[str] = []

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass

    def dump(self, kind: str) -> list[Message]:
        """Return the neighbours, or the routes of lines' tables."""
        self.dumped.append(kind)
        if kind == "route":
            hop = {"oif": 2, "attrs": [("RTA_GATEWAY", "10.9.9.8")]}
            return [
                Message("route", {}, {"RTA_GATEWAY": "10.9.9.9", "RTA_OIF": 2}),
                Message("route", {}, {"RTA_MULTIPATH": [hop]}),
            ]
        rows = [
            Message("neighbour", {"ifindex": 2, "state": state}, {"NDA_DST": address, "NDA_LLADDR": hardware})
            for address, (state, hardware) in self.table.items()
        ]
        for address in self.asked:
            self.table[address] = (
                (REACHABLE, self.answering[address]) if address in self.answering else (INCOMPLETE, None)
            )
        return rows

    def send(self, operation: str, message: Message) -> None:
        """Begin to ask for a neighbour."""
        assert (operation, message.kind, message.header["flags"]) == ("replace", "neighbour", 1)
        if message.header["ifindex"] == 3:
            raise RequestFailed(errno.EINVAL)
        self.asked.append(message.get("NDA_DST"))

    def look_up(self, _header: Mapping[str, int], attributes: Mapping[str, Any]) -> Message:
        """Return the route to an address."""
        destination = attributes["RTA_DST"]
        if destination == "192.0.2.254":
            return Message("route", {"type": 2}, {"RTA_OIF": 1})
        if destination.startswith("192.0.2."):
            return Message("route", {"type": 1}, {"RTA_OIF": 2})
        if destination.startswith("10."):
            return Message("route", {"type": 1}, {"RTA_OIF": 2, "RTA_GATEWAY": "192.0.2.1"})
        raise RequestFailed(errno.ENETUNREACH)


def found(host: Host, *wanted: Gateway, timeout: float = 0.1) -> Resolution:
    """Look for gateways on a host."""
    return resolve(wanted, timeout, connect=lambda: host, list_interfaces=lambda: INTERFACES)


def test_what_the_table_holds_is_taken_and_what_is_stale_is_verified_for_later() -> None:
    host = Host({"192.0.2.1": (REACHABLE, MAC), "192.0.2.2": (STALE, MAC.replace("1", "A"))})
    result = found(host, ("192.0.2.1", None), ("192.0.2.2", "eth0"))
    assert result.neighbours[("192.0.2.1", None)] == Neighbour("eth0", MAC)
    assert result.neighbours[("192.0.2.2", "eth0")] == Neighbour("eth0", MAC.replace("1", "a"))
    assert result.reasons == {}
    assert host.asked == ["192.0.2.2"]
    assert "route" not in host.dumped


@pytest.mark.parametrize("state", [None, INCOMPLETE, FAILED])
def test_what_the_table_does_not_hold_is_asked_for(state: int | None) -> None:
    host = Host({} if state is None else {"192.0.2.1": (state, None)}, {"192.0.2.1": MAC})
    assert found(host, ("192.0.2.1", None)).neighbours == {("192.0.2.1", None): Neighbour("eth0", MAC)}


def test_all_together_have_the_same_time_to_answer() -> None:
    host = Host({})
    started = time.monotonic()
    result = found(host, *((f"192.0.2.{number}", None) for number in range(1, 100)), timeout=0.2)
    assert 0.2 <= time.monotonic() - started < 2
    assert len(result.reasons) == 99
    assert set(result.reasons.values()) == {"no answer on eth0"}


class Starting(Host):
    """A host whose interface came up just now: its gateway answers once the link-local address is usable."""

    def __init__(self, usable_after: float, scope: int = 253, failed: bool = False) -> None:
        super().__init__({"2001:db8::1": (INCOMPLETE, None)})
        self._usable, self._scope, self._failed = time.monotonic() + usable_after, scope, failed

    def dump(self, kind: str) -> list[Message]:
        """Return the link-local address, or the neighbour."""
        is_usable = time.monotonic() >= self._usable
        if kind == "address":
            self.dumped.append(kind)
            flags = 0x40 | 0x08 if self._failed else 0 if is_usable else 0x40
            return [Message("address", {"index": 2, "family": 10, "scope": self._scope}, {"IFA_FLAGS": flags})]
        if is_usable:
            self.table["2001:db8::1"] = (REACHABLE, MAC)
        return super().dump(kind)


def asked_at_start(host: Host) -> tuple[bool, float]:
    """Ask for the gateway; return whether it is found, and the seconds that it took."""
    started = time.monotonic()
    result = found(host, ("2001:db8::1", "eth0"), timeout=0.1)
    return bool(result.neighbours), time.monotonic() - started


def test_the_time_begins_when_the_interface_may_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicate_address_detection, "is_running", lambda _interface: True)
    assert asked_at_start(Starting(0.5))[0]
    # Not for ever, and not for an address that will never be usable, nor for others than the link-local one.
    monkeypatch.setattr(neighbours, "_DETECTION", 0.3)
    is_found, seconds = asked_at_start(Starting(60))
    assert not is_found
    assert seconds >= 0.35
    for host in (Starting(60, scope=0), Starting(60, failed=True)):
        is_found, seconds = asked_at_start(host)
        assert (is_found, seconds < 0.29) == (False, True)


def test_no_detection_runs_without_a_carrier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicate_address_detection, "is_running", lambda _interface: False)
    is_found, seconds = asked_at_start(Starting(60))
    assert (is_found, seconds < 2) == (False, True)


def test_ipv4_waits_for_no_detection() -> None:
    host = Host({"192.0.2.1": (INCOMPLETE, None)})
    assert found(host, ("192.0.2.1", None)).neighbours == {}
    assert "address" not in host.dumped


def test_every_reason_is_told() -> None:
    host = Host({"192.0.2.7": (NO_ADDRESS, None)})
    started = time.monotonic()
    result = found(
        host,
        ("192.0.2.254", None),
        ("192.0.2.1", "eth9"),
        ("10.0.0.1", None),
        ("2001:db8::1", None),
        ("192.0.2.1", "ppp0"),
        ("192.0.2.7", None),
        timeout=5,
    )
    assert result.reasons == {
        ("192.0.2.254", None): "it is an address of this host",
        ("192.0.2.1", "eth9"): "interface eth9 does not exist",
        ("10.0.0.1", None): "it is on the link of no interface",
        ("2001:db8::1", None): "it is on the link of no interface",
        ("192.0.2.1", "ppp0"): "no answer on ppp0",
        ("192.0.2.7", None): "no answer on eth0",
    }
    # Nobody to wait for.
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("gateway", ["10.9.9.9", "10.9.9.8"])
def test_a_next_hop_of_any_table_is_on_the_interface_of_its_route(gateway: str) -> None:
    host = Host({gateway: (REACHABLE, MAC)})
    assert found(host, (gateway, None)).neighbours == {(gateway, None): Neighbour("eth0", MAC)}


def test_no_gateway_asks_nothing_and_a_dump_that_fails_is_told() -> None:
    host = Host({})
    assert found(host) == Resolution({}, {})
    assert host.dumped == []

    class Silent(Host):
        def dump(self, _kind: str) -> list[Message]:
            raise RequestFailed(errno.EPERM)

    with pytest.raises(ReadFailed, match="cannot read the neighbours"):
        found(Silent({}), ("192.0.2.1", None))
