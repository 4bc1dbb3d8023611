# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fault at each netlink request in turn, on the real kernel: everything stands again, ours and foreign."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..namespaces import Host
from . import hosts as routing_hosts
from .hosts import OLDEST_PYROUTE2, run, whole

PROGRAM = str(Path(__file__).with_name("inject_faults.py"))


def alias(address: str, interface: str = "eth0", **more: Any) -> dict[str, Any]:
    return {"address": address, "interface": interface, **more}


# Ours go as primaries of foreign secondaries, change their label, change their length, and come.
ALIASES_BEFORE = [
    alias("10.0.0.1/24"),
    alias("10.1.0.1/24", "eth1"),
    alias("10.2.0.1/24", label="eth0:7"),
    alias("10.2.0.2/24"),
    alias("fd00::1/64"),
    alias("fd02::1/64", "eth1"),
]
ALIASES = [
    alias("10.1.0.1/24", "eth1", label="eth1:1"),
    alias("10.2.0.2/24"),
    alias("10.3.0.1/24", "eth1"),
    alias("fd00::1/48"),
    alias("fd03::1/64", "eth1"),
]


def default_by(gateway: str) -> dict[str, Any]:
    return {"destination": "default", "gateway": gateway}


def several(*gateways: str) -> dict[str, Any]:
    return {"destination": "default", "nexthops": [{"gateway": gateway} for gateway in gateways]}


# Routes change their way, their kind and go; rules change their table, get wider, go while others of them stay.
TABLES_BEFORE = [
    {"id": 1001, "routes": [default_by("10.0.0.254"), several("fd00::fe", "fd00::fd")]},
    {"id": 1002, "routes": [several("10.0.0.254", "10.0.0.253"), {"destination": "fd09::/64", "type": "unreachable"}]},
    {"id": 1003, "routes": [default_by("10.0.0.254")]},
]
TABLES = [
    {"id": 1001, "routes": [several("10.0.0.254", "10.0.0.252"), default_by("fd00::fe")]},
    {"id": 1002, "routes": [{"destination": "0.0.0.0/0", "type": "prohibit"}, default_by("fd00::fd")]},
    {"id": 1004, "routes": [default_by("10.0.0.254")]},
]
RULES_BEFORE = [
    {"priority": 100, "source": "10.0.0.1", "table": 1001},
    {"priority": 100, "source": "10.0.0.0/24", "table": 1002},
    {"priority": 101, "family": "ipv4", "mark": 1, "table": 1001},
    {"priority": 101, "family": "ipv4", "table": 1001},
    {"priority": 102, "source": "fd00::1", "table": 1001},
    {"priority": 103, "family": "ipv6", "ip_protocol": "tcp", "source_port": 80, "action": "unreachable"},
]
RULES = [
    {"priority": 100, "family": "ipv4", "table": 1001},
    {"priority": 101, "family": "ipv4", "mark": 1, "table": 1001},
    {"priority": 102, "source": "fd00::1", "table": 1002},
    {"priority": 104, "family": "ipv4", "mark": "0x1/0xff", "invert": True, "table": 1004},
]


@pytest.fixture
def host() -> Iterator[Host]:
    with routing_hosts.server() as made:
        yield made


def prepared(host: Host, engine: str) -> dict[str, Any]:
    """Make what stands before, and return the engine's options."""
    if engine == "aliases":
        run(host, "ip_aliases", aliases=ALIASES_BEFORE)
        host.address("eth0", "10.0.0.2/24", "fd00::2/64")
        host.address("eth1", "10.1.0.2/24", "10.0.0.9/32")
        # An address that somebody leased: it must not become one that lasts.
        host.run("ip", "address", "add", "10.0.0.3/24", "dev", "eth0", "valid_lft", "4000", "preferred_lft", "3000")
        # Routes that the kernel takes along with addresses.
        host.run("ip", "route", "add", "default", "via", "10.1.0.254", "protocol", "dhcp")
        host.run("ip", "route", "add", "10.8.0.0/16", "via", "10.0.0.254", "src", "10.0.0.1")
        host.run("ip", "-6", "route", "add", "fd08::/64", "via", "fd00::fe", "src", "fd00::1", "table", "77")
        return {"aliases": ALIASES, "purge": True}
    host.address("eth0", "10.0.0.1/24", "fd00::1/64")
    host.run("ip", "route", "add", "default", "via", "10.0.0.99", "metric", "7", "table", "1001", "protocol", "bgp")
    host.run("ip", "rule", "add", "priority", "101", "from", "10.0.0.1", "table", "77")
    before = run(host, "policy_routing", tables=TABLES_BEFORE, rules=RULES_BEFORE)
    assert before.get("changed") is True, before
    host.run("ip", "rule", "add", "priority", "105", "table", "77")
    return {"tables": TABLES, "rules": RULES, "purge": True}


def inject(host: Host, engine: str, fault: str, *, undo: bool = True, oldest: bool = False) -> dict[str, Any]:
    case = {"engine": engine, "options": prepared(host, engine), "fault": fault, "undo": undo}
    path = ["env", f"PYTHONPATH={OLDEST_PYROUTE2}"] if oldest else []
    report = json.loads(host.run(*path, sys.executable, PROGRAM, json.dumps(case)).stdout)
    assert isinstance(report, dict)
    return report


@pytest.mark.parametrize("oldest", [False, True], ids=["newest", "oldest"])
@pytest.mark.parametrize("fault", ["refused", "interrupt"])
@pytest.mark.parametrize(("engine", "at_least"), [("aliases", 10), ("routing", 15)])
def test_a_fault_at_any_request_leaves_the_host_as_it_was(
    host: Host, engine: str, at_least: int, fault: str, oldest: bool
) -> None:
    report = inject(host, engine, fault, oldest=oldest)
    assert report["differences"] == []
    assert report["finished"] is True, "the run without a fault does it"
    assert report["faults"] >= at_least


@pytest.mark.parametrize("engine", ["aliases", "routing"])
def test_without_undo_the_difference_would_be_seen(host: Host, engine: str) -> None:
    assert inject(host, engine, "refused", undo=False)["differences"][0].startswith("request 2: ")


FAILED = "tables[3] (1009).routes[0] (default): cannot add route default via 192.0.2.1 in table 1009: Network is unr"


def test_what_ip_says_is_the_same_too(host: Host) -> None:
    """The other view: what stood before a run that the kernel itself refuses half-way."""
    prepared(host, "routing")
    before = whole(host)
    tables = [*TABLES, {"id": 1009, "routes": [default_by("192.0.2.1")]}]
    result = run(host, "policy_routing", tables=tables, rules=RULES, purge=True)
    assert result["msg"].splitlines()[0].startswith(FAILED)
    assert result["msg"].splitlines()[1].startswith("undone: replace route 0.0.0.0/0 in table 1001; ")
    assert whole(host) == before


def test_a_route_waits_for_its_source_to_be_probed(host: Host) -> None:
    """With duplicate address detection, an IPv6 address that is added again is no source for a second or two."""
    run(host, "ip_aliases", aliases=[alias("fd00::1/64")])
    host.run("ip", "-6", "route", "add", "fd08::/64", "via", "fd00::fe", "src", "fd00::1", "table", "77")
    before = host.run("ip", "-6", "route", "show", "table", "77").stdout
    host.sysctl(net__ipv6__conf__all__accept_dad=1, net__ipv6__conf__eth0__accept_dad=1)
    result = run(host, "ip_aliases", aliases=[alias("fd00::1/48")])
    assert [action["op"] for action in result["actions"]] == ["replace"], result
    assert host.run("ip", "-6", "route", "show", "table", "77").stdout == before
    # Done by hand, the route loses its source.
    host.run("ip", "address", "delete", "fd00::1/48", "dev", "eth0")
    assert host.run("ip", "-6", "route", "show", "table", "77").stdout != before
