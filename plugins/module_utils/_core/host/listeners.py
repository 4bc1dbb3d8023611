# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs use a port of this host, where another one is to answer."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from ..fields import family_of

_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
# /proc/net/tcp has connections too; this is the state of a socket that listens (include/net/tcp_states.h).
_LISTENS = "0A"
# linux/in.h, linux/in6.h: an address that this host does not have yet.
_FREEBIND = {4: (socket.IPPROTO_IP, 15), 6: (socket.IPPROTO_IPV6, 78)}


@dataclass(frozen=True)
class Program:
    """A process that uses a port."""

    number: int
    name: str
    command: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.number})"


def users(address: str, port: int) -> list[Program]:
    """Return the programs that keep others from using a port at an address; none where it is free.

    The kernel decides, by an attempt. All programs that have a socket of that protocol and port are named, as one with
    the address 0.0.0.0 or :: may be in the way too.
    """
    taken = [protocol for protocol in _KINDS if _is_taken(address, port, protocol)]
    sockets = {number for protocol in taken for number in _sockets(protocol, port)}
    return list(_owners(sockets)) if sockets else []


def _is_taken(address: str, port: int, protocol: str) -> bool:
    family = family_of(address)
    try:
        with socket.socket(_FAMILIES[family], _KINDS[protocol]) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.setsockopt(*_FREEBIND[family], 1)
            attempt.bind((address, port))
    except OSError as error:
        # Whatever else is wrong is no program's fault.
        return error.errno == errno.EADDRINUSE
    return False


def _sockets(protocol: str, port: int) -> Iterator[str]:
    """Yield the numbers (inodes) of the sockets that wait for packets at a port, whatever their address."""
    for table in (protocol, f"{protocol}6"):
        with contextlib.suppress(OSError), open(f"/proc/self/net/{table}", encoding="ascii") as file:
            for row in list(file)[1:]:
                words = row.split()
                if int(words[1].rpartition(":")[2], 16) == port and (protocol == "udp" or words[3] == _LISTENS):
                    yield words[9]


def _owners(sockets: set[str]) -> Iterator[Program]:
    """Yield the processes that have one of these sockets open."""
    wanted = {f"socket:[{number}]" for number in sockets}
    for number in filter(str.isdigit, os.listdir("/proc")):
        # A process may end meanwhile.
        with contextlib.suppress(OSError):
            directory = f"/proc/{number}/fd"
            if any(_target(f"{directory}/{name}") in wanted for name in os.listdir(directory)):
                yield Program(int(number), _text(number, "comm"), _text(number, "cmdline").replace("\0", " "))


def _target(path: str) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(path)
    return ""


def _text(number: str, name: str) -> str:
    with open(f"/proc/{number}/{name}", encoding="utf-8", errors="replace") as file:
        return file.read().strip()
