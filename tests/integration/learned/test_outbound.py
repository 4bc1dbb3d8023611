# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server or the clients of a firewall initiate, with the roles' own lists: by packets, as lines die and heal.

One of the two lines has the addresses that its ISP assigns.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.filter import isp_firewall, multihomed_web
from ansible_collections.multihome.linux.tests.integration.learned.lab import (
    ANYWHERE,
    CLIENTS,
    FAMILIES,
    FIXED,
    GATEWAYS,
    LENGTH,
    NEW,
    Connection,
    Site,
    site,
)

FIREWALL = isp_firewall.FilterModule().filters()
SERVER = multihomed_web.FilterModule().filters()
LAN = ["10.1.0.0/24", "fd00:1::/64"]
# So many new connections are tried each time: enough that both lines have some, by the turn that they take.
TRIES = 8
PURGE = {"purge": True, "persist": True}


def health(name: str) -> dict[str, Any]:
    """How a line is judged: by what is behind its ISP alone, without a hold time."""
    return {"up_after": 0, "targets": [CLIENTS[name][family] for family in FAMILIES]}


def _a(addresses: str, gateways: str) -> dict[str, Any]:
    return {
        "name": "a",
        "id": 1,
        "interface": "a",
        addresses: [f"{FIXED[family]}/{LENGTH[family]}" for family in FAMILIES],
        gateways: [GATEWAYS["a"][family] for family in FAMILIES],
        "health": health("a"),
    }


def _b(addresses: str, gateways: str) -> dict[str, Any]:
    line = {"name": "b", "id": 2, "interface": "b", "weight": 1, "health": health("b")}
    return {**line, addresses: "auto", gateways: "auto"}


def firewall(made: Site, outgoing: object, **of_b: object) -> list[dict[str, Any]]:
    """Deploy what role isp_firewall does, for clients that leave in this way."""
    keys = ("public_addresses", "gateway")
    lines = [_a(*keys), {**_b(*keys), "weight": 2, **of_b}]
    networks = [{"name": "lan", "networks": LAN, "outgoing": outgoing}]
    marks = FIREWALL["isp_firewall_marks"](lines, "0xff", networks, LAN)
    return [
        made.run("nat_rules", rules=FIREWALL["isp_firewall_nat_rules"](lines, (), (), LAN, (), networks), **PURGE),
        made.run("connection_marks", **marks, **PURGE),
        made.run(
            "policy_routing",
            tables=FIREWALL["isp_firewall_tables"](lines, 1000, 109, LAN, networks),
            rules=FIREWALL["isp_firewall_rules"](lines, (), 1000, 20000, 23000, "0xff", 109, LAN, networks),
            interface_groups=FIREWALL["isp_firewall_interface_groups"](lines, LAN),
            **PURGE,
        ),
        made.run("line_health", lines=FIREWALL["isp_firewall_line_health"](lines)),
    ]


def server(made: Site, way: str, **of_b: object) -> list[dict[str, Any]]:
    """Deploy what role multihomed_web does, with this default route."""
    keys = ("addresses", "gateways")
    lines = [_a(*keys), {**_b(*keys), "weight": 2, **of_b}]
    # Nobody else holds line a's addresses, so the role may find them there.
    done = [made.run("ip_aliases", aliases=SERVER["multihomed_web_aliases"](lines, way), **PURGE)]
    if way == "balance":
        done.append(made.run("connection_marks", **SERVER["multihomed_web_marks"](lines, "source", way), **PURGE))
    tables = SERVER["multihomed_web_tables"](lines, way)
    rules = SERVER["multihomed_web_rules"](lines, 1000, 20000, 23000, "source", way)
    groups = SERVER["multihomed_web_interface_groups"](lines)
    done.append(made.run("policy_routing", tables=tables, rules=rules, interface_groups=groups, **PURGE))
    return [*done, made.run("line_health", lines=SERVER["multihomed_web_line_health"](lines, "source", way))]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Site]:
    """The hosts, with nothing deployed."""
    with site(tmp_path) as hosts:
        hosts.yield_defaults()
        yield hosts


CASES: list[Any] = [
    pytest.param("inside", lambda made, **b: firewall(made, "balance", **b), True, id="clients, balance"),
    pytest.param("inside", lambda made, **b: firewall(made, "failover", **b), False, id="clients, failover"),
    pytest.param("inside", lambda made, **b: firewall(made, ["b", "a"], **b), False, id="clients, in order"),
    pytest.param("host", lambda made, **b: server(made, "balance", **b), True, id="server, balance"),
    pytest.param("host", lambda made, **b: server(made, "failover", **b), False, id="server, failover"),
]


def ways(made: Site, asking: str, family: int) -> list[str]:
    """The ISPs that so many new connections leave by; one without an answer is "none"."""
    found = []
    for _number in range(TRIES):
        connection = Connection(made.hosts[asking], ANYWHERE[family])
        found.append(connection.asks()[0] if connection.is_open else "none")
        connection.close()
    return found


def leave_by(made: Site, asking: str, *isps: str) -> None:
    """Wait until new connections of both families leave by these ISPs, each by some, and none fails."""
    for family in FAMILIES:
        made.eventually(functools.partial(_leave_by, made, asking, family, set(isps)), f"IPv{family} by {isps}")


def _leave_by(made: Site, asking: str, family: int, isps: set[str]) -> bool:
    return set(ways(made, asking, family)) == isps


def dies(made: Site, dead: bool) -> None:
    """Have the router of line b drop what it forwards or answers; its port and its address stay."""
    if dead:
        chain = 'chain in {\ntype filter hook prerouting priority -400;\niifname "customer" drop;\n}'
        made.hosts["isp-b"].run("nft", "-f", "-", feed=f"table inet test {{\n{chain}\n}}\n")
    else:
        made.hosts["isp-b"].run("nft", "delete", "table", "inet", "test")


def drain(made: Site, *lines: str) -> None:
    """Take lines out of service, as the command does."""
    text = json.dumps({"version": 1, "kind": "drained", "drained": [{"line": name} for name in lines]})
    path = "/etc/multihome/drained.json"
    made.host.run("sh", "-c", f"umask 077; cat > {path}.new && mv {path}.new {path}", feed=text)


@pytest.mark.parametrize(("asking", "deploy", "is_spread"), CASES)
def test_new_connections_leave_by_lines_that_work(
    made: Site, asking: str, deploy: Callable[..., list[dict[str, Any]]], is_spread: bool
) -> None:
    both = ("isp-a", "isp-b") if is_spread else ("isp-b",)
    deploy(made)
    made.start()
    leave_by(made, asking, *both)
    dies(made, True)
    leave_by(made, asking, "isp-a")
    # A deployment meanwhile changes nothing, and sends nothing back.
    assert [done["changed"] for done in deploy(made) if done["changed"]] == []
    assert [set(ways(made, asking, family)) for family in FAMILIES] == [{"isp-a"}] * 2
    dies(made, False)
    leave_by(made, asking, *both)
    drain(made, "b")
    leave_by(made, asking, "isp-a")
    drain(made)
    leave_by(made, asking, *both)
    # The same with a line that loses its addresses, and gets others.
    made.take({4: "198.51.100.10", 6: "2001:db8:b::10"}, metric=40000200)
    leave_by(made, asking, "isp-a")
    made.assign(NEW, "new", metric=40000200)
    leave_by(made, asking, *both)


def default(made: Site, family: int, metric: int, operation: str) -> None:
    """What a DHCP client or a router advertisement adds: a default route by line b with a metric of its own choice."""
    gateway = GATEWAYS["old"][family]
    way = ("default", "via", gateway, "dev", "b", "metric", str(metric), "proto", "dhcp" if family == 4 else "ra")
    made.host.run("ip", f"-{family}", "route", operation, *way)


def test_a_default_route_that_comes_later_and_takes_the_hosts_own_connections_is_named(made: Site) -> None:
    made.host.run("mkdir", "-p", "/etc/multihome/hooks.d")
    script = "#!/bin/sh\necho $1 $MULTIHOME_FAMILY $MULTIHOME_REASON >> /run/hooked\n"
    path = "/etc/multihome/hooks.d/10-record"
    made.host.run("sh", "-c", f"cat > {path} && chmod 755 {path}", feed=script)
    server(made, "failover")
    made.start()
    leave_by(made, "host", "isp-b")
    assert made.report()["taken_defaults"] == []
    for family in FAMILIES:
        default(made, family, 100, "add")
    made.eventually(lambda: len(made.report()["taken_defaults"]) == 2, "both are reported")
    found = {each["family"]: each for each in made.report()["taken_defaults"]}
    assert {each["interface"] for each in found.values()} == {"b"}
    assert found["ipv4"]["always"]
    assert "of DHCP" in found["ipv4"]["message"] or "dhcp" in found["ipv4"]["message"]
    assert "metric above 40000000" in found["ipv6"]["remedy"]
    assert "default route via" in made.log()
    made.eventually(lambda: made.host.run("cat", "/run/hooked", check=False).stdout.count("taken") == 2, "hooks ran")
    # Packets say that it is true: the dead line goes on to take them.
    dies(made, True)
    made.eventually(lambda: made.health("b", 4)["state"] == "down", "line b is down")
    assert set(ways(made, "host", 4)) == {"none"}
    for family in FAMILIES:
        default(made, family, 100, "del")
    made.eventually(lambda: made.report()["taken_defaults"] == [], "nothing is reported any more")
    leave_by(made, "host", "isp-a")


@pytest.mark.parametrize(("asking", "deploy", "is_spread"), CASES[:1])
def test_control_without_a_keeper_they_go_into_the_dead_line(
    made: Site, asking: str, deploy: Callable[..., list[dict[str, Any]]], is_spread: bool
) -> None:
    assert is_spread
    deploy(made)
    leave_by(made, asking, "isp-a", "isp-b")
    dies(made, True)
    assert "none" in ways(made, asking, 4)
