# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Announces to the neighbours on a link where an address is now (RFC 5227, section 3; RFC 4861, section 7.2.6).

They remember its old place for up to a minute. Packets that they send to an interface that has lost its last IPv4
address are dropped, even by a loose reverse path filter (fib_validate_source in Linux net/ipv4/fib_frontend.c).
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable

from ..netlink import link_packets
from .model import Alias

_ALL_NODES = "ff02::1"
# Packets that a router might have forwarded are ignored (RFC 4861, section 7.1).
_HOPS = 255


def announce(aliases: Iterable[Alias]) -> None:
    """Announce each address once on the link of its interface; if that fails, the neighbours find out later."""
    for alias in aliases:
        address = alias.bare
        with contextlib.suppress(OSError):
            if alias.family == 4:
                _announce_ipv4(alias.interface, address)
            else:
                _announce_ipv6(alias.interface, address)


def _link(interface: str) -> tuple[socket.socket, bytes]:
    """Return a socket to send ARP by, and the interface's hardware address; raises OSError if there is none."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    try:
        opened.bind((interface, 0))
        _name, _protocol, _type, kind, hardware = opened.getsockname()
        if kind != link_packets.ETHERNET:
            raise OSError(errno.EPROTONOSUPPORT, "not an Ethernet interface")
    except OSError:
        opened.close()
        raise
    return opened, hardware


def _announce_ipv4(interface: str, address: str) -> None:
    link, hardware = _link(interface)
    with link:
        packet = link_packets.arp_request(hardware, address, address)
        link.sendto(packet, (interface, link_packets.ARP, 0, link_packets.ETHERNET, link_packets.BROADCAST))


def _announce_ipv6(interface: str, address: str) -> None:
    link, hardware = _link(interface)
    link.close()
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sender:
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
        index = socket.if_nametoindex(interface)
        sender.sendto(link_packets.advertisement(address, hardware), (_ALL_NODES, 0, 0, index))
