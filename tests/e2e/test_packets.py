# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two lines, deployed: what packets see while all is whole, and while either line is broken in each of three ways."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import offers
from ansible_collections.multihome.linux.tests.e2e.traffic import load
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import BREAKS, Lab
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT
from ansible_collections.multihome.linux.tests.lab.topology import LAN_CLIENT

LINES = ["unicom", "interlink"]
OTHER = dict(zip(LINES, reversed(LINES), strict=True))


@pytest.fixture(scope="module")
def deployed(start_lab: StartLab) -> Lab:
    """Two lines, a firewall on each, a server, deployed."""
    lab = start_lab(lines=2)
    playbooks.deploy(lab)
    return lab


@pytest.fixture
def lab(deployed: Lab) -> Iterator[Lab]:
    """The same, with all lines whole afterwards."""
    yield deployed
    heal(deployed)


def heal(lab: Lab) -> None:
    """Heal all lines, and wait until they serve: neighbours who did not answer are asked again after a moment."""
    for line in list(lab.breaks):
        lab.heal_line(line)
    assert checks.eventually(lambda: checks.services_answered(lab)) == []


def test_every_line_service_and_family_is_answered(lab: Lab) -> None:
    assert {(o.line, o.service, o.family) for o in offers(lab.topology)} == {
        (line, service, family) for line in LINES for service in ("web", "echo", "query") for family in ("IPv4", "IPv6")
    }
    assert checks.services_answered(lab) == []
    assert checks.services_answered(lab, client="client2") == []


def test_a_range_of_ports_is_answered_from_its_first_to_its_last(lab: Lab) -> None:
    assert {o.port for o in offers(lab.topology) if o.service == "echo"} == {5000, 5010}


@pytest.mark.parametrize("line", LINES)
def test_replies_leave_by_the_line_of_their_request(lab: Lab, line: str) -> None:
    assert checks.replies_leave_by_the_line(lab, line) == []


def test_the_log_shows_the_clients_own_address(lab: Lab) -> None:
    assert checks.log_shows_client(lab) == []


def test_a_client_on_the_lan_reaches_every_alias(lab: Lab) -> None:
    assert checks.lan_reaches_aliases(lab) == []


@pytest.mark.parametrize("line", LINES)
def test_a_client_on_the_lan_reaches_every_alias_while_a_firewall_is_gone(lab: Lab, line: str) -> None:
    lab.break_line(line, "firewall")
    assert checks.lan_reaches_aliases(lab) == []


def test_the_server_reaches_the_internet_from_each_alias_by_its_line(lab: Lab) -> None:
    assert checks.outbound_by_alias(lab) == []


def test_the_server_reaches_the_internet_by_the_preferred_line(lab: Lab) -> None:
    assert checks.outbound_unbound(lab) == []
    assert checks.outbound_unbound(lab, "interlink") != []  # the control: the check tells the lines apart


def test_clients_on_the_lan_reach_the_services_by_their_public_addresses(lab: Lab) -> None:
    assert checks.hairpin(lab) == []


def test_a_firewall_serves_the_lan_also_at_the_public_addresses_of_another_line_that_is_gone(lab: Lab) -> None:
    """A LAN client whose only gateway is fw-a, as most have, while fw-b is gone."""
    prefixes = [("-4", "198.51.100.0/24", "192.168.168.12"), ("-6", "2001:db8:b::/64", "fd00:168::12")]
    for family, prefix, _target in prefixes:
        lab.exec(LAN_CLIENT, "ip", family, "route", "del", prefix)
    try:
        lab.break_line("interlink", "firewall")
        assert checks.hairpin(lab) == []
    finally:
        for family, prefix, gateway in prefixes:
            lab.exec(LAN_CLIENT, "ip", family, "route", "add", prefix, "via", gateway)


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("line", LINES)
def test_a_broken_line_costs_only_itself(lab: Lab, line: str, how: str) -> None:
    broken, whole = ([o.url for o in offers(lab.topology, [name])] for name in (line, OTHER[line]))
    with load(lab, "client1", whole) as other, load(lab, "client2", broken, timeout=0.5) as own:
        time.sleep(0.5)
        lab.break_line(line, how)
        assert checks.line_is_dead(lab, line) == []
        assert checks.services_answered(lab, [OTHER[line]]) == []
        assert checks.outbound_by_alias(lab, [OTHER[line]]) == []
        assert checks.lan_reaches_aliases(lab) == []
        heal(lab)
    assert (other.failed, other.answered > 10) == (0, True), other.report
    # The control: the same load on the broken line sees that it is broken. It waits for less than the second after
    # which a lost SYN is sent again, as the line may be healed by then.
    assert own.failed > 0
    assert own.answered > 0
    assert checks.everything(lab) == []


def test_verify_passes_when_all_is_whole(lab: Lab) -> None:
    run = playbooks.verify(lab)
    assert run.code == 0, run.failures
    rows = run.message("Show line, service, family and answer")
    assert rows[0].split() == ["line", "service", "IPv4", "IPv6"]
    for line in LINES:
        (row,) = (row for row in rows if row.split()[:2] == [line, "web"])
        assert row.count("✓") == 2


def test_verify_from_inside_says_nothing_about_a_line(lab: Lab, tmp_path: Path) -> None:
    # The hairpin of the firewall answers, though the line is dead. A vantage host needs no root rights.
    lab.break_line("interlink", "blackhole")
    host: dict[str, object] = {
        "ansible_connection": "lab",
        "ansible_python_interpreter": sys.executable,
        "lab_name": lab.name,
    }
    host |= {"ansible_become": True, "ansible_become_method": "no_such_method"}
    (tmp_path / "inside.json").write_text(json.dumps({"multihome_vantage": {"hosts": {LAN_CLIENT: host}}}))
    inventories = ("-i", str(CHECKOUT / "inventory" / "lab" / "hosts.py"), "-i", str(tmp_path / "inside.json"))
    variables = {"multihome_verify_timeout": 1, "multihome_vantages": [LAN_CLIENT]}
    run = playbooks.run(lab, playbooks.VERIFY, *inventories, variables=variables)
    asked = {(offer.line, offer.service, offer.family) for offer in offers(lab.topology)}
    rows = run.message("Show line, service, family and answer")
    assert [row for row in rows if "✓" in row or "✗" in row] == []
    assert sum(row.count("- from inside") for row in rows) == len(asked) + 1
    assert rows[-1] == "0 of 0 as expected"
    assert run.code == 0, run.failures


def test_verify_names_the_hosts_that_limit_leaves_out(lab: Lab) -> None:
    run = playbooks.run(lab, playbooks.VERIFY, "--limit", "web1")
    assert run.code == 0, run.failures
    rows = run.message("Show line, service, family and answer")
    assert "left out by --limit, asked no service: client1, client2" in rows
    run = playbooks.run(lab, playbooks.VERIFY, "--limit", "client1", variables={"multihome_verify_timeout": 1})
    assert run.code == 0, run.failures
    assert "left out by --limit, looked up no path: web1" in run.message("Show line, service, family and answer")


@pytest.mark.parametrize("how", BREAKS)
def test_verify_fails_and_names_what_is_broken(lab: Lab, how: str) -> None:
    lab.break_line("interlink", how)
    run = playbooks.verify(lab)
    assert run.code
    rows = run.message("Show line, service, family and answer")
    assert {row.split()[0] for row in rows if "✗" in row} == {"interlink"}
    assert {row.split()[0] for row in rows if "✓" in row} == {"unicom"}
    said = "\n".join(run.failures)
    assert "line interlink: " in said
    assert "198.51.100.20 80/tcp" in said
    assert "2001:db8:b::20 80/tcp" in said
    assert "unicom" not in said


def test_verify_takes_a_line_that_is_expected_to_be_down(lab: Lab) -> None:
    lab.break_line("interlink", "blackhole")
    run = playbooks.verify(lab, multihome_verify_expect_down=["interlink"])
    assert run.code == 0, run.failures


def test_verify_fails_for_a_line_that_is_up_against_expectation(lab: Lab) -> None:
    run = playbooks.verify(lab, multihome_verify_expect_down=["interlink"])
    assert run.code
    assert "line interlink: 198.51.100.20 " in "\n".join(run.failures)
