# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a Python program as on a kernel that was booted with ipv6.disable=1: without_ipv6.py PROGRAM.

It gets no IPv6 sockets, and the files of IPv6 in /proc do not exist. Its netlink requests for IPv6 ask for a family
that this kernel does not have either: the kernel then answers as it does without IPv6. That is EAFNOSUPPORT for policy
rules, the objects of all families for a dump of routes, and EOPNOTSUPP for a change of them. The host's interfaces are
without IPv6 by net.ipv6.conf.*.disable_ipv6.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import runpy
import socket
import sys
from collections.abc import Callable
from typing import Any

_GONE = ("/proc/net/if_inet6", "/proc/sys/net/ipv6", "/proc/net/ipv6_route", "/proc/net/tcp6", "/proc/net/udp6")
# A family that no kernel has any more; the first byte after the header of a message of rtnetlink.
_IPX, _HEADER = 4, 16
_PATHS = ("stat", "lstat", "open", "listdir", "scandir", "access")
_ORIGINAL = socket.socket


class _Socket(_ORIGINAL):
    """A socket of a kernel without IPv6."""

    def __init__(self, family: int = -1, *arguments: Any, **options: Any) -> None:
        if family == socket.AF_INET6 and options.get("fileno") is None:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        super().__init__(family, *arguments, **options)

    def send(self, data: Any, *arguments: Any) -> int:
        if (
            self.family == socket.AF_NETLINK
            and self.proto == 0
            and len(data) > _HEADER
            and data[_HEADER] == socket.AF_INET6
        ):
            data = bytes(data[:_HEADER]) + bytes([_IPX]) + bytes(data[_HEADER + 1 :])
        return super().send(data, *arguments)


def _hidden(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(path: Any = ".", *arguments: Any, **options: Any) -> Any:
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(_GONE):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return function(path, *arguments, **options)

    return run


def main() -> None:
    """Run the program of the first argument, whose own arguments follow."""
    socket.socket = _Socket  # type: ignore[misc]  # that is the purpose
    for name in _PATHS:
        setattr(os, name, _hidden(getattr(os, name)))
    builtins.open = io.open = _hidden(io.open)
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
