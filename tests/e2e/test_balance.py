# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's own connections, spread over the lines by weight.

The tests build on each other in their order: each deployment follows from the one before.
"""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks
from ansible_collections.multihome.linux.tests.e2e.marks import LINES, OneAddress, deploy, standing
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, FAMILIES, plain, url
from ansible_collections.multihome.linux.tests.e2e.traffic import load
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

CONNECTIONS = 2000
BALANCE = {"multihomed_web_default_route": "balance"}


@pytest.fixture(scope="module")
def three_firewalls(start_lab: StartLab) -> Lab:
    """Three lines, a firewall on each, and a server on which nothing is deployed yet."""
    return start_lab(lines=3)


def seen_outside(lab: Lab, family: str) -> dict[str, int]:
    """Open many connections from the server's no address in particular; return how many came from each line."""
    place = FAMILIES.index(family)
    names = {plain(line.public[place]): line.name for line in lab.lines}
    there = url(plain(lab.topology.hosts[CLIENT].interfaces[0].addresses[place]))
    report = lab.ask("web1", there, count=CONNECTIONS, concurrency=8, timeout=5)
    assert (report["failed"], report["answered"]) == (0, CONNECTIONS), report
    assert report["seconds"] < 30
    return {names[answer["client"]]: answer["count"] for answer in report["answers"]}


@pytest.mark.parametrize("addresses", ["one", "an alias for each line"])
def test_the_servers_own_connections_are_spread_by_weight(three_firewalls: Lab, addresses: str) -> None:
    lab = OneAddress(three_firewalls.name) if addresses == "one" else three_firewalls
    two = ["unicom", "interlink"]
    deploy(lab, two, **BALANCE)
    for family in FAMILIES:
        found = seen_outside(lab, family)
        assert found.keys() == set(two)
        assert abs(found["unicom"] - 0.8 * CONNECTIONS) <= 0.03 * CONNECTIONS
    assert checks.services_answered(lab, two) + checks.hairpin(lab, two) == []
    assert checks.unchanged_and_short(deploy(lab, two, **BALANCE)) == []


def test_the_servers_own_connections_outlive_a_line_that_comes_or_goes(three_firewalls: Lab) -> None:
    there = [url(plain(address)) for address in three_firewalls.topology.hosts[CLIENT].interfaces[0].addresses]
    with load(three_firewalls, "web1", there) as own:
        deploy(three_firewalls, LINES, **BALANCE)
    assert (own.failed, own.answered > 100) == (0, True), own.report
    assert seen_outside(three_firewalls, "IPv4").keys() == set(LINES)
    two = ["unicom", "interlink"]
    with load(three_firewalls, "web1", there) as own:
        # A firewall must not stop translating what its servers still send.
        deploy(three_firewalls, two, "--limit", "web1", **BALANCE)
        deploy(three_firewalls, two, **BALANCE)
    assert (own.failed, own.answered > 100) == (0, True), own.report
    assert seen_outside(three_firewalls, "IPv6").keys() == set(two)
    assert checks.outbound_by_alias(three_firewalls, two) == []


def test_without_a_rule_of_its_mark_a_share_of_the_connections_fails(three_firewalls: Lab) -> None:
    there = url(plain(three_firewalls.topology.hosts[CLIENT].interfaces[0].addresses[0]))
    three_firewalls.exec("web1", "ip", "rule", "del", "priority", "20020")
    # A SYN that is lost is sent again after a second, and takes its turn anew: ask for less.
    report = three_firewalls.ask("web1", there, count=10, concurrency=10, timeout=0.5)
    assert (report["answered"], report["failed"]) == (8, 2)


def test_back_to_failover_no_mark_is_left(three_firewalls: Lab) -> None:
    deploy(three_firewalls)
    assert "multihome" not in standing(three_firewalls, "web1", "nft", "list", "ruleset")
    assert "fwmark" not in standing(three_firewalls, "web1", "ip", "rule")
    assert "192.0.0.8" not in standing(three_firewalls, "web1", "ip", "address")
    assert checks.everything(three_firewalls) == []
