# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interfaces that packets between two addresses use, as the kernel routes them now. Needs no library.

Connection tracking does not record interfaces, and an entry may match by one. The marks of a connection are not known
here either: where routes depend on marks, the answer is that for packets without one.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import struct
from dataclasses import dataclass

from ..errors import Unsupported
from ..netlink.transport import NetlinkSocket, RequestFailed

# linux/rtnetlink.h
_GET_ROUTE, _REQUEST = 26, 0x001
_HEADER_SIZE = 16
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_NUMBER = struct.Struct("=I")
_DESTINATION, _SOURCE, _ARRIVES_BY, _LEAVES_BY = 1, 2, 3, 4
_UNICAST, _LOCAL = 1, 2


@dataclass(frozen=True)
class Way:
    """Where packets go: to this host (``is_local``), or out by an interface."""

    interface: str
    is_local: bool


class FlowPaths:
    """Asks the kernel, once for each pair of addresses. One object serves one run."""

    def __init__(self) -> None:
        self._socket: NetlinkSocket | None = None
        # Bound to this object: routes may differ in the next run.
        self._asked = functools.lru_cache(maxsize=None)(self._ask)

    def is_local(self, address: str) -> bool:
        """Return whether an address is one of this host."""
        way = self._asked(address)
        return way is not None and way.is_local

    def arrival(self, source: str, destination: str) -> str | None:
        """Return the interface that packets of ``source`` arrive by, None where that is not known."""
        way = self._asked(source, destination) or self._asked(source)
        return None if way is None or way.is_local else way.interface

    def departure(self, source: str, destination: str) -> str | None:
        """Return the interface that packets leave by; None where that is not known, or where they stay here."""
        arriving = self.arrival(source, destination)
        way = self._asked(destination, source, arriving or "") or self._asked(destination)
        return None if way is None or way.is_local else way.interface

    def _ask(self, destination: str, source: str = "", arriving: str = "") -> Way | None:
        family = socket.AF_INET6 if ":" in destination else socket.AF_INET
        try:
            if self._socket is None:
                self._socket = NetlinkSocket(socket.NETLINK_ROUTE)
            content = _question(family, destination, source, socket.if_nametoindex(arriving) if arriving else 0)
            [answer] = self._socket.request(_GET_ROUTE, _REQUEST, content)
        except RequestFailed:
            return None
        except OSError as error:
            raise Unsupported("route lookups", "a kernel that answers them", str(error)) from error
        return _way(answer.data[_HEADER_SIZE:])


def _question(family: int, destination: str, source: str, arriving: int) -> bytes:
    bits = 128 if family == socket.AF_INET6 else 32
    content = _ROUTE.pack(family, bits, bits if source else 0, 0, 0, 0, 0, 0, 0)
    content += _attribute(_DESTINATION, ipaddress.ip_address(destination).packed)
    if source:
        content += _attribute(_SOURCE, ipaddress.ip_address(source).packed)
    return content + (_attribute(_ARRIVES_BY, _NUMBER.pack(arriving)) if arriving else b"")


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value


def _way(content: bytes) -> Way | None:
    kind = _ROUTE.unpack_from(content)[7]
    place = _ROUTE.size
    index = 0
    while place + _ATTRIBUTE.size <= len(content):
        length, attribute = _ATTRIBUTE.unpack_from(content, place)
        if attribute == _LEAVES_BY:
            index = _NUMBER.unpack_from(content, place + _ATTRIBUTE.size)[0]
        place += max((length + 3) & ~3, _ATTRIBUTE.size)
    if kind not in (_UNICAST, _LOCAL) or not index:
        return None
    try:
        return Way(socket.if_indextoname(index), kind == _LOCAL)
    except OSError:
        # The interface is gone meanwhile.
        return None
