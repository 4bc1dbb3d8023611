# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded addresses, routes and rules come back, and other owners' objects stay, with a kernel in memory."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint import network
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.alias_engine import AliasEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.tests.unit.routing.fake_kernel import INTERFACES, FakeKernel

OURS, BIRD, BY_HAND = 109, 12, 3


class Host:
    """A kernel in memory."""

    def __init__(self, directory: Path) -> None:
        for interface in INTERFACES:
            (directory / interface).mkdir()
            (directory / interface / "promote_secondaries").write_text("0\n")
        self.kernel = FakeKernel(directory)
        self.executor = self.kernel.executor()

    def addresses(self, *addresses: str, owner: int = OURS) -> None:
        """Have exactly these addresses of an owner on eth0."""
        entries = [{"address": address, "interface": "eth0"} for address in addresses]
        converge(AliasEngine(entries, owner, True, self.executor), False, contextlib.nullcontext)

    def routing(self, gateway: str, *rules: dict[str, Any], owner: int = OURS, table: int = 1001) -> None:
        """Have exactly this default route and these rules of an owner."""
        tables = [{"id": table, "routes": [{"destination": "203.0.113.0/24", "gateway": gateway}]}]
        converge(RoutingEngine(tables, list(rules), owner, True, self.executor), False, contextlib.nullcontext)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with a line."""
    made = Host(tmp_path)
    made.addresses("192.168.168.1/24", "192.168.168.2/24", "fd00:168::1/64")
    made.routing("192.168.168.11", {"priority": 23010, "source": "192.168.168.1", "table": 1001})
    return made


def captured(host: Host) -> Any:
    """A checkpoint as it is read from its file."""
    return json.loads(json.dumps(network.capture(host.executor, [OURS])))


def test_everything_comes_back(host: Host) -> None:
    checkpoint, before = captured(host), host.kernel.state()
    host.routing("192.168.168.12", {"priority": 20000, "family": "ipv4", "action": "unreachable"})
    host.addresses("192.168.168.7/24")
    assert len(network.differences(checkpoint, [OURS], host.executor)) >= 5
    assert network.restore(checkpoint, [OURS], host.executor) == []
    assert network.differences(checkpoint, [OURS], host.executor) == []
    # Addresses come back without a search for duplicates, which is the only difference.
    assert [line.split(" flags")[0] for line in host.kernel.state()["rule"]] == before["rule"]
    assert host.kernel.state()["route"] == before["route"]


def test_nothing_is_sent_when_nothing_differs(host: Host) -> None:
    checkpoint = captured(host)
    host.kernel.read_only = True
    assert network.restore(checkpoint, [OURS], host.executor) == []


def test_objects_of_other_owners_stay(host: Host) -> None:
    host.addresses("198.51.100.1/24", owner=BY_HAND + 100)
    checkpoint = captured(host)
    host.addresses("198.51.100.2/24", owner=BY_HAND + 100)
    host.addresses("192.168.168.7/24")
    assert network.restore(checkpoint, [OURS], host.executor) == []
    addresses = {m.get("IFA_LOCAL") for m in host.kernel.dump("address")}
    assert "198.51.100.2" in addresses
    assert "198.51.100.1" not in addresses
    assert {"192.168.168.1", "192.168.168.2"} <= addresses


def test_routes_of_daemons_are_not_recorded(host: Host) -> None:
    host.routing("192.168.168.99", owner=BIRD, table=1002)
    routes = [text for text in captured(host)["messages"]["route"] if "192.168.168.99" in text]
    assert routes == []
    # The control: with the tag as its own, it is.
    own = network.capture(host.executor, [BIRD])["messages"]["route"]
    assert [text for text in own if "192.168.168.99" in text]


def test_an_interface_that_has_another_number_by_now(host: Host) -> None:
    checkpoint = captured(host)
    numbers = {"lo": 1, "eth0": 7, "eth1": 3}
    found = network._messages({**checkpoint}, numbers)
    assert {message.header["index"] for message in found["address"]} <= {1, 7}
    assert 2 not in {message.get("RTA_OIF") for message in found["route"]}
    gone = network._messages(checkpoint, {"lo": 1})
    assert [message for message in gone["route"] if message.get("RTA_OIF") not in (1, None)] == []
