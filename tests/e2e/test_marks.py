# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines by connection mark: one firewall for all lines, one address for all lines, and the server's own connections.

The tests of each part build on each other in their order: each deployment follows from the one before.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, FAMILIES, offers, plain, url
from ansible_collections.multihome.linux.tests.e2e.playbooks import Run
from ansible_collections.multihome.linux.tests.e2e.sabotage import Fault
from ansible_collections.multihome.linux.tests.e2e.traffic import ask, load
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.topology import Topology

LINES = ("unicom", "interlink", "line3")
CONNECTIONS = 2000
BALANCE = {"multihomed_web_default_route": "balance"}


class OneAddress(Lab):
    """A lab whose servers have one address of each family for all lines, that of the first."""

    @property
    def topology(self) -> Topology:
        """The running lab's topology, with other addresses for the lines."""
        found = super().topology
        first = found.lines[0].name
        servers = [
            dataclasses.replace(server, addresses=dict.fromkeys(server.addresses, server.addresses[first]))
            for server in found.servers
        ]
        return dataclasses.replace(found, servers=tuple(servers))


def deploy(lab: Lab, lines: Sequence[str] | None = None, *arguments: str, **variables: Any) -> Run:
    """Deploy what the lab, as it is seen here, declares."""
    return playbooks.deploy(lab, *arguments, variables={**playbooks.declared(lab, lines), **variables})


def verified(lab: Lab) -> list[str]:
    """What verify has against it."""
    lists: dict[str, Any] = dict(playbooks.declared(lab))
    run = playbooks.verify(lab, **lists)
    return [*run.failures, *([run.errors] if run.code and not run.failures else [])]


def standing(lab: Lab, host: str, *command: str) -> str:
    """What a command shows on a host."""
    return lab.exec(host, *command).stdout


def echo_answered(lab: Lab, lines: Sequence[str] = LINES) -> list[str]:
    """Every public address answers a ping of two clients."""
    return [
        f"line {line.name}: {address} does not answer {client}"
        for line in lab.lines
        if line.name in lines
        for address in map(plain, line.public)
        for client in (CLIENT, "client2")
        if lab.exec(client, "ping", "-c1", "-W1", address, check=False).returncode
    ]


def firewall_outbound(lab: Lab) -> list[str]:
    """What the firewall sends from a public address leaves by its line; from none, by the preferred line."""
    problems = []
    clients = [plain(address) for address in lab.topology.hosts[CLIENT].interfaces[0].addresses]
    for line in lab.lines:
        for there, own in zip(map(url, clients), map(plain, line.public), strict=True):
            for source in (own, None) if line.name == "unicom" else (own,):
                seen = ask(lab, "fw", [there], source, timeout=1).get(there, {}).get("client")
                if seen != own:
                    problems.append(f"fw from {source}: seen as {seen}, not as {own} of {line.name}")
    return problems


def services_within_a_second(lab: Lab) -> list[str]:
    """As checks.services_answered, for what is known to be broken."""
    return checks.services_answered(lab, timeout=1)


def outbound_within_a_second(lab: Lab) -> list[str]:
    """As checks.outbound_by_alias, for what is known to be broken."""
    return checks.outbound_by_alias(lab, timeout=1)


def noticed(lab: Lab, *faults: Fault) -> None:
    """Inflict faults of different symptoms one after the other; each is noticed, and was not before."""
    for fault in faults:
        assert not fault.is_noticed(lab), fault
        fault.inflict(lab)
        assert fault.is_noticed(lab), fault


def costs_only_itself(lab: Lab, line: str, how: str) -> None:
    """Break a line under load, and heal it: the others lose no request."""
    others = [name for name in LINES if name != line]
    with load(lab, CLIENT, [offer.url for offer in offers(lab.topology, others)]) as requests:
        time.sleep(0.3)
        lab.break_line(line, how)
        assert checks.line_is_dead(lab, line) == []
        assert checks.services_answered(lab, others) == []
    assert (requests.failed, requests.answered > 100) == (0, True), requests.report
    lab.heal_line(line)
    assert checks.eventually(lambda: checks.services_answered(lab)) == []


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
    # One more than where lines have firewalls of their own: the routes are made ready before the marks.
    assert checks.unchanged_and_short(deploy(one_firewall), checks.MOST_TASKS + 1) == []
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
    assert checks.unchanged_and_short(deploy(lab)) == []
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
    assert (requests.failed, requests.answered > 100) == (0, True), requests.report
    assert "marks_" not in standing(lab, "fw", "nft", "list", "ruleset")
    assert "proto 109" not in standing(lab, "fw", "ip", "-Numeric", "rule")
    assert checks.services_answered(lab, ["unicom"]) == []
    assert checks.nothing_changed(deploy(lab, ["unicom"])) == []


@pytest.fixture(scope="module")
def three_firewalls(start_lab: StartLab) -> Lab:
    """Three lines, a firewall on each, and a server on which nothing is deployed yet."""
    return start_lab(lines=3)


@pytest.fixture(scope="module")
def one_address(three_firewalls: Lab) -> OneAddress:
    """The same with one address for all lines; the firewalls hand a ping to the server, as no service does."""
    lab = OneAddress(three_firewalls.name)
    deploy(lab)
    address = dict(zip(("ip", "ip6"), map(plain, lab.topology.servers[0].addresses["unicom"]), strict=True))
    for line in lab.lines:
        public = dict(zip(("ip", "ip6"), map(plain, line.public), strict=True))
        rules = [
            f"{family} daddr {public[family]} {kind} type echo-request dnat {family} to {address[family]}"
            for family, kind in (("ip", "icmp"), ("ip6", "icmpv6"))
        ]
        chain = "; ".join(["type nat hook prerouting priority -110", *rules])
        lab.exec(line.end, "nft", "-f", "-", stdin=f"table inet somebody {{ chain prerouting {{ {chain}; }}; }}")
    return lab


def test_one_address_behind_three_firewalls(one_address: OneAddress) -> None:
    assert len({offer.alias for offer in offers(one_address.topology)}) == len(FAMILIES)
    assert {offer.protocol for offer in offers(one_address.topology)} == {"tcp", "udp"}
    assert checks.services_answered(one_address) == []
    assert checks.log_shows_client(one_address) == []
    assert echo_answered(one_address) == []
    assert checks.lan_reaches_aliases(one_address) + checks.hairpin(one_address) == []
    assert checks.outbound_unbound(one_address) == []
    for line in LINES:
        assert checks.replies_leave_by_the_line(one_address, line) == []


def test_with_one_address_behind_three_firewalls_a_second_run_changes_nothing(one_address: OneAddress) -> None:
    assert checks.unchanged_and_short(deploy(one_address)) == []
    assert verified(one_address) == []


@pytest.mark.parametrize("how", ["carrier", "blackhole", "firewall"])
def test_with_one_address_behind_three_firewalls_a_broken_line_costs_only_itself(
    one_address: OneAddress, how: str
) -> None:
    costs_only_itself(one_address, "interlink", how)


def test_with_one_address_behind_three_firewalls_a_lost_part_is_noticed(one_address: OneAddress) -> None:
    mac = standing(one_address, "fw-c", "cat", "/sys/class/net/lan0/address").strip()
    element = f'nft delete element inet multihome marks_neighbours {{ "eth0" . {mac} }}'
    noticed(
        one_address,
        Fault("web1", "ip rule del priority 20020", services_within_a_second, "line interlink, query IPv4"),
        Fault("web1", "ip -6 rule del priority 20020", echo_answered, "line interlink: 2001:db8:b::20 does not answer"),
        Fault("web1", element, services_within_a_second, "line line3, web IPv6"),
    )
    said = "\n".join(verified(one_address))
    assert "web1: 192.168.168.1 with mark 0x2/0xff of line interlink does not leave at all" in said


def seen_outside(lab: Lab, family: str) -> dict[str, int]:
    """Open many connections from the server's no address in particular; return how many came from each line."""
    place = FAMILIES.index(family)
    names = {plain(line.public[place]): line.name for line in lab.lines}
    there = url(plain(lab.topology.hosts[CLIENT].interfaces[0].addresses[place]))
    report = lab.ask("web1", there, count=CONNECTIONS, concurrency=8, timeout=5)
    assert (report["failed"], report["answered"]) == (0, CONNECTIONS), report
    assert report["seconds"] < 30
    return {names[answer["client"]]: answer["count"] for answer in report["answers"]}


@pytest.mark.parametrize("addresses", ["one", "an alias for each line"])
def test_the_servers_own_connections_are_spread_by_weight(
    three_firewalls: Lab, one_address: OneAddress, addresses: str
) -> None:
    lab = one_address if addresses == "one" else three_firewalls
    two = ["unicom", "interlink"]
    deploy(lab, two, **BALANCE)
    for family in FAMILIES:
        found = seen_outside(lab, family)
        assert found.keys() == set(two)
        assert abs(found["unicom"] - 0.8 * CONNECTIONS) <= 0.03 * CONNECTIONS
    assert checks.services_answered(lab, two) + checks.hairpin(lab, two) == []
    assert checks.unchanged_and_short(deploy(lab, two, **BALANCE)) == []


def test_the_servers_own_connections_outlive_a_line_that_comes_or_goes(three_firewalls: Lab) -> None:
    there = [url(plain(address)) for address in three_firewalls.topology.hosts[CLIENT].interfaces[0].addresses]
    with load(three_firewalls, "web1", there) as own:
        deploy(three_firewalls, LINES, **BALANCE)
    assert (own.failed, own.answered > 100) == (0, True), own.report
    assert seen_outside(three_firewalls, "IPv4").keys() == set(LINES)
    two = ["unicom", "interlink"]
    with load(three_firewalls, "web1", there) as own:
        # A firewall must not stop translating what its servers still send.
        deploy(three_firewalls, two, "--limit", "web1", **BALANCE)
        deploy(three_firewalls, two, **BALANCE)
    assert (own.failed, own.answered > 100) == (0, True), own.report
    assert seen_outside(three_firewalls, "IPv6").keys() == set(two)
    assert checks.outbound_by_alias(three_firewalls, two) == []


def test_without_a_rule_of_its_mark_a_share_of_the_connections_fails(three_firewalls: Lab) -> None:
    there = url(plain(three_firewalls.topology.hosts[CLIENT].interfaces[0].addresses[0]))
    three_firewalls.exec("web1", "ip", "rule", "del", "priority", "20020")
    # A SYN that is lost is sent again after a second, and takes its turn anew: ask for less.
    report = three_firewalls.ask("web1", there, count=10, concurrency=10, timeout=0.5)
    assert (report["answered"], report["failed"]) == (8, 2)


def test_back_to_failover_no_mark_is_left(three_firewalls: Lab) -> None:
    deploy(three_firewalls)
    assert "multihome" not in standing(three_firewalls, "web1", "nft", "list", "ruleset")
    assert "fwmark" not in standing(three_firewalls, "web1", "ip", "rule")
    assert "192.0.0.8" not in standing(three_firewalls, "web1", "ip", "address")
    assert checks.everything(three_firewalls) == []
