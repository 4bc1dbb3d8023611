# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape B with a line whose addresses its ISP assigns: the playbooks with auto on a firewall."""

from __future__ import annotations

from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab


def test_a_firewall_has_a_line_with_auto(start_lab: StartLab) -> None:
    lab = start_lab(lines=2, shape="B")
    (auto,) = (line for line in lab.lines if line.name == "interlink")
    firewall = auto.end
    lists = playbooks.declared(lab)
    for line in lists["multihome_lines"]:
        if line["name"] == auto.name:
            line.update(public_addresses="auto", gateway="auto")
    # Without an address the line is down, and costs only itself.
    lab.exec(firewall, "ip", "address", "flush", "dev", auto.interface)
    playbooks.deploy(lab, variables=lists)
    assert checks.services_answered(lab, ["unicom"]) == []
    assert checks.line_is_dead(lab, auto.name) == []
    stored = lab.exec(firewall, "cat", "/etc/multihome/nat_rules.json").stdout
    # As a DHCP client does it.
    for address in auto.public:
        lab.exec(firewall, "ip", "address", "add", address, "dev", auto.interface)
    for gateway in auto.gateways:
        family = ("-6",) if ":" in gateway else ()
        way = ("default", "via", gateway, "dev", auto.interface, "metric", "40000000", "proto", "dhcp")
        lab.exec(firewall, "ip", *family, "route", "add", *way)
    # No keeper runs in the lab's hosts, so a deployment takes the addresses in.
    playbooks.deploy(lab, variables=lists)
    assert checks.eventually(lambda: checks.services_answered(lab)) == []
    assert checks.nothing_changed(playbooks.deploy(lab, variables=lists)) == []
    assert lab.exec(firewall, "cat", "/etc/multihome/nat_rules.json").stdout == stored
    assert f"auto:{auto.interface}:ipv4" in stored
