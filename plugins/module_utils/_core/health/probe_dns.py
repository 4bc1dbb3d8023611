# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes by DNS (RFC 1035): a question that any name server answers, over UDP; the answer's content does not matter."""

from __future__ import annotations

import os
import socket
import struct
from collections import OrderedDict

from .probe_socket import PacketProber
from .socket_binding import Answered, Pin, Poller
from .targets import Target

_HEADER = struct.Struct("!HHHHHH")
_RECURSION_DESIRED, _RESPONSE, _OPCODE, _RCODE = 0x0100, 0x8000, 0x7800, 0x000F
# RFC 1035, section 4.1.1: the server did not get its own answer. A forwarder on this side of the line says that too.
_SERVER_FAILURE = 2
_TYPE_A, _CLASS_IN = 1, 1
_REMEMBERED = 64


def question(name: str) -> bytes:
    """Return the question for the addresses of a name; ``.`` is the root."""
    labels = [label.encode("ascii") for label in name.split(".") if label]
    encoded = b"".join(bytes((len(label),)) + label for label in labels)
    return encoded + b"\0" + struct.pack("!HH", _TYPE_A, _CLASS_IN)


def query(identifier: int, asked: bytes) -> bytes:
    """Return a query with one question."""
    return _HEADER.pack(identifier, _RECURSION_DESIRED, 1, 0, 0, 0) + asked


def answered_query(packet: bytes, asked: bytes) -> int | None:
    """Return the identifier of the query that a packet answers; None when it is no answer to this question."""
    if len(packet) < _HEADER.size + len(asked):
        return None
    identifier, flags, questions, _answers, _authorities, _more = _HEADER.unpack_from(packet)
    if not flags & _RESPONSE or flags & _OPCODE or flags & _RCODE == _SERVER_FAILURE or questions != 1:
        return None
    # Names are compared without case (RFC 4343); type and class have no letters in their bytes.
    if packet[_HEADER.size : _HEADER.size + len(asked)].lower() != asked.lower():
        return None
    return int(identifier)


class DnsProber(PacketProber):
    """Sends queries to one name server."""

    def __init__(self, poller: Poller, pin: Pin, number: int, target: Target, answered: Answered) -> None:
        super().__init__(poller)
        self._pin, self._answered = pin, answered
        self._number, self._server = number, (target.host, target.port)
        self._question = question(target.query)
        self._asked: OrderedDict[int, float] = OrderedDict()

    def send(self, _target: int, now: float) -> bool:
        """Send a query; raises OSError."""
        connection = self._opened()
        identifier = int.from_bytes(os.urandom(2), "big")
        try:
            connection.send(query(identifier, self._question))
        except OSError:
            self.close()
            raise
        self._asked[identifier] = now
        while len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)
        return True

    def _made(self) -> socket.socket:
        connection = self._pin.open(socket.SOCK_DGRAM)
        try:
            connection.connect(self._server)
        except OSError:
            connection.close()
            raise
        return connection

    def _take(self, packet: bytes, now: float) -> None:
        identifier = answered_query(packet, self._question)
        sent = None if identifier is None else self._asked.pop(identifier, None)
        if sent is not None:
            self._answered(now, self._number, now - sent)
