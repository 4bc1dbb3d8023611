# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts as they are: other programs have rules, routes and translations there, and an interface is down.

Either every service is answered by its lines, or the deployment names the cause.
"""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT
from ansible_collections.multihome.linux.tests.integration.numbered import NumberedPings, pinging
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

CONTAINER = """
table ip docker-like {
    chain PREROUTING {
        type nat hook prerouting priority dstnat
        tcp dport 8088 dnat to 172.17.0.2:80
    }
}
"""


@pytest.fixture(scope="module")
def deployed(start_lab: StartLab) -> Lab:
    """A server on which two lines end."""
    lab = start_lab(lines=2, shape="C")
    playbooks.deploy(lab)
    assert checks.everything(lab) == []
    return lab


def refused(lab: Lab, **variables: Any) -> str:
    """Why a deployment fails."""
    with pytest.raises(playbooks.PlaybookFailed) as raised:
        playbooks.deploy(lab, variables=variables)
    return str(raised.value)


def ip(lab: Lab, *arguments: str) -> None:
    """Run ip on the server."""
    lab.exec("web1", "ip", *arguments)


def test_rules_and_halves_of_the_address_space_that_others_add(deployed: Lab) -> None:
    """R2 and R3: halves take nothing, a rule before ours is named."""
    one, other = deployed.topology.lines
    gateways = {":" in gateway: gateway for gateway in one.gateways}
    own = {":" in address: address.partition("/")[0] for address in other.public}
    for family, halves in (("-4", ("0.0.0.0/1", "128.0.0.0/1")), ("-6", ("2000::/3",))):
        for half in halves:
            ip(deployed, family, "route", "add", half, "via", gateways[family == "-6"], "dev", one.interface)
    assert checks.services_answered(deployed) == []
    assert checks.nothing_changed(playbooks.deploy(deployed)) == []
    ip(deployed, "rule", "add", "priority", "100", "from", own[False], "lookup", "200")
    ip(deployed, "route", "add", "default", "via", gateways[False], "dev", one.interface, "table", "200")
    assert checks.services_answered(deployed) != []
    said = refused(deployed)
    assert "reply-taken" in said
    assert f"rule 100 (source {own[False]}, table 200)" in said
    playbooks.deploy(deployed, variables={"multihomed_web_reply_taken": "warn"})
    assert playbooks.verify(deployed).code != 0
    ip(deployed, "rule", "del", "priority", "100")
    assert checks.nothing_changed(playbooks.deploy(deployed)) == []
    assert checks.everything(deployed) == []


def test_lookup_local_behind_our_rules_is_refused_before_anything_changes(deployed: Lab) -> None:
    """R1."""
    ip(deployed, "rule", "add", "priority", "32765", "lookup", "local")
    ip(deployed, "rule", "del", "priority", "0")
    try:
        said = refused(deployed)
        assert "local-rule-not-first" in said
        assert "ip -4 rule add priority 0 lookup local" in said
    finally:
        ip(deployed, "rule", "add", "priority", "0", "lookup", "local")
        ip(deployed, "rule", "del", "priority", "32765")


def test_a_container_on_the_server_needs_marks_and_gets_them(deployed: Lab) -> None:
    """R5: and goes back to source rules without it, losing nothing."""
    deployed.exec("web1", "nft", "-f", "-", stdin=CONTAINER)
    done = playbooks.deploy(deployed)
    assert done.changed["web1"] > 0
    assert "fwmark 0x2/0xff" in deployed.exec("web1", "ip", "rule").stdout
    assert checks.everything(deployed) == []
    assert checks.nothing_changed(playbooks.deploy(deployed)) == []
    deployed.exec("web1", "nft", "delete", "table", "ip", "docker-like")
    playbooks.deploy(deployed)
    assert "fwmark" not in deployed.exec("web1", "ip", "rule").stdout
    assert checks.everything(deployed) == []


def numbered(lab: Lab) -> list[NumberedPings]:
    """Requests without a break from a client to each public address."""
    addresses = [address.partition("/")[0] for line in lab.topology.lines for address in line.public]
    found = [NumberedPings(lab.popen(CLIENT, *pinging(text), stdout=subprocess.PIPE)) for text in addresses]
    for pings in found:
        pings.wait_for_more()
    return found


def lost(found: list[NumberedPings]) -> list[list[int]]:
    """The numbers of the requests that were lost, of each address."""
    for pings in found:
        pings.wait_for_more()
    return [pings.end() for pings in found]


def test_replies_by_source_and_by_mark_take_turns_without_losing_a_packet(deployed: Lab) -> None:
    """R5: in both directions, by their number."""
    for command in (("-f", "-"), ("delete", "table", "ip", "docker-like")):
        pings = numbered(deployed)
        deployed.exec("web1", "nft", *command, stdin=CONTAINER)
        playbooks.deploy(deployed)
        assert ("fwmark" in deployed.exec("web1", "ip", "rule").stdout) is (command[0] == "-f")
        assert lost(pings) == [[], [], [], []]
    pings = numbered(deployed)
    # What a change that removes first would do.
    for family in ("-4", "-6"):
        rules = deployed.exec("web1", "ip", family, "rule", "show", "priority", "23020").stdout.split()
        ip(deployed, family, "rule", "del", "priority", "23020")
        pings[0].wait_for_more()
        ip(deployed, family, "rule", "add", "priority", "23020", *rules[1:], "protocol", "109")
    assert any(lost(pings)), "such a loss is seen"
    assert checks.nothing_changed(playbooks.deploy(deployed)) == []


def test_a_line_whose_interface_is_down_does_not_stop_the_others(deployed: Lab) -> None:
    """R6."""
    one, other = deployed.topology.lines
    ip(deployed, "link", "set", other.interface, "down")
    foreseen = playbooks.deploy(deployed, "--check")
    done = playbooks.deploy(deployed)
    for run in (foreseen, done):
        [warned] = [str(warning) for result in run.results for warning in result.values.get("warnings") or ()]
        assert f"line {other.name} ends on {other.interface}, which is down" in warned
    assert checks.services_answered(deployed, [one.name]) == []
    ip(deployed, "link", "set", other.interface, "up")
    playbooks.deploy(deployed)
    assert checks.eventually(lambda: checks.everything(deployed)) == []


@pytest.fixture(scope="module")
def behind_firewalls(start_lab: StartLab) -> Lab:
    """A server with an alias for each of two lines, behind a firewall for each."""
    lab = start_lab(lines=2)
    playbooks.deploy(lab)
    assert checks.everything(lab) == []
    return lab


def test_a_firewalls_line_that_is_down_does_not_stop_the_others(behind_firewalls: Lab) -> None:
    """R6."""
    lab = behind_firewalls
    one, other = lab.topology.lines
    lab.exec(other.end, "ip", "link", "set", other.interface, "down")
    for words in (("--check",), ()):
        run = playbooks.deploy(lab, *words)
        [warned] = [str(warning) for result in run.results for warning in result.values.get("warnings") or ()]
        assert f"line {other.name} ends on {other.interface}, which is down" in warned
        assert warned.startswith(f"{other.end}, ")
    assert checks.services_answered(lab, [one.name]) == []
    assert checks.line_is_dead(lab, other.name) == []
    lab.exec(other.end, "ip", "link", "set", other.interface, "up")
    playbooks.deploy(lab)
    assert checks.eventually(lambda: checks.everything(lab)) == []


def test_a_container_on_a_server_behind_firewalls(behind_firewalls: Lab) -> None:
    """R5: whichever way its replies take, all is answered, and nothing changes the second time."""
    lab = behind_firewalls
    lab.exec("web1", "nft", "-f", "-", stdin=CONTAINER)
    playbooks.deploy(lab)
    assert checks.everything(lab) == []
    assert checks.nothing_changed(playbooks.deploy(lab)) == []
    lab.exec("web1", "nft", "delete", "table", "ip", "docker-like")
    playbooks.deploy(lab)
    assert checks.everything(lab) == []
