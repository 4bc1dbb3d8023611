# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carriers, addresses of this host, and the neighbour state of gateways, as the kernel tells them (rtnetlink(7))."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import socket
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator

# linux/rtnetlink.h, linux/netlink.h, linux/if.h, linux/neighbour.h
_NETLINK_ROUTE = 0
_GROUPS = 1 << 0 | 1 << 2 | 1 << 4 | 1 << 8  # RTNLGRP_LINK, _NEIGH, _IPV4_IFADDR, _IPV6_IFADDR
_NEW_LINK, _DELETE_LINK, _GET_LINK = 16, 17, 18
_NEW_ADDRESS, _DELETE_ADDRESS, _GET_ADDRESS = 20, 21, 22
_NEW_NEIGHBOUR, _DELETE_NEIGHBOUR, _GET_NEIGHBOUR = 28, 29, 30
_DONE, _REQUEST, _DUMP = 3, 0x1, 0x300
_CHANGE = 0x1 | 0x100 | 0x400  # request, replace, create
_USE = 0x01  # NTF_USE
_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ADDRESS = struct.Struct("=xxBxI")
_ATTRIBUTE = struct.Struct("=HH")
_NAME, _DESTINATION = 3, 1  # IFLA_IFNAME, NDA_DST
_PEER, _LOCAL = 1, 2  # IFA_ADDRESS, IFA_LOCAL: without a peer, IPv6 has the first one only
_DUPLICATE = 0x08  # IFA_F_DADFAILED
_UP, _LOWER_UP = 0x1, 0x10000
_FAILED = 0x20
# Reachable, stale, delayed, probed, without detection, permanent: there is, or was, an answer.
_ANSWERING = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80
# linux/sockios.h, linux/ethtool.h; struct ifreq of linux/if.h: the name, and a pointer in a union of 24 bytes.
_ETHTOOL, _GET_LINK_STATE = 0x8946, 0x0A
_REQUEST_FORM = struct.Struct("16sP16x")
# So many interfaces are asked at a time; with more, each is asked less often.
_AT_A_TIME = 32
_BUFFER = 1 << 16
_LARGE = 1 << 20

# Called with an interface's name, and whether it has its carrier; False for one that is gone.
Carrier = Callable[[str, bool], None]
# Called with an interface's name, an address, and whether it answers.
Reachable = Callable[[str, str, bool], None]


class Links:
    """Listens to the kernel; ``fileno()`` is ready when there is something to take().

    ``interfaces`` that do not exist have no carrier: the kernel says nothing of them. ``addresses`` is called when
    has_address() may have another answer.
    """

    def __init__(
        self,
        carrier: Carrier,
        neighbour: Reachable,
        interfaces: Iterable[str] = (),
        addresses: Callable[[], None] = lambda: None,
    ) -> None:
        self._carrier, self._neighbour, self._told_addresses = carrier, neighbour, addresses
        # Each with the index of its interface; not complete while the kernel is asked for all.
        self._addresses: set[tuple[int, str]] = set()
        self._addresses_known = False
        self._wanted = sorted(set(interfaces))
        self._names: dict[int, str] = {}
        # Whether a dump is under way, and another one is due after it: the kernel makes one at a time.
        self._dumping, self._again = False, False
        self._channel = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, _NETLINK_ROUTE
        )
        try:
            self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _LARGE)
            self._channel.bind((0, _GROUPS))
            self._ask_for_all()
        except OSError:
            self._channel.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._channel.fileno()

    def close(self) -> None:
        """Stop listening."""
        self._channel.close()

    def take(self, _now: float = 0.0) -> None:
        """Take in what the kernel has told; raises OSError."""
        while True:
            try:
                data = self._channel.recv(_BUFFER)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                # More happened than the buffer holds.
                self._ask_for_all()
                continue
            for kind, sequence, body in _messages(data):
                self._heard(kind, sequence, body)

    def has_address(self, address: str) -> bool:
        """Tell whether an interface of this host has an address, in the usual notation."""
        return any(address == each for _index, each in self._addresses)

    def solicit(self, interface: str, address: str) -> None:
        """Have the kernel ask for a neighbour whose answer is old or missing (NTF_USE); the result comes as an event.

        Nothing is sent to a neighbour that answered a moment ago.
        """
        index = next((index for index, name in self._names.items() if name == interface), None)
        if index is None:
            return
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        packed = socket.inet_pton(family, address)
        body = _NEIGHBOUR.pack(family, index, 0, _USE, 0)
        body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(packed), _DESTINATION) + packed
        # What an interface that is down answers is no news; neither are full buffers: it is asked again.
        with contextlib.suppress(OSError):
            self._channel.send(_HEADER.pack(_HEADER.size + len(body), _NEW_NEIGHBOUR, _CHANGE, 0, 0) + body)

    def _ask_for_all(self) -> None:
        """Ask for links, then for neighbours; later, if that is under way."""
        if self._dumping:
            self._again = True
            return
        self._dumping = True
        self._ask(_GET_LINK)

    def _ask(self, kind: int) -> None:
        head = _HEADER.pack(_HEADER.size + _LINK.size, kind, _REQUEST | _DUMP, kind, 0)
        self._channel.send(head + bytes(_LINK.size))

    def _heard(self, kind: int, sequence: int, body: bytes) -> None:
        if kind == _DONE and sequence == _GET_LINK:
            self._tell_of_missing()
            self._addresses.clear()
            self._addresses_known = False
            self._ask(_GET_ADDRESS)
        elif kind == _DONE and sequence == _GET_ADDRESS:
            self._addresses_known = True
            self._told_addresses()
            self._ask(_GET_NEIGHBOUR)
        elif kind == _DONE and sequence == _GET_NEIGHBOUR:
            again, self._dumping, self._again = self._again, False, False
            if again:
                self._ask_for_all()
        elif kind in (_NEW_LINK, _DELETE_LINK):
            self._heard_link(kind, body)
        elif kind in (_NEW_ADDRESS, _DELETE_ADDRESS):
            self._heard_address(kind, body)
        elif kind in (_NEW_NEIGHBOUR, _DELETE_NEIGHBOUR):
            self._heard_neighbour(kind, body)

    def _tell_of_missing(self) -> None:
        for name in self._wanted:
            try:
                socket.if_nametoindex(name)
            except OSError:
                self._carrier(name, False)

    def _heard_link(self, kind: int, body: bytes) -> None:
        family, _type, index, flags, _change = _LINK.unpack_from(body)
        if family != socket.AF_UNSPEC:
            return  # of a bridge's port
        attributes = dict(_attributes(body[_LINK.size :]))
        name = attributes.get(_NAME, b"").rstrip(b"\0").decode(errors="surrogateescape")
        before = self._names.get(index)
        if before is not None and before != name:
            self._carrier(before, False)
        if kind == _DELETE_LINK:
            self._names.pop(index, None)
        else:
            self._names[index] = name
        there = kind == _NEW_LINK and flags & _UP and flags & _LOWER_UP
        self._carrier(name, bool(there))

    def _heard_address(self, kind: int, body: bytes) -> None:
        flags, index = _ADDRESS.unpack_from(body)
        attributes = dict(_attributes(body[_ADDRESS.size :]))
        packed = attributes.get(_LOCAL, attributes.get(_PEER, b""))
        if len(packed) not in (4, 16):
            return
        place = (index, _text(packed))
        if kind == _NEW_ADDRESS and not flags & _DUPLICATE:
            self._addresses.add(place)
        else:
            self._addresses.discard(place)
        if self._addresses_known:
            self._told_addresses()

    def _heard_neighbour(self, kind: int, body: bytes) -> None:
        _family, index, state, _flags, _type = _NEIGHBOUR.unpack_from(body)
        destination = dict(_attributes(body[_NEIGHBOUR.size :])).get(_DESTINATION, b"")
        name = self._names.get(index)
        if name is None or len(destination) not in (4, 16) or kind == _DELETE_NEIGHBOUR:
            return
        address = _text(destination)
        if state & (_FAILED | _ANSWERING):
            self._neighbour(name, address, bool(state & _ANSWERING))


class Carriers:
    """Asks interfaces for their carrier: the kernel tells of a lost one up to a second late while others change."""

    def __init__(self, interfaces: Iterable[str], carrier: Carrier) -> None:
        self._carrier = carrier
        self._last: dict[str, bool] = dict.fromkeys(sorted(set(interfaces)), True)
        self._place = 0
        self._channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def __bool__(self) -> bool:
        return bool(self._last)

    def close(self) -> None:
        """Stop asking."""
        self._channel.close()

    def ask(self) -> None:
        """Ask some of the interfaces, and tell what has changed; one that cannot say is not asked again."""
        names = list(self._last)
        chosen = names[self._place : self._place + _AT_A_TIME]
        self._place = 0 if self._place + _AT_A_TIME >= len(names) else self._place + _AT_A_TIME
        for name in chosen:
            answer = array("I", (_GET_LINK_STATE, 0))
            request = _REQUEST_FORM.pack(name.encode()[:15], answer.buffer_info()[0])
            try:
                fcntl.ioctl(self._channel, _ETHTOOL, request)
            except OSError as error:
                if error.errno == errno.EOPNOTSUPP:
                    del self._last[name]
                continue  # not there: the kernel tells when it comes
            there = bool(answer[1])
            if there != self._last[name]:
                self._last[name] = there
                self._carrier(name, there)


def _text(packed: bytes) -> str:
    """Return an address of 4 or 16 bytes in the usual notation."""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    place = 0
    while place + _HEADER.size <= len(data):
        length, kind, _flags, sequence, _port = _HEADER.unpack_from(data, place)
        if length < _HEADER.size:
            return
        yield kind, sequence, data[place + _HEADER.size : place + length]
        place += (length + 3) & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, place)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[place + _ATTRIBUTE.size : place + length]
        place += (length + 3) & ~3
