# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the firewalls forward: by iptables as by nftables, only what is mapped, and beside other people's rules."""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.dumps import differences, dump
from ansible_collections.multihome.linux.tests.e2e.playbooks import deploy
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.integration.preflight.steps import DOCKER
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

DROP = {"isp_firewall_backend": "iptables", "isp_firewall_forward_policy": "drop"}
DROPPING = "table inet theirs { chain forward { type filter hook forward priority 0; policy drop; }; }\n"


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """Two lines, whose ISPs know the way to the LAN; the tests of this file build on each other in their order."""
    lab = start_lab(lines=2)
    for line in lab.lines:
        lab.exec(line.isp, "ip", "route", "add", "192.168.168.0/24", "via", line.public[0].partition("/")[0])
    return lab


def straight(lab: Lab) -> list[str]:
    """The lines by which the LAN is reached from the ISP, not by what is mapped."""
    asked = {line.name: (line.isp, f"http://192.168.168.{place}/") for place, line in enumerate(lab.lines, 1)}
    return [name for name, (isp, url) in asked.items() if ask(lab, isp, [url], timeout=1)]


def test_by_iptables_nothing_but_what_is_mapped_is_forwarded_and_nothing_changes_the_second_time(lab: Lab) -> None:
    deploy(lab, variables=DROP)
    assert checks.everything(lab) == []
    assert straight(lab) == []
    assert "multihome" not in lab.exec("fw-a", "nft", "list", "tables").stdout
    saved = lab.exec("fw-a", "iptables-save").stdout
    assert "multihome-destination" in saved
    assert '-A FORWARD -m comment --comment "multihome.linux" -j multihome-forward' in saved
    before = dump(lab)
    assert checks.nothing_changed(deploy(lab, variables=DROP)) == []
    assert differences(before, dump(lab)) == []


def test_what_is_mapped_passes_dockers_rules_and_what_cannot_pass_is_named_before_anything_changes(lab: Lab) -> None:
    # Written over the whole filter table, ours included: with IPv4, nothing passes any more.
    lab.exec("fw-a", "iptables-restore", stdin=DOCKER)
    silent = checks.services_answered(lab, ["unicom"], timeout=1)
    assert any("http://203.0.113.10" in problem for problem in silent)
    deploy(lab)  # by nftables, and the policy left to others
    assert checks.services_answered(lab) == []
    assert straight(lab) == ["interlink"]
    lab.exec("fw-b", "nft", "-f", "-", stdin=DROPPING)
    before = dump(lab)
    run = playbooks.run(lab, playbooks.DEPLOY, variables={**playbooks.FAILOVER, "isp_firewall_forward_policy": "drop"})
    assert run.code
    (failure,) = (text for text in run.failures if text.startswith("fw-b"))
    assert "error forward-dropped, nft table inet theirs, chain forward" in failure
    assert "remedy: nft insert rule inet theirs forward ct status dnat accept" in failure
    assert [line for line in differences(before, dump(lab)) if line.startswith("fw-b")] == []
