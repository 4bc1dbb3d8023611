# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes by ICMP echo: one raw socket for all such targets of a line in one family.

The kernel gives every raw socket a copy of every ICMP packet of its address; a filter in the kernel lets only replies
with the socket's own identifier through. The payload tells a reply to this program from any other.
"""

from __future__ import annotations

import os
import socket
import struct
from array import array
from collections.abc import Mapping

from ..probes.icmp_echo import echo_request, internet_checksum
from .probe_socket import PacketProber
from .socket_binding import Answered, Pin, Poller

_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_ECHO_REPLY = {4: 0, 6: 129}
_ATTACH_FILTER = 26  # SO_ATTACH_FILTER, asm-generic/socket.h
# linux/filter.h: what an instruction does. M[x+n] is n bytes behind the index register.
_LOAD_BYTE, _LOAD_HALF = 0x30, 0x28  # from M[n]
_LOAD_BYTE_INDEXED, _LOAD_HALF_INDEXED = 0x50, 0x48  # from M[x+n]
_HEADER_LENGTH_TO_INDEX = 0xB1  # x = 4 * (M[n] & 15)
_JUMP_IF_EQUAL, _RETURN = 0x15, 0x06
_INSTRUCTION = struct.Struct("HBBI")
_PLACE = struct.Struct("!H")
# As many probes may be unanswered at a time; at the fast pace of 16 targets that is more than one second.
_REMEMBERED = 256
# Longer than the 8 bytes that some hosts want at least before they answer.
_PAYLOAD = 16


def filter_program(family: int, identifier: int) -> bytes:
    """Return the socket filter that passes echo replies with an identifier and drops everything else."""
    if family == 4:
        # What a raw IPv4 socket receives begins with the IP header.
        code = [
            (_HEADER_LENGTH_TO_INDEX, 0, 0, 0),
            (_LOAD_BYTE_INDEXED, 0, 0, 0),
            (_JUMP_IF_EQUAL, 0, 3, _ECHO_REPLY[4]),
            (_LOAD_HALF_INDEXED, 0, 0, 4),
        ]
    else:
        code = [(_LOAD_BYTE, 0, 0, 0), (_JUMP_IF_EQUAL, 0, 3, _ECHO_REPLY[6]), (_LOAD_HALF, 0, 0, 4)]
    code += [(_JUMP_IF_EQUAL, 0, 1, identifier), (_RETURN, 0, 0, 0xFFFFFFFF), (_RETURN, 0, 0, 0)]
    return b"".join(_INSTRUCTION.pack(*each) for each in code)


def attach_filter(connection: socket.socket, program: bytes) -> None:
    """Have the kernel drop what a filter does not pass; raises OSError."""
    # struct sock_fprog: the number of instructions, and where they are in memory.
    held = array("B", program)
    pointer = struct.pack("HP", len(program) // _INSTRUCTION.size, held.buffer_info()[0])
    connection.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, pointer)


class IcmpProber(PacketProber):
    """Sends echo requests to ``targets``: addresses by number."""

    def __init__(self, poller: Poller, pin: Pin, targets: Mapping[int, str], answered: Answered) -> None:
        super().__init__(poller)
        self._pin, self._answered = pin, answered
        self._addresses = {number: (address, 0) for number, address in targets.items()}
        self._identifier = int.from_bytes(os.urandom(2), "big")
        self._payload = os.urandom(_PAYLOAD)
        self._request = bytearray(echo_request(pin.family, self._identifier, 0, self._payload))
        # Of a request whose sequence number and checksum are zero; ICMPv6 is summed up by the kernel.
        self._sum = 0xFFFF & ~internet_checksum(bytes(self._request[:2]) + b"\0\0" + bytes(self._request[4:]))
        self._sequence = 0
        # By the last bits of the sequence number: sequence number, target, time.
        self._asked: list[tuple[int, int, float] | None] = [None] * _REMEMBERED

    def send(self, target: int, now: float) -> bool:
        """Send an echo request; raises OSError."""
        connection = self._opened()
        self._sequence = sequence = (self._sequence + 1) & 0xFFFF
        _PLACE.pack_into(self._request, 6, sequence)
        if self._pin.family == 4:
            total = self._sum + sequence
            _PLACE.pack_into(self._request, 2, 0xFFFF & ~((total & 0xFFFF) + (total >> 16)))
        try:
            connection.sendto(self._request, self._addresses[target])
        except OSError:
            # The address may have been removed and added since: the next probe binds again.
            self.close()
            raise
        self._asked[sequence % _REMEMBERED] = (sequence, target, now)
        return True

    def _made(self) -> socket.socket:
        connection = self._pin.open(socket.SOCK_RAW, _PROTOCOL[self._pin.family])
        try:
            attach_filter(connection, filter_program(self._pin.family, self._identifier))
        except OSError:
            connection.close()
            raise
        return connection

    def _take(self, packet: bytes, now: float) -> None:
        start = (packet[0] & 0x0F) * 4 if self._pin.family == 4 and packet else 0
        # What came before the filter was attached may be anything. Only who saw the request knows its payload.
        if len(packet) != start + 8 + _PAYLOAD or packet[-_PAYLOAD:] != self._payload:
            return
        if packet[start] != _ECHO_REPLY[self._pin.family]:
            return
        (sequence,) = _PLACE.unpack_from(packet, start + 6)
        asked = self._asked[sequence % _REMEMBERED]
        if asked is None or asked[0] != sequence:
            return
        self._asked[sequence % _REMEMBERED] = None
        self._answered(now, asked[1], now - asked[2])
