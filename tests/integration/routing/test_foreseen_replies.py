# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight foresees on the first deployment which replies others will take; afterwards packets and kernel agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..namespaces import Host, Hosts
from ..run_module import run_module
from .foreign import setup_of
from .hosts import whole
from .lines import (
    FAR,
    LAN,
    LINES,
    alive,
    answered,
    deploy,
    findings,
    host_in,
    length,
    options,
    replies,
    server_with_lines,
)

FAMILIES = (4, 6)
VPN = {4: "10.8.0.1", 6: "fd00:8::1"}


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with server_with_lines() as made:
        yield made


def foreseen(server: Host, severity: str = "error", **more: Any) -> list[dict[str, Any]]:
    """Return what preflight finds about replies; nothing has been deployed."""
    lines = [
        {
            "id": line,
            "name": f"line{line}",
            "interface": f"wan{line}",
            "addresses": [f"{host_in(line, family, 10)}/{length(family)}" for family in FAMILIES],
            "gateways": [host_in(line, family, 1) for family in FAMILIES],
        }
        for line in LINES
    ]
    asked = {
        "role": "server",
        "lines": lines,
        "uses_marks": False,
        "probe_timeout": 0,
        "fail_on": "never",
        "replies": {"replies": [*replies(4), *replies(6)], "inside_networks": list(LAN.values())},
        **options(),
        **more,
    }
    result = run_module("preflight", asked, netns_prefix=server.prefix)
    assert "findings" in result, result
    found = [finding for finding in result["findings"] if finding["id"].startswith("reply-taken")]
    assert {finding["severity"] for finding in found} <= {severity}
    return found


RULES = {
    "by the address, as cloud tools": (100, "from {address} lookup 200"),
    "a VPN, as wg-quick": (100, "not fwmark 0xca6c lookup 200"),
    "an exit node of a mesh VPN": (5270, "lookup 200"),
    "to a public network": (100, "to {far} lookup 200"),
    "the port of a service": (100, "ipproto tcp sport 443 lookup 200"),
    "a protocol": (100, "ipproto gre lookup 200"),
    "a user": (100, "uidrange 1234-1234 lookup 200"),
    "of the host itself": (90, "iif lo lookup 200"),
    "refused": (100, "from {address} prohibit"),
    "a jump over ours": (100, "from {address} goto 32766"),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", RULES)
def test_a_rule_that_will_take_replies_is_foreseen(hosts: Hosts, family: int, kind: str) -> None:
    server = hosts["server"]
    priority, words = RULES[kind]
    for table in ("200", "main"):
        server.run("ip", f"-{family}", *f"route add default via {VPN[family]} dev tun0 table {table}".split())
    assert foreseen(server) == [], "nothing takes replies before the rule comes"
    far = "192.0.2.0/24" if family == 4 else "2001:db8:c::/48"
    rule = words.format(address=host_in(1, family, 10), far=far)
    server.run("ip", f"-{family}", *f"rule add priority {priority} {rule}".split())
    before = whole(server)
    found = foreseen(server)
    assert "line line1" in {finding["subject"] for finding in found}
    assert all(f"IPv{family} rule {priority} " in finding["message"] for finding in found)
    assert foreseen(server, "warning", reply_taken="warn") != []
    assert whole(server) == before
    # It was right: deployed all the same, replies are taken, and the kernel says the same.
    assert deploy(server)["changed"] is True
    assert {one["line"] for one in findings(server, family)} == {one["subject"].split()[-1] for one in found}
    if "ipproto" not in rule and "uidrange" not in rule:
        assert not answered(hosts["isp1"], FAR[family], host_in(1, family, 10), 0)
    server.run("ip", f"-{family}", "rule", "delete", "priority", str(priority))
    assert all(alive(hosts, family).values())
    assert foreseen(server) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_rule_after_ours_and_halves_in_main_take_nothing(hosts: Hosts, family: int) -> None:
    server = hosts["server"]
    halves = ("0.0.0.0/1", "128.0.0.0/1") if family == 4 else ("2000::/3",)
    for half in halves:
        server.run("ip", f"-{family}", *f"route add {half} via {VPN[family]} dev tun0".split())
    server.run("ip", f"-{family}", *f"route add default via {VPN[family]} dev tun0 table 200".split())
    server.run("ip", f"-{family}", "rule", "add", "priority", "32000", "lookup", "200")
    assert foreseen(server) == []
    assert deploy(server)["changed"] is True
    assert all(alive(hosts, family).values())


@pytest.mark.parametrize("family", FAMILIES)
def test_without_the_group_the_networks_of_other_lines_are_foreseen(hosts: Hosts, family: int) -> None:
    server = hosts["server"]
    server.run("ip", "link", "set", "wan2", "group", "5")
    found = [finding for finding in foreseen(server) if f"IPv{family} rule 20000 " in finding["message"]]
    assert [finding["subject"] for finding in found] == ["line line1"]
    assert "route 198.18.2.0/24" in found[0]["message"] or "route 2001:db8:2::/64" in found[0]["message"]
    assert deploy(server)["changed"] is True
    lost = ["neighbour of line 2 by line 1"]
    assert [name for name, good in alive(hosts, family, lost).items() if not good] == lost


def test_addresses_and_interfaces_that_are_not_there_yet(hosts: Hosts) -> None:
    server = hosts["server"]
    server.run("ip", "address", "flush", "dev", "wan1")
    server.run("ip", "link", "delete", "wan2")
    assert foreseen(server, skips_unavailable=True) == []
    for family in FAMILIES:
        server.run("ip", f"-{family}", *f"route add default via {VPN[family]} dev tun0 table 200".split())
        server.run("ip", f"-{family}", "rule", "add", "priority", "100", "lookup", "200")
    found = foreseen(server, skips_unavailable=True)
    assert {finding["subject"] for finding in found} == {"line line1", "line line2"}


def test_setups_of_others_are_foreseen_as_the_kernel_finds_them(hosts: Hosts) -> None:
    server = hosts["server"]
    taken = 0
    for seed in range(16):
        setup = setup_of(seed)
        setup.apply(server)
        said = {(one["subject"].split()[-1], "IPv4 " in one["message"]) for one in foreseen(server)}
        done = deploy(server)
        kernel = {
            (one["line"], family == 4)
            for family in FAMILIES
            for one in (() if done.get("failed") else findings(server, family))
            if one["id"] == "reply-taken"
        }
        # Where objects of others are in the place of ours, policy_routing refuses, and nothing is foreseen.
        assert said == kernel, str(setup)
        taken += bool(said)
        setup.remove(server)
        deploy(server, tables=[], rules=[], interface_groups=[])
    assert taken > 3
