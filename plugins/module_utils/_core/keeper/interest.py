# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events of routes concern the stored states, as a filter program for the kernel and as a check of bytes.

Another daemon may change a thousand routes a second. The kernel drops those events before they wake the keeper; the
check of bytes sorts out the few that the program cannot tell apart. Source: linux/filter.h, linux/rtnetlink.h.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from ..netlink.codec import HEADER
from ..netlink.rtnetlink import place_of_route
from ..routing.model import MAIN_TABLE
from ..routing.rtnetlink_mapping import packed_destination
from .reconcile import Engine

# Kinds of events: of links and addresses, of routes and policy rules.
ADDRESSES, ROUTES = "addresses", "routes"
_NEW_ROUTE, _DELETE_ROUTE, _REPLACE = 24, 25, 0x100
# Any change of links and addresses; removed rules. A new route matters only when it replaced another one.
_LINKS_AND_ADDRESSES, _DELETE_RULE = frozenset((16, 17, 20, 21)), 33
# Offsets in a message, behind the 16 bytes of its header: rtm_dst_len, rtm_table, rtm_protocol.
_TYPE_AT, _FLAGS_AT, _LENGTH_AT, _TABLE_AT, _PROTOCOL_AT = 4, 6, 17, 20, 21
_COMPATIBLE_TABLE = 252  # RT_TABLE_COMPAT: a table above 255
# BPF_LD | BPF_H | BPF_ABS, the same with BPF_B; BPF_JMP | BPF_JEQ | BPF_K, BPF_JSET; BPF_RET | BPF_K
_LOAD_2, _LOAD_1, _EQUAL, _SET, _RETURN = 0x28, 0x30, 0x15, 0x45, 0x06
_INSTRUCTION = struct.Struct("=HBBI")
_ACCEPT, _DROP = 0xFFFFFFFF, 0
# A jump spans at most 255 instructions: beyond so many tables and protocols the check of bytes decides alone.
_MOST_COMPARISONS = 200


@dataclass(frozen=True)
class Interest:
    """Routes that concern us: those of our protocols, and those in our tables.

    In the main table, which others fill, only routes to our ``destinations`` (packed network, length) do. With
    ``defaults`` also every default route there: it tells the gateway that an ISP assigned, or comes before those of the
    lines.
    """

    protocols: frozenset[int] = frozenset()
    tables: frozenset[int] = frozenset()
    destinations: frozenset[tuple[bytes, int]] = frozenset()
    defaults: bool = False

    def events(self, data: bytes) -> set[str]:
        """Return the kinds of events in the data after which an object may be missing: ADDRESSES, ROUTES."""
        found: set[str] = set()
        at = 0
        while at + HEADER.size <= len(data):
            length, kind, flags, _sequence, _port = HEADER.unpack_from(data, at)
            if kind in _LINKS_AND_ADDRESSES:
                found.add(ADDRESSES)
            elif kind == _DELETE_RULE or (kind in (_DELETE_ROUTE, _NEW_ROUTE) and self._is_default(data, at)):
                found.add(ROUTES)
            elif kind == _DELETE_ROUTE or (kind == _NEW_ROUTE and flags & _REPLACE):
                found |= {ROUTES} if self._concerns_route(data, at) else set()
            at += max((length + 3) & ~3, HEADER.size)
        return found

    def program(self) -> bytes:
        """Return a socket filter that drops events of other routes; empty when it would be too long."""
        small = sorted({table if table < 256 else _COMPATIBLE_TABLE for table in self.tables})
        protocols = sorted(self.protocols)
        if len(small) + len(protocols) > _MOST_COMPARISONS:
            return b""
        # A jump skips so many instructions; those that drop and accept are the last two.
        left = len(small) + len(protocols) + 2
        # A default route, whose length is 0, is accepted at once; so is any message that is not of a route.
        defaults = [(_LOAD_1, 0, 0, _LENGTH_AT), (_EQUAL, left + 6, 0, 0)] if self.defaults else []
        code = [
            *defaults,
            (_LOAD_2, 0, 0, _TYPE_AT),
            (_EQUAL, 3, 0, _swapped(_DELETE_ROUTE)),
            (_EQUAL, 0, left + 3, _swapped(_NEW_ROUTE)),
            (_LOAD_2, 0, 0, _FLAGS_AT),
            (_SET, 0, left, _swapped(_REPLACE)),
            (_LOAD_1, 0, 0, _TABLE_AT),
        ]
        for number, table in enumerate(small):
            code.append((_EQUAL, left - 1 - number, 0, table))
        code.append((_LOAD_1, 0, 0, _PROTOCOL_AT))
        for number, protocol in enumerate(protocols):
            code.append((_EQUAL, len(protocols) - number, 0, protocol))
        code += [(_RETURN, 0, 0, _DROP), (_RETURN, 0, 0, _ACCEPT)]
        return b"".join(_INSTRUCTION.pack(*instruction) for instruction in code)

    def _is_default(self, data: bytes, at: int) -> bool:
        """Tell whether a message is about a default route of the table main, and these matter."""
        if not self.defaults or at + _PROTOCOL_AT >= len(data) or data[at + _LENGTH_AT]:
            return False
        return place_of_route(data, at, data[at + _TABLE_AT])[1] == MAIN_TABLE

    def _concerns_route(self, data: bytes, at: int) -> bool:
        if at + _PROTOCOL_AT >= len(data):
            return True
        if data[at + _PROTOCOL_AT] in self.protocols:
            return True
        destination, table = place_of_route(data, at, data[at + _TABLE_AT])
        if table not in self.tables:
            return False
        return table != MAIN_TABLE or (destination, data[at + _LENGTH_AT]) in self.destinations


def interest_in(engines: Iterable[Engine], defaults: bool = False) -> Interest:
    """Return which routes concern engines of addresses and routes; None is an engine that could not be created."""
    known = [engine for engine in engines if engine is not None]
    routes = [entry.object for engine in known for entry in getattr(engine, "routes", None) or ()]
    return Interest(
        frozenset(engine.owner for engine in known),
        frozenset(route.table for route in routes),
        frozenset(packed_destination(route.destination) for route in routes),
        defaults,
    )


def _swapped(value: int) -> int:
    """Return a number of 16 bits as the filter reads it: in the order of the network."""
    return int.from_bytes(value.to_bytes(2, sys.byteorder), "big")
