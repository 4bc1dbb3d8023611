# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""IP addresses and prefixes of the declaration, by netaddr.

An address with its prefix length is a ``netaddr.IPNetwork`` whose ``ip`` is the address. netaddr compares
two of these by the network alone, so compare ``.ip`` where the host is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol, TypeVar

from .faults import Place, shown

try:
    from netaddr import INET_PTON, AddrFormatError, IPAddress, IPNetwork

    NETADDR_MISSING = ""
except ImportError as error:
    NETADDR_MISSING = f"The Python library netaddr is needed on the controller (pip install netaddr): {error}"

FAMILIES = (4, 6)
LONGEST_PREFIX = {4: 32, 6: 128}
# Only these go to netaddr, which would also take a zone, a lone number or digits of other scripts.
ADDRESS_CHARACTERS = re.compile(r"[0-9A-Fa-f:.]{2,45}")
PREFIX_LENGTH = re.compile(r"[0-9]{1,3}")


class Versioned(Protocol):
    """An address or a network of netaddr."""

    @property
    def version(self) -> int:
        """The family, 4 or 6."""


V = TypeVar("V", bound=Versioned)


def read_address(value: object, place: Place) -> IPAddress | None:
    """An IP address that a host can have, without a prefix length."""
    if isinstance(value, str) and "/" in value:
        place.fault(f"{shown(value)} must be an address without a prefix length")
        return None
    address = _parse_address(value, place)
    return address if address is not None and _usable(address, value, place) else None


def read_gateway(value: object, place: Place) -> IPAddress | None:
    """A next hop: an address that a host can have, or a link-local IPv6 address."""
    if isinstance(value, str) and "/" in value:
        place.fault(f"{shown(value)} must be an address without a prefix length")
        return None
    address = _parse_address(value, place)
    if address is None or (address.version == 6 and address.is_link_local()):
        return address
    return address if _usable(address, value, place) else None


def read_interface_address(value: object, place: Place) -> IPNetwork | None:
    """An address of an interface, with its prefix length: 192.168.168.1/24."""
    return _read_host(value, place, needs_prefix=True)


def read_inside_address(value: object, place: Place) -> IPNetwork | None:
    """An address of an interface; without a prefix length it is a single address."""
    return _read_host(value, place, needs_prefix=False)


def read_prefix(value: object, place: Place) -> IPNetwork | None:
    """A network such as 192.0.2.0/24, or a single address; host bits are a fault."""
    network = _parse_network(value, place)
    if network is None:
        return None
    if network.ip != network.network:
        place.fault(f"{shown(value)} has host bits set; the network is {network.cidr}")
        return None
    return network


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


def has_network(address: IPNetwork) -> bool:
    """Whether the prefix length says which network is on the link; /32 and /128 do not."""
    return bool(address.prefixlen < LONGEST_PREFIX[address.version])


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


def prefix_of(first: int, length: int, version: int) -> IPNetwork:
    """The prefix of a family that begins with an address, given as a number."""
    return IPNetwork(f"{IPAddress(first, version)}/{length}")


def _parse_address(value: object, place: Place) -> IPAddress | None:
    if not isinstance(value, str):
        place.fault(f"must be a string, not {shown(value)}")
        return None
    if ADDRESS_CHARACTERS.fullmatch(value):
        try:
            return IPAddress(value, flags=INET_PTON)
        except (AddrFormatError, ValueError):
            pass
    place.fault(f"{shown(value)} is not an IP address")
    return None


def _parse_network(value: object, place: Place) -> IPNetwork | None:
    text, slash, length = value.partition("/") if isinstance(value, str) else (value, "", "")
    address = _parse_address(text, place)
    if address is None:
        return None
    longest = LONGEST_PREFIX[address.version]
    if not slash:
        return IPNetwork(f"{address}/{longest}")
    if not PREFIX_LENGTH.fullmatch(length) or int(length) > longest:
        place.fault(f"{shown(value)} has no prefix length from 0 to {longest}")
        return None
    return IPNetwork(f"{address}/{int(length)}")


def _read_host(value: object, place: Place, *, needs_prefix: bool) -> IPNetwork | None:
    network = _parse_network(value, place)
    if network is None or not _usable(network.ip, value, place):
        return None
    if needs_prefix and "/" not in str(value):
        usual = 24 if network.version == 4 else 64
        place.fault(f"{shown(value)} needs a prefix length, such as {network.ip}/{usual}")
        return None
    if LONGEST_PREFIX[network.version] - network.prefixlen < 2:
        # /31 (RFC 3021), /127 (RFC 6164) and single addresses have neither network nor broadcast address.
        return network
    if network.ip == network.network:
        place.fault(f"{shown(value)} is the address of the network itself, not of a host")
        return None
    if network.version == 4 and network.ip == network.broadcast:
        place.fault(f"{shown(value)} is the broadcast address of its network")
        return None
    return network


def _usable(address: IPAddress, value: object, place: Place) -> bool:
    kinds = {
        "a multicast address": address.is_multicast(),
        "a loopback address": address.is_loopback(),
        "the unspecified address": int(address) == 0,
        "a link-local address": address.version == 6 and address.is_link_local(),
        "an IPv4 address written as IPv6": address.version == 6 and address.is_ipv4_mapped(),
        "the broadcast address": address.version == 4 and int(address) == 0xFFFFFFFF,
    }
    for kind, applies in kinds.items():
        if applies:
            place.fault(f"{shown(value)} is {kind}")
            return False
    return True
