# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines by connection mark where a server has one address for all lines, and each line a firewall of its own."""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks
from ansible_collections.multihome.linux.tests.e2e.marks import (
    LINES,
    OneAddress,
    costs_only_itself,
    deploy,
    echo_answered,
    noticed,
    services_within_a_second,
    standing,
    verified,
)
from ansible_collections.multihome.linux.tests.e2e.offers import FAMILIES, offers, plain
from ansible_collections.multihome.linux.tests.e2e.sabotage import Fault
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab


@pytest.fixture(scope="module")
def one_address(start_lab: StartLab) -> OneAddress:
    """Three lines, a firewall on each, deployed; the firewalls hand a ping to the server, as no service does."""
    lab = OneAddress(start_lab(lines=3).name)
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
