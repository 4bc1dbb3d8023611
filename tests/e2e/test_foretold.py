# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""On hosts where nothing is deployed, check mode shows what the real run then does: of every kind, in every shape.

Later kinds depend on earlier ones: routes on addresses that are about to be added, addresses on kernel parameters, the
keeper on the health of lines (tests/machines/test_foretold.py). So the actions of each module are compared, with its
lists from before and after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.foretold import differences, steps
from ansible_collections.multihome.linux.tests.e2e.playbooks import deploy
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

HEALTH = {"targets": ["192.0.2.101"], "quorum": 1}
OFFICE = [{"name": "office", "networks": ["192.168.168.0/24", "fd00:168::/64"], "outgoing": "balance"}]
# As a hardened host has them: the lines need each of these otherwise.
HARDENED = ("net.ipv4.ip_forward=0", "net.ipv4.conf.all.rp_filter=1", "net.ipv6.conf.{}.disable_ipv6=1")


@dataclass(frozen=True)
class Site:
    """A lab, what is deployed there, the modules that have something to do on each host, and the hardened ones."""

    shape: str
    lines: int
    expected: Mapping[str, str]
    variables: Mapping[str, Any] = field(default_factory=dict)
    of_lines: Mapping[str, Any] = field(default_factory=dict)
    hardened: Mapping[str, str] = field(default_factory=dict)

    def variables_for(self, lab: Lab) -> dict[str, Any]:
        """The lists of the lab, and the rest."""
        lists: dict[str, Any] = playbooks.declared(lab)
        for line in lists["multihome_lines"]:
            line.update(self.of_lines)
        return {**lists, **self.variables}


FIREWALL = "forward_policy nat_rules kernel_parameters ip_aliases policy_routing"
MARKED = f"{FIREWALL} connection_marks"
SERVER = "kernel_parameters ip_aliases policy_routing"
SITES = {
    "A": Site("A", 2, {"fw-a": FIREWALL, "fw-b": FIREWALL, "web1": SERVER}),
    "B": Site(
        "B",
        3,
        {"fw": f"{MARKED} line_health", "web1": f"{SERVER} line_health"},
        {"multihome_networks": OFFICE},
        {"health": HEALTH},
    ),
    "B, iptables, hardened": Site(
        "B",
        2,
        {"fw": MARKED, "web1": SERVER},
        {"isp_firewall_backend": "iptables", "isp_firewall_forward_policy": "drop"},
        hardened={"fw": "wan1", "web1": "eth0"},
    ),
    "C, balance": Site(
        "C", 2, {"web1": f"{SERVER} connection_marks"}, {"multihomed_web_default_route": "balance"}, {"mss": "off"}
    ),
    "C, hardened": Site("C", 2, {"web1": SERVER}, hardened={"web1": "wan0"}),
    "D, marks": Site(
        "D",
        2,
        {"fw-a": FIREWALL, "web1": f"{SERVER} connection_marks", "web2": f"{SERVER} connection_marks"},
        {"multihomed_web_reply": "mark"},
    ),
}


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest) -> Site:
    """Each of the sites."""
    return SITES[request.param]


def test_check_mode_shows_what_is_done_on_hosts_where_nothing_is_deployed(start_lab: StartLab, site: Site) -> None:
    lab = start_lab(lines=site.lines, shape=site.shape)
    for line in lab.lines:
        # Without its addresses, an interface has no default route either.
        lab.exec(line.end, "ip", "address", "flush", "dev", line.interface, "scope", "global")
    for host, interface in site.hardened.items():
        for setting in HARDENED:
            lab.exec(host, "sysctl", "-w", setting.format(interface))
    variables = site.variables_for(lab)
    foretold = deploy(lab, "--check", "--diff", variables=variables)
    done = deploy(lab, "--diff", variables=variables)
    assert differences(foretold, done) == []
    assert foretold.changed == done.changed
    for host, modules in site.expected.items():
        # The installation of the keeper is compared above; tests/machines has it with systemd.
        assert {module for at, module in steps(done) if at == host} - {"keeper"} == set(modules.split())
    assert checks.nothing_changed(deploy(lab, variables=variables)) == []


def test_control_what_somebody_changes_in_between_is_a_difference(start_lab: StartLab) -> None:
    lab = start_lab(lines=2)
    foretold = deploy(lab, "--check", "--diff")
    lab.exec("web1", "ip", "address", "add", "192.168.168.2/24", "dev", "eth0")
    said = differences(foretold, deploy(lab, "--diff"))
    assert [line.partition(": {")[0] for line in said] == ["web1: ip_aliases"]
