# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""IP addresses and prefixes of the declaration, by netaddr.

An address with its prefix length is a ``netaddr.IPNetwork`` whose ``ip`` is the address. netaddr compares
two of these by the network alone, so compare ``.ip`` where the host is meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from ...module_utils._core import fields
from .faults import Place
from .reading import reader_of

try:
    from netaddr import IPAddress, IPNetwork, cidr_exclude

    NETADDR_MISSING = ""
except ImportError as error:
    NETADDR_MISSING = f"netaddr is needed on the controller (python3 -m pip install netaddr): {error}"

FAMILIES = (4, 6)
LONGEST_PREFIX = {4: 32, 6: 128}


class Versioned(Protocol):
    """An address or a network of netaddr."""

    @property
    def version(self) -> int:
        """The family, 4 or 6."""


V = TypeVar("V", bound=Versioned)


def read_address(value: object, place: Place) -> IPAddress | None:
    """An IP address that a host can have, without a prefix length."""
    text = _read_unicast(value, place)
    return None if text is None else IPAddress(text)


def read_gateway(value: object, place: Place) -> IPAddress | None:
    """A next hop: an address that a host can have, or a link-local IPv6 address."""
    text = _read_next_hop(value, place)
    return None if text is None else IPAddress(text)


def read_interface_address(value: object, place: Place) -> IPNetwork | None:
    """An address of an interface, with its prefix length: 192.168.168.1/24."""
    text = _read_interface_address(value, place)
    return None if text is None else IPNetwork(text)


def read_inside_address(value: object, place: Place) -> IPNetwork | None:
    """An address of an interface; without a prefix length it is a single address. It may be link-local IPv6."""
    bare = value.partition("/")[0] if isinstance(value, str) else ""
    text = _read_link_local(value, place) if bare.lower().startswith("fe80:") else _read_host_address(value, place)
    return None if text is None else IPNetwork(text)


def read_prefix(value: object, place: Place) -> IPNetwork | None:
    """A network such as 192.0.2.0/24, or a single address; host bits and IPv4 written as IPv6 are faults."""
    text = _read_prefix(value, place)
    return None if text is None else IPNetwork(text)


def family_name(family: int) -> str:
    """``IPv4`` or ``IPv6``, for messages."""
    return f"IPv{family}"


def of_family(addresses: Iterable[V], family: int) -> list[V]:
    """The ``addresses`` of one family, in their order."""
    return [address for address in addresses if address.version == family]


def held_addresses(public: Iterable[IPNetwork], outside: Iterable[IPNetwork]) -> list[IPNetwork]:
    """The addresses that a firewall itself holds on a line, by family: those outside, else the public ones."""
    of_outside, of_public = list(outside), list(public)
    return [address for family in FAMILIES for address in of_family(of_outside, family) or of_family(of_public, family)]


def outside_of(public: Iterable[IPNetwork], outside: Iterable[IPNetwork], family: int) -> dict[IPAddress, IPAddress]:
    """The address that a firewall holds for each public one: the outside one in the same place, else itself.

    Nothing where there are outside addresses, but not one for each.
    """
    of_public, of_outside = of_family(public, family), of_family(outside, family)
    held = of_outside or of_public
    if len(held) != len(of_public):
        return {}
    return {one.ip: other.ip for one, other in zip(of_public, held, strict=True)}


def has_network(address: IPNetwork) -> bool:
    """Whether the prefix length says which network is on the link; /32 and /128 do not."""
    return bool(address.prefixlen < LONGEST_PREFIX[address.version])


def is_link_local(address: IPAddress) -> bool:
    """Whether it is an IPv6 address of one link only."""
    return bool(address.version == 6 and address.is_link_local())


def is_everyone(prefix: IPNetwork) -> bool:
    """Whether a source prefix is 0.0.0.0/0 or ::/0."""
    return bool(prefix.prefixlen == 0)


def everyone_of(family: int) -> IPNetwork:
    """0.0.0.0/0 or ::/0."""
    return IPNetwork("0.0.0.0/0" if family == 4 else "::/0")


def overlap(one: IPNetwork, other: IPNetwork) -> bool:
    """Whether two networks share an address."""
    return bool(one.version == other.version and one.first <= other.last and other.first <= one.last)


def prefix_text(prefix: IPNetwork) -> str:
    """A network as modules take it: a single address has no prefix length."""
    return str(prefix) if has_network(prefix) else str(prefix.ip)


def contains(wider: str, network: str) -> bool:
    """Whether a network has all addresses of another one, both as modules take them."""
    outer, inner = IPNetwork(wider), IPNetwork(network)
    return bool(outer.version == inner.version and outer.first <= inner.first and inner.last <= outer.last)


def free_bits(text: str) -> int:
    """How many bits of the addresses of a network, as modules take it, are not given; none of a single address."""
    address, _slash, length = text.partition("/")
    return LONGEST_PREFIX[6 if ":" in address else 4] - int(length) if length else 0


def address_of(text: str) -> IPAddress:
    """An address that a host reported."""
    return IPAddress(text)


def without(network: IPNetwork, others: Iterable[IPNetwork]) -> list[IPNetwork]:
    """The prefixes that make up a network without the others."""
    parts = [network]
    for other in others:
        parts = [left for part in parts for left in (cidr_exclude(part, other) if overlap(part, other) else [part])]
    return parts


def prefix_of(first: int, length: int, version: int) -> IPNetwork:
    """The prefix of a family that begins with an address, given as a number."""
    return IPNetwork(f"{IPAddress(first, version)}/{length}")


def _host_address(value: object) -> str:
    """Parse an address that others can reach, with or without its prefix length."""
    text = fields.host_address(value)
    address, _slash, length = text.partition("/")
    fields.unicast(address)
    # Single addresses and /127 (RFC 6164) have no address of the network.
    if fields.family_of(address) == 6 and int(length) < 127 and IPNetwork(text).ip == IPNetwork(text).network:
        raise ValueError(f"the address of the network {text}, not of a host")
    return text


def _interface_address(value: object) -> str:
    text = _host_address(value)
    if "/" not in str(value):
        address = text.partition("/")[0]
        raise ValueError(f"needs a prefix length, such as {address}/{24 if fields.family_of(address) == 4 else 64}")
    return text


def _link_local_address(value: object) -> str:
    text = fields.host_address(value)
    fields.next_hop(text.partition("/")[0])
    return text


_read_link_local = reader_of(_link_local_address)
_read_unicast = reader_of(fields.unicast)
_read_next_hop = reader_of(fields.next_hop)
_read_host_address = reader_of(_host_address)
_read_interface_address = reader_of(_interface_address)
_read_prefix = reader_of(fields.packet_prefix)
