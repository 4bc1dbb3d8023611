# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines without targets: their gateways die, come back, are others, or are only missing in the kernel's table.

And interfaces and addresses that are missing, of which no probe tells.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from ansible_collections.multihome.linux.tests.integration.health.lab import (
    ADDRESSES,
    FAMILIES,
    GATEWAYS,
    LENGTH,
    LINES,
    Lab,
    Watcher,
    lab,
    line,
)

PATIENCE = 90.0
# Not waited for: the hold time is the subject of other tests.
QUICK = {"up_after": 0}


@pytest.fixture
def network() -> Iterator[Lab]:
    with lab() as created:
        for name in LINES:
            doubt_soon(created, name)
        yield created


def doubt_soon(network: Lab, name: str) -> None:
    """Have the kernel doubt a neighbour after a second or two; by default, that is after half a minute."""
    for version in ("ipv4", "ipv6"):
        each = f"net__{version}__neigh__{name}__"
        network.server.sysctl(**{f"{each}base_reachable_time_ms": 1000, f"{each}delay_first_probe_time": 1})


def lines(**settings: object) -> list[dict[str, object]]:
    """Both lines, without targets."""
    return [line(name, health=QUICK, **settings) for name in LINES]


def gateway(network: Lab, name: str, family: int, operation: str) -> None:
    """Take the gateway of a line off its address, or put it back: add or del."""
    address = f"{GATEWAYS[name, family]}/{LENGTH[family]}"
    options = ["nodad"] if family == 6 and operation == "add" else []
    network.hosts[f"isp-{name}"].run("ip", "address", operation, address, "dev", "customer", *options)


def stays_up(watcher: Watcher, since: float, *names: str) -> bool:
    return not any(watcher.got(name, family, "down", since) for name in names for family in FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_gateway_of_an_idle_line_that_dies_is_noticed_and_so_is_its_return(network: Lab, family: int) -> None:
    """In its family alone, and although this host sends nothing by the line."""
    other = 10 - family
    with network.watching(*lines()) as watcher:
        watcher.all_up()
        died = time.monotonic()
        gateway(network, "b", family, "del")
        watcher.waits("b", family, "down", died, PATIENCE)
        assert watcher.usable(family) == ["a"]
        healed = time.monotonic()
        gateway(network, "b", family, "add")
        watcher.waits("b", family, "up", healed, PATIENCE)
        assert watcher.usable(family) == ["a", "b"]
        assert watcher.got("b", other, "down") is None
        assert stays_up(watcher, died, "a")


def test_a_gateway_that_somebody_removes_from_the_table_is_asked_for_before_it_counts_as_dead(network: Lab) -> None:
    with network.watching(*lines()) as watcher:
        watcher.all_up()
        began = time.monotonic()
        for name in LINES:
            for family in FAMILIES:
                # An entry that is in use.
                network.server.run("ping", f"-{family}", "-c", "1", "-W", "5", "-I", name, GATEWAYS[name, family])
            network.server.run("ip", "neighbour", "flush", "dev", name)
        time.sleep(3)
        assert stays_up(watcher, began, *LINES)


def test_with_another_gateway_what_is_known_of_the_one_before_does_not_count(network: Lab) -> None:
    """As after a DHCP lease is renewed; the new one may be in the kernel's table already."""
    new = {4: "203.0.113.2", 6: "2001:db8:a::2"}
    isp = network.hosts["isp-a"]
    isp.address("customer", *(f"{new[family]}/{LENGTH[family]}" for family in FAMILIES))
    network.settle()
    with network.watching(*lines()) as watcher:
        watcher.all_up()
        died = time.monotonic()
        for family in FAMILIES:
            network.server.run("ping", f"-{family}", "-c", "1", "-W", "5", "-I", "a", new[family])
            gateway(network, "a", family, "del")
        for family in FAMILIES:
            watcher.waits("a", family, "down", died, PATIENCE)
        renewed = time.monotonic()
        watcher.tell(gateways=["a", list(new.values())])
        for family in FAMILIES:
            watcher.waits("a", family, "up", renewed, PATIENCE)


def test_an_interface_that_does_not_exist_is_no_way_out(network: Lab) -> None:
    """Without targets nothing else tells; it is used once it exists."""
    network.server.run("ip", "link", "delete", "dev", "b")
    # With an address, it would be missed too.
    with network.watching(line("a", health=QUICK), line("b", health=QUICK, addresses=[])) as watcher:
        for family in FAMILIES:
            watcher.waits("b", family, "down")
            watcher.waits("a", family, "up")
            assert watcher.usable(family) == ["a"]
        network.hosts.link("server", "b", "isp-b", "customer")
        network.hosts["isp-b"].address(
            "customer", *(f"{GATEWAYS['b', family]}/{LENGTH[family]}" for family in FAMILIES)
        )
        network.server.address("b", *(f"{ADDRESSES['b', family]}/{LENGTH[family]}" for family in FAMILIES))
        for family in FAMILIES:
            watcher.waits("b", family, "up", patience=PATIENCE)


def test_a_line_without_its_address_is_down(network: Lab) -> None:
    """Without targets no probe tells; another program has removed the address, and restores it."""
    with network.watching(*lines()) as watcher:
        watcher.all_up()
        for family in FAMILIES:
            address = f"{ADDRESSES['b', family]}/{LENGTH[family]}"
            other = 10 - family
            removed = time.monotonic()
            network.server.run("ip", "address", "del", address, "dev", "b")
            watcher.waits("b", family, "down", removed)
            assert watcher.got("b", other, "down", removed) is None
            assert watcher.usable(family) == ["a"]
            restored = time.monotonic()
            network.server.run("ip", "address", "add", address, "dev", "b", *(["nodad"] if family == 6 else []))
            watcher.waits("b", family, "up", restored, PATIENCE)
