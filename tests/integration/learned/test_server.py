# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with a line whose addresses its ISP assigns: rules and routes follow, by packets."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.learned.lab import (
    ANYWHERE,
    CLIENTS,
    FAMILIES,
    FIXED,
    GATEWAYS,
    NEW,
    OLD,
    Connection,
    Site,
    site,
)

LINES = [
    {
        "name": "a",
        "id": 1,
        "interface": "a",
        "addresses": [FIXED[4], FIXED[6]],
        "gateways": [GATEWAYS["a"][4], GATEWAYS["a"][6]],
        "health": {"targets": [CLIENTS["a"][4], ANYWHERE[4], CLIENTS["a"][6], ANYWHERE[6]]},
    },
    {
        "name": "b",
        "id": 2,
        "interface": "b",
        "addresses": ["auto:b:ipv4", "auto:b:ipv6"],
        "gateways": ["auto:b:ipv4", "auto:b:ipv6"],
        "health": {"targets": [CLIENTS["b"][4], ANYWHERE[4], CLIENTS["b"][6], ANYWHERE[6]]},
    },
]

# The interfaces belong to their lines alone.
GROUPS = [{"interface": name, "group": 109} for name in ("a", "b")]


def _tables() -> list[dict[str, Any]]:
    a = [{"destination": "default", "gateway": GATEWAYS["a"][family], "interface": "a"} for family in FAMILIES]
    b = []
    for family in FAMILIES:
        text = f"auto:b:ipv{family}"
        b.append({"destination": "default", "gateway": text, "interface": "b"})
        b.append({"destination": text, "interface": "b"})
    return [{"id": 2001, "routes": a}, {"id": 2002, "routes": b}]


def _rules() -> list[dict[str, Any]]:
    rules = []
    for family in FAMILIES:
        for priority, source, table in ((23010, FIXED[family], 2001), (23020, f"auto:b:ipv{family}", 2002)):
            rules.append({"priority": priority, "source": source, "table": table})
            rules.append({"priority": priority + 1, "source": source, "action": "unreachable"})
    return rules


def deploy(made: Site, check: bool = False, lines: bool = True) -> list[dict[str, Any]]:
    """Deploy the server's routing, and the lines' health."""
    options = {"purge": True, "persist": True}
    done = [made.run("policy_routing", check, tables=_tables(), rules=_rules(), interface_groups=GROUPS, **options)]
    return [*done, made.run("line_health", check, lines=LINES)] if lines else done


def _has_route(made: Site, family: int, gateway: str) -> bool:
    show = ("ip", f"-{family}", "route", "show", "default", "table", "2002")
    return gateway in made.host.run(*show).stdout


def _is_down(made: Site, family: int) -> bool:
    return made.health("b", family).get("state") == "down"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Site]:
    """The deployed server, without a keeper."""
    with site(tmp_path) as made:
        deploy(made)
        yield made


def test_a_new_address_takes_over_and_the_other_line_sees_nothing(server: Site) -> None:
    server.start()
    server.answered("a", FIXED)
    server.answered("b", OLD)
    long = [Connection(server.hosts["isp-a"], FIXED[family], CLIENTS["a"][family]) for family in FAMILIES]
    rules_of_a = [row for row in server.host.run("ip", "rule").stdout.splitlines() if FIXED[4] in row]
    server.assign(NEW, "new", OLD)
    server.answered("b", NEW)
    assert [each.asks("still")[2] for each in long] == ["still"] * 2
    rules = server.host.run("ip", "rule").stdout
    assert [row for row in rules.splitlines() if FIXED[4] in row] == rules_of_a
    server.eventually(lambda: OLD[4] not in server.host.run("ip", "rule").stdout, "the old rule is removed")
    server.eventually(lambda: server.health("b", 4).get("address") == NEW[4], "probes carry the new address")
    server.eventually(lambda: server.health("b", 6).get("state") == "up", "the line is up by it")
    for check in (True, False):
        assert [(done["changed"], done["actions"]) for done in deploy(server, check)] == [(False, [])] * 2
    assert "auto:b:ipv4" in server.stored("policy_routing")
    assert "auto:b:ipv4" in server.stored("lines")
    assert NEW[4] not in server.stored("policy_routing") + server.stored("lines")
    # No repair, as nobody is in the way; and the replies leave by their line.
    assert server.report()["taken"] == []
    log = server.log()
    assert f"policy_routing: removed IPv4 rule 23020 (source {OLD[4]}" in log
    assert "as the addresses are now" in log
    assert "duplicate" not in log
    assert (server.report()["repairs"], server.report()["waiting"], server.report()["last_error"]) == (0, [], None)


def test_control_without_a_keeper_the_new_address_is_not_answered_until_a_deployment(server: Site) -> None:
    server.answered("b", OLD)
    server.assign(NEW, "new", OLD)
    assert [server.visits("b", family, NEW[family]) for family in FAMILIES] == [[], []]
    (done,) = deploy(server, lines=False)
    assert done["changed"]
    assert {"op": "remove", "object": {"action": "unreachable", "priority": 23021, "source": OLD[4]}} in [
        {**each, "object": {key: each["object"].get(key) for key in ("action", "priority", "source")}}
        for each in done["actions"]
    ]
    server.answered("b", NEW)


def test_a_new_gateway_is_used(server: Site) -> None:
    server.start()
    server.answered("b", OLD)
    # The addresses stay: only the ISP's router moves.
    other = {4: "198.51.100.254", 6: "2001:db8:b::fe"}
    isp = server.hosts["isp-b"]
    for family, length in ((4, 24), (6, 64)):
        isp.run("ip", "address", "del", f"{GATEWAYS['old'][family]}/{length}", "dev", "customer")
        isp.address("customer", f"{other[family]}/{length}")
        way = ("default", "via", other[family], "dev", "b", "metric", "200", "proto", "dhcp")
        server.host.run("ip", f"-{family}", "route", "del", "default", "dev", "b", "metric", "200")
        server.host.run("ip", f"-{family}", "route", "add", *way)
    for family in FAMILIES:
        server.eventually(functools.partial(_has_route, server, family, other[family]), "the route")
    server.answered("b", OLD)


def test_a_line_without_an_address_is_down_and_no_error(server: Site) -> None:
    server.start()
    server.answered("b", OLD)
    server.take(OLD)
    for family in FAMILIES:
        server.eventually(functools.partial(_is_down, server, family), "the line is down")
    assert server.health("b", 4)["reason"] == "no address"
    server.answered("a", FIXED)
    server.eventually(lambda: OLD[4] not in server.host.run("ip", "rule").stdout, "its rules are removed")
    assert [done["changed"] for done in deploy(server)] == [False, False]
    assert (server.report()["refused"], server.report()["last_error"]) == ([], None)
    assert "error" not in server.log().lower()
    server.assign(NEW, "new")
    server.answered("b", NEW)
    server.eventually(lambda: server.health("b", 4).get("state") == "up", "the line is up")


def test_the_form_that_is_wanted_is_stored_and_shown(server: Site) -> None:
    assert not deploy(server, lines=False)[0]["changed"]
    # One rule goes: before and after have the references.
    less = [rule for rule in _rules() if rule["priority"] != 23021]
    options: dict[str, Any] = {"interface_groups": GROUPS, "purge": True, "persist": True}
    done = server.run("policy_routing", tables=_tables(), rules=less, **options)
    sources = {side: [rule["source"] for rule in done[side]["rules"]] for side in ("before", "after")}
    # What is not listed any more is shown as the host has it.
    assert (sources["before"].count("auto:b:ipv4"), sources["before"].count(OLD[4])) == (1, 1)
    assert sources["after"].count("auto:b:ipv4") == 1
    assert OLD[4] not in json.dumps(done["after"])
    gateways = [route.get("gateway") for table in done["after"]["tables"] for route in table["routes"]]
    assert "auto:b:ipv6" in gateways


def test_lists_without_references_join_and_replace_stored_ones_that_have_them(server: Site) -> None:
    """A line gets fixed addresses, or this collection is removed."""
    stored = server.stored("policy_routing")
    own: dict[str, Any] = {"tables": [], "rules": [{"priority": 25000, "source": "192.0.2.77", "table": 2001}]}
    assert server.run("policy_routing", persist=True, **own)["changed"]
    joined = json.loads(server.stored("policy_routing"))
    assert [rule for rule in joined["rules"] if rule["priority"] != 25000] == json.loads(stored)["rules"]
    assert joined["tables"] == json.loads(stored)["tables"]
    for check in (True, False):
        done = server.run("policy_routing", check, tables=[], rules=[], interface_groups=[], purge=True, persist=True)
        assert done["changed"]
    assert server.host.run("ip", "rule").stdout.count("multihome") == 0
    assert server.host.run("cat", "/etc/multihome/policy_routing.json", check=False).returncode != 0


def test_a_faulty_reference_is_refused(server: Site) -> None:
    rules = [{"priority": 23020, "source": "auto:b", "table": 2002}]
    with pytest.raises(AssertionError, match="auto:b"):
        server.run("policy_routing", rules=rules)
