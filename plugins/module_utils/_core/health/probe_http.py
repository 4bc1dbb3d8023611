# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes by HTTP and HTTPS: a request on a connection of its own; the answer is a status, and only the expected one.

Certificates are verified. A captive portal, or a proxy at the near end of the line, does not answer as the target does.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable
from typing import Union

from .probe_tcp import AddressOf, TcpProber
from .socket_binding import Answered, Pin, Poller
from .targets import Target

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")
# A status line is shorter than that.
_LONGEST_HEAD = 512
# What SSLSocket says when it has to wait.
_WAITS = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)
_Connection = Union[socket.socket, ssl.SSLSocket]


def request(target: Target) -> bytes:
    """Return the request for a target's page."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = target.port == (443 if target.tls else 80)
    lines = [
        f"GET {target.path} HTTP/1.1",
        f"Host: {host}" + ("" if usual else f":{target.port}"),
        "User-Agent: multihome-keeper",
        "Accept: */*",
        "Connection: close",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def status_of(head: bytes) -> int | None:
    """Return the status in the beginning of an answer; None when there is none."""
    match = _STATUS_LINE.match(head)
    return int(match[1]) if match else None


class HttpProber(TcpProber):
    """Asks for one page. ``context`` is for HTTPS; making one takes long, so that all probers share it."""

    def __init__(
        self,
        poller: Poller,
        pin: Pin,
        number: int,
        target: Target,
        answered: Answered,
        address: AddressOf,
        context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(poller, pin, number, target, answered, address)
        self._context = context
        self._request = request(target)
        self._heads: dict[_Connection, bytes] = {}

    def _opened(self, connection: _Connection, now: float) -> None:
        self._poller.unwatch(connection)
        if self._context is None or not self._target.tls:
            self._ask(connection, now)
            return
        try:
            wrapped = self._context.wrap_socket(
                connection, server_hostname=self._target.host, do_handshake_on_connect=False
            )
        except (OSError, ValueError):
            self._end(connection)
            return
        # The new object has taken the old one's descriptor over; the order of age stays.
        sent = self._started.pop(connection)
        self._started[wrapped] = sent
        self._shake_hands(wrapped, now)

    def _shake_hands(self, connection: ssl.SSLSocket, now: float) -> None:
        self._step(
            connection, connection.do_handshake, lambda ready: self._shake_hands(connection, ready), self._ask, now
        )

    def _ask(self, connection: _Connection, now: float) -> None:
        self._step(
            connection,
            lambda: connection.sendall(self._request),
            lambda ready: self._ask(connection, ready),
            self._listen,
            now,
        )

    def _listen(self, connection: _Connection, now: float) -> None:
        self._heads[connection] = b""
        self._read(connection, now)

    def _read(self, connection: _Connection, now: float) -> None:
        status: int | None = None
        while status is None:
            try:
                data = connection.recv(_LONGEST_HEAD)
            except _WAITS as wait:
                self._wait(connection, lambda ready: self._read(connection, ready), wait)
                return
            except OSError:
                data = b""
            head = self._heads[connection] = self._heads[connection] + data
            status = status_of(head)
            if not data or (status is None and len(head) >= _LONGEST_HEAD):
                break
        if status == self._target.status:
            self._is_answered(connection, now)
        else:
            self._end(connection)

    def _step(
        self,
        connection: _Connection,
        step: Callable[[], object],
        again: Callable[[float], None],
        following: Callable[[_Connection, float], None],
        now: float,
    ) -> None:
        """Do a step of the conversation, then the following one; ``again`` is called when it has to wait."""
        try:
            step()
        except _WAITS as wait:
            self._wait(connection, again, wait)
        except (OSError, ValueError):
            # A certificate that is not valid is an OSError too.
            self._end(connection)
        else:
            following(connection, now)

    def _wait(self, connection: _Connection, ready: Callable[[float], None], wait: OSError) -> None:
        self._poller.unwatch(connection)
        self._poller.watch(connection, ready, write=isinstance(wait, ssl.SSLWantWriteError))

    def _end(self, connection: _Connection) -> None:
        self._heads.pop(connection, None)
        super()._end(connection)
