# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a network that leave untranslated, compared with a walk down the list for each address."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.coverage import untranslated
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import NatRule
from hypothesis import given
from hypothesis import strategies as st

ALL = NatRule(4, "masquerade", out_interface="wan0")


def snat(source: str | None = None, **more: object) -> NatRule:
    """A translation of a source by wan0."""
    return NatRule(4, "snat", source=source, **{"out_interface": "wan0", "to_address": "203.0.113.10", **more})  # type: ignore[arg-type]  # of several fields


@pytest.mark.parametrize(
    "rule",
    [
        snat("192.168.50.0/24", destination="192.0.2.0/24"),
        snat("192.168.50.0/24", protocol="tcp"),
        snat("192.168.50.0/24", protocol="tcp", destination_port=(80, 80)),
        snat("192.168.50.0/24", out_interface="wan1"),
        NatRule(6, "masquerade", out_interface="wan0"),
        NatRule(4, "dnat", to_address="192.168.50.1"),
        NatRule(4, "exempt", in_interface="wan0"),
        NatRule(4, "exempt", destination="10.0.0.0/8"),
    ],
    ids=str,
)
def test_an_entry_that_is_not_for_everything_covers_nothing(rule: NatRule) -> None:
    assert untranslated([rule], "wan0", "192.168.50.0/24") == ["192.168.50.0/24"]
    assert untranslated([rule, ALL], "wan0", "192.168.50.0/24") == []


def test_an_exemption_of_sources_is_meant() -> None:
    kept = NatRule(4, "exempt", source="192.168.50.0/25", out_interface="wan0")
    assert untranslated([kept], "wan0", "192.168.50.0/24") == ["192.168.50.128/25"]


PREFIXES = st.builds(
    lambda number, length: str(ipaddress.ip_network((0xC0A83200 + number, length), strict=False)),
    st.integers(0, 255),
    st.integers(24, 32),
)


@given(st.lists(PREFIXES, max_size=6), PREFIXES)
def test_what_is_left_is_what_no_entry_has(sources: Sequence[str], network: str) -> None:
    left = untranslated([snat(source) for source in sources], "wan0", network)
    found = [address for part in left for address in ipaddress.ip_network(part)]
    covered = {address for source in sources for address in ipaddress.ip_network(source)}
    assert sorted(found) == [address for address in ipaddress.ip_network(network) if address not in covered]
