# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What wakes the keeper: changes of links, addresses, routes, rules and packet filters, of the stored files, signals.

An event is only a reason to look: what it says is not read beyond its type. What has to be done is decided by reading
and planning, as in every run.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import selectors
import signal
import socket
import struct
import time
from typing import Any

# linux/netlink.h, linux/rtnetlink.h, linux/netfilter/nfnetlink.h
_NETLINK_ROUTE, _NETLINK_NETFILTER = 0, 12
# RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV4_RULE, _IPV6_IFADDR, _IPV6_ROUTE, _IPV6_RULE
_ROUTE_GROUPS = sum(1 << (group - 1) for group in (1, 5, 7, 8, 9, 11, 19))
_NFTABLES_GROUP = 1 << 6  # NFNLGRP_NFTABLES
_NEW_ROUTE, _REPLACE = 24, 0x100
# Links and addresses in any way, routes and rules that go. A new route says nothing unless it took another's place.
_TELLING = frozenset((16, 17, 20, 21, 25, 33))
_BUFFER = 1 << 20
_HEADER = struct.Struct("=IHHII")

ROUTES, FILTERS, FILES, STOP = "routes", "filters", "files", "stop"
_SIGNALS = {signal.SIGTERM: STOP, signal.SIGINT: STOP, signal.SIGHUP: FILES, signal.SIGIO: FILES}


class Watch:
    """A context manager; ``wait`` returns what happened. ``directory`` holds the stored files."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._selector = selectors.DefaultSelector()
        self._watched: tuple[int, tuple[int, int]] | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Watch:
        """Begin to listen; raises OSError where the kernel has no rtnetlink."""
        self._listen(_NETLINK_ROUTE, _ROUTE_GROUPS, ROUTES)
        # A kernel without nf_tables has nothing to tell.
        with contextlib.suppress(OSError):
            self._listen(_NETLINK_NETFILTER, _NFTABLES_GROUP, FILTERS)
        receiver, sender = (self._stack.enter_context(end) for end in socket.socketpair())
        for end in (receiver, sender):
            end.setblocking(False)
        self._selector.register(receiver, selectors.EVENT_READ, "signals")
        signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, _do_nothing)
        self._stack.callback(signal.set_wakeup_fd, -1)
        self._watch_directory()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop listening."""
        self._selector.close()
        self._stack.close()
        if self._watched:
            os.close(self._watched[0])
            self._watched = None

    def wait(self, timeout: float) -> set[str]:
        """Return what happened, as soon as something did: ROUTES, FILTERS, FILES, STOP; nothing after ``timeout``."""
        deadline = time.monotonic() + timeout
        self._watch_directory()
        happened: set[str] = set()
        while not happened:
            left = deadline - time.monotonic()
            for key, _events in self._selector.select(max(left, 0)):
                happened |= _received(key.fileobj, key.data)
            if left <= 0:
                break
        return happened

    def _listen(self, protocol: int, groups: int, name: str) -> None:
        channel = self._stack.enter_context(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol))
        channel.setblocking(False)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        channel.bind((0, groups))
        self._selector.register(channel, selectors.EVENT_READ, name)

    def _watch_directory(self) -> None:
        """Have the kernel send SIGIO when a file comes or goes (fcntl(2), F_NOTIFY); renewed with the directory."""
        try:
            found = os.stat(self._directory)
        except OSError:
            return
        identity = (found.st_dev, found.st_ino)
        if self._watched and self._watched[1] == identity:
            return
        if self._watched:
            os.close(self._watched[0])
            self._watched = None
        # Where this is not to be had, the keeper sees a new file at its next look.
        with contextlib.suppress(OSError):
            descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._watched = (descriptor, identity)
            events = fcntl.DN_CREATE | fcntl.DN_DELETE | fcntl.DN_MODIFY | fcntl.DN_RENAME | fcntl.DN_ATTRIB
            fcntl.fcntl(descriptor, fcntl.F_NOTIFY, events | fcntl.DN_MULTISHOT)


def _do_nothing(_number: int, _frame: Any) -> None:
    """Take a signal; that it came is told by the wakeup descriptor."""


def _received(channel: Any, name: str) -> set[str]:
    happened: set[str] = set()
    while True:
        try:
            data = channel.recv(_BUFFER)
        except BlockingIOError:
            return happened
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            # More happened than the buffer holds: whatever it was, look.
            happened.add(name)
            continue
        if name == "signals":
            happened |= {_SIGNALS[signal.Signals(number)] for number in data if number in _SIGNALS}
        elif name != ROUTES or _is_telling(data):
            happened.add(name)


def _is_telling(data: bytes) -> bool:
    place = 0
    while place + _HEADER.size <= len(data):
        length, kind, flags, _sequence, _port = _HEADER.unpack_from(data, place)
        if kind in _TELLING or (kind == _NEW_ROUTE and flags & _REPLACE):
            return True
        place += max((length + 3) & ~3, _HEADER.size)
    return False
