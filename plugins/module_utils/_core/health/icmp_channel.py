# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One raw ICMP socket for all lines that need nothing but their source address to be kept on their way.

The kernel compares every ICMP packet of the host with every raw ICMP socket, so that with a socket for each line the
cost of one probe would grow with the number of lines. Here the source address goes with each packet instead, and the
payload of a reply says which line asked. A filter in the kernel lets only replies with the channel's own identifier
through.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from array import array
from collections.abc import Callable
from dataclasses import replace

from .line_state import UNREACHABLE
from .socket_binding import Pin, Poller, close_watched, trouble

_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_ECHO_REPLY = {4: 0, 6: 129}
# asm-generic/socket.h
_ATTACH_FILTER, _SEND_BUFFER_FORCE, _RECEIVE_BUFFER_FORCE = 26, 32, 33
# linux/filter.h: what an instruction does. M[x+n] is n bytes behind the index register.
_LOAD_BYTE, _LOAD_HALF = 0x30, 0x28  # from M[n]
_LOAD_BYTE_INDEXED, _LOAD_HALF_INDEXED = 0x50, 0x48  # from M[x+n]
_HEADER_LENGTH_TO_INDEX = 0xB1  # x = 4 * (M[n] & 15)
_JUMP_IF_EQUAL, _RETURN = 0x15, 0x06
_INSTRUCTION = struct.Struct("HBBI")
# linux/in.h, in6.h: the source address of one packet.
_SOURCE_V4, _PACKET_INFO_V4 = struct.Struct("=i4s4x"), 8
_SOURCE_V6, _PACKET_INFO_V6 = struct.Struct("=16si"), 50
_NUMBER = struct.Struct("!I")
NUMBER_SIZE = _NUMBER.size
# Of the ICMP header; a reply's payload follows it.
HEADER = 8
# The payload: the member's number, and what only those know who saw the request. More than the 8 bytes that some hosts
# want before they answer.
PAYLOAD = 16
# More than an answer has, with all IP options; Python keeps small buffers at hand.
_RECEIVE = 256
# So many packets are taken in at once, so that no flood holds the loop.
_AT_ONCE = 4096
# Room for the answers of a thousand lines while the loop is late, and for packets that a dead neighbour holds back:
# they must not keep the other lines from asking.
_BUFFER = 8 << 20

# Called with a reply, the place of its ICMP header, and the time.
Receive = Callable[[bytes, int, float], None]
# Ancillary data of a packet: level, type, content.
Ancillary = list[tuple[int, int, bytes]]


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


def ancillary_of(pin: Pin) -> Ancillary:
    """Return what makes the kernel send a packet from a pin's source address."""
    if pin.source is None:
        return []
    if pin.family == 4:
        return [(socket.IPPROTO_IP, _PACKET_INFO_V4, _SOURCE_V4.pack(0, socket.inet_aton(pin.source)))]
    packed = socket.inet_pton(socket.AF_INET6, pin.source)
    return [(socket.IPPROTO_IPV6, _PACKET_INFO_V6, _SOURCE_V6.pack(packed, 0))]


class IcmpChannel:
    """The socket; it is opened when needed. ``pin`` is without a source address."""

    def __init__(self, poller: Poller, pin: Pin) -> None:
        self._poller, self._pin = poller, pin
        self._with_header = pin.family == 4
        self._reply = _ECHO_REPLY[pin.family]
        self._members: dict[int, Receive] = {}
        self._next_number = 0
        self._connection: socket.socket | None = None
        self._drained = -1.0
        self.identifier = int.from_bytes(os.urandom(2), "big")

    def join(self, receive: Receive) -> int:
        """Return the number that the payloads of a new member begin with; ``receive`` gets the replies to it."""
        self._next_number += 1
        self._members[self._next_number] = receive
        return self._next_number

    def leave(self, number: int) -> None:
        """Receive nothing for a member any more; the last one closes the socket."""
        self._members.pop(number, None)
        if not self._members:
            self.close()

    def send(self, request: bytes | bytearray, ancillary: Ancillary, address: tuple[str, int], pin: Pin) -> None:
        """Send a request as ancillary_of(pin) says; raises OSError."""
        connection = self._connection or self._opened()
        try:
            if ancillary:
                connection.sendmsg((request,), ancillary, 0, address)
            else:
                connection.sendto(request, address)
        except OSError as error:
            if error.errno == errno.EINVAL and pin.source is not None:
                # Of an address that is missing and of a route into a black hole the kernel says the same here.
                pin.open(socket.SOCK_RAW, _PROTOCOL[pin.family]).close()
            if pin.interface is not None and trouble(error) == UNREACHABLE:
                # The interface may have been removed and added since: the next probe binds again.
                self.close()
            raise

    def drain(self, now: float) -> None:
        """Take in every answer that has come; once is enough for all members at one time."""
        if now != self._drained:
            self._drained = now
            self._ready(now)

    def close(self) -> None:
        """Close the socket."""
        close_watched(self._poller, self._connection)
        self._connection = None

    def _opened(self) -> socket.socket:
        connection = self._pin.open(socket.SOCK_RAW, _PROTOCOL[self._pin.family])
        try:
            attach_filter(connection, filter_program(self._pin.family, self.identifier))
            for force, ordinary in (
                (_SEND_BUFFER_FORCE, socket.SO_SNDBUF),
                (_RECEIVE_BUFFER_FORCE, socket.SO_RCVBUF),
            ):
                _enlarge(connection, force, ordinary)
            self._poller.watch(connection, self._ready)
        except OSError:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _ready(self, now: float) -> None:
        for _time in range(_AT_ONCE):
            if self._connection is None:
                return
            try:
                packet = self._connection.recv(_RECEIVE)
            except OSError:
                # There is no more; or an error of the interface, which is no answer: the silence is the line's.
                return
            self._take(packet, now)

    def _take(self, packet: bytes, now: float) -> None:
        start = (packet[0] & 0x0F) * 4 if self._with_header and packet else 0
        # What came before the filter was attached may be anything.
        if len(packet) != start + HEADER + PAYLOAD or packet[start] != self._reply:
            return
        (number,) = _NUMBER.unpack_from(packet, start + HEADER)
        receive = self._members.get(number)
        if receive is not None:
            receive(packet, start, now)


class IcmpChannels:
    """The channels of a loop: one for each family, mark and interface that probes are kept on their line by."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._channels: dict[Pin, IcmpChannel] = {}

    def of(self, pin: Pin) -> IcmpChannel:
        """Return the channel for probes of a pin."""
        shared = replace(pin, source=None)
        if shared not in self._channels:
            self._channels[shared] = IcmpChannel(self._poller, shared)
        return self._channels[shared]


def _enlarge(connection: socket.socket, force: int, ordinary: int) -> None:
    """Give a socket a large buffer, or in a namespace of an ordinary user as large a one as is allowed."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, force, _BUFFER)
    except OSError:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, ordinary, _BUFFER)
