# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rtnetlink socket: messages as plain data, encoded by pyroute2's message classes (0.7.2 to the newest).

pyroute2 silently drops keyword arguments that it does not know (such as IFA_PROTO before 0.9.3), so requests are built
attribute by attribute, and never through its keyword interface.
"""

from __future__ import annotations

import errno
import functools
import os
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..errors import ReadFailed
from . import pyroute2_loader
from .codec import HEADER, Codec, Value
from .link_codec import DUMP_ATTRIBUTES, LinkCodec
from .transport import Answer, Keep, NetlinkSocket, RequestFailed

__all__ = [
    "FAMILIES",
    "FLAGS",
    "Message",
    "Netlink",
    "RequestFailed",
    "RouteFilter",
    "Socket",
    "attributes",
    "dump",
    "interfaces",
]
# linux/netlink.h
_NETLINK_ROUTE = 0
_REQUEST, _ACK, _ROOT_MATCH = 0x001, 0x004, 0x300
_REPLACE, _EXCLUSIVE, _CREATE = 0x100, 0x200, 0x400
_DUMP_INTERRUPTED = 0x010
FLAGS = {
    "add": _REQUEST | _ACK | _CREATE | _EXCLUSIVE,
    "replace": _REQUEST | _ACK | _CREATE | _REPLACE,
    "remove": _REQUEST | _ACK,
}
# linux/rtnetlink.h: RTM_NEWADDR is 20, RTM_NEWROUTE 24, RTM_NEWNEIGH 28, RTM_NEWRULE 32, and RTM_DEL… and RTM_GET…
# follow each; RTM_NEWLINK is 16. An interface is changed by RTM_SETLINK, and never made or deleted here.
_NEW, _DELETE, _GET = (
    {"link": base - 4, "address": base, "route": base + 4, "neighbour": base + 8, "rule": base + 12}
    for base in (20, 21, 22)
)
_SET_LINK = 19
FAMILIES = (socket.AF_INET, socket.AF_INET6)

# struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags; struct rtattr: length, type
_ROUTE_HEADER, _ATTRIBUTE, _TABLE_NUMBER = struct.Struct("=8BI"), struct.Struct("=HH"), struct.Struct("=I")
_DESTINATION, _TABLE = 1, 15  # RTA_DST, RTA_TABLE
_COMPATIBLE_TABLE = 252  # RT_TABLE_COMPAT: a table above 255

# A kernel that cannot select dumps all routes for each filter: with more than these, one dump without a filter is used.
_FEW_FILTERS = 2

PLURAL = {"link": "interfaces", "address": "addresses", "route": "routes", "rule": "policy rules"}


@dataclass(frozen=True)
class Message:
    """One netlink message: ``kind`` is the kind of object, ``header`` its fixed fields, ``attributes`` the rest."""

    kind: str
    header: Mapping[str, int]
    attributes: Mapping[str, Value] = field(default_factory=dict)

    def get(self, name: str, default: Value = None) -> Value:
        """Return an attribute, or ``default``."""
        return self.attributes.get(name, default)


@dataclass(frozen=True)
class RouteFilter:
    """Selects routes of a dump by table, protocol and destinations (packed network, length); None selects all."""

    table: int | None = None
    protocol: int | None = None
    family: int | None = None
    destinations: frozenset[tuple[bytes, int]] | None = None

    def selects(self, data: bytes, at: int = 0) -> bool:
        """Tell whether the route message at a place of the data matches; reads no more bytes than it needs."""
        start = at + HEADER.size
        family, length, _source, _tos, table, protocol, _scope, _type, _flags = _ROUTE_HEADER.unpack_from(data, start)
        if self.protocol not in (None, protocol) or self.family not in (None, family):
            return False
        if self.table is not None and table not in (self.table, _COMPATIBLE_TABLE):
            return False
        if self.table is None and self.destinations is None:
            return True
        destination, table = place_of_route(data, at, table)
        if self.table is not None and table != self.table:
            return False
        return self.destinations is None or (destination, length) in self.destinations


def place_of_route(data: bytes, at: int, table: int) -> tuple[bytes, int]:
    """Return destination and table of a route message; the destination is empty for a default route."""
    destination = b""
    end = min(len(data), at + HEADER.unpack_from(data, at)[0])
    at += HEADER.size + _ROUTE_HEADER.size
    while at + _ATTRIBUTE.size <= end:
        length, number = _ATTRIBUTE.unpack_from(data, at)
        if number == _DESTINATION:
            destination = data[at + _ATTRIBUTE.size : at + length]
        elif number == _TABLE and length == _ATTRIBUTE.size + _TABLE_NUMBER.size:
            table = _TABLE_NUMBER.unpack_from(data, at + _ATTRIBUTE.size)[0]
        at += max((length + 3) & ~3, _ATTRIBUTE.size)
    return destination, table


Filters = Sequence[RouteFilter]


class Socket(Protocol):
    """The interface of a netlink socket; tests use a stateful fake."""

    def dump(self, kind: str, only: Filters | None = None) -> list[Message]:
        """Return every object of a kind, or those routes that a filter of ``only`` selects."""

    def send(self, operation: str, message: Message) -> None:
        """Add, replace or remove one object."""


def dump(socket: Socket, kind: str, only: Filters | None = None) -> list[Message]:
    """Return every object of a kind, or at least the selected routes; raises ReadFailed."""
    try:
        return socket.dump(kind) if only is None else socket.dump(kind, only)
    except RequestFailed as error:
        raise ReadFailed(f"cannot read the {PLURAL[kind]} of this host: {error}") from error


class Netlink:
    """A socket to the kernel of this network namespace; a context manager."""

    def __init__(self) -> None:
        pyroute2_loader.message_classes()
        self._socket = NetlinkSocket(_NETLINK_ROUTE)
        self._strict = self._socket.check_strictly(False)

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def dump(self, kind: str, only: Filters | None = None) -> list[Message]:
        """Return every object of a kind, of both families, in the kernel's order; or at least the routes selected.

        A dump that was interrupted by a change is repeated (RFC 3549; NLM_F_DUMP_INTR).
        """
        if only is not None and self._strict:
            self._socket.check_strictly(True)
            try:
                return self._selected(kind, only)
            finally:
                self._socket.check_strictly(False)
        if only is not None and len(only) <= _FEW_FILTERS:
            return self._selected(kind, only)
        messages: list[Message] = []
        if kind == "link":
            return self._dump(kind, socket.AF_UNSPEC)
        # One request returns the addresses of all families; routes and rules are read family by family, as an
        # AF_UNSPEC dump would include those of multicast and MPLS.
        for family in (socket.AF_UNSPEC,) if kind == "address" else FAMILIES:
            expected = FAMILIES if kind == "address" else (family,)
            # With IPv6 disabled the kernel answers an IPv6 dump with all families: keep only the requested one.
            messages += [m for m in self._dump(kind, family) if m.header["family"] in expected]
        return messages

    def _selected(self, kind: str, only: Filters) -> list[Message]:
        messages: list[Message] = []
        for each in only:
            for family in FAMILIES if each.family is None else (each.family,):
                messages += self._dump(kind, family, replace(each, family=family))
        return messages

    def _dump(self, kind: str, family: int, only: RouteFilter | None = None) -> list[Message]:
        header, selected = self._selection(family, only) if kind == "route" else ({"family": family}, {})
        selected = DUMP_ATTRIBUTES if kind == "link" else selected
        keep = None if only is None else only.selects
        for _attempt in range(10):
            try:
                answers = self._request(kind, _GET[kind], header, selected, _REQUEST | _ROOT_MATCH, keep)
            except RequestFailed as error:
                if only is not None and selected and error.code == errno.ENOENT:
                    return []  # The table has no routes, and so does not exist.
                if family == socket.AF_INET6 and error.code == errno.EAFNOSUPPORT:
                    return []  # With IPv6 disabled the kernel has no policy rules of it.
                raise
            if not any(answer.flags & _DUMP_INTERRUPTED for answer in answers):
                return [_decoded(kind, answer) for answer in answers if answer.type == _NEW[kind]]
        raise RequestFailed(errno.EINTR, f"{kind}s of this host change faster than they can be read")

    def _selection(self, family: int, only: RouteFilter | None) -> tuple[dict[str, int], dict[str, int]]:
        """Return header and attributes of a dump request; a kernel before 4.20 ignores any selection."""
        header: dict[str, int] = {"family": family}
        if only is None or not self._strict:
            return header, {}
        if only.protocol is not None:
            header["proto"] = only.protocol
        return header, {} if only.table is None else {"RTA_TABLE": only.table}

    def send(self, operation: str, message: Message) -> None:
        """Add, replace or remove one object. Raises RequestFailed when the kernel refuses."""
        if message.kind == "link":
            self._request("link", _SET_LINK, message.header, message.attributes, _REQUEST | _ACK)
            return
        types = _DELETE if operation == "remove" else _NEW
        self._request(message.kind, types[message.kind], message.header, message.attributes, FLAGS[operation])

    def look_up(self, header: Mapping[str, int], attributes: Mapping[str, Value]) -> Message:
        """Ask the kernel which route a packet would take (RTM_GETROUTE without dump). Raises RequestFailed.

        The answer has no nested attributes (metrics, several next hops).
        """
        answers = self._request("route", _GET["route"], header, attributes, _REQUEST)
        codec = _codec("route")
        return Message("route", *codec.decode(answers[0].data, plain_only=True))

    def _request(
        self,
        kind: str,
        message_type: int,
        header: Mapping[str, int],
        attributes: Mapping[str, Value],
        flags: int,
        keep: Keep | None = None,
    ) -> list[Answer]:
        return self._socket.request(message_type, flags, _codec(kind).encode(header, attributes), keep)


def _decoded(kind: str, answer: Answer) -> Message:
    return Message(kind, *_codec(kind).decode(answer.data))


@functools.cache
def _codec(kind: str) -> Codec | LinkCodec:
    return LinkCodec() if kind == "link" else Codec(kind, pyroute2_loader.message_classes()[kind])


def has_ipv6() -> bool:
    """Tell whether the kernel has IPv6 at all: it may be booted with ipv6.disable=1, or lack the module."""
    return os.path.exists("/proc/net/if_inet6")


def interfaces() -> dict[str, int]:
    """Return the interfaces of this network namespace: name to index."""
    return {name: index for index, name in socket.if_nameindex()}


def attributes(pairs: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """Return attributes without those that are None."""
    return {name: value for name, value in pairs if value is not None}
