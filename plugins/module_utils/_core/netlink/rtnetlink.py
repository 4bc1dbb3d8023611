# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rtnetlink socket: messages as plain data out and in, by pyroute2's message classes (0.7.2 to the newest).

pyroute2 drops keyword arguments that it does not know without a word (IFA_PROTO before 0.9.3, for one), so requests
are built attribute by attribute, and never through its keyword interface.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import ReadFailed
from . import pyroute2_loader
from .codec import Codec
from .links import DUMP_ATTRIBUTES, LinkCodec
from .transport import Answer, NetlinkSocket, RequestFailed

__all__ = ["FAMILIES", "FLAGS", "Message", "Netlink", "RequestFailed", "Socket", "attributes", "dump", "interfaces"]
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

PLURAL = {"link": "interfaces", "address": "addresses", "route": "routes", "rule": "policy rules"}


@dataclass(frozen=True)
class Message:
    """One netlink message: ``kind`` says of what, ``header`` are its fixed fields, ``attributes`` the rest."""

    kind: str
    header: Mapping[str, int]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or ``default``."""
        return self.attributes.get(name, default)


class Socket(Protocol):
    """What is needed of a netlink socket; tests put a stateful fake in its place."""

    def dump(self, kind: str) -> list[Message]:
        """Return every object of a kind."""

    def send(self, operation: str, message: Message) -> None:
        """Add, replace or remove one object."""


def dump(socket: Socket, kind: str) -> list[Message]:
    """Return every object of a kind; raises ReadFailed when the kernel does not tell."""
    try:
        return socket.dump(kind)
    except RequestFailed as error:
        raise ReadFailed(f"cannot read the {PLURAL[kind]} of this host: {error}") from error


class Netlink:
    """A socket to the kernel of this network namespace; a context manager."""

    def __init__(self) -> None:
        pyroute2_loader.message_classes()
        self._socket = NetlinkSocket(_NETLINK_ROUTE)

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def dump(self, kind: str) -> list[Message]:
        """Return every object of a kind, of both families, in the kernel's order.

        A dump that the kernel says was interrupted by a change is taken again (RFC 3549; NLM_F_DUMP_INTR).
        """
        messages: list[Message] = []
        if kind == "link":
            return self._dump(kind, socket.AF_UNSPEC)
        # Addresses of all families come with one request; routes and rules are asked for family by family, as an
        # AF_UNSPEC dump would also bring those of multicast and MPLS.
        for family in (socket.AF_UNSPEC,) if kind == "address" else FAMILIES:
            wanted = FAMILIES if kind == "address" else (family,)
            # With IPv6 switched off the kernel answers an IPv6 dump with everything: keep only what was asked for.
            messages += [m for m in self._dump(kind, family) if m.header["family"] in wanted]
        return messages

    def _dump(self, kind: str, family: int) -> list[Message]:
        for _attempt in range(10):
            asked = DUMP_ATTRIBUTES if kind == "link" else {}
            answers = self._request(kind, _GET[kind], {"family": family}, asked, _REQUEST | _ROOT_MATCH)
            if not any(answer.flags & _DUMP_INTERRUPTED for answer in answers):
                return [_decoded(kind, answer) for answer in answers if answer.type == _NEW[kind]]
        raise RequestFailed(4, f"{kind}s of this host change faster than they can be read")

    def send(self, operation: str, message: Message) -> None:
        """Add, replace or remove one object. Raises RequestFailed when the kernel refuses."""
        if message.kind == "link":
            self._request("link", _SET_LINK, message.header, message.attributes, _REQUEST | _ACK)
            return
        types = _DELETE if operation == "remove" else _NEW
        self._request(message.kind, types[message.kind], message.header, message.attributes, FLAGS[operation])

    def look_up(self, header: Mapping[str, int], attributes: Mapping[str, Any]) -> Message:
        """Ask the kernel which route a packet would take (RTM_GETROUTE without dump). Raises RequestFailed.

        The answer has no nested attributes (metrics, several next hops).
        """
        answers = self._request("route", _GET["route"], header, attributes, _REQUEST)
        codec = _codec("route")
        return Message("route", *codec.decode(answers[0].data, plain_only=True))

    def _request(
        self, kind: str, message_type: int, header: Mapping[str, int], attributes: Mapping[str, Any], flags: int
    ) -> list[Answer]:
        return self._socket.request(message_type, flags, _codec(kind).encode(header, attributes))


def _decoded(kind: str, answer: Answer) -> Message:
    return Message(kind, *_codec(kind).decode(answer.data))


@functools.cache
def _codec(kind: str) -> Codec | LinkCodec:
    return LinkCodec() if kind == "link" else Codec(kind, pyroute2_loader.message_classes()[kind])


def interfaces() -> dict[str, int]:
    """Return the interfaces of this network namespace: name to index."""
    return {name: index for index, name in socket.if_nameindex()}


def attributes(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return attributes without those that are None."""
    return {name: value for name, value in pairs if value is not None}
