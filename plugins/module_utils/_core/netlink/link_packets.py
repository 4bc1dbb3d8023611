# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packets that ask for and announce the hardware address of an IP address on a link. No I/O.

ARP (RFC 826) for IPv4 on Ethernet, neighbour discovery (RFC 4861) for IPv6.
"""

from __future__ import annotations

import ipaddress
import socket
import struct

ETHERNET = 1  # ARPHRD_ETHER, linux/if_arp.h
ARP, BROADCAST = 0x0806, b"\xff" * 6  # linux/if_ether.h
ARP_PACKET = struct.Struct("!HHBBH6s4s6s4s")
REQUEST = 1
SOLICITATION, ADVERTISEMENT = 135, 136
_IPV4, _HARDWARE_LENGTH, _IPV4_LENGTH = 0x0800, 6, 4
# RFC 4861, section 4.6.1: options that hold a hardware address, with their length in units of 8 bytes.
_SOURCE, _TARGET = b"\x01\x01", b"\x02\x01"
_OVERRIDE = 0x20000000  # section 4.4: replaces the cached address


def arp_request(hardware: bytes, sender: str, target: str) -> bytes:
    """Return a request for ``target``; with ``sender`` equal to it, an announcement (RFC 5227, section 3)."""
    head = (ETHERNET, _IPV4, _HARDWARE_LENGTH, _IPV4_LENGTH, REQUEST, hardware, socket.inet_aton(sender))
    return ARP_PACKET.pack(*head, bytes(_HARDWARE_LENGTH), socket.inet_aton(target))


def solicitation(target: str, hardware: bytes) -> bytes:
    """Return a neighbour solicitation; ``hardware`` is the address for the answer, empty on a link without them."""
    # Type, code, checksum (the kernel fills it in), reserved, target.
    packet = struct.pack("!BBHI16s", SOLICITATION, 0, 0, 0, ipaddress.IPv6Address(target).packed)
    return packet + (_SOURCE + hardware if len(hardware) == _HARDWARE_LENGTH else b"")


def advertisement(target: str, hardware: bytes) -> bytes:
    """Return an unsolicited neighbour advertisement."""
    head = struct.pack("!BBHI16s", ADVERTISEMENT, 0, 0, _OVERRIDE, ipaddress.IPv6Address(target).packed)
    return head + _TARGET + hardware
