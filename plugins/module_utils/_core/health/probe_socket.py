# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one socket of probes that are sent and answered by single packets: opened when needed, drained, closed."""

from __future__ import annotations

import contextlib
import socket

from .socket_binding import Poller

# More than any answer has; Python keeps buffers of this size at hand, and larger ones it does not.
_RECEIVE = 448


class PacketProber:
    """Base of such probers: ``_made`` returns a new socket, ``_take`` gets each packet with the time."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._connection: socket.socket | None = None

    def drain(self, now: float) -> None:
        """Take in every answer that has come."""
        with contextlib.suppress(OSError):
            while self._connection is not None:
                self._take(self._connection.recv(_RECEIVE), now)

    def close(self) -> None:
        """Close the socket."""
        if self._connection is not None:
            self._poller.unwatch(self._connection)
            self._connection.close()
            self._connection = None

    def _opened(self) -> socket.socket:
        """Return the socket, which is made where there is none; raises OSError."""
        if self._connection is None:
            self._connection = self._made()
            self._poller.watch(self._connection, self._ready)
        return self._connection

    def _ready(self, now: float) -> None:
        # One at a time: what else has come makes the socket ready again. An ICMP error ends here too: it is no answer,
        # and the silence is the line's.
        if self._connection is None:
            return
        try:
            packet = self._connection.recv(_RECEIVE)
        except OSError:
            return
        self._take(packet, now)

    def _made(self) -> socket.socket:
        raise NotImplementedError

    def _take(self, packet: bytes, now: float) -> None:
        raise NotImplementedError
