# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line that is dialled: an address with a peer, no gateway, other addresses and another interface after each call."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.learned import test_outbound as outbound
from ansible_collections.multihome.linux.tests.integration.learned.dial import CUSTOMER, Call
from ansible_collections.multihome.linux.tests.integration.learned.lab import (
    CLIENTS,
    FAMILIES,
    NEW,
    OLD,
    Connection,
    Site,
    site,
)

# After the routes of the roles, as docs/auto.md says.
METRIC = 40000200
PEERS = ("10.64.64.1", "10.64.64.99")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Site]:
    """The hosts; line b has no interface before it is dialled."""
    with site(tmp_path) as hosts:
        hosts.yield_defaults()
        hosts.host.run("ip", "link", "delete", "dev", "b")
        yield hosts


def connected(made: Site, call: Call) -> None:
    """Replies leave by the call, and what the host initiates too, with its addresses."""
    made.answered("b", call.addresses)
    outbound.leave_by(made, "host", "isp-b")
    for family in FAMILIES:
        asking = Connection(made.host, CLIENTS["b"][family])
        assert asking.asks()[:2] == ["isp-b", call.addresses[family]]
        asking.close()


def errors(made: Site) -> list[str]:
    """What the keeper calls an error."""
    return [row for row in made.log().splitlines() if "error" in row.lower()]


# Without a default route the peer is the gateway; IPv6 addresses have none.
@pytest.mark.parametrize("families", [FAMILIES, (6,)], ids=["with default routes", "without one for IPv4"])
def test_each_call_has_its_own_address_peer_and_interface(made: Site, families: Sequence[int]) -> None:
    call = Call(made.hosts, OLD, PEERS[0])
    call.default(METRIC, families)
    deploy: dict[str, Any] = {"interface": CUSTOMER}
    outbound.server(made, "failover", **deploy)
    made.start()
    connected(made, call)
    # The other end is the next hop in the line's own table, as nobody names a gateway.
    assert f"default via {PEERS[0]} dev {CUSTOMER}" in made.host.run("ip", "route", "show", "table", "1002").stdout
    first = call.index
    stored = made.stored("policy_routing")
    call.hang_up()
    outbound.leave_by(made, "host", "isp-a")
    made.eventually(lambda: made.health("b", 4)["state"] == "down", "line b is down")
    call = Call(made.hosts, NEW, PEERS[1])
    assert call.index != first
    call.default(METRIC, families)
    connected(made, call)
    assert [done["changed"] for done in outbound.server(made, "failover", **deploy)] == [False] * 3
    assert made.stored("policy_routing") == stored
    rules = made.host.run("ip", "rule").stdout
    assert (OLD[4] in rules, NEW[4] in rules) == (False, True)
    assert errors(made) == []
    assert made.report()["last_error"] is None


def test_without_targets_a_call_is_up_as_long_as_it_lasts(made: Site) -> None:
    """There are no neighbours on such a link, so no answer of theirs is missing."""
    call = Call(made.hosts, OLD, PEERS[0])
    call.default(METRIC)
    outbound.server(made, "failover", interface=CUSTOMER, health={"up_after": 0})
    made.start()
    outbound.leave_by(made, "host", "isp-b")
    time.sleep(5)
    assert [made.health("b", family)["state"] for family in FAMILIES] in (["up"] * 2, ["unknown"] * 2)
    assert [made.health("b", family)["usable"] for family in FAMILIES] == [True] * 2
    call.hang_up()
    made.eventually(lambda: not made.health("b", 4)["usable"], "line b is down")
    outbound.leave_by(made, "host", "isp-a")
    again = Call(made.hosts, NEW, PEERS[1])
    again.default(METRIC)
    connected(made, again)


def test_control_without_a_keeper_a_new_call_is_not_answered(made: Site) -> None:
    call = Call(made.hosts, OLD, PEERS[0])
    call.default(METRIC)
    outbound.server(made, "failover", interface=CUSTOMER)
    made.answered("b", OLD)
    call.hang_up()
    call = Call(made.hosts, NEW, PEERS[1])
    call.default(METRIC)
    assert made.visits("b", 4, NEW[4]) == []
