# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declaration of README, word for word, deploys a service that answers from outside."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from ansible_collections.multihome.linux.tests.e2e import playbooks
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT

FIREWALLS = ("fw-a", "fw-b")


def declared() -> dict[str, Any]:
    """The variables of README's inventory."""
    blocks = re.findall(r"```yaml\n(.*?)```", (CHECKOUT / "README.md").read_text("utf-8"), re.DOTALL)
    (block,) = (block for block in blocks if block.startswith("# inventory/group_vars/all/multihome.yml"))
    variables: dict[str, Any] = yaml.safe_load(block)
    return variables


@pytest.fixture
def lab(start_lab: StartLab) -> Lab:
    """The two lines of README. Nobody has configured a default route on the firewalls."""
    lab = start_lab(lines=2)
    for host in FIREWALLS:
        for family in ("-4", "-6"):
            lab.exec(host, "ip", family, "route", "del", "default")
    return lab


def test_it_answers_from_outside_and_without_its_gateways_the_firewalls_refuse_it(lab: Lab) -> None:
    variables = declared()
    for line in variables["multihome_lines"]:
        del line["gateway"]
    run = playbooks.run(lab, playbooks.DEPLOY, variables=variables)
    assert run.code
    assert "no-way-out" in "\n".join(run.failures)
    assert [run.changed[host] for host in FIREWALLS] == [0, 0]
    # The declaration as it is then works, and is asked from outside.
    run = playbooks.run(lab, playbooks.DEPLOY, variables=declared())
    assert run.code == 0, run.failures
    for service in (variables := declared())["multihome_services"]:
        # The web server of the lab listens on one of README's ports.
        service["verify_ports"] = ["80/tcp"]
    run = playbooks.run(lab, playbooks.VERIFY, variables=variables)
    assert run.code == 0, run.failures
    assert run.message("Show line, service, family and answer")[-1] == "4 of 4 as expected"
