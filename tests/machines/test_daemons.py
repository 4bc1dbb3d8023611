# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other programs of a host, and its administrator, do all day."""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks
from ansible_collections.multihome.linux.tests.machines.deployed import Deployed


@pytest.mark.parametrize(
    "command",
    [
        ("networkctl", "reload"),
        ("systemctl", "restart", "systemd-networkd"),
        ("systemctl", "restart", "nftables"),
        ("nft", "-f", "/etc/nftables.conf"),
    ],
    ids=" ".join,
)
def test_a_restart_takes_nothing_away_for_long(design: Deployed, command: tuple[str, ...]) -> None:
    before = design.report(design.bed.firewall)["repairs"]
    for machine in design.bed.machines:
        design.run(machine, *command)
    assert design.mended() == []
    if "nft" in command[0] or "nftables" in command:
        # Its first line flushes everything: the control.
        assert design.report(design.bed.firewall)["repairs"] > before


def test_each_interface_is_configured_anew(design: Deployed) -> None:
    for machine in design.bed.machines:
        for interface in machine.host.interfaces:
            design.run(machine, "networkctl", "reconfigure", interface.name)
    assert design.mended() == []


def test_a_link_goes_down_and_up(design: Deployed) -> None:
    for machine in design.bed.machines:
        for interface in machine.host.interfaces:
            design.run(machine, "ip", "link", "set", interface.name, "down")
        assert len(design.differences()) > 0  # the control: the routes of a link go with it
        for interface in machine.host.interfaces:
            design.run(machine, "ip", "link", "set", interface.name, "up")
        # The networkd of Debian 12 takes its own address away with the carrier, and the kernel makes another one of the
        # subnet the primary: so it goes without us too.
        assert design.mended(in_order=False) == []
        machine.reboot()


def test_a_cable_is_pulled_and_plugged(design: Deployed) -> None:
    for line in design.lab.lines:
        design.lab.break_line(line.name, "carrier")
    try:
        assert len(checks.services_answered(design.lab, timeout=0.5)) > 0
    finally:
        for line in design.lab.lines:
            design.lab.heal_line(line.name)
    assert design.mended() == []


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_all_policy_rules_are_flushed_and_the_default_ones_put_back(design: Deployed, family: str) -> None:
    server = design.bed.server
    foreign = [each for each in design.before[server.name].values() if each.kind == f"rule {family}"]
    design.run(server, "ip", family, "rule", "flush")
    design.run(server, "ip", family, "rule", "add", "priority", "32766", "table", "main", "protocol", "kernel")
    if family == "-4":
        design.run(server, "ip", family, "rule", "add", "priority", "32767", "table", "default", "protocol", "kernel")
    design.run(server, "systemctl", "restart", "foreign.service")
    assert len(foreign) > 1
    assert design.mended() == []
