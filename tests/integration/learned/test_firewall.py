# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A firewall with a line whose addresses its ISP assigns: translations, marks and routes follow, by packets."""

from __future__ import annotations

import functools
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
    INSIDE,
    LAN,
    LENGTH,
    NEW,
    OLD,
    Connection,
    Site,
    site,
)

# By line: its address, what it is in the lists, and its gateway there.
ADDRESS = {
    "a": {family: FIXED[family] for family in FAMILIES},
    "b": {family: f"auto:b:ipv{family}" for family in FAMILIES},
}
GATEWAY = {"a": GATEWAYS["a"], "b": ADDRESS["b"]}
LINES = (("a", 1), ("b", 2))
PURGE = {"purge": True, "persist": True}


def _translations() -> list[dict[str, Any]]:
    """What is asked at a public address goes to the host inside; what leaves has the address of its line."""
    rules: list[dict[str, Any]] = []
    for family in FAMILIES:
        for name, _number in LINES:
            port = {"protocol": "tcp", "destination": ADDRESS[name][family], "destination_port": "7"}
            rules.append({"type": "dnat", **port, "to_address": INSIDE[family]})
    for family, network in ((4, "10.1.0.0/24"), (6, "fd00:1::/64")):
        rules += [
            {"type": "snat", "source": network, "out_interface": name, "to_address": ADDRESS[name][family]}
            for name, _number in LINES
        ]
        rules.append({"type": "masquerade", "source": network, "destination": network})
    return rules


def _routing() -> dict[str, Any]:
    tables, rules = [], []
    for name, number in LINES:
        routes: list[dict[str, Any]] = []
        for family in FAMILIES:
            routes.append({"destination": "default", "gateway": GATEWAY[name][family], "interface": name})
            mark = {"family": f"ipv{family}", "mark": f"{number}/0xff", "table": 2000 + number}
            rules.append({"priority": 20000 + 10 * number, **mark})
            rules.append({"priority": 23000 + 10 * number, "source": ADDRESS[name][family], "table": 2000 + number})
        tables.append({"id": 2000 + number, "routes": routes})
    for family, length in ((4, 7), (6, 6)):
        rules.append({"priority": 20000, "family": f"ipv{family}", "table": 254, "suppress_prefix_length": length})
    return {"tables": tables, "rules": rules}


def deploy(made: Site, check: bool = False) -> list[dict[str, Any]]:
    """Deploy translations, marks and routing."""
    marks = [{"mark": number, "in_interface": name} for name, number in LINES]
    return [
        made.run("nat_rules", check, rules=_translations(), **PURGE),
        made.run("connection_marks", check, marks=marks, **PURGE),
        made.run("policy_routing", check, **_routing(), **PURGE),
    ]


@pytest.fixture
def firewall(tmp_path: Path) -> Iterator[Site]:
    """The deployed firewall, without a keeper; with nothing on it that answers by itself."""
    with site(tmp_path) as made:
        made.host.run("nft", "add", "table", "inet", "test")
        made.host.run("nft", "add chain inet test input { type filter hook input priority 0; }")
        made.host.run("nft", "add rule inet test input tcp dport 7 drop")
        deploy(made)
        yield made


def outbound(made: Site, family: int) -> list[str]:
    """Who answers the host inside, and which address it saw."""
    asking = Connection(made.hosts["inside"], ANYWHERE[family])
    try:
        return asking.asks()[:2] if asking.is_open else []
    finally:
        asking.close()


def _leaves_with(made: Site, family: int, address: str) -> bool:
    return outbound(made, family) == ["isp-b", address]


def test_translations_follow_a_new_address_and_the_other_line_sees_nothing(firewall: Site) -> None:
    firewall.start()
    firewall.answered("a", FIXED, "inside")
    firewall.answered("b", OLD, "inside")
    long = [Connection(firewall.hosts["isp-a"], FIXED[family], CLIENTS["a"][family]) for family in FAMILIES]
    firewall.assign(NEW, "new", OLD)
    firewall.answered("b", NEW, "inside")
    assert [each.asks("still")[2] for each in long] == ["still"] * 2
    # The LAN reaches the service by the new address too.
    for family in FAMILIES:
        hairpin = Connection(firewall.hosts["inside"], NEW[family])
        assert hairpin.asks()[:2] == ["inside", LAN[family]]
    # What begins inside and leaves by the line has its new address.
    for family in FAMILIES:
        firewall.host.run("ip", f"-{family}", "route", "del", "default", "dev", "a")
        firewall.eventually(functools.partial(_leaves_with, firewall, family, NEW[family]), "the source is translated")
    for check in (True, False):
        assert [(done["changed"], done["actions"]) for done in deploy(firewall, check)] == [(False, [])] * 3
    stored = firewall.stored("nat_rules") + firewall.stored("policy_routing")
    assert (OLD[4] in stored, NEW[4] in stored, "auto:b:ipv6" in stored) == (False, False, True)
    ruleset = firewall.host.run("nft", "list", "ruleset").stdout
    assert [each for each in (OLD[4], OLD[6]) if each in ruleset] == []
    assert (firewall.report()["repairs"], firewall.report()["last_error"]) == (0, None)


def test_control_without_a_keeper_translations_stay_with_the_old_address(firewall: Site) -> None:
    firewall.answered("b", OLD, "inside")
    firewall.assign(NEW, "new", OLD)
    assert [firewall.visits("b", family, NEW[family]) for family in FAMILIES] == [[], []]
    assert [done["changed"] for done in deploy(firewall)] == [True, False, True]
    firewall.answered("b", NEW, "inside")


def test_a_prefix_that_changes_alone_moves_only_its_family(firewall: Site) -> None:
    firewall.start()
    firewall.answered("b", OLD, "inside")
    long = Connection(firewall.hosts["isp-b"], OLD[4], CLIENTS["b"][4])
    firewall.host.run("ip", "-6", "address", "del", f"{OLD[6]}/{LENGTH[6]}", "dev", "b")
    firewall.host.address("b", f"{NEW[6]}/{LENGTH[6]}")
    way = ("default", "via", GATEWAYS["new"][6], "dev", "b", "metric", "200", "proto", "ra")
    firewall.host.run("ip", "-6", "route", "replace", *way)
    firewall.answered("b", {4: OLD[4], 6: NEW[6]}, "inside")
    assert long.asks("still")[2] == "still"


def test_without_any_address_nothing_refers_to_the_line_and_the_other_one_works(firewall: Site) -> None:
    firewall.take(OLD)
    assert [done["changed"] for done in deploy(firewall)] == [True, False, True]
    ruleset = firewall.host.run("nft", "list", "ruleset").stdout
    assert [each for each in (OLD[4], OLD[6]) if each in ruleset] == []
    firewall.answered("a", FIXED, "inside")
    before = firewall.stored("nat_rules")
    firewall.start()
    firewall.assign(NEW, "new")
    firewall.answered("b", NEW, "inside")
    assert [done["changed"] for done in deploy(firewall)] == [False, False, False]
    assert firewall.stored("nat_rules") == before
