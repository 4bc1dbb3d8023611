# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes leave by their own line and by no other: what a socket carries so that the kernel sees to that."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from .line_state import BLOCKED, NO_FAMILY, UNREACHABLE

# linux/in.h and in6.h, which not every Python names: a port is chosen when the destination is known, and ICMP errors
# about a datagram are reported at once.
_BIND_WITHOUT_PORT = 24
_RECEIVE_ERRORS = {4: (socket.IPPROTO_IP, 11), 6: (socket.IPPROTO_IPV6, 25)}
SOCKET_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
# What a probe that this host itself refuses says of the line. What is not named counts as sent and unanswered.
_TROUBLES: dict[int, str | None] = {
    errno.EPERM: BLOCKED,
    errno.EACCES: BLOCKED,
    errno.ENETUNREACH: UNREACHABLE,
    errno.ENETDOWN: UNREACHABLE,
    errno.EADDRNOTAVAIL: UNREACHABLE,
    errno.ENODEV: UNREACHABLE,
    # A kernel without IPv6.
    errno.EAFNOSUPPORT: NO_FAMILY,
}
_NO_EVIDENCE = frozenset((errno.ENOBUFS, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EINTR))
# Attempts that left this host, or would have: the silence that follows is the line's.
COUNTS_AS_SENT = "counts as sent"


def trouble(error: OSError) -> str | None:
    """Return what an error in sending says: BLOCKED, UNREACHABLE, COUNTS_AS_SENT, or None for no evidence."""
    number = error.errno or 0
    if number in _NO_EVIDENCE:
        return None
    return _TROUBLES.get(number, COUNTS_AS_SENT)


@dataclass(frozen=True)
class Pin:
    """How probes of a line are kept on it: by source address, by mark, by interface, or several of these."""

    family: int
    source: str | None = None
    mark: int | None = None
    interface: str | None = None

    def open(self, kind: int, protocol: int = 0) -> socket.socket:
        """Return a socket that sends by the line alone; raises OSError, and then nothing is open."""
        made = socket.socket(SOCKET_FAMILY[self.family], kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
        try:
            self._apply(made)
        except OSError:
            made.close()
            raise
        return made

    def _apply(self, made: socket.socket) -> None:
        if self.mark is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, self.mark)
        if self.interface is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode() + b"\0")
        if made.type == socket.SOCK_DGRAM:
            made.setsockopt(*_RECEIVE_ERRORS[self.family], 1)
        if self.source is not None:
            if made.type == socket.SOCK_STREAM:
                with contextlib.suppress(OSError):
                    made.setsockopt(socket.IPPROTO_IP, _BIND_WITHOUT_PORT, 1)
            made.bind((self.source, 0))


# Called with the time, the number of a target, and the seconds that its answer took.
Answered = Callable[[float, int, float], None]
# Called when a socket is ready, with the time.
Ready = Callable[[float], None]


class Poller(Protocol):
    """What probes need of the loop."""

    def watch(self, connection: Any, ready: Ready, write: bool = False) -> None:
        """Call ``ready`` when the socket can be read from, with ``write`` when it can be written to."""

    def unwatch(self, connection: Any) -> None:
        """Stop that; a socket that is not watched is no fault."""


def close_watched(poller: Poller, connection: socket.socket | None) -> None:
    """Close a socket that the loop watches, if there is one."""
    if connection is not None:
        poller.unwatch(connection)
        connection.close()


def drop_errors(connection: socket.socket) -> None:
    """Empty the queue of ICMP errors about what a socket sent: as long as it holds one, the socket is ready."""
    with contextlib.suppress(OSError):
        while True:
            connection.recvmsg(1, 0, socket.MSG_ERRQUEUE)


class Prober(Protocol):
    """Asks targets of one line in one family, and calls back with what they answer."""

    def send(self, target: int, now: float) -> bool:
        """Ask a target; False when nothing was sent for a reason of this host. Raises OSError as the kernel does."""

    def drain(self, now: float) -> None:
        """Take in every answer that has come."""

    def close(self) -> None:
        """Close all sockets."""
