# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every packet of the small world of entries.py, to ask of all of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.multihome.linux.tests.unit.nat.entries import ADDRESSES, INTERFACES, PORTS, WITHOUT_PORTS
from ansible_collections.multihome.linux.tests.unit.nat.packets import Packet, first_match


def every_packet() -> Iterator[Packet]:
    """Yield them all."""
    for hook, family, protocol in itertools.product(
        ("destination", "source"), (4, 6), ("tcp", "udp", *WITHOUT_PORTS[4], "icmpv6")
    ):
        ends = [*ADDRESSES[family], "172.16.0.9" if family == 4 else "fd99::1"]
        for source, destination, interface in itertools.product(ends, ends, INTERFACES):
            for ports in itertools.product(PORTS[:4], PORTS[:4]):
                yield Packet(hook, family, protocol, source, destination, *ports, interface)


def some_packet_matches_both(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two entries overlap."""
    return any(first_match([one], packet) and first_match([other], packet) for packet in every_packet())
