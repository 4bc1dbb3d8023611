# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with so many addresses on each line that they get no rules of their own, and no few prefixes hold them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.marks import standing
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, FAMILIES, plain, url
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.topology import LAN_CLIENT

# The last numbers of a line's addresses: between any two of its own there is one of the other line.
LAST = {"unicom": [1, *range(21, 37, 2)], "interlink": [2, *range(22, 38, 2)]}
PREFIXES = dict(zip(FAMILIES, (("192.168.168.", "/24"), ("fd00:168::", "/64")), strict=True))


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """Two lines, on which nothing is deployed yet."""
    return start_lab(lines=2)


def addresses(line: str, family: str) -> list[str]:
    """The server's addresses for a line."""
    return [f"{PREFIXES[family][0]}{last}" for last in LAST[line]]


def variables(lab: Lab, backend: str) -> dict[str, Any]:
    """The declaration with all of them."""
    lists = playbooks.declared(lab)
    lists["multihome_servers"][0]["addresses"] = {
        line: [own + PREFIXES[family][1] for family in FAMILIES for own in addresses(line, family)] for line in LAST
    }
    return {**lists, "multihomed_web_backend": backend}


def answered_to_firewall(lab: Lab, asking: str, asked: str) -> set[str]:
    """Which of a line's addresses answer the firewall of a line, asked from its public addresses, beyond the LAN."""
    (line,) = (line for line in lab.lines if line.name == asking)
    found: set[str] = set()
    timeout = 2 if asking == asked else 0.5
    for family, public in zip(FAMILIES, map(plain, line.public), strict=True):
        urls = {url(own): own for own in addresses(asked, family)}
        found |= {urls[there] for there in ask(lab, line.end, list(urls), public, timeout=timeout)}
    return found


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_each_of_many_scattered_addresses_answers_by_its_own_line(lab: Lab, backend: str) -> None:
    playbooks.deploy(lab, variables=variables(lab, backend))
    for asking, asked in itertools.product(LAST, LAST):
        every = {own for family in FAMILIES for own in addresses(asked, family)}
        # The control: by its own line an address cannot answer the firewall of the other one.
        assert answered_to_firewall(lab, asking, asked) == (every if asking == asked else set())
    everywhere = [url(own) for line in LAST for family in FAMILIES for own in addresses(line, family)]
    assert ask(lab, LAN_CLIENT, everywhere).keys() == set(everywhere)
    assert checks.services_answered(lab) + checks.outbound_unbound(lab) == []
    # What the server begins with the last of them has the public address of the line.
    there = [url(plain(address)) for address in lab.topology.hosts[CLIENT].interfaces[0].addresses]
    for line in lab.lines:
        for family, to, public in zip(FAMILIES, there, map(plain, line.public), strict=True):
            assert ask(lab, "web1", [to], addresses(line.name, family)[-1])[to]["client"] == public
    rules = standing(lab, "web1", "ip", "rule") + standing(lab, "web1", "ip", "-6", "rule")
    assert "fwmark 0x2/0xff" in rules
    # A mark for all of them, and a rule for none.
    assert not any(f"from {own} " in rules for line in LAST for family in FAMILIES for own in addresses(line, family))
    mangle = standing(lab, "web1", "iptables-save", "-t", "mangle")
    assert ("CONNMARK" in mangle or "MARK" in mangle) is (backend == "iptables")
    assert checks.nothing_changed(playbooks.deploy(lab, variables=variables(lab, backend))) == []
