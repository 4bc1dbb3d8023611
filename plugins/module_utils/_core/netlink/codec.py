# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the bytes of a netlink message and plain data, both ways, by pyroute2's own tables.

pyroute2 makes an object of each attribute, and takes 60 µs for a message so. Its tables say what most attributes are:
numbers, addresses, names, rows of numbers. Messages of those alone are packed here; any other one is left to pyroute2.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Callable

# linux/netlink.h: length, type, flags, sequence number, port; then, of each attribute, length and type
HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
# pyroute2's names of the types of attributes. A target is an address, unless the family is that of MPLS.
_NUMBERS, _ADDRESSES, _NAMES, _ROWS = ("uint8", "uint16", "uint32"), ("ipaddr", "target"), ("asciiz",), ("cacheinfo",)
# What pyroute2's tables end before. Addresses: before 0.9.3 at IFA_FLAGS (8), linux/if_addr.h goes on with 9, 10, 11.
# Rules: linux/fib_rules.h since 6.16; the kernel tells the mask of each single port, and it is all ones.
_LATER_ATTRIBUTES: dict[str, tuple[tuple[Any, ...], ...]] = {
    "address": (("IFA_RT_PRIORITY", "uint32"), ("IFA_TARGET_NETNSID", "uint32"), ("IFA_PROTO", "uint8")),
    "rule": ((28, "FRA_SPORT_MASK", "uint16"), (29, "FRA_DPORT_MASK", "uint16")),
}
_NOT_PLAIN = (AttributeError, KeyError, OSError, TypeError, ValueError, struct.error)


class Codec:
    """Packs and unpacks the messages of one ``kind``, of which ``known`` is pyroute2's class."""

    def __init__(self, kind: str, known: Any) -> None:
        self._class = _with_later_attributes(kind, known)
        # Padding is a field without a value.
        self._fields = [name for name, _format in self._class.fields if not name.startswith("__")]
        self._header = _row(self._class.fields)
        self._pack: dict[str, tuple[int, Callable[[Any], bytes]]] = {}
        self._unpack: dict[int, tuple[str, Callable[[bytes], Any]]] = {}
        for number, name, pair in _plain_attributes(self._class):
            self._pack[name], self._unpack[number] = (number, pair[0]), (name, pair[1])

    def encode(self, header: Mapping[str, int], attributes: Mapping[str, Any]) -> bytes:
        """Return a message as bytes, without the header that all netlink messages have."""
        try:
            parts = [self._header.pack(*[header.get(name, 0) for name in self._fields])]
            for name, value in attributes.items():
                number, pack = self._pack[name]
                content = pack(value)
                parts += (_ATTRIBUTE.pack(4 + len(content), number), content, bytes(-len(content) & 3))
            return b"".join(parts)
        except _NOT_PLAIN:
            return self._encode_by_pyroute2(header, attributes)

    def decode(self, data: bytes, plain_only: bool = False) -> tuple[dict[str, int], dict[str, Any]]:
        """Return the fixed fields and the attributes of a message, which is given with the header of all messages.

        With ``plain_only`` attributes that only pyroute2 can read are left out, for who asks thousands of times.
        """
        try:
            header = dict(zip(self._fields, self._header.unpack_from(data, HEADER.size)))
            if header["family"] not in _FAMILIES:
                return self._decode_by_pyroute2(data)
            attributes: dict[str, Any] = {}
            at = HEADER.size + self._header.size
            while at < len(data):
                length, number = _ATTRIBUTE.unpack_from(data, at)
                if length < _ATTRIBUTE.size:
                    raise ValueError("an attribute that is shorter than its own head")
                if not plain_only or number in self._unpack:
                    name, unpack = self._unpack[number]
                    attributes[name] = unpack(data[at + 4 : at + length])
                at += (length + 3) & ~3
            return header, attributes
        except _NOT_PLAIN:
            return self._decode_by_pyroute2(data)

    def _encode_by_pyroute2(self, header: Mapping[str, int], attributes: Mapping[str, Any]) -> bytes:
        message = self._class()
        for name, value in header.items():
            message[name] = value
        message["attrs"] = list(attributes.items())
        message.reset()
        message.encode()
        return bytes(message.data[HEADER.size :])

    def _decode_by_pyroute2(self, data: bytes) -> tuple[dict[str, int], dict[str, Any]]:
        message = self._class(data)
        message.decode()
        return {name: message[name] for name in self._fields}, {name: _plain(value) for name, value in message["attrs"]}


def _with_later_attributes(kind: str, known: Any) -> Any:
    names = {field for entry in known.nla_map for field in entry}
    later = tuple(entry for entry in _LATER_ATTRIBUTES.get(kind, ()) if names.isdisjoint(entry[:-1]))
    return type(kind, (known,), {"nla_map": known.nla_map + later, "__module__": __name__}) if later else known


def _plain_attributes(known: Any) -> Iterator[tuple[int, str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]]]:
    """Give number, name, and what packs and unpacks it, of each attribute that is plain."""
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


def _row(fields: Any) -> struct.Struct:
    return struct.Struct("=" + "".join(form for _name, form in fields))


def _number(fields: Any) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    row = _row(fields)
    return row.pack, lambda content: row.unpack(content)[0]


def _numbers(fields: Any) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
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


def _plain(value: Any) -> Any:
    """Return what pyroute2 made of an attribute as plain data."""
    if isinstance(value, Mapping) and "attrs" in value:
        inner = {name: _plain(part) for name, part in value.items() if name not in ("attrs", "header")}
        return {**inner, "attrs": [(name, _plain(part)) for name, part in value["attrs"]]}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value
