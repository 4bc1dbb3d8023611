# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP echo packets of IPv4 (RFC 792) and IPv6 (RFC 4443): build a request, read a reply. No I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass

# Family -> (type of an echo request, type of an echo reply); their code is 0.
_TYPES = {4: (8, 0), 6: (128, 129)}
# Type, code, checksum, identifier, sequence number.
_HEADER = struct.Struct("!BBHHH")


@dataclass(frozen=True)
class EchoReply:
    """The content of an echo reply; ``identifier`` and ``sequence`` have 16 bits each."""

    identifier: int
    sequence: int
    payload: bytes


def internet_checksum(data: bytes) -> int:
    """Return the 16-bit Internet checksum (RFC 1071); over data that includes its checksum it is 0."""
    padded = data + b"\0" if len(data) % 2 else data
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo_request(family: int, identifier: int, sequence: int, payload: bytes) -> bytes:
    """Return an echo request of family 4 or 6.

    The checksum of ICMPv6 covers the IPv6 addresses (RFC 4443, section 2.3), which only the kernel knows: it fills
    that field in (RFC 3542, section 3.1).
    """
    request_type = _TYPES[family][0]
    packet = _HEADER.pack(request_type, 0, 0, identifier, sequence) + payload
    if family == 6:
        return packet
    return _HEADER.pack(request_type, 0, internet_checksum(packet), identifier, sequence) + payload


def read_echo_reply(family: int, packet: bytes) -> EchoReply | None:
    """Return the echo reply in an ICMP packet, or None when it is anything else or damaged."""
    if len(packet) < _HEADER.size:
        return None
    packet_type, code, _checksum, identifier, sequence = _HEADER.unpack_from(packet)
    if (packet_type, code) != (_TYPES[family][1], 0):
        return None
    # A raw socket sees ICMP of IPv4 before the kernel has checked it; that of IPv6 comes checked (RFC 3542).
    if family == 4 and internet_checksum(packet) != 0:
        return None
    return EchoReply(identifier, sequence, packet[_HEADER.size :])


def without_ipv4_header(packet: bytes) -> bytes:
    """Return the payload of an IPv4 packet from a raw socket; nothing when it is truncated."""
    # The low four bits of the first byte count the header's 32-bit words (RFC 791, section 3.1).
    return packet[(packet[0] & 0x0F) * 4 :] if packet else b""
