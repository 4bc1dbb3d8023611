# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain netlink socket: one encoded request out, its answers in.

pyroute2's own socket starts an event loop for every request (since 0.9), which costs more than the kernel's work and
the encoding together. Only the headers are looked at here. Source: linux/netlink.h, RFC 3549.
"""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass

from .codec import HEADER

_ERROR, _DONE = 2, 3
_MULTI_PART, _ACK = 0x002, 0x004
_CODE = struct.Struct("=i")
# The kernel fills at most this much at once (NLMSG_GOODSIZE grows with what the reader offers, up to 32 KiB).
_BUFFER = 1 << 17


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
    """A socket of a netlink protocol in this network namespace. It takes no multicast groups."""

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def request(self, kind: int, flags: int, content: bytes) -> list[Answer]:
        """Send one request and return its answers, acknowledgements left out; raises RequestFailed.

        ``kind`` is the number of its message type, ``content`` what stands behind the header.
        """
        self._sequence += 1
        self._socket.send(HEADER.pack(HEADER.size + len(content), kind, flags, self._sequence, 0) + content)
        answers: list[Answer] = []
        while not self._read(answers, bool(flags & _ACK)):
            pass
        return answers

    def _read(self, answers: list[Answer], acknowledged: bool) -> bool:
        """Add what comes to ``answers``; return whether that is all."""
        data = self._socket.recv(_BUFFER)
        offset, last = 0, False
        while offset + HEADER.size <= len(data):
            length, kind, flags, number, _port = HEADER.unpack_from(data, offset)
            part = data[offset : offset + length]
            offset += max((length + 3) & ~3, HEADER.size)
            if number != self._sequence:
                continue  # of an earlier request that was broken off
            if kind in (_ERROR, _DONE):
                code = _CODE.unpack_from(part, HEADER.size)[0] if length >= HEADER.size + _CODE.size else 0
                if code < 0:
                    raise RequestFailed(-code)
                last = True
                # Whether a dump was interrupted the last message tells too.
                answers += [Answer(kind, flags, part)] if kind == _DONE else []
                continue
            answers.append(Answer(kind, flags, part))
            last = last or not (flags & _MULTI_PART or acknowledged)
        return last
