# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment that goes wrong leaves each host in its earlier state, and one that changes nothing costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

CHECKPOINTS = "/var/lib/multihome/checkpoints"
GATEWAY = "192.168.168.99"


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """Two lines, deployed."""
    lab = start_lab(lines=2)
    playbooks.deploy(lab)
    return lab


def checkpoints(lab: Lab, host: str) -> str:
    """The states of all runs of a host."""
    command = f'cd {CHECKPOINTS} 2>/dev/null && grep -ho \'"state": "[a-z]*"\' */status.json'
    return lab.exec(host, "sh", "-c", command, check=False).stdout


def test_a_deployment_is_confirmed_and_the_next_one_arms_nothing(lab: Lab) -> None:
    for host in ("fw-a", "fw-b", "web1"):
        assert checkpoints(lab, host).split() == ['"state":', '"confirmed"'], host
    run = playbooks.deploy(lab)
    assert checks.nothing_changed(run) == []
    assert not [result.task for result in run.results if "Protect" in result.task or "Prove" in result.task]
    for host in ("fw-a", "fw-b", "web1"):
        assert checkpoints(lab, host).count("state") == 1, host


def lost_gateway(lab: Lab) -> dict[str, Any]:
    """The declaration with an inside address of line A that nobody has."""
    lists = playbooks.declared(lab)
    line = next(line for line in lists["multihome_lines"] if line["name"] == "unicom")
    line["inside_addresses"] = [GATEWAY if "." in str(each) else each for each in line["inside_addresses"]]
    return lists


def test_a_gateway_that_does_not_exist_is_not_kept(lab: Lab) -> None:
    before = state(lab, "web1")
    variables = {**playbooks.FAILOVER, **lost_gateway(lab), "multihomed_web_preflight": False}
    run = playbooks.run(lab, playbooks.DEPLOY, "--limit", "web1", variables=variables)
    assert run.code
    [*_others, last] = run.failures
    assert "web1 has its earlier state again: " in last
    assert GATEWAY in last
    assert state(lab, "web1") == before
    assert checks.services_answered(lab) == []
    assert '"reverted"' in checkpoints(lab, "web1")


def test_without_a_timeout_the_change_stays(lab: Lab) -> None:
    """The control."""
    before = state(lab, "web1")
    variables = {**playbooks.FAILOVER, **lost_gateway(lab), "multihomed_web_preflight": False}
    variables["multihome_confirm_timeout"] = 0
    run = playbooks.run(lab, playbooks.DEPLOY, "--limit", "web1", variables=variables)
    assert state(lab, "web1") != before, run.failures
    playbooks.deploy(lab)
    assert state(lab, "web1") == before


def test_check_mode_arms_nothing(lab: Lab) -> None:
    lab.exec("web1", "ip", "rule", "del", "priority", "23010")
    counted = checkpoints(lab, "web1").count("state")
    run = playbooks.deploy(lab, "--check")
    assert run.changed["web1"]
    assert checkpoints(lab, "web1").count("state") == counted
    playbooks.deploy(lab)


def state(lab: Lab, host: str) -> str:
    """All addresses, routes, rules, tables of the packet filter, and files of this collection."""
    commands = (
        "ip -o address | sed 's/ valid_lft.*//' | sort; for f in -4 -6; do ip $f rule; "
        "ip $f route show table all | sort; done; nft --stateless list ruleset; "
        "find /etc/multihome -type f | sort | xargs -r sha256sum"
    )
    return lab.exec(host, "sh", "-c", commands).stdout


@pytest.fixture(autouse=True)
def repaired(lab: Lab) -> Iterator[None]:
    """Leave the lab as a deployment leaves it."""
    yield
    assert checks.services_answered(lab) == []
