# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the boot: how long the keeper waits for the network manager before it adds an alias."""

from __future__ import annotations

from ansible_collections.multihome.linux.plugins.module_utils._core.keeper import startup_delay
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.interest import ADDRESSES
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.keeper import Keeper
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.stored_states import States

from .world import ADDRESS_V6, BASE, FIRST, SECOND, World


def test_after_the_boot_the_hosts_own_address_comes_first(world: World) -> None:
    world.host.aliases([FIRST, SECOND])
    for entry in (FIRST, SECOND, BASE):
        world.take(entry)
    world.keeper = world.fresh()
    world.script = [(world.now + 1.0, lambda: world.put(BASE, owner=0), {ADDRESSES})]
    world.run(5)
    assert world.addresses() == ["10.0.0.50/24", "10.0.0.1/24", "10.0.0.2/24"]


def test_after_the_boot_an_interface_that_is_switched_off_gets_no_address_of_either_family(world: World) -> None:
    """NetworkManager would take it for configured, and leave it switched off."""
    world.host.aliases([FIRST, ADDRESS_V6])
    for entry in (FIRST, ADDRESS_V6, BASE):
        world.take(entry)
    up: set[str] = set()
    engines = {"ip_aliases": world.host.alias_engine}
    settles = startup_delay.StartupDelay(world.now, up.__contains__)
    world.keeper = Keeper(
        States(world.host.directories[0], engines, world.host.directories[1]), world.lock, lambda: world.now, settles
    )
    world.put({"address": "fe80::1/64", "interface": "eth0"}, owner=0)
    report = world.run(5)
    assert world.addresses() == ["fe80::1/64"]
    assert [waiting["reason"] for waiting in report["waiting"]] == ["eth0 is not up yet"] * 2
    up.add("eth0")
    world.put(BASE, owner=0)
    world.keeper.check({ADDRESSES})
    assert world.addresses() == ["10.0.0.50/24", "10.0.0.1/24", "fe80::1/64", "fd00:168::1/64"]


def test_after_the_boot_an_interface_without_an_address_of_its_own_is_not_waited_for_long(world: World) -> None:
    world.host.aliases([FIRST])
    world.take(FIRST)
    world.take(BASE)
    world.keeper = world.fresh()
    report = world.run(1)
    assert "10.0.0.1/24" not in world.addresses()
    assert "own address first" in report["waiting"][0]["reason"]
    world.run(startup_delay.TURN + 2)
    assert world.addresses() == ["10.0.0.1/24"]


def test_a_manager_that_configures_again_gives_the_hosts_own_address_first(world: World) -> None:
    world.host.aliases([FIRST])
    world.now += startup_delay.STARTING + 1
    world.keeper.check({ADDRESSES})

    def flush() -> None:
        for entry in (FIRST, BASE):
            world.take(entry)

    world.script = [
        (world.now + 1.0, flush, {ADDRESSES}),
        (world.now + 1.5, lambda: world.put(BASE, owner=0), {ADDRESSES}),
    ]
    world.run(3)
    assert world.addresses() == ["10.0.0.50/24", "10.0.0.1/24"]
