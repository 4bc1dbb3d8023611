# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape C, lines that end on the servers themselves, and shape D, several servers with services on some of the lines.

Shape A, a firewall for each line, is what all other files are about.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import offers
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab


@pytest.fixture(scope="module")
def shape_c(start_lab: StartLab) -> Lab:
    """Three lines on a server's own interfaces, of which the preferred one is down during the only deployment."""
    lab = start_lab(lines=3, shape="C")
    lab.break_line("unicom", "carrier")
    playbooks.deploy(lab)
    assert checks.services_answered(lab, ["interlink", "line3"]) == []
    assert checks.line_is_dead(lab, "unicom") == []
    lab.heal_line("unicom")
    assert checks.eventually(lambda: checks.everything(lab)) == []
    return lab


@pytest.mark.parametrize("how", ["carrier", "blackhole"])
def test_in_shape_c_a_broken_line_costs_only_itself(shape_c: Lab, how: str) -> None:
    shape_c.break_line("interlink", how)
    assert checks.line_is_dead(shape_c, "interlink") == []
    assert checks.services_answered(shape_c, ["unicom", "line3"]) == []
    assert checks.outbound_by_alias(shape_c, ["unicom", "line3"]) == []
    assert checks.outbound_unbound(shape_c) == []
    shape_c.heal_line("interlink")
    assert checks.eventually(lambda: checks.everything(shape_c)) == []


def test_in_shape_c_nothing_changes_the_second_time(shape_c: Lab) -> None:
    assert checks.nothing_changed(playbooks.deploy(shape_c)) == []
    assert playbooks.verify(shape_c).code == 0


def test_in_shape_c_a_fault_is_noticed(shape_c: Lab) -> None:
    shape_c.exec("web1", "ip", "-6", "rule", "del", "priority", "23020")
    assert any("line interlink, web IPv6" in problem for problem in checks.services_answered(shape_c, timeout=1))
    playbooks.deploy(shape_c)
    assert checks.services_answered(shape_c) == []


def test_in_shape_d_each_service_is_answered_on_its_lines_by_its_server(start_lab: StartLab) -> None:
    lab = start_lab(lines=3, servers=2, shape="D")
    playbooks.deploy(lab)
    found = {(offer.service, offer.server, offer.line) for offer in offers(lab.topology)}
    assert found == {
        *(("web", "web1", line) for line in ("unicom", "interlink", "line3")),
        *(("query", "web1", line) for line in ("unicom", "interlink", "line3")),
        ("echo", "web1", "unicom"),
        *(("web-2", "web2", line) for line in ("interlink", "line3")),
    }
    assert checks.everything(lab) == []
    assert checks.nothing_changed(playbooks.deploy(lab)) == []
    assert playbooks.verify(lab).code == 0
    # The control: what is offered on some lines is not answered on the others.
    elsewhere = ask(lab, "client1", ["tcp://198.51.100.20:5000", "http://203.0.113.10:8082/"], timeout=1)
    assert elsewhere == {}


def without_hardware_addresses(lab: Lab, name: str) -> None:
    """Have a line's cable be as a tunnel is: whatever one end sends reaches the other, and neither asks for it."""
    (line,) = (line for line in lab.lines if line.name == name)
    (link,) = json.loads(lab.exec(line.isp, "ip", "-json", "link", "show", "dev", "line0").stdout)
    for host, interface in ((line.isp, "line0"), ("web1", line.interface)):
        # An interface that does not ask sends to its own hardware address (arp_constructor in Linux net/ipv4/arp.c).
        lab.exec(host, "ip", "link", "set", "dev", interface, "arp", "off", "address", link["address"])


def test_in_shape_c_addresses_and_gateways_may_be_the_isps(shape_c: Lab) -> None:
    """What was declared is there already, by whoever: declared as auto, the same tables and rules follow."""
    rules = shape_c.exec("web1", "ip", "-Numeric", "rule").stdout
    # What ours hold is let go of by us: let somebody else hold the addresses from now on.
    held = [(line.interface, address) for line in shape_c.lines if line.name != "unicom" for address in line.public]
    for interface, address in held:
        shape_c.exec("web1", "ip", "address", "del", address, "dev", interface)
        shape_c.exec("web1", "ip", "address", "add", address, "dev", interface)
    lists = playbooks.declared(shape_c)
    for line in lists["multihome_lines"]:
        if line["name"] != "unicom":
            for gateway in [line["gateway"]] if isinstance(line["gateway"], str) else line["gateway"]:
                family = ("-6",) if ":" in gateway else ()
                by = () if line["name"] == "line3" else ("via", gateway)
                way = ("default", *by, "dev", line["interface"], "metric", str(9000 + line["id"]))
                shape_c.exec("web1", "ip", *family, "route", "add", *way, "proto", "dhcp")
            line.update(public_addresses="auto", gateway="auto")
    without_hardware_addresses(shape_c, "line3")
    playbooks.deploy(shape_c, variables=lists)
    assert shape_c.exec("web1", "ip", "-Numeric", "rule").stdout == rules
    assert "via" not in shape_c.exec("web1", "ip", "route", "show", "table", "1003").stdout
    assert checks.eventually(lambda: checks.services_answered(shape_c)) == []
    # The lists do not depend on what the interfaces have: a line without an address costs only itself.
    (lost,) = (line for line in shape_c.lines if line.name == "interlink")
    shape_c.exec("web1", "ip", "address", "flush", "dev", lost.interface)
    stored = shape_c.exec("web1", "cat", "/etc/multihome/policy_routing.json").stdout
    run = playbooks.deploy(shape_c, variables=lists)
    said = "\n".join(warning for result in run.results for warning in result.values.get("warnings") or ())
    assert f'line interlink cannot be used now: interface "{lost.interface}" has no address' in said
    assert checks.services_answered(shape_c, ["unicom", "line3"]) == []
    assert _selected(shape_c, lost.public) == []
    for address in lost.public:
        shape_c.exec("web1", "ip", "address", "add", address, "dev", lost.interface)
    for gateway in lost.gateways:
        family = ("-6",) if ":" in gateway else ()
        way = ("default", "via", gateway, "dev", lost.interface, "metric", "9002", "proto", "dhcp")
        shape_c.exec("web1", "ip", *family, "route", "replace", *way)
    # Here no keeper hears of it: see tests/integration/learned.
    playbooks.deploy(shape_c, variables=lists)
    assert checks.eventually(lambda: checks.services_answered(shape_c)) == []
    assert checks.nothing_changed(playbooks.deploy(shape_c, variables=lists)) == []
    # What is stored has not changed all the while.
    assert shape_c.exec("web1", "cat", "/etc/multihome/policy_routing.json").stdout == stored
    assert f"auto:{lost.interface}:ipv4" in stored


def _selected(lab: Lab, addresses: Iterable[str]) -> list[str]:
    """The rules that still select these addresses."""
    rules = lab.exec("web1", "ip", "rule").stdout + lab.exec("web1", "ip", "-6", "rule").stdout
    return [address for address in addresses if f"from {address.partition('/')[0]} " in rules]
