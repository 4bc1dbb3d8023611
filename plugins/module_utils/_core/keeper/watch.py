# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The events that wake the keeper: of links, addresses, routes, rules, packet filters, stored files, and signals.

An event only starts a check: the repair is decided by reading and planning, as in every run.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import selectors
import signal
import socket
import struct
import time
from typing import cast

from .interest import ADDRESSES, ROUTES, Interest

# linux/netlink.h, linux/rtnetlink.h, linux/netfilter/nfnetlink.h
_NETLINK_ROUTE, _NETLINK_NETFILTER = 0, 12
# RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV4_RULE, _IPV6_IFADDR, _IPV6_ROUTE, _IPV6_RULE
_ROUTE_GROUPS = sum(1 << (group - 1) for group in (1, 5, 7, 8, 9, 11, 19))
_NFTABLES_GROUP = 1 << 6  # NFNLGRP_NFTABLES
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it
_BUFFER = 1 << 20
_FILTER = struct.Struct("HP")  # struct sock_fprog: length in instructions, address
_INSTRUCTION_SIZE = 8

FILTERS, FILES, STOP, HEALTH = "filters", "files", "stop", "health"
_SIGNALS = {signal.SIGTERM: STOP, signal.SIGINT: STOP, signal.SIGHUP: FILES, signal.SIGIO: FILES}
# What wake() sends beside the numbers of signals: no signal has this one.
_WAKE = 0


class Watch:
    """A context manager; ``wait`` returns the kinds of events. ``directory`` holds the stored files."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._selector = selectors.DefaultSelector()
        self._watched: tuple[int, tuple[int, int]] | None = None
        self._stack = contextlib.ExitStack()
        self._interest = Interest()
        self._route_channel: socket.socket | None = None
        self._bell: socket.socket | None = None

    def __enter__(self) -> Watch:
        """Start listening; raises OSError when the kernel has no rtnetlink."""
        self._route_channel = self._listen(_NETLINK_ROUTE, _ROUTE_GROUPS, ROUTES)
        # A kernel without nf_tables sends no events of it.
        with contextlib.suppress(OSError):
            self._listen(_NETLINK_NETFILTER, _NFTABLES_GROUP, FILTERS)
        receiver, sender = (self._stack.enter_context(end) for end in socket.socketpair())
        for end in (receiver, sender):
            end.setblocking(False)
        self._selector.register(receiver, selectors.EVENT_READ, "signals")
        self._bell = sender
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
        """Return the kinds of the next events, FILTERS and those of Interest among them; none after ``timeout``."""
        deadline = time.monotonic() + timeout
        self._watch_directory()
        happened: set[str] = set()
        while not happened:
            left = deadline - time.monotonic()
            for key, _events in self._selector.select(max(left, 0)):
                happened |= self._received(cast(socket.socket, key.fileobj), key.data)
            if left <= 0:
                break
        return happened

    def wake(self) -> None:
        """Have wait() return HEALTH; any thread may call it."""
        # A full buffer means that it returns anyway; a closed one, that nobody waits any more.
        with contextlib.suppress(OSError):
            if self._bell is not None:
                self._bell.send(bytes([_WAKE]))

    def attend(self, interest: Interest) -> None:
        """Wake from now on for the routes of this interest only; call it when the stored states changed."""
        if interest == self._interest:
            return
        self._interest = interest
        program = interest.program()
        if self._route_channel is None or not program:
            return
        code = array.array("B", program)
        address, _length = code.buffer_info()
        # A kernel without socket filters wakes us for every route; the bytes are checked anyway.
        with contextlib.suppress(OSError):
            packed = _FILTER.pack(len(program) // _INSTRUCTION_SIZE, address)
            self._route_channel.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, packed)

    def _listen(self, protocol: int, groups: int, name: str) -> socket.socket:
        channel = self._stack.enter_context(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol))
        channel.setblocking(False)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        channel.bind((0, groups))
        self._selector.register(channel, selectors.EVENT_READ, name)
        return channel

    def _received(self, channel: socket.socket, name: str) -> set[str]:
        """Read all that arrived on a socket; return the kinds of events."""
        happened: set[str] = set()
        while True:
            try:
                data = channel.recv(_BUFFER)
            except BlockingIOError:
                return happened
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                # More events than the buffer holds were lost: check everything of this kind.
                happened |= {ADDRESSES, ROUTES} if name == ROUTES else {name}
                continue
            if name == "signals":
                happened |= {_SIGNALS[signal.Signals(number)] for number in data if number in _SIGNALS}
                happened |= {HEALTH} if _WAKE in data else set()
            else:
                happened |= self._interest.events(data) if name == ROUTES else {name}

    def _watch_directory(self) -> None:
        """Let the kernel send SIGIO when a file changes (fcntl(2), F_NOTIFY); renewed with the directory."""
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
        # Where this is not available, the keeper finds a new file at its next check.
        with contextlib.suppress(OSError):
            descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._watched = (descriptor, identity)
            events = fcntl.DN_CREATE | fcntl.DN_DELETE | fcntl.DN_MODIFY | fcntl.DN_RENAME | fcntl.DN_ATTRIB
            fcntl.fcntl(descriptor, fcntl.F_NOTIFY, events | fcntl.DN_MULTISHOT)


def _do_nothing(_number: int, _frame: object) -> None:
    """Handle a signal; the wakeup descriptor reports it."""
