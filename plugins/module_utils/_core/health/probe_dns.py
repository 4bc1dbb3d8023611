# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes by DNS (RFC 1035): a question that any name server answers, over UDP; the answer's content does not matter."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections import OrderedDict

from .socket_binding import Answered, Pin, Poller, close_watched, drop_errors
from .targets import Target

_HEADER = struct.Struct("!HHHHHH")
_RECURSION_DESIRED, _RESPONSE, _OPCODE, _RCODE = 0x0100, 0x8000, 0x7800, 0x000F
# RFC 1035, section 4.1.1: the server did not get its own answer. A forwarder on this side of the line says that too.
_SERVER_FAILURE = 2
_TYPE_A, _CLASS_IN = 1, 1
_REMEMBERED = 64
# More than any answer needs; Python keeps buffers of this size at hand, and larger ones it does not.
_RECEIVE = 448


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


class DnsProber:
    """Sends queries to one name server, by one socket that is opened when needed."""

    def __init__(self, poller: Poller, pin: Pin, number: int, target: Target, answered: Answered) -> None:
        self._poller, self._pin, self._answered = poller, pin, answered
        self._number, self._server = number, (target.host, target.port)
        self._question = question(target.query)
        self._asked: OrderedDict[int, float] = OrderedDict()
        self._connection: socket.socket | None = None

    def send(self, _target: int, now: float) -> bool:
        """Send a query; raises OSError."""
        connection = self._connection or self._opened()
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

    def drain(self, now: float) -> None:
        """Take in every answer that has come."""
        with contextlib.suppress(OSError):
            while self._connection is not None:
                self._take(self._connection.recv(_RECEIVE), now)

    def close(self) -> None:
        """Close the socket."""
        close_watched(self._poller, self._connection)
        self._connection = None

    def _opened(self) -> socket.socket:
        connection = self._pin.open(socket.SOCK_DGRAM)
        try:
            connection.connect(self._server)
        except OSError:
            connection.close()
            raise
        self._connection = connection
        self._poller.watch(connection, self._ready)
        return connection

    def _ready(self, now: float) -> None:
        # One at a time: what else has come makes the socket ready again.
        if self._connection is None:
            return
        try:
            packet = self._connection.recv(_RECEIVE)
        except OSError:
            # An ICMP error is no answer: the silence is the line's.
            drop_errors(self._connection)
            return
        self._take(packet, now)

    def _take(self, packet: bytes, now: float) -> None:
        identifier = answered_query(packet, self._question)
        sent = None if identifier is None else self._asked.pop(identifier, None)
        if sent is not None:
            self._answered(now, self._number, now - sent)
