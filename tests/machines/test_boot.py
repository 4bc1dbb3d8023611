# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a boot the lines work without Ansible, whatever manages the interfaces."""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks
from ansible_collections.multihome.linux.tests.machines import configuration
from ansible_collections.multihome.linux.tests.machines.deployed import KEEPER, Deployed


def test_after_a_reboot_the_lines_work_and_every_object_is_back(design: Deployed) -> None:
    for machine in design.bed.machines:
        machine.reboot()
    assert design.mended() == []
    for line in design.lab.lines:
        assert checks.replies_leave_by_the_line(design.lab, line.name) == []
    assert checks.lan_reaches_aliases(design.lab) == []
    assert checks.hairpin(design.lab) == []


def test_without_the_keeper_they_do_not(design: Deployed) -> None:
    """The control: it is the keeper, and nothing else, that brings the lines back."""
    server = design.bed.server
    design.run(server, "systemctl", "disable", KEEPER)
    try:
        server.reboot()
        design.settled(server)
        assert len(checks.services_answered(design.lab)) > 0
        assert {str(each) for each in design.now(server).values()} <= set(design.before[server.name])
    finally:
        design.run(server, "systemctl", "enable", "--now", KEEPER)


def test_after_the_power_has_failed_they_work_too(design: Deployed) -> None:
    for machine in design.bed.machines:
        machine.crash()
    assert design.mended() == []


@pytest.mark.parametrize("manager", [configuration.NETWORK_MANAGER, configuration.IFUPDOWN])
def test_another_manager_of_the_interfaces(design: Deployed, manager: str) -> None:
    server = design.bed.server
    again = {
        configuration.NETWORK_MANAGER: [
            ("systemctl", "restart", "NetworkManager"),
            ("nmcli", "connection", "reload"),
            ("nmcli", "connection", "up", "eth0"),
            ("nmcli", "device", "reapply", "eth0"),
        ],
        configuration.IFUPDOWN: [("ifdown", "eth0"), ("ifup", "eth0"), ("systemctl", "restart", "networking")],
    }
    server.manage_by(manager)
    try:
        server.reboot()
        assert checks.eventually(lambda: checks.services_answered(design.lab)) == [], design.state(server)
        for command in again[manager]:
            design.run(server, *command)
            if command[0] != "ifdown":
                assert checks.eventually(lambda: checks.services_answered(design.lab)) == [], (
                    f"{' '.join(command)}\n{design.state(server)}"
                )
    finally:
        server.manage_by(configuration.NETWORKD)
        server.reboot()
