# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape B with a line whose addresses its ISP assigns: the playbooks with auto on a firewall."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.zone import DOMAIN, declared, name_server
from ansible_collections.multihome.linux.tests.integration.dns.servers import ZONE
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab


def test_a_firewall_has_a_line_with_auto(start_lab: StartLab) -> None:
    lab = start_lab(lines=2, shape="B")
    (auto,) = (line for line in lab.lines if line.name == "interlink")
    firewall = auto.end
    lists: dict[str, Any] = playbooks.declared(lab)
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
    # Nobody but the firewall knows the addresses; it is asked for them.
    run = playbooks.verify(lab, **lists)
    assert (run.code, run.failures) == (0, [])
    matrix = "\n".join(run.message("Show line, service, family and answer"))
    assert "auto" not in matrix
    # Control: an address that the ISP does not route is asked, and is a fault.
    wrong = "198.51.100.250"
    for address in auto.public:
        if ":" not in address:
            lab.exec(firewall, "ip", "address", "del", address, "dev", auto.interface)
            length = address.partition("/")[2]
            lab.exec(firewall, "ip", "address", "add", f"{wrong}/{length}", "dev", auto.interface)
    run = playbooks.verify(lab, **lists)
    assert run.code
    assert wrong in "\n".join(run.failures)
    # Without any address nothing is asked.
    lab.exec(firewall, "ip", "address", "flush", "dev", auto.interface)
    matrix = "\n".join(playbooks.verify(lab, **lists).message("Show line, service, family and answer"))
    assert "- auto" in matrix


def test_services_on_such_a_line_are_published_and_verified(start_lab: StartLab, tmp_path: Path) -> None:
    lab = start_lab(lines=2)
    (auto,) = (line for line in lab.lines if line.name == "interlink")
    with name_server(lab, "client1", tmp_path) as server:
        lists = declared(lab, server)
        for line in lists["multihome_lines"]:
            if line["name"] == auto.name:
                line.update(public_addresses="auto", gateway="auto")
        playbooks.deploy(lab, variables=lists)
        public = sorted(address.partition("/")[0] for line in lab.lines for address in line.public)
        assert sorted([*server.ask(DOMAIN, "A"), *server.ask(DOMAIN, "AAAA")]) == public
        own = sorted(address.partition("/")[0] for address in auto.public)
        assert sorted([*server.ask(f"line-2.{ZONE}", "A"), *server.ask(f"line-2.{ZONE}", "AAAA")]) == own
        assert checks.nothing_changed(playbooks.deploy(lab, variables=lists)) == []
        run = playbooks.verify(lab, **lists)
        assert not any("the zone differs" in text for text in run.failures)
        # Control: without the name of the line, the domain has only the other one, and verify says so.
        run = playbooks.run(lab, playbooks.REMOVE, "--limit", auto.end, variables=lists)
        assert run.code == 0, "\n".join([*run.failures, run.errors])
        assert server.ask(f"line-2.{ZONE}", "A") == []
