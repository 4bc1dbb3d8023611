# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Ports and protocols of a service: the public ones, and those on the server that they lead to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...module_utils._core.fields import port_range, shown
from ...module_utils._core.nat import protocols
from .faults import Place
from .reading import Entry, Field, read_entry, reader_of

# The longest name of a mapping that shifts ports: the packet filter keeps the ports with it (nat/model.py).
LONGEST_SHIFTED_NAME = 116
# The protocols that have ports.
PROTOCOLS = protocols.WITH_PORTS
# All protocols: the rest that no other mapping names.
ANY = "any"
WITHOUT_PORTS = (ANY, *(name for name in protocols.NUMBERS if name not in PROTOCOLS))


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


# The ports of a protocol that has none.
ALL_PORTS = PortRange(0, 65535)


@dataclass(frozen=True, order=True)
class PortMapping:
    """Public ports of one protocol and the server's ports they lead to: one, or as many.

    A protocol without ports, and the rest, have ALL_PORTS.
    """

    protocol: str
    public: PortRange = ALL_PORTS
    private: PortRange = ALL_PORTS

    def __str__(self) -> str:
        if self.has_ports:
            return f"{self.public}/{self.protocol}"
        return f"protocol {self.protocol}" if self.protocol.isdigit() else self.protocol

    @property
    def has_ports(self) -> bool:
        """Whether the protocol has ports."""
        return self.protocol in PROTOCOLS

    @property
    def is_rest(self) -> bool:
        """Whether it is for all packets that no other mapping names."""
        return self.protocol == ANY

    @property
    def shifts(self) -> bool:
        """Whether a range of ports becomes another range."""
        return len(self.private) > 1 and self.public != self.private

    def is_part_of(self, other: PortMapping) -> bool:
        """Whether the public ports are among those of another mapping."""
        return other.is_rest or (self.protocol == other.protocol and self.public in other.public)

    def overlaps(self, other: PortMapping) -> bool:
        """Whether both name the same packets; the rest is what the others leave."""
        return self.protocol == other.protocol and self.public.overlaps(other.public)

    def exists_in(self, family: int) -> bool:
        """Whether the protocol is one of a family."""
        return protocols.FAMILY_OF.get(self.protocol, family) == family

    def is_extension_header(self, family: int) -> bool:
        """Whether packet filters take the protocol for a header of IPv6, which they cannot match."""
        return family == 6 and self.protocol in protocols.IPV6_EXTENSIONS


def read_port_range(value: object, place: Place) -> PortRange | None:
    """``80`` or ``"80"`` or ``"5000-6000"``."""
    ports = _read_ports(value, place)
    return None if ports is None else PortRange(*ports)


def _protocol(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise ValueError("not the name or number of a protocol")
    return protocols.parse(text)


_read_ports = reader_of(port_range)
read_protocol = reader_of(_protocol)
MAPPING_FIELDS = {
    "public": Field(read_port_range),
    "private": Field(read_port_range),
    "protocol": Field(read_protocol, required=True),
}


def read_port_mapping(value: object, place: Place) -> PortMapping | None:
    """``80/tcp``, ``5000-6000/udp``, ``any``, ``gre``, or a dictionary of ``public``, ``private`` and ``protocol``."""
    if isinstance(value, Mapping):
        before = len(place.faults)
        entry = read_entry(value, MAPPING_FIELDS, place)
        return None if len(place.faults) > before else mapping_of(entry, "public", "private")
    if not isinstance(value, str):
        place.fault(f'must be "PORT/PROTOCOL" or a dictionary, not {shown(value)}')
        return None
    ports, slash, protocol = value.partition("/")
    if not slash and value in WITHOUT_PORTS:
        return PortMapping(value)
    if not slash:
        place.fault(f'{shown(value)} needs a protocol, such as "80/tcp"{_hint(value)}')
        return None
    if protocol not in PROTOCOLS:
        place.fault(f"{shown(value)}: protocol {shown(protocol)} is not one of {', '.join(PROTOCOLS)}")
        return None
    public = read_port_range(ports, place)
    return None if public is None else PortMapping(protocol, public, public)


def _hint(value: str) -> str:
    if value.isascii() and value.isdigit():
        return f", or is a protocol's number, {{protocol: {value}}}"
    return f"; without ports there are {', '.join(WITHOUT_PORTS)}"


def mapping_of(entry: Entry, public_key: str, private_key: str) -> PortMapping | None:
    """The mapping of an entry that has ``protocol``, and the ports by these keys where the protocol has any."""
    protocol = entry.values["protocol"]
    given = [key for key in (public_key, private_key) if key in entry.values]
    if protocol not in PROTOCOLS:
        for key in given:
            entry.place.fault(f"{key}: protocol {protocol} has no ports")
        return None if given else PortMapping(protocol)
    if public_key not in entry.values:
        entry.place.fault(f'"{public_key}" is needed')
        return None
    return port_mapping(protocol, entry.values[public_key], entry.values.get(private_key), entry.place)


def port_mapping(protocol: str, public: PortRange, private: PortRange | None, place: Place) -> PortMapping | None:
    """A mapping of ports to one port, or to as many; ``private`` left out keeps the port."""
    private = private or public
    if len(private) not in (1, len(public)):
        lengths = f"{len(public)} and {len(private)}"
        place.fault(f"ports {public} and {private} are ranges of unequal length ({lengths})")
        return None
    return PortMapping(protocol, public, private)
