# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interface groups, interfaces that are down or missing, and alternative names, on a real host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..namespaces import Host
from . import hosts as routing_hosts
from .hosts import Variant, addresses, quartet, routes, rules, run, show, variant, whole

__all__ = ["variant"]

GROUPS = [{"interface": "eth0", "group": 109}, {"interface": "eth1", "group": 109}]
RULES: list[dict[str, Any]] = [
    {"priority": 20000, "family": "ipv4", "table": 254, "suppress_prefix_length": 7, "suppress_interface_group": 109},
    {"priority": 20000, "family": "ipv6", "table": 254, "suppress_prefix_length": 6, "suppress_interface_group": 109},
    {"priority": 20001, "family": "ipv4", "table": 254, "suppress_interface_group": 0},
    {"priority": 20002, "family": "ipv4", "tos": "0x10", "table": 1001},
    {"priority": 20002, "family": "ipv6", "tos": "0x08", "table": 1001},
    {"priority": 20003, "family": "ipv4", "uid_range": "1000-1999", "table": 1001},
    {"priority": 20003, "family": "ipv6", "uid_range": "0", "table": 1001},
    {"priority": 20003, "family": "ipv4", "source": "10.0.0.1", "tos": "0x10", "uid_range": "0-4294967294", "table": 5},
]


@pytest.fixture
def host() -> Iterator[Host]:
    with routing_hosts.server_with_addresses() as made:
        yield made


def groups(host: Host) -> dict[str, str]:
    return {link["ifname"]: link["group"] for link in show(host, "link")}


def way(interface: str) -> dict[str, Any]:
    gateway = "10.0.0.254" if interface == "eth0" else "10.1.0.254"
    return {"destination": "default", "gateway": gateway, "interface": interface}


TABLES = [
    {"id": 1001, "name": "unicom", "routes": [way("eth0")]},
    {"id": 1002, "name": "other", "routes": [way("eth1")]},
]


def defaults(host: Host) -> list[tuple[str, str]]:
    return [(route["table"], route["dev"]) for route in routes(host) if route.get("protocol") == "109"]


def test_groups_and_the_rules_that_use_them(host: Host, variant: Variant) -> None:
    quartet(host, "policy_routing", variant, rules=RULES, interface_groups=GROUPS)
    assert groups(host) == {"lo": "0", "eth0": "109", "eth1": "109"}
    ours = [rule for rule in rules(host) if rule.get("protocol") == "109"]
    assert [
        (rule.get("suppress_prefixlen"), rule.get("suppress_ifgroup")) for rule in ours if rule["priority"] <= 20001
    ] == [
        (7, "109"),
        (None, "0"),
        (6, "109"),
    ]
    assert [rule["tos"] for rule in ours if "tos" in rule] == ["0x10", "0x10", "0x08"]
    assert [(rule["uid_start"], rule["uid_end"]) for rule in ours if "uid_start" in rule] == [
        (1000, 1999),
        (0, 4294967294),
        (0, 0),
    ]
    host.run("ip", "link", "set", "eth1", "group", "5")
    done = run(host, "policy_routing", variant, rules=[], interface_groups=[], purge=True)
    assert done["actions"][-1] == {"op": "remove", "object": {"interface": "eth0", "group": 109}}
    assert groups(host) == {"lo": "0", "eth0": "0", "eth1": "5"}
    assert [rule for rule in rules(host) if rule.get("protocol") == "109"] == []


def test_what_the_kernel_refuses_later_takes_the_groups_back(host: Host) -> None:
    before = whole(host)
    # Its two lowest bits are not zero.
    refused = run(host, "policy_routing", interface_groups=GROUPS, rules=[{**RULES[3], "tos": 3}])
    assert refused["msg"].startswith("rules[0] (20002): cannot add IPv4 rule 20002 (tos 0x03, table 1001): Invalid arg")
    assert groups(host) == dict.fromkeys(("lo", "eth0", "eth1"), "0")
    assert whole(host) == before


@pytest.mark.parametrize("how", ["down", "missing"])
def test_a_dead_line_costs_only_itself(host: Host, variant: Variant, how: str) -> None:
    host.run("ip", "link", *(("set", "eth1", "down") if how == "down" else ("delete", "eth1")))
    refused = run(host, "policy_routing", variant, tables=TABLES)
    assert refused["failed"] is True
    reason = "is down" if how == "down" else "does not exist on this host"
    foreseen = run(host, "policy_routing", variant, tables=TABLES, skip_unavailable=True, check=True)
    done = run(host, "policy_routing", variant, tables=TABLES, skip_unavailable=True)
    assert defaults(host) == [("1001", "eth0")]
    place = "tables[1] (other).routes[0] (default)"
    for result in (foreseen, done):
        assert result["skipped"] == [{"interface": "eth1", "reason": reason, "entries": [place]}]
        [warning] = result["warnings"]
        assert f"interface eth1 {reason}: skipped until it is up: {place}" in str(warning)
        assert result["actions"] == done["actions"]
    assert run(host, "policy_routing", variant, tables=TABLES, skip_unavailable=True)["changed"] is False
    if how == "down":
        host.run("ip", "link", "set", "eth1", "up")
        assert run(host, "policy_routing", variant, tables=TABLES, skip_unavailable=True)["changed"] is True
        assert defaults(host) == [("1001", "eth0"), ("1002", "eth1")]


def test_addresses_of_an_interface_that_is_missing(host: Host) -> None:
    listed = [{"address": "10.0.0.9/24", "interface": "eth0"}, {"address": "10.7.0.9/24", "interface": "wan7"}]
    assert run(host, "ip_aliases", aliases=listed)["failed"] is True
    done = run(host, "ip_aliases", aliases=listed, skip_unavailable=True)
    [warning] = done["warnings"]
    assert "interface wan7 does not exist on this host: skipped until it is up: aliases[1] (10.7.0.9/24)" in str(
        warning
    )
    assert "10.0.0.9" in [address["local"] for address in addresses(host)]
    assert run(host, "ip_aliases", aliases=listed, skip_unavailable=True)["changed"] is False


def test_alternative_names(host: Host, variant: Variant) -> None:
    long = "enx0123456789ab-longer-than-fifteen-bytes"
    host.run("ip", "link", "property", "add", "dev", "eth1", "altname", "enp2s0", "altname", long)
    named = [{"id": 1002, "routes": [{**way("eth1"), "interface": "enp2s0"}]}]
    rule = {"priority": 5, "family": "ipv4", "in_interface": "enp2s0", "table": 1002}
    group = [{"interface": "enp2s0", "group": 109}]
    quartet(host, "policy_routing", variant, tables=named, rules=[rule], interface_groups=group)
    assert defaults(host) == [("1002", "eth1")]
    assert groups(host)["eth1"] == "109"
    assert [found["iif"] for found in rules(host) if found.get("protocol") == "109"] == ["eth1"]
    alias = {"address": "10.1.0.9/24", "interface": "enp2s0"}
    quartet(host, "ip_aliases", variant, aliases=[alias])
    assert run(host, "ip_aliases", variant, aliases=[{**alias, "interface": long}])["changed"] is False
    unknown = run(host, "ip_aliases", variant, aliases=[{**alias, "interface": "enp9s0"}])
    assert 'interface "enp9s0" does not exist on this host; it has eth0, eth1, lo' in unknown["msg"]
