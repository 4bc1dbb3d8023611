# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Many addresses of a host as few prefixes.

The kernel tries policy rules one after the other for every packet, so a line of many addresses must not have a rule for
each. Packets of a host carry an address of the host. So one rule for a prefix can replace the rules for a line's
addresses if no other address of the host is in it; addresses of other hosts in the prefix do not matter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from .._input.addresses import LONGEST_PREFIX, prefix_of

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork

# With more addresses of a family a line has rules by prefix, and with more prefixes than this a mark.
FEW = 8
# Addresses of every host: unspecified (in look-ups before an address is chosen), loopback and link-local addresses.
_EVERYWHERE = {4: (0, 0x7F000001), 6: (0, 1, 0xFE80 << 112)}


def cover(own: Collection[IPAddress], others: Collection[IPAddress]) -> list[IPNetwork]:
    """The fewest prefixes that contain ``own``, addresses of one family, and no other address of ``others``."""
    if not own:
        return []
    version = next(iter(own)).version
    held = sorted({int(address) for address in own})
    foreign = {int(address) for address in others if address.version == version} | {*_EVERYWHERE[version]}
    found = _cover(held, sorted(foreign.difference(held)))
    return [prefix_of(first, LONGEST_PREFIX[version] - bits, version) for first, bits in found]


def _cover(held: Sequence[int], foreign: Sequence[int]) -> list[tuple[int, int]]:
    """The prefixes in rising order, each as its first address and the number of bits that are free."""
    bits = (held[0] ^ held[-1]).bit_length()
    first = held[0] >> bits << bits
    if bisect_left(foreign, first) == bisect_left(foreign, first + (1 << bits)):
        return [(first, bits)]
    # The smallest prefix around all of them contains a foreign one: try its two halves.
    half = bisect_left(held, first + (1 << bits - 1))
    return _cover(held[:half], foreign) + _cover(held[half:], foreign)
