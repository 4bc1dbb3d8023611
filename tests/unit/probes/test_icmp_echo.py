# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP echo packets: what is built can be read again, and nothing else is taken for a reply."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.probes.icmp_echo import (
    EchoReply,
    echo_request,
    internet_checksum,
    read_echo_reply,
    without_ipv4_header,
)
from hypothesis import given
from hypothesis import strategies as st

SIXTEEN_BITS = st.integers(0, 0xFFFF)
REPLY_TYPE = {4: 0, 6: 129}


def reply_to(family: int, request: bytes) -> bytes:
    """What a host answers: the request with the type of a reply, and for IPv4 a checksum of its own."""
    bare = struct.pack("!BBH", REPLY_TYPE[family], 0, 0) + request[4:]
    if family == 6:
        return bare
    return bare[:2] + struct.pack("!H", internet_checksum(bare)) + bare[4:]


def test_checksum_of_the_example_in_rfc_1071() -> None:
    # Section 3: the sum of these eight bytes is 0xddf2, and the checksum its complement.
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2 ^ 0xFFFF


def test_a_request_of_ipv4_is_as_rfc_792_draws_it() -> None:
    assert echo_request(4, 0x1234, 7, b"ab") == bytes.fromhex("0800") + bytes.fromhex("8462 1234 0007") + b"ab"


def test_a_request_of_ipv6_leaves_its_checksum_to_the_kernel() -> None:
    assert echo_request(6, 0x1234, 7, b"ab") == bytes.fromhex("8000 0000 1234 0007") + b"ab"


@given(st.binary(max_size=70))
def test_data_with_its_own_checksum_sums_to_zero(data: bytes) -> None:
    even = data if len(data) % 2 == 0 else data + b"\0"
    assert internet_checksum(even + struct.pack("!H", internet_checksum(even))) == 0


@given(st.sampled_from((4, 6)), SIXTEEN_BITS, SIXTEEN_BITS, st.binary(max_size=70))
def test_a_reply_is_read_as_it_was_asked(family: int, identifier: int, sequence: int, payload: bytes) -> None:
    request = echo_request(family, identifier, sequence, payload)
    assert read_echo_reply(family, reply_to(family, request)) == EchoReply(identifier, sequence, payload)
    # The request itself, which a raw socket on the same host sees too, is no reply.
    assert read_echo_reply(family, request) is None


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_reply_of_ipv4_with_one_bit_wrong_is_no_reply(payload: bytes, data: st.DataObject) -> None:
    packet = bytearray(reply_to(4, echo_request(4, 1, 2, payload)))
    bit = data.draw(st.integers(0, len(packet) * 8 - 1))
    packet[bit // 8] ^= 1 << bit % 8
    assert read_echo_reply(4, bytes(packet)) is None


@given(st.sampled_from((4, 6)), st.binary(max_size=60))
def test_any_bytes_are_read_without_an_error(family: int, packet: bytes) -> None:
    reply = read_echo_reply(family, without_ipv4_header(packet))
    assert reply is None or isinstance(reply, EchoReply)


@pytest.mark.parametrize("other", [3, 5, 11, 8])
def test_other_messages_are_no_reply(other: int) -> None:
    bare = struct.pack("!BBHHH", other, 0, 0, 1, 2)
    packet = bare[:2] + struct.pack("!H", internet_checksum(bare)) + bare[4:]
    assert internet_checksum(packet) == 0
    assert read_echo_reply(4, packet) is None


def test_the_ip_header_ends_where_it_says() -> None:
    assert without_ipv4_header(b"\x45" + bytes(19) + b"body") == b"body"
    # With one word of options.
    assert without_ipv4_header(b"\x46" + bytes(23) + b"body") == b"body"
    assert without_ipv4_header(b"\x45short") == b""
    assert without_ipv4_header(b"") == b""
