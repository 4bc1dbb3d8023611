# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses that the keeper puts back are looked for on their link first (RFC 4862, section 5.4)."""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.interest import ADDRESSES
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.watch import FILES
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import duplicate_address_detection
from ansible_collections.multihome.linux.tests.unit.routing.fake_kernel import INTERFACES

from .world import ADDRESS_V6, World

# linux/if_addr.h
DETECTION_FAILED, TENTATIVE = 0x08, 0x40


@pytest.fixture
def plugged(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world with cables in all interfaces and an IPv6 alias, which stands and which the keeper has seen."""
    monkeypatch.setattr(duplicate_address_detection, "is_running", lambda _interface: True)
    world.host.aliases([ADDRESS_V6])
    world.keeper.check({FILES})
    return world


def test_an_address_usable_until_now_is_usable_at_once_again(plugged: World) -> None:
    for _again in range(2):
        plugged.take(ADDRESS_V6)
        plugged.keeper.check({ADDRESSES})
        assert not plugged.detects()
        plugged.keeper.check({ADDRESSES})
    assert "fd00:168::1/64" in plugged.addresses()
    assert plugged.host.aliases([ADDRESS_V6]).actions() == []


def test_at_the_start_an_address_is_looked_for(plugged: World) -> None:
    plugged.take(ADDRESS_V6)
    plugged.keeper = plugged.fresh()
    plugged.keeper.check({FILES})
    assert "fd00:168::1/64" in plugged.addresses()
    assert plugged.detects()


@pytest.mark.parametrize("flag", [TENTATIVE, DETECTION_FAILED])
def test_an_address_that_was_of_no_use_yet_is_looked_for_again(plugged: World, flag: int) -> None:
    plugged.mark("fd00:168::1", flag)
    plugged.keeper.check({ADDRESSES})
    plugged.take(ADDRESS_V6)
    plugged.keeper.check({ADDRESSES})
    assert plugged.detects()


def test_an_address_that_was_away_for_longer_is_looked_for_again(
    plugged: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged.take(ADDRESS_V6)
    interface = INTERFACES["eth0"]
    monkeypatch.delitem(INTERFACES, "eth0")
    plugged.keeper.check({ADDRESSES})
    monkeypatch.setitem(INTERFACES, "eth0", interface)
    plugged.keeper.check({ADDRESSES})
    assert "fd00:168::1/64" in plugged.addresses()
    assert plugged.detects()


def test_an_address_on_another_interface_of_the_name_is_looked_for(
    plugged: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged.take(ADDRESS_V6)
    monkeypatch.setitem(INTERFACES, "eth0", 17)
    plugged.keeper.check({ADDRESSES})
    assert plugged.detects()
