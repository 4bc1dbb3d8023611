# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many addresses as few prefixes: all of a line's, none of anybody else's, and no fewer would do."""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.plugins.plugin_utils._server.prefix_cover import cover
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

BASE = {4: int(IPAddress("10.0.0.0")), 6: int(IPAddress("fd00::"))}
SMALL = st.integers(0, 31)


def addresses(*texts: str) -> set[IPAddress]:
    return {IPAddress(text) for text in texts}


@given(st.sampled_from([4, 6]), st.sets(SMALL, min_size=1), st.sets(SMALL))
def test_prefixes_hold_what_is_own_and_nothing_foreign_and_are_as_few_as_can_be(
    version: int, own: set[int], foreign: set[int]
) -> None:
    foreign -= own
    found = cover(*({IPAddress(BASE[version] + number, version) for number in part} for part in (own, foreign)))
    numbers = [{int(address) - BASE[version] for address in prefix} for prefix in found]
    assert own <= set().union(*numbers)
    assert not foreign & set().union(*numbers)
    assert sum(map(len, numbers)) == len(set().union(*numbers)), "no address is in two of them"
    assert len(found) == fewest(frozenset(own), frozenset(foreign), 0, 32)


def fewest(own: frozenset[int], foreign: frozenset[int], first: int, size: int) -> int:
    """How many prefixes are needed within a part of the addresses, found by trying all ways to cut it."""
    here = set(range(first, first + size))
    if not own & here:
        return 0
    if not foreign & here:
        return 1
    return fewest(own, foreign, first, size // 2) + fewest(own, foreign, first + size // 2, size // 2)


def test_a_thousand_addresses_are_one_prefix() -> None:
    own = [IPAddress(BASE[4] + number) for number in range(1, 1001)]
    assert cover(own, addresses("10.0.4.1", "fd00::1")) == [IPNetwork("10.0.0.0/22")]
    assert cover(own[::7], addresses("10.1.0.1")) == [IPNetwork("10.0.0.0/22")]
    # The host's own address in the middle of them cuts it in pieces.
    assert IPAddress("10.0.1.100") not in set().union(*cover(set(own) - addresses("10.0.1.100"), own))


@pytest.mark.parametrize(
    ("own", "found"),
    [
        (("9.0.0.1", "200.0.0.1"), ["9.0.0.1/32", "200.0.0.1/32"]),
        (("126.0.0.1", "128.0.0.1"), ["126.0.0.1/32", "128.0.0.1/32"]),
        (("2001:db8::1", "fd00::1"), ["2001:db8::1/128", "fd00::1/128"]),
        (("fd00::1", "fec0::1"), ["fd00::1/128", "fec0::1/128"]),
        (("10.0.0.1", "10.255.0.1"), ["10.0.0.0/8"]),
        ((), []),
    ],
)
def test_what_every_host_has_is_in_no_prefix(own: tuple[str, ...], found: list[str]) -> None:
    assert [str(prefix) for prefix in cover(addresses(*own), ())] == found
