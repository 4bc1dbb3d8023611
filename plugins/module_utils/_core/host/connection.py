# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ssh connection by which this process is controlled, also through sudo, which hides it from the environment."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

_VARIABLE = b"SSH_CONNECTION="
# More generations than any chain of shells and sudo has.
_MOST = 64
_ESTABLISHED = b"01"


@dataclass(frozen=True)
class Connection:
    """``client`` is the address of the controller, ``address`` that of this host by which it is connected."""

    client: str
    address: str
    client_port: int = 0
    port: int = 0


def find(proc: str = "/proc", process: int | None = None) -> Connection | None:
    """Return the connection of the nearest process above this one that has one, None without a connection.

    A shell that outlived its connection, for example in tmux, does not count: the kernel does not list it any more.
    """
    for number in _ancestors(proc, os.getpid() if process is None else process):
        found = _named(proc, number)
        if found:
            client, client_port, address, port = found
            is_open = (address, port, client, client_port) in _established(proc)
            return Connection(client, address, client_port, port) if is_open else None
    return None


def _ancestors(proc: str, process: int) -> Iterator[int]:
    for _generation in range(_MOST):
        if process <= 0:
            return
        yield process
        try:
            with open(f"{proc}/{process}/stat", "rb") as file:
                # The name, in parentheses, may hold spaces; state and parent follow it.
                process = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return


def _named(proc: str, process: int) -> tuple[str, int, str, int] | None:
    try:
        with open(f"{proc}/{process}/environ", "rb") as file:
            variables = file.read().split(b"\0")
        [value] = [one[len(_VARIABLE) :] for one in variables if one.startswith(_VARIABLE)]
        client, client_port, address, port = value.decode("ascii").split(" ")
        return _plain(client), int(client_port), _plain(address), int(port)
    except (OSError, ValueError):
        return None


def _plain(text: str) -> str:
    address = ipaddress.ip_address(text.partition("%")[0])
    return str(getattr(address, "ipv4_mapped", None) or address)


def _established(proc: str) -> Iterator[tuple[str, int, str, int]]:
    """Give local address and port, then those of the other end, of each established TCP connection."""
    for name in ("tcp", "tcp6"):
        try:
            with open(f"{proc}/net/{name}", "rb") as file:
                for line in file:
                    words = line.split()
                    if words[3] == _ESTABLISHED:
                        yield (*_end(words[1]), *_end(words[2]))
        except (OSError, ValueError, IndexError):
            continue


def _end(text: bytes) -> tuple[str, int]:
    # The address is in words of 32 bits, each in the byte order of this machine: see proc_net_tcp in the kernel.
    address, _colon, port = text.partition(b":")
    words = [int(address[place : place + 8], 16) for place in range(0, len(address), 8)]
    order = "<" if sys.byteorder == "little" else ">"
    packed = struct.pack(f"{order}{len(words)}I", *words)
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return _plain(socket.inet_ntop(family, packed)), int(port, 16)
