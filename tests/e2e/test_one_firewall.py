# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines by connection mark on one firewall for all lines: with an alias for each line, and with one address for all.

The tests build on each other in their order: each deployment follows from the one before.
"""

from __future__ import annotations

import time

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks
from ansible_collections.multihome.linux.tests.e2e.marks import (
    LINES,
    OneAddress,
    costs_only_itself,
    deploy,
    echo_answered,
    firewall_outbound,
    noticed,
    outbound_within_a_second,
    services_within_a_second,
    standing,
    verified,
)
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, FAMILIES, offers
from ansible_collections.multihome.linux.tests.e2e.sabotage import Fault
from ansible_collections.multihome.linux.tests.e2e.traffic import load
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab


@pytest.fixture(scope="module")
def one_firewall(start_lab: StartLab) -> Lab:
    """Three lines that end on one firewall, and a server with an alias for each."""
    lab = start_lab(lines=3, shape="B")
    deploy(lab)
    return lab


def test_on_one_firewall_everything_holds_with_an_alias_for_each_line(one_firewall: Lab) -> None:
    assert {(o.line, o.family) for o in offers(one_firewall.topology)} == {(n, f) for n in LINES for f in FAMILIES}
    assert checks.everything(one_firewall) == []


def test_what_the_firewall_answers_or_sends_itself_leaves_by_the_right_line(one_firewall: Lab) -> None:
    assert echo_answered(one_firewall) == []
    assert firewall_outbound(one_firewall) == []


def test_on_one_firewall_a_second_run_changes_nothing_and_verify_passes(one_firewall: Lab) -> None:
    assert checks.unchanged_and_short(deploy(one_firewall), checks.MOST_TASKS_OF_SEVERAL_LINES) == []
    assert verified(one_firewall) == []


@pytest.mark.parametrize(("line", "how"), [(line, how) for line in LINES for how in ("carrier", "blackhole")])
def test_on_one_firewall_a_broken_line_costs_only_itself(one_firewall: Lab, line: str, how: str) -> None:
    costs_only_itself(one_firewall, line, how)


def test_on_one_firewall_a_lost_rule_is_noticed(one_firewall: Lab) -> None:
    noticed(
        one_firewall,
        Fault("fw", "ip rule del priority 20020", services_within_a_second, "line interlink, web IPv4"),
        Fault("fw", "ip -6 rule del priority 20020", services_within_a_second, "line interlink, web IPv6"),
        Fault("fw", "ip rule del priority 20010", echo_answered, "203.0.113.10 does not answer"),
        Fault("fw", "ip route del default table 1003", services_within_a_second, "line line3, echo IPv4"),
        Fault(
            "fw",
            "ip rule del priority 23020 from 192.168.168.2",
            outbound_within_a_second,
            "web1 from 192.168.168.2: seen as None",
        ),
        Fault("fw", "ip rule del priority 23020 from 198.51.100.20", firewall_outbound, "fw from 198.51.100.20"),
    )
    said = "\n".join(verified(one_firewall))
    assert "fw: 198.51.100.20 of line interlink does not leave at all" in said
    assert "fw: mark 0x2/0xff of line interlink does not leave at all" in said


def test_one_firewall_and_one_address_for_all_lines(one_firewall: Lab) -> None:
    lab = OneAddress(one_firewall.name)
    deploy(lab)
    assert checks.services_answered(lab) + checks.log_shows_client(lab) + checks.hairpin(lab) == []
    assert checks.lan_reaches_aliases(lab) + checks.outbound_unbound(lab) + echo_answered(lab) == []
    for line in LINES:
        assert checks.replies_leave_by_the_line(lab, line) == []
    assert firewall_outbound(lab) == []
    assert verified(lab) == []
    assert checks.unchanged_and_short(deploy(lab), checks.MOST_TASKS_OF_SEVERAL_LINES) == []
    costs_only_itself(lab, "interlink", "blackhole")


def test_with_one_address_a_lost_mark_is_noticed(one_firewall: Lab) -> None:
    lab = OneAddress(one_firewall.name)
    element = 'nft delete element inet multihome marks_interfaces { "wan2" }'
    noticed(lab, Fault("fw", element, services_within_a_second, "line line3, web IPv4"))
    # What is left without a mark takes the preferred line, whose ISP drops the foreign address.
    assert any("left by line unicom" in problem for problem in checks.replies_leave_by_the_line(lab, "line3", 1))


def test_a_firewall_whose_lines_go_but_for_one_forgets_marks_and_rules(one_firewall: Lab) -> None:
    lab = OneAddress(one_firewall.name)
    with load(lab, CLIENT, [offer.url for offer in offers(lab.topology, ["unicom"])]) as requests:
        time.sleep(0.3)
        deploy(lab, ["unicom"])
    assert (requests.failed, requests.answered > 10) == (0, True), requests.report
    assert "marks_" not in standing(lab, "fw", "nft", "list", "ruleset")
    assert "proto 109" not in standing(lab, "fw", "ip", "-Numeric", "rule")
    assert checks.services_answered(lab, ["unicom"]) == []
    assert checks.nothing_changed(deploy(lab, ["unicom"])) == []
