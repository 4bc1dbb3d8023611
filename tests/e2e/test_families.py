# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One firewall with three lines, one of IPv6 only and one of IPv4 only: services, clients and servers, by packets.

The tests build on each other in their order.
"""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, FAMILIES, plain, url
from ansible_collections.multihome.linux.tests.e2e.test_networks import OFFICE, clients, line_used, switch
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

BOTH, SIX, FOUR = "unicom", "interlink", "line3"
LINES_OF = {"IPv4": (BOTH, FOUR), "IPv6": (BOTH, SIX)}


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """Three lines on one firewall."""
    return start_lab(lines=3, shape="B")


@pytest.fixture(scope="module", params=("nftables", "iptables"))
def backend(request: pytest.FixtureRequest) -> str:
    """The packet filter of the firewall."""
    return str(request.param)


def of_families(line: str, addresses: list[str]) -> list[str]:
    """The addresses of the families that a line has."""
    return [one for one in addresses if line in LINES_OF["IPv6" if ":" in one else "IPv4"]]


def variables(lab: Lab, backend: str, outgoing: Any) -> dict[str, Any]:
    """The lab's lists, with the families that each line has."""
    lists = playbooks.declared(lab)
    for line in lists["multihome_lines"]:
        for key in ("public_addresses", "gateway", "inside_addresses"):
            line[key] = of_families(line["name"], line[key])
    for server in lists["multihome_servers"]:
        server["addresses"] = {name: of_families(name, own) for name, own in server["addresses"].items()}
    networks = [{**OFFICE, "outgoing": outgoing}]
    return {**lists, "multihome_networks": networks, "isp_firewall_backend": backend}


def answering(lab: Lab) -> dict[str, set[str]]:
    """The lines by which the web service answers, by family."""
    asked = {
        url(plain(address)): (line.name, "IPv6" if ":" in address else "IPv4")
        for line in lab.lines
        for address in line.public
    }
    found: dict[str, set[str]] = {family: set() for family in FAMILIES}
    for each in ask(lab, CLIENT, list(asked), timeout=3):
        line, family = asked[each]
        found[family].add(line)
    return found


def leaves_by(lab: Lab, line: str, family: str) -> str | None:
    """The address by which a client sees the server that sends from its address of a line."""
    own = {"IPv6" if ":" in one else "IPv4": plain(one) for one in lab.topology.servers[0].addresses[line]}
    target = url(clients(lab)[family])
    answer = ask(lab, "web1", [target], source=own[family], timeout=5).get(target)
    return None if answer is None else str(answer["client"])


def public(lab: Lab, line: str, family: str) -> str:
    """The public address of a line."""
    (found,) = (each for each in lab.lines if each.name == line)
    return next(plain(one) for one in found.public if (":" in one) == (family == "IPv6"))


def test_each_line_carries_its_families_and_no_other(lab: Lab, backend: str) -> None:
    wanted = variables(lab, backend, "failover")
    playbooks.deploy(lab, variables=wanted)
    assert answering(lab) == {family: set(lines) for family, lines in LINES_OF.items()}
    for family, lines in LINES_OF.items():
        for line in lines:
            assert leaves_by(lab, line, family) == public(lab, line, family)
    assert checks.nothing_changed(playbooks.deploy(lab, variables=wanted)) == []
    run = playbooks.verify(lab, **wanted)
    assert run.code == 0, run.failures


@pytest.mark.parametrize("outgoing", ["failover", [BOTH, SIX, FOUR]], ids=["failover", "in_order"])
def test_clients_move_to_the_line_of_their_family(lab: Lab, backend: str, outgoing: Any) -> None:
    wanted = variables(lab, backend, outgoing)
    playbooks.deploy(lab, variables=wanted)
    assert [line_used(lab, family) for family in FAMILIES] == [BOTH, BOTH]
    switch(lab, BOTH, "down")
    try:
        assert [line_used(lab, family) for family in FAMILIES] == [FOUR, SIX]
        # The control: without the line of their family, nothing leaves, by no other line and not untranslated.
        switch(lab, SIX, "down")
        assert [line_used(lab, family, timeout=2) for family in FAMILIES] == [FOUR, None]
    finally:
        switch(lab, BOTH, "up")
        switch(lab, SIX, "up")
    playbooks.deploy(lab, variables=wanted)
    found = [BOTH, BOTH]
    assert checks.eventually(lambda: [] if [line_used(lab, one) for one in FAMILIES] == found else ["not back"]) == []
