# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's own connections, spread over the lines by weight.

The tests build on each other in their order: each deployment follows from the one before.
"""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.marks import LINES, OneAddress, deploy, standing
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, FAMILIES, offers, plain, url
from ansible_collections.multihome.linux.tests.e2e.traffic import connected, load
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.webserver import ECHO_PORTS, HTTP_PORT

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


def of_clients(lab: Lab, protocol: str, port: int) -> list[str]:
    """The URLs of a port of the client on the Internet, of each family."""
    addresses = lab.topology.hosts[CLIENT].interfaces[0].addresses
    return [url(plain(address), protocol, port, port) for address in addresses]


def test_the_servers_own_connections_outlive_other_weights_and_a_line_that_comes_or_goes(three_firewalls: Lab) -> None:
    there, two = of_clients(three_firewalls, "http", HTTP_PORT), ["unicom", "interlink"]
    weights = dict(zip(LINES, (1, 4, 1), strict=True))
    lines = playbooks.declared(three_firewalls)["multihome_lines"]
    services = [offer.url for offer in offers(three_firewalls.topology, two)]
    with (
        connected(three_firewalls, "web1", of_clients(three_firewalls, "tcp", ECHO_PORTS[0])) as use,
        load(three_firewalls, "web1", there) as own,
        load(three_firewalls, CLIENT, services) as asked,
    ):
        before = use()
        weighted = [{**line, "weight": weights[line["name"]]} for line in lines]
        deploy(three_firewalls, LINES, multihome_lines=weighted, **BALANCE)
        # Each on its line: the firewalls' translations, address and port, are as they were.
        assert use() == before
    assert len({address for address, _port in before}) == 2 * len(two)
    for requests in (own, asked):
        assert (requests.failed, requests.answered > 10) == (0, True), requests.report
    found = seen_outside(three_firewalls, "IPv4")
    assert abs(found["interlink"] - 4 / 6 * CONNECTIONS) <= 0.03 * CONNECTIONS
    assert found.keys() == set(LINES)
    with load(three_firewalls, "web1", there) as own:
        # A firewall must not stop translating what its servers still send.
        deploy(three_firewalls, two, "--limit", "web1", **BALANCE)
        deploy(three_firewalls, two, **BALANCE)
    assert (own.failed, own.answered > 10) == (0, True), own.report
    assert seen_outside(three_firewalls, "IPv6").keys() == set(two)
    assert checks.outbound_by_alias(three_firewalls, two) == []


def test_without_a_rule_of_its_mark_a_share_of_the_connections_fails(three_firewalls: Lab) -> None:
    there = of_clients(three_firewalls, "http", HTTP_PORT)[0]
    with connected(three_firewalls, "web1", of_clients(three_firewalls, "tcp", ECHO_PORTS[0])[:1], timeout=0.5) as use:
        assert None not in use()
        three_firewalls.exec("web1", "ip", "rule", "del", "priority", "20020")
        # A SYN that is lost is sent again after a second, and takes its turn anew: ask for less.
        report = three_firewalls.ask("web1", there, count=10, concurrency=10, timeout=0.5)
        assert (report["answered"], report["failed"]) == (8, 2)
        assert use().count(None) == 2


def test_back_to_failover_no_mark_is_left(three_firewalls: Lab) -> None:
    deploy(three_firewalls)
    assert "multihome" not in standing(three_firewalls, "web1", "nft", "list", "ruleset")
    assert "fwmark" not in standing(three_firewalls, "web1", "ip", "rule")
    assert "192.0.0.8" not in standing(three_firewalls, "web1", "ip", "address")
    assert checks.everything(three_firewalls) == []
