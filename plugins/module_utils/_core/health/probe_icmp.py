# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes by ICMP echo: the requests of one line in one family, sent by a channel that other lines may share.

The payload tells a reply to this line from any other.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping

from ..probes.icmp_echo import echo_request, internet_checksum
from .icmp_channel import HEADER, NUMBER_SIZE, PAYLOAD, IcmpChannel, ancillary_of
from .socket_binding import Answered, Pin

_SEQUENCE = struct.Struct("!H")
# The fields of the header behind type and code: checksum, identifier, sequence number.
_FIELDS = struct.Struct("!HHH")
# As many probes may be unanswered at a time; at the fast pace of 16 targets that is more than one second.
_REMEMBERED = 256


class IcmpProber:
    """Sends echo requests to ``targets``: addresses by number."""

    __slots__ = (
        *("_channel", "_pin", "_answered", "_ancillary", "_addresses", "_number", "_payload", "_identifier"),
        *("_request", "_is_summed", "_sum", "_sequence", "_asked"),
    )

    def __init__(self, channel: IcmpChannel, pin: Pin, targets: Mapping[int, str], answered: Answered) -> None:
        self._channel, self._pin, self._answered = channel, pin, answered
        self._ancillary = ancillary_of(pin)
        self._addresses = {number: (address, 0) for number, address in targets.items()}
        self._number = channel.join(self._received)
        self._payload = self._number.to_bytes(NUMBER_SIZE, "big") + os.urandom(PAYLOAD - NUMBER_SIZE)
        self._identifier = channel.identifier
        self._request = bytearray(echo_request(pin.family, self._identifier, 0, self._payload))
        # ICMPv6 is summed up by the kernel.
        self._is_summed = pin.family == 4
        # Of a request whose sequence number and checksum are zero.
        self._sum = 0xFFFF & ~internet_checksum(bytes(self._request[:2]) + b"\0\0" + bytes(self._request[4:]))
        self._sequence = 0
        # By the last bits of the sequence number: sequence number, target, time.
        self._asked: list[tuple[int, int, float] | None] = [None] * _REMEMBERED

    def send(self, target: int, now: float) -> bool:
        """Send an echo request; raises OSError."""
        self._sequence = sequence = (self._sequence + 1) & 0xFFFF
        checksum = 0
        if self._is_summed:
            total = self._sum + sequence
            checksum = 0xFFFF & ~((total & 0xFFFF) + (total >> 16))
        _FIELDS.pack_into(self._request, 2, checksum, self._identifier, sequence)
        self._channel.send(self._request, self._ancillary, self._addresses[target], self._pin)
        self._asked[sequence % _REMEMBERED] = (sequence, target, now)
        return True

    def drain(self, now: float) -> None:
        """Take in every answer that has come."""
        self._channel.drain(now)

    def close(self) -> None:
        """Leave the channel."""
        self._channel.leave(self._number)

    def _received(self, packet: bytes, start: int, now: float) -> None:
        # Only who saw the request knows its payload.
        if packet[-PAYLOAD:] != self._payload:
            return
        (sequence,) = _SEQUENCE.unpack_from(packet, start + HEADER - _SEQUENCE.size)
        asked = self._asked[sequence % _REMEMBERED]
        if asked is None or asked[0] != sequence:
            return
        self._asked[sequence % _REMEMBERED] = None
        self._answered(now, asked[1], now - asked[2])
