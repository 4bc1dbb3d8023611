# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages about interfaces (RTM_NEWLINK), as far as the engine needs them: name, flags, group, alternative names.

pyroute2's class for them imports a driver for each type of interface, which takes longer than a whole dump.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from .codec import HEADER

# linux/if.h, linux/if_link.h, linux/rtnetlink.h
UP = 0x1  # IFF_UP
_FIELDS = ("family", "type", "index", "flags", "change")
_HEADER, _ATTRIBUTE, _NUMBER = struct.Struct("=BxHiII"), struct.Struct("=HH"), struct.Struct("=I")
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_NAME, _GROUP, _EXTENSIONS, _PROPERTIES, _ALTERNATIVE_NAME = 3, 27, 29, 52, 53
_NUMBERS = {"IFLA_GROUP": _GROUP, "IFLA_EXT_MASK": _EXTENSIONS}
# RTEXT_FILTER_SKIP_STATS: counters are most of the message, and nobody reads them here.
DUMP_ATTRIBUTES = {"IFLA_EXT_MASK": 1 << 3}


class LinkCodec:
    """Packs and unpacks these messages, as Codec does others."""

    def encode(self, header: Mapping[str, int], attributes: Mapping[str, Any]) -> bytes:
        """Return a message as bytes, without the header that all netlink messages have."""
        parts = [_HEADER.pack(*[header.get(name, 0) for name in _FIELDS])]
        for name, value in attributes.items():
            parts.append(_ATTRIBUTE.pack(_ATTRIBUTE.size + _NUMBER.size, _NUMBERS[name]) + _NUMBER.pack(value))
        return b"".join(parts)

    def decode(self, data: bytes, plain_only: bool = True) -> tuple[dict[str, int], dict[str, Any]]:
        """Return the fixed fields and the attributes of a message, which is given with the header of all messages."""
        del plain_only  # all that is read here is plain
        header = dict(zip(_FIELDS, _HEADER.unpack_from(data, HEADER.size)))
        attributes: dict[str, Any] = {}
        for kind, content in _parts(data[HEADER.size + _HEADER.size :]):
            if kind == _NAME:
                attributes["IFLA_IFNAME"] = _text(content)
            elif kind == _GROUP:
                attributes["IFLA_GROUP"] = _NUMBER.unpack_from(content)[0]
            elif kind == _PROPERTIES:
                names = [_text(value) for inner, value in _parts(content) if inner == _ALTERNATIVE_NAME]
                attributes["IFLA_PROP_LIST"] = tuple(names)
        return header, attributes


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _TYPE_MASK, data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3


def _text(content: bytes) -> str:
    return content.rstrip(b"\0").decode(errors="surrogateescape")
