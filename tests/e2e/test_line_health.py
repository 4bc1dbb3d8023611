# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the declaration to the packets: a line dies silently, what the hosts initiate moves, the line heals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks
from ansible_collections.multihome.linux.tests.e2e.line_health import keepers, watched
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, plain, url
from ansible_collections.multihome.linux.tests.e2e.playbooks import deploy
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

PATIENCE = 60.0


def stored(lab: Lab, host: str) -> list[dict[str, Any]]:
    """The lines that a host's keeper watches; none without the file."""
    text = lab.exec(host, "cat", "/etc/multihome/lines.json", check=False).stdout
    lines: list[dict[str, Any]] = json.loads(text)["lines"] if text else []
    return lines


@pytest.fixture(scope="module")
def behind_firewalls(start_lab: StartLab) -> Iterator[Lab]:
    """A server behind two firewalls, deployed with targets, and its keeper."""
    lab = start_lab(lines=2)
    assert stored(lab, "web1") == []
    deploy(lab, variables=watched(lab))
    with keepers(lab, "web1"):
        yield lab


def test_each_host_watches_its_own_lines(behind_firewalls: Lab) -> None:
    lab = behind_firewalls
    names = [line.name for line in lab.lines]
    assert [line["name"] for line in stored(lab, "web1")] == names
    for line in lab.lines:
        assert [each["name"] for each in stored(lab, line.end)] == [line.name]


def test_a_silent_black_hole_moves_what_the_server_initiates(behind_firewalls: Lab) -> None:
    lab = behind_firewalls
    first, second = (line.name for line in lab.lines)
    assert checks.eventually(lambda: checks.outbound_unbound(lab, first), PATIENCE) == []
    lab.break_line(first, "blackhole")
    assert checks.eventually(lambda: checks.outbound_unbound(lab, second), PATIENCE) == []
    again = deploy(lab, variables=watched(lab))
    assert checks.nothing_changed(again) == []
    assert checks.outbound_unbound(lab, second) == []
    lab.heal_line(first)
    assert checks.eventually(lambda: checks.outbound_unbound(lab, first), PATIENCE) == []
    assert checks.eventually(lambda: checks.services_answered(lab), PATIENCE) == []


def test_a_dead_firewall_is_a_dead_line(behind_firewalls: Lab) -> None:
    lab = behind_firewalls
    first, second = (line.name for line in lab.lines)
    lab.break_line(first, "firewall")
    assert checks.eventually(lambda: checks.outbound_unbound(lab, second), PATIENCE) == []
    lab.heal_line(first)
    assert checks.eventually(lambda: checks.outbound_unbound(lab, first), PATIENCE) == []


def test_a_line_drained_by_declaration_serves_what_comes_in(behind_firewalls: Lab) -> None:
    lab = behind_firewalls
    first, second = (line.name for line in lab.lines)
    deploy(lab, variables=watched(lab, **{first: {"drained": True}}))
    assert checks.eventually(lambda: checks.outbound_unbound(lab, second), PATIENCE) == []
    assert checks.services_answered(lab) == []
    deploy(lab, variables=watched(lab))
    assert checks.eventually(lambda: checks.outbound_unbound(lab, first), PATIENCE) == []


def test_without_health_in_the_declaration_nothing_is_stored_any_more(behind_firewalls: Lab) -> None:
    lab = behind_firewalls
    deploy(lab)
    for host in ("web1", *(line.end for line in lab.lines)):
        assert stored(lab, host) == []
    assert checks.nothing_changed(deploy(lab)) == []


def leaves_by(lab: Lab, name: str) -> list[str]:
    """What the firewall itself sends, from no address in particular, leaves by a line."""
    [line] = [line for line in lab.lines if line.name == name]
    clients = [plain(address) for address in lab.topology.hosts[CLIENT].interfaces[0].addresses]
    problems = []
    for there, own in zip(map(url, clients), map(plain, line.public), strict=True):
        seen = ask(lab, line.end, [there], timeout=1).get(there, {}).get("client")
        problems += [] if seen == own else [f"{there} sees {seen}, not {own} of {name}"]
    return problems


def test_a_firewall_of_several_lines_moves_its_own_traffic(start_lab: StartLab) -> None:
    lab = start_lab(lines=2, shape="B")
    deploy(lab, variables=watched(lab))
    first, second = (line.name for line in lab.lines)
    # The owner's own default routes have lower metrics than ours, and nobody moves those.
    for family in ("-4", "-6"):
        owned = lab.exec("fw", "ip", family, "route", "show", "default").stdout.splitlines()
        for route in owned:
            if "proto multihome" not in route:
                lab.exec("fw", "ip", family, "route", "del", *route.split()[:5])
    with keepers(lab, lab.lines[0].end):
        assert checks.eventually(lambda: leaves_by(lab, first), PATIENCE) == []
        lab.break_line(first, "blackhole")
        assert checks.eventually(lambda: leaves_by(lab, second), PATIENCE) == []
        lab.heal_line(first)
        assert checks.eventually(lambda: leaves_by(lab, first), PATIENCE) == []
