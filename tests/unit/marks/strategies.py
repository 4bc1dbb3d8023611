# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random marks, and a backend that keeps them in memory."""

from __future__ import annotations

import ipaddress

from ansible_collections.multihome.linux.plugins.module_utils._core.filters.selection import Selection
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.backend import MarkBackend, State
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.model import (
    BalanceLine,
    ConnectionMark,
    Marks,
    nested_sources,
    parse_prefixes,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Neighbour
from hypothesis import strategies as st

numbers = st.integers(1, 255)
names = st.none() | st.text("abcXYZ09;: ,-_/{}é", min_size=1, max_size=20)
interfaces = st.sampled_from(["eth0", "wan0", "ppp0", "br-lan.7", "unknown", "at"])
addresses4 = st.integers(0x0A000001, 0x0A0000FE).map(lambda number: str(ipaddress.IPv4Address(number)))
addresses6 = st.integers(1, 2**64 - 1).map(lambda number: str(ipaddress.IPv6Address((0xFD << 120) + number)))
# Four addresses of one prefix at most, so that one may be within another.
prefixes = st.builds(
    lambda first, length: str(ipaddress.ip_network((0x0A010000 + (first >> length << length), 32 - length))),
    st.integers(0, 3),
    st.integers(0, 2),
) | addresses6.map(lambda address: f"{address}/128")
hardware = st.integers(0, 255).map(lambda number: f"02:00:00:00:00:{number:02x}")
neighbours = st.none() | st.builds(Neighbour, interfaces, hardware)


@st.composite
def connection_marks(draw: st.DrawFn) -> ConnectionMark:
    """A mark by interface, by gateway, on an interface or on whichever, or by source."""
    kind = draw(st.sampled_from(["interface", "gateway", "source"]))
    if kind == "interface":
        return ConnectionMark(draw(numbers), draw(interfaces), name=draw(names))
    if kind == "source":
        return ConnectionMark(draw(numbers), name=draw(names), source=draw(prefixes))
    gateway = draw(addresses4 | addresses6)
    return ConnectionMark(draw(numbers), draw(st.none() | interfaces), gateway, draw(names), draw(neighbours))


@st.composite
def balance_lines(draw: st.DrawFn) -> BalanceLine:
    """A line with an address of one family or of both."""
    families = draw(st.sampled_from([(addresses4,), (addresses6,), (addresses4, addresses6)]))
    return BalanceLine(
        draw(numbers), tuple(draw(family) for family in families), draw(st.integers(0, 256)), draw(names)
    )


@st.composite
def all_marks(draw: st.DrawFn) -> Marks:
    """All marks of a host, as a backend may have to keep: no neighbour has two marks."""
    marks: list[ConnectionMark] = []
    numbers_of: dict[Neighbour | None, int] = {}
    for mark in draw(st.lists(connection_marks(), max_size=8, unique_by=lambda mark: mark.key)):
        if mark.neighbour is None or numbers_of.setdefault(mark.neighbour, mark.mark) == mark.mark:
            marks.append(mark)
    for _outer, inner in nested_sources(marks):
        marks.remove(inner)
    behind = st.lists(addresses4 | addresses6 | st.just("10.2.0.0/16"), max_size=2).map(parse_prefixes)
    kept = draw(behind) if marks else ()
    balance = draw(st.lists(balance_lines(), max_size=4, unique_by=lambda line: line.mark))
    if not balance:
        return Marks(0xFF, tuple(marks), keep_networks=kept)
    given = draw(st.lists(addresses4 | addresses6, min_size=1, max_size=3, unique=True))
    excluded = draw(st.lists(addresses4 | addresses6 | st.just("10.0.0.128/25"), max_size=3))
    balance.sort(key=lambda line: line.mark)
    spread = (tuple(balance), tuple(sorted(given)), parse_prefixes(excluded), draw(behind))
    return Marks(0xFF, tuple(marks), *spread, keep_networks=kept)


class Memory:
    """A backend in memory; ``writes`` counts how often it was changed."""

    name = place = "memory"

    def __init__(self, marks: Marks | None = None, faults: tuple[str, ...] = ()) -> None:
        self.marks = marks or Marks()
        self.faults = faults
        self.writes = 0

    def read(self) -> State:
        """Return the marks."""
        return State(self.marks, self.faults)

    def change(self, _current: State, desired: Marks) -> Marks | None:
        """Return the desired marks."""
        return desired

    def apply(self, change: Marks, _current: State) -> None:
        """Replace the marks."""
        self.marks, self.faults = change, ()
        self.writes += 1

    def restore(self, before: State) -> list[str]:
        """Restore the marks of ``before``."""
        self.marks, self.faults = before.marks, before.faults
        return []


def selected(backend: Memory, other: Memory | None = None, reason: str = "a test") -> Selection[MarkBackend]:
    """The selection of a backend."""
    return Selection(backend.name, reason, backend, other)
