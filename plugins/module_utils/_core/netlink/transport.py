# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain netlink socket: sends one encoded request and returns its answers.

pyroute2's own socket starts an event loop for every request (since 0.9), which costs more than the kernel's work and
the encoding together. Only the headers are read here. Source: linux/netlink.h, RFC 3549.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass
from typing import Callable

from .codec import HEADER

_ERROR, _DONE = 2, 3
_MULTI_PART, _ACK, _INTERRUPTED = 0x002, 0x004, 0x010
_CODE = struct.Struct("=i")
# The kernel fills at most this much at once (NLMSG_GOODSIZE grows with what the reader offers, up to 32 KiB).
_BUFFER = 1 << 17
_SOL_NETLINK, _GET_STRICT_CHK = 270, 12  # linux/socket.h, NETLINK_GET_STRICT_CHK of linux/netlink.h
# Seconds; the kernel answers at once. A lost answer must not block a run that holds the host's lock.
_TIMEOUT = 30.0

# Tells from the data and the place of a message in it whether the answer is kept.
Keep = Callable[[bytes, int], bool]


class RequestFailed(Exception):
    """The kernel refused a request; ``code`` is the errno."""

    def __init__(self, code: int, text: str = "") -> None:
        self.code = code
        super().__init__(text or os.strerror(code))


@dataclass(frozen=True)
class Answer:
    """One message of an answer, header included."""

    type: int
    flags: int
    data: bytes


class NetlinkSocket:
    """A socket of a netlink protocol in this network namespace. It joins no multicast groups."""

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.settimeout(_TIMEOUT)
        self._socket.bind((0, 0))
        self._sequence = 0

    def check_strictly(self, strict: bool) -> bool:
        """Let the kernel apply the selection of dump requests or not; False when it cannot (before Linux 4.20).

        It also refuses what it ignored before, such as a flag of a look-up of an IPv6 route: not for other requests.
        """
        try:
            self._socket.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, int(strict))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def request(self, kind: int, flags: int, content: bytes, keep: Keep | None = None) -> list[Answer]:
        """Send one request and return its answers without acknowledgements; raises RequestFailed.

        ``kind`` is the number of its message type, ``content`` the bytes after the header; answers that ``keep``
        rejects are dropped.
        """
        self._sequence += 1
        self._socket.send(HEADER.pack(HEADER.size + len(content), kind, flags, self._sequence, 0) + content)
        answers: list[Answer] = []
        try:
            while not self._read(answers, bool(flags & _ACK), keep):
                pass
        except socket.timeout as error:
            raise RequestFailed(errno.ETIMEDOUT, f"the kernel did not answer within {_TIMEOUT:g} s") from error
        return answers

    def _read(self, answers: list[Answer], acknowledged: bool, keep: Keep | None) -> bool:
        """Read once and append to ``answers``; return whether they are complete."""
        data = self._socket.recv(_BUFFER)
        offset, last = 0, False
        while offset + HEADER.size <= len(data):
            length, kind, flags, number, _port = HEADER.unpack_from(data, offset)
            start = offset
            offset += max((length + 3) & ~3, HEADER.size)
            if number != self._sequence:
                continue  # of an earlier request that was aborted
            if keep is not None and kind not in (_ERROR, _DONE) and not flags & _INTERRUPTED and not keep(data, start):
                continue
            part = data[start : start + length]
            if kind in (_ERROR, _DONE):
                code = _CODE.unpack_from(part, HEADER.size)[0] if length >= HEADER.size + _CODE.size else 0
                if code < 0:
                    raise RequestFailed(-code)
                last = True
                # The last message also tells whether the dump was interrupted.
                answers += [Answer(kind, flags, part)] if kind == _DONE else []
                continue
            answers.append(Answer(kind, flags, part))
            last = last or not (flags & _MULTI_PART or acknowledged)
        return last
