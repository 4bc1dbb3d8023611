# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets of health checks that say nothing about their line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight import health_checks
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.facts import Facts
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.model import Desired, Line
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Route
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.rtnetlink_encoding import encode_route
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.snapshot import Snapshot

INTERFACES = {"lo": 1, "wan0": 2, "wan1": 3, "mgmt0": 4}
UNICOM: dict[str, Any] = {
    "name": "unicom",
    "id": 1,
    "interface": "wan0",
    "public_addresses": ["203.0.113.10/24", "2001:db8:a::10/64"],
    "gateway": ["203.0.113.1", "2001:db8:a::1"],
}
INTERLINK = {"name": "interlink", "id": 2, "interface": "wan1", "public_addresses": ["198.51.100.20/24"]}


def messages(*targets: object, routes: tuple[dict[str, Any], ...] = (), table: int = 254, **more: Any) -> list[str]:
    """What is said of these targets of line unicom, on a host with these routes."""
    lines = (Line.parse({**UNICOM, "health": {"targets": list(targets)}, **more}), Line.parse(INTERLINK))
    found: dict[str, Sequence[Message]] = {
        "address": [],
        "rule": [],
        "route": [encode_route(Route.parse(each, table), INTERFACES, 2) for each in routes],
    }
    desired = Desired(lines, "firewall")
    return [each.message for each in health_checks.targets(desired, Facts(routing=Snapshot(INTERFACES, found)))]


@pytest.mark.parametrize(
    ("target", "network"),
    [
        ("203.0.113.53", "203.0.113.0/24"),
        ({"dns": "203.0.113.53"}, "203.0.113.0/24"),
        ({"tcp": "203.0.113.53:443"}, "203.0.113.0/24"),
        ({"http": "http://203.0.113.53/"}, "203.0.113.0/24"),
        ("2001:db8:a::53", "2001:db8:a::/64"),
        ({"http": "https://[2001:db8:a::53]/"}, "2001:db8:a::/64"),
    ],
)
def test_a_target_on_the_link_of_its_line_answers_also_when_the_line_is_dead(target: object, network: str) -> None:
    (message,) = messages(target, "192.0.2.1")
    assert message == f"it is in {network}, on the link of wan0: it answers also when the line is dead"


def test_a_network_that_the_host_has_on_the_link_counts_also_where_addresses_are_assigned() -> None:
    connected = {"destination": "100.64.0.0/10", "interface": "wan0"}
    assigned: dict[str, Any] = {"public_addresses": ["auto"], "gateway": ["auto"]}
    (message,) = messages("100.64.7.7", routes=(connected,), **assigned)
    assert "100.64.0.0/10, on the link of wan0" in message
    # Control: in the table of a line it decides nothing.
    assert messages("100.64.7.7", routes=(connected,), table=1001, **assigned) == []


def test_a_target_that_another_interface_leads_to_is_not_asked_by_the_line() -> None:
    by_vpn = {"destination": "10.0.0.0/8", "interface": "mgmt0", "gateway": "172.16.0.1"}
    (message,) = messages("10.1.2.3", routes=(by_vpn,))
    assert message == "the route 10.0.0.0/8 leads to it by mgmt0, not by wan0"


@pytest.mark.parametrize(
    "route",
    [
        {"destination": "default", "interface": "mgmt0", "gateway": "172.16.0.1"},
        # Halves of a default route, as of a VPN, are passed over too.
        {"destination": "128.0.0.0/1", "interface": "mgmt0", "gateway": "172.16.0.1"},
        {"destination": "192.0.2.0/24", "interface": "mgmt0", "gateway": "172.16.0.1", "type": "unreachable"},
        # By the line's own gateway.
        {"destination": "192.0.2.0/24", "interface": "wan0", "gateway": "203.0.113.1"},
    ],
)
def test_control_a_target_behind_the_line_is_none(route: dict[str, Any]) -> None:
    if route.get("type"):
        route = {name: route[name] for name in ("destination", "type")}
    assert messages("192.0.2.1", {"dns": "192.0.2.53"}, {"http": "https://status.example.net/"}, routes=(route,)) == []


def test_control_without_a_gateway_everything_may_be_on_the_link() -> None:
    assert messages("203.0.113.53", gateway=[]) == []


@pytest.mark.parametrize("health", [None, {}, {"targets": None}, {"targets": ["nonsense !"]}, {"targets": 7}])
def test_what_the_module_refuses_is_not_reported_here_too(health: object) -> None:
    assert Line.parse({**UNICOM, "health": health}).targets == ()
