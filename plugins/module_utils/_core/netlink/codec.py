# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the bytes of a netlink message and plain data, both ways, by pyroute2's own tables.

pyroute2 creates an object for each attribute, which takes 60 µs a message. Its tables tell the format of most
attributes: numbers, addresses, names, rows of numbers. Messages of those are packed here, all others by pyroute2.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Callable

# The value of an attribute: a number, text, a mapping or a list, as pyroute2's tables have it.
Value = Any
# One of pyroute2's message classes, or one of their tables; pyroute2 has no types.
Pyroute2 = Any
# Functions that pack and unpack the value of an attribute.
Pair = tuple[Callable[[Value], bytes], Callable[[bytes], Value]]

# linux/netlink.h: length, type, flags, sequence number, port; then, of each attribute, length and type
HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
# pyroute2's names of the types of attributes. A target is an address, unless the family is that of MPLS.
_NUMBERS, _ADDRESSES, _NAMES, _ROWS = ("uint8", "uint16", "uint32"), ("ipaddr", "target"), ("asciiz",), ("cacheinfo",)
# Attributes newer than pyroute2's tables. Addresses: before 0.9.3 they end at IFA_FLAGS (8), linux/if_addr.h continues
# with 9, 10, 11. Routes: they end at RTA_EXPIRES (23), linux/rtnetlink.h continues; ports are in network order. Rules:
# linux/fib_rules.h since 6.16; the kernel reports a mask for each single port, all ones.
_LATER_ATTRIBUTES: dict[str, tuple[tuple[int | str, ...], ...]] = {
    "address": (("IFA_RT_PRIORITY", "uint32"), ("IFA_TARGET_NETNSID", "uint32"), ("IFA_PROTO", "uint8")),
    "route": (
        ("RTA_PAD", "none"),
        ("RTA_UID", "uint32"),
        ("RTA_TTL_PROPAGATE", "uint8"),
        ("RTA_IP_PROTO", "uint8"),
        ("RTA_SPORT", "uint16"),
        ("RTA_DPORT", "uint16"),
    ),
    "rule": ((28, "FRA_SPORT_MASK", "uint16"), (29, "FRA_DPORT_MASK", "uint16")),
}
_NOT_PLAIN = (AttributeError, KeyError, OSError, TypeError, ValueError, struct.error)


class Codec:
    """Packs and unpacks the messages of one ``kind``, with ``known``, pyroute2's class for them."""

    def __init__(self, kind: str, known: Pyroute2) -> None:
        self._class = _with_later_attributes(kind, known)
        # Padding is a field without a value.
        self._fields = [name for name, _format in self._class.fields if not name.startswith("__")]
        self._header = _row(self._class.fields)
        self._pack: dict[str, tuple[int, Callable[[Value], bytes]]] = {}
        self._unpack: dict[int, tuple[str, Callable[[bytes], Value]]] = {}
        for number, name, pair in _plain_attributes(self._class):
            self._pack[name], self._unpack[number] = (number, pair[0]), (name, pair[1])

    def encode(self, header: Mapping[str, int], attributes: Mapping[str, Value]) -> bytes:
        """Return a message as bytes, without the netlink header."""
        try:
            parts = [self._header.pack(*[header.get(name, 0) for name in self._fields])]
            for name, value in attributes.items():
                number, pack = self._pack[name]
                content = pack(value)
                parts += (_ATTRIBUTE.pack(4 + len(content), number), content, bytes(-len(content) & 3))
            return b"".join(parts)
        except _NOT_PLAIN:
            return self._encode_by_pyroute2(header, attributes)

    def decode(self, data: bytes, plain_only: bool = False) -> tuple[dict[str, int], dict[str, Value]]:
        """Return the fixed fields and the attributes of a message, given with its netlink header.

        With ``plain_only`` attributes that only pyroute2 can read are left out, for thousands of requests.
        """
        try:
            header = dict(zip(self._fields, self._header.unpack_from(data, HEADER.size)))
            if header["family"] not in _FAMILIES:
                return self._decode_by_pyroute2(data)
            attributes: dict[str, Value] = {}
            at = HEADER.size + self._header.size
            while at < len(data):
                length, number = _ATTRIBUTE.unpack_from(data, at)
                if length < _ATTRIBUTE.size:
                    raise ValueError("an attribute is shorter than its header")
                if not plain_only or number in self._unpack:
                    name, unpack = self._unpack[number]
                    attributes[name] = unpack(data[at + 4 : at + length])
                at += (length + 3) & ~3
            return header, attributes
        except _NOT_PLAIN:
            return self._decode_by_pyroute2(data)

    def _encode_by_pyroute2(self, header: Mapping[str, int], attributes: Mapping[str, Value]) -> bytes:
        message = self._class()
        for name, value in header.items():
            message[name] = value
        message["attrs"] = list(attributes.items())
        message.reset()
        message.encode()
        return bytes(message.data[HEADER.size :])

    def _decode_by_pyroute2(self, data: bytes) -> tuple[dict[str, int], dict[str, Value]]:
        message = self._class(data)
        message.decode()
        return {name: message[name] for name in self._fields}, {name: _plain(value) for name, value in message["attrs"]}


def _with_later_attributes(kind: str, known: Pyroute2) -> Pyroute2:
    names = {field for entry in known.nla_map for field in entry}
    later = tuple(entry for entry in _LATER_ATTRIBUTES.get(kind, ()) if names.isdisjoint(entry[:-1]))
    return type(kind, (known,), {"nla_map": known.nla_map + later, "__module__": __name__}) if later else known


def _plain_attributes(known: Pyroute2) -> Iterator[tuple[int, str, Pair]]:
    """Yield number, name, and the functions that pack and unpack it, for each plain attribute."""
    # A table gives numbers, or counts from zero.
    numbered = [entry if isinstance(entry[0], int) else (at, *entry) for at, entry in enumerate(known.nla_map)]
    for number, name, what, *flags in numbered:
        if flags:
            continue
        if what in _NUMBERS:
            yield number, name, _number(getattr(known, what).fields)
        elif what in _ADDRESSES:
            yield number, name, (_pack_address, _unpack_address)
        elif what in _NAMES:
            yield number, name, (_pack_name, _unpack_name)
        elif what in _ROWS:
            yield number, name, _numbers(getattr(known, what).fields)


def _row(fields: Pyroute2) -> struct.Struct:
    return struct.Struct("=" + "".join(form for _name, form in fields))


def _number(fields: Pyroute2) -> Pair:
    row = _row(fields)
    return row.pack, lambda content: row.unpack(content)[0]


def _numbers(fields: Pyroute2) -> Pair:
    row, names = _row(fields), [name for name, _format in fields]
    return lambda value: row.pack(*[value[name] for name in names]), lambda data: dict(zip(names, row.unpack(data)))


def _pack_address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def _unpack_address(content: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(content) == 4 else socket.AF_INET6, content)


def _pack_name(text: str) -> bytes:
    return text.encode() + b"\0"


def _unpack_name(content: bytes) -> str:
    return content.strip(b"\0").decode()


def _plain(value: Value) -> Value:
    """Return a value decoded by pyroute2 as plain data."""
    if isinstance(value, Mapping) and "attrs" in value:
        inner = {name: _plain(part) for name, part in value.items() if name not in ("attrs", "header")}
        return {**inner, "attrs": [(name, _plain(part)) for name, part in value["attrs"]]}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value
