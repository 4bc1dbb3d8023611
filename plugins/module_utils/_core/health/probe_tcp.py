# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes by TCP: each is a connection of its own, which is closed as soon as it is open.

A refused connection is no answer: the host's own firewall, or the one at the near end of a dead line, refuses as well.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import OrderedDict
from collections.abc import Callable

from .socket_binding import Answered, Pin, Poller, close_watched
from .targets import Target

# Connections of one target at a time, and the seconds that each may take.
AT_A_TIME = 16
PATIENCE = 3.0
# Where a target's host is now; None while its name has no address yet.
AddressOf = Callable[[], "str | None"]


class TcpProber:
    """Opens connections to one port."""

    def __init__(
        self, poller: Poller, pin: Pin, number: int, target: Target, answered: Answered, address: AddressOf
    ) -> None:
        self._poller, self._pin, self._answered = poller, pin, answered
        self._number, self._target, self._address = number, target, address
        self._started: OrderedDict[socket.socket, float] = OrderedDict()

    def send(self, _target: int, now: float) -> bool:
        """Begin a connection; raises OSError. False where the name has no address, or too many are open."""
        self._expire(now)
        address = self._address()
        if address is None or len(self._started) >= AT_A_TIME:
            return False
        connection = self._pin.open(socket.SOCK_STREAM)
        number = connection.connect_ex((address, self._target.port))
        if number not in (0, errno.EINPROGRESS):
            connection.close()
            raise OSError(number, os.strerror(number))
        self._started[connection] = now
        self._poller.watch(connection, lambda ready: self._connected(connection, ready), write=True)
        return True

    def drain(self, now: float) -> None:
        """Take in what has come; a connection that is open makes its socket ready, which the loop sees first."""
        self._expire(now)

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._started):
            self._end(connection)

    def _connected(self, connection: socket.socket, now: float) -> None:
        failed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            self._end(connection)
        else:
            self._opened(connection, now)

    def _opened(self, connection: socket.socket, now: float) -> None:
        """The connection is open: that is the answer."""
        self._is_answered(connection, now)

    def _is_answered(self, connection: socket.socket, now: float) -> None:
        sent = self._started.get(connection)
        self._end(connection)
        if sent is not None:
            self._answered(now, self._number, now - sent)

    def _expire(self, now: float) -> None:
        while self._started:
            connection, sent = next(iter(self._started.items()))
            if now - sent < PATIENCE:
                return
            self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        self._started.pop(connection, None)
        close_watched(self._poller, connection)
