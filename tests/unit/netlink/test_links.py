# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages about interfaces, as bytes."""

from __future__ import annotations

import struct

from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.codec import HEADER
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.link_codec import LinkCodec


def attribute(number: int, content: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(content), number) + content + bytes(-len(content) & 3)


def test_what_is_read() -> None:
    names = b"".join(attribute(53, name + b"\0") for name in (b"enp1s0", b"a-name-that-is-longer-than-others"))
    content = attribute(3, b"wan0\0") + attribute(7, bytes(99)) + attribute(27, struct.pack("=I", 109))
    content += attribute(0x8000 | 52, names)
    message = HEADER.pack(0, 16, 0, 1, 0) + struct.pack("=BxHiII", 0, 1, 7, 0x1003, 0) + content
    assert LinkCodec().decode(message) == (
        {"family": 0, "type": 1, "index": 7, "flags": 0x1003, "change": 0},
        {"IFLA_IFNAME": "wan0", "IFLA_GROUP": 109, "IFLA_PROP_LIST": ("enp1s0", "a-name-that-is-longer-than-others")},
    )


def test_what_is_cut_off_or_never_ends_is_left_out() -> None:
    begin = HEADER.pack(0, 16, 0, 1, 0) + struct.pack("=BxHiII", 0, 1, 7, 1, 0) + attribute(3, b"wan0\0")
    for rest in (b"\0\0", struct.pack("=HH", 0, 27), struct.pack("=HH", 3, 27)):
        assert LinkCodec().decode(begin + rest)[1] == {"IFLA_IFNAME": "wan0"}


def test_what_is_sent() -> None:
    packed = LinkCodec().encode({"family": 0, "index": 7}, {"IFLA_GROUP": 109})
    assert packed == struct.pack("=BxHiII", 0, 0, 7, 0, 0) + attribute(27, struct.pack("=I", 109))
