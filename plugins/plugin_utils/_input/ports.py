# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Ports of a service: the public ones, and those on the server that they lead to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...module_utils._core.fields import port_range, shown
from .faults import Place
from .reading import Field, choice, read_entry, reader_of

# The longest name of a mapping that shifts ports: the packet filter keeps the ports with it (nat/model.py).
LONGEST_SHIFTED_NAME = 116
PROTOCOLS = ("tcp", "udp", "sctp")


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

    @property
    def shifts(self) -> bool:
        """Whether a range of ports becomes another range."""
        return len(self.public) > 1 and self.public != self.private

    def is_part_of(self, other: PortMapping) -> bool:
        """Whether the public ports are among those of another mapping."""
        return self.protocol == other.protocol and self.public in other.public


def read_port_range(value: object, place: Place) -> PortRange | None:
    """``80`` or ``"80"`` or ``"5000-6000"``."""
    ports = _read_ports(value, place)
    return None if ports is None else PortRange(*ports)


_read_ports = reader_of(port_range)
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
