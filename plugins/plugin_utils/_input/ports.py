# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Ports of a service: the public ones, and those on the server that they lead to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .faults import Place, shown
from .reading import Field, choice, read_entry

PROTOCOLS = ("tcp", "udp", "sctp")
PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


@dataclass(frozen=True, order=True)
class PortRange:
    """Ports ``first`` to ``last``, both included; one port is a range of one."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, other: PortRange) -> bool:
        return self.first <= other.first and other.last <= self.last

    def overlaps(self, other: PortRange) -> bool:
        """Whether the two ranges share a port."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, order=True)
class PortMapping:
    """Public ports of one protocol and the server's ports they lead to, as many of one as of the other."""

    protocol: str
    public: PortRange
    private: PortRange

    def __str__(self) -> str:
        return f"{self.public}/{self.protocol}"

    def is_part_of(self, other: PortMapping) -> bool:
        """Whether the public ports are among those of another mapping."""
        return self.protocol == other.protocol and self.public in other.public


def read_port_range(value: object, place: Place) -> PortRange | None:
    """``80`` or ``"80"`` or ``"5000-6000"``."""
    # Python refuses to write out an int of thousands of digits, so the size is looked at first.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 99999:
        value = str(value)
    found = PORTS.fullmatch(value) if isinstance(value, str) else None
    if not found:
        place.fault(f'{shown(value)} is not a port or a range of ports, such as 80 or "5000-6000"')
        return None
    first = int(found[1])
    last = int(found[2] or first)
    if not 1 <= first <= 65535 or not 1 <= last <= 65535:
        place.fault(f"{shown(value)}: ports are from 1 to 65535")
        return None
    if last < first:
        place.fault(f"{shown(value)}: the range is reversed")
        return None
    return PortRange(first, last)


MAPPING_FIELDS = {
    "public": Field(read_port_range, required=True),
    "private": Field(read_port_range),
    "protocol": Field(choice(*PROTOCOLS), required=True),
}


def read_port_mapping(value: object, place: Place) -> PortMapping | None:
    """``"80/tcp"``, ``"5000-6000/udp"`` or a dictionary of ``public``, ``private`` and ``protocol``."""
    if isinstance(value, Mapping):
        before = len(place.faults)
        found = read_entry(value, MAPPING_FIELDS, place).values
        if len(place.faults) > before:
            return None
        return port_mapping(found["protocol"], found["public"], found.get("private"), place)
    if not isinstance(value, str):
        place.fault(f'must be "PORT/PROTOCOL" or a dictionary, not {shown(value)}')
        return None
    ports, slash, protocol = value.partition("/")
    if not slash:
        place.fault(f'{shown(value)} needs a protocol, such as "80/tcp"')
        return None
    if protocol not in PROTOCOLS:
        place.fault(f"{shown(value)}: protocol {shown(protocol)} is not one of {', '.join(PROTOCOLS)}")
        return None
    public = read_port_range(ports, place)
    return None if public is None else PortMapping(protocol, public, public)


def port_mapping(protocol: str, public: PortRange, private: PortRange | None, place: Place) -> PortMapping | None:
    """A mapping of a range to one of the same length; ``private`` left out keeps the port."""
    private = private or public
    if len(public) != len(private):
        lengths = f"{len(public)} and {len(private)}"
        place.fault(f"ports {public} and {private} are ranges of unequal length ({lengths})")
        return None
    return PortMapping(protocol, public, private)
