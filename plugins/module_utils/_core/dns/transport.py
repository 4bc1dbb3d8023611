# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS messages over TCP, from a given source address, in bounded time. No library."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

PORT = 53
# What one connection may take altogether, to connect and for all answers.
TIMEOUT = 3.0
CONNECT_TIMEOUT = 1.0


class NoAnswer(OSError):
    """A server could not be asked; ``str()`` is the reason."""


@dataclass(frozen=True)
class Source:
    """Where packets to a server leave from; ``mark`` selects the line where one address stands for several."""

    address: str = ""
    line: str = ""
    mark: int = 0

    def __str__(self) -> str:
        return " by ".join(part for part in (self.address, f"line {self.line}" if self.line else "") if part)


class Connection:
    """A connection to one server, until ``deadline`` of the monotonic clock."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = connected, deadline
        self._received = b""

    def send(self, wire: bytes) -> None:
        """Send one message; raises NoAnswer."""
        self._limit()
        try:
            self._socket.sendall(len(wire).to_bytes(2, "big") + wire)
        except OSError as error:
            raise _no_answer(error) from error

    def receive(self) -> bytes:
        """Return the next message; raises NoAnswer."""
        length = int.from_bytes(self._take(2), "big")
        return self._take(length)

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            self._limit()
            try:
                part = self._socket.recv(65537)
            except OSError as error:
                raise _no_answer(error) from error
            if not part:
                raise NoAnswer("it closed the connection")
            self._received += part
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def _limit(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise NoAnswer("no answer in time")
        self._socket.settimeout(left)


@contextlib.contextmanager
def connect(server: str, port: int, source: Source, timeout: float = TIMEOUT) -> Iterator[Connection]:
    """Connect to a server; everything on the connection ends after ``timeout`` seconds. Raises NoAnswer."""
    deadline = time.monotonic() + timeout
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    try:
        opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    except OSError as error:
        raise _no_answer(error) from error
    with opened:
        try:
            opened.settimeout(min(CONNECT_TIMEOUT, timeout))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if source.mark:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, source.mark)
            if source.address:
                opened.bind((source.address, 0))
            opened.connect((server, port))
        except OSError as error:
            raise _no_answer(error) from error
        yield Connection(opened, deadline)


def _no_answer(error: OSError) -> NoAnswer:
    if isinstance(error, socket.timeout):
        return NoAnswer("no answer in time")
    if error.errno == errno.EADDRNOTAVAIL:
        return NoAnswer("this host does not have the source address")
    return NoAnswer(os.strerror(error.errno) if error.errno else str(error))
