# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program in the background, and a channel to it and its children on which each message tells who sent it."""

from __future__ import annotations

import select
import socket
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_LARGEST_MESSAGE = 8192
# struct ucred: process, user and group (unix(7), SCM_CREDENTIALS)
_CREDENTIALS = struct.Struct("3i")


class Channel:
    """Our end of a channel; ``process`` is the program that was started with the other one."""

    def __init__(self, program: Sequence[str], words: Sequence[str], log: Path, **options: Any) -> None:
        """Start ``program`` with the descriptor of its end as the first of its ``words``; ``options`` are Popen's.

        What it prints goes to ``log``. It is a session of its own: what ends us does not end it.
        """
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with theirs, log.open("w", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                [*program, str(theirs.fileno()), *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                **options,
            )

    def hear(self, timeout: float) -> tuple[bytes, int] | None:
        """Return the next message and the process id of its sender; None when none comes within ``timeout`` seconds.

        The message is empty, and the process 0, when nobody has the other end any more.
        """
        if not select.select([self._ours], [], [], timeout)[0]:
            return None
        message, control, _flags, _address = self._ours.recvmsg(_LARGEST_MESSAGE, socket.CMSG_SPACE(_CREDENTIALS.size))
        return (message, _CREDENTIALS.unpack(control[0][2])[0]) if message else (b"", 0)

    def send(self, message: bytes) -> None:
        """Send a message."""
        self._ours.send(message)

    def close(self) -> None:
        """Give up our end, by which the program knows that we are gone."""
        self._ours.close()
