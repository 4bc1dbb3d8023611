# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packets of probes, and what errors of this host say of a line. No network."""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Callable

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health import (
    icmp_channel,
    probe_dns,
    probe_http,
    socket_binding,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import BLOCKED, UNREACHABLE
from ansible_collections.multihome.linux.plugins.module_utils._core.health.resolver import Names
from ansible_collections.multihome.linux.plugins.module_utils._core.health.targets import Target
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EPERM, BLOCKED),
        (errno.EACCES, BLOCKED),
        (errno.ENOBUFS, None),
        (errno.EMFILE, None),
        (errno.ENETUNREACH, UNREACHABLE),
        (errno.EADDRNOTAVAIL, UNREACHABLE),
        (errno.ENODEV, UNREACHABLE),
        (errno.EHOSTUNREACH, socket_binding.COUNTS_AS_SENT),
        (errno.ECONNREFUSED, socket_binding.COUNTS_AS_SENT),
        (errno.EINVAL, socket_binding.COUNTS_AS_SENT),
    ],
)
def test_what_an_error_in_sending_says(number: int, said: str | None) -> None:
    assert socket_binding.trouble(OSError(number, "")) == said


def test_a_query_has_its_identifier_and_one_question() -> None:
    packet = probe_dns.query(0x1234, probe_dns.question("www.Example.net"))
    assert packet[:12] == struct.pack("!HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0)
    assert packet[12:] == b"\x03www\x07Example\x03net\0\0\x01\0\x01"
    assert probe_dns.question(".") == b"\0\0\x01\0\x01"


QUESTION = probe_dns.question("example.net")


def reply(flags: int = 0x8180, questions: int = 1, asked: bytes = QUESTION) -> bytes:
    return struct.pack("!HHHHHH", 0x1234, flags, questions, 1, 0, 0) + asked + b"rest"


@pytest.mark.parametrize("flags", [0x8180, 0x8183, 0x8185])
def test_any_reply_to_the_question_is_an_answer(flags: int) -> None:
    """With addresses, no such name, refused: the server is there."""
    assert probe_dns.answered_query(reply(flags), QUESTION) == 0x1234
    assert probe_dns.answered_query(reply(asked=QUESTION.upper()), QUESTION) == 0x1234


@pytest.mark.parametrize(
    "packet",
    [
        reply(0x0100),  # a query
        reply(0x8182),  # a forwarder whose way out is dead
        reply(questions=0),
        reply(asked=probe_dns.question("example.org")),
        reply()[:20],
        b"",
    ],
)
def test_anything_else_is_none(packet: bytes) -> None:
    assert probe_dns.answered_query(packet, QUESTION) is None


class Watched:
    """A loop that only keeps what it is to watch."""

    def __init__(self) -> None:
        self.ready: dict[int, Callable[[float], None]] = {}

    def watch(self, connection: socket.socket, ready: Callable[[float], None], write: bool = False) -> None:
        """Keep it."""
        assert not write
        self.ready[connection.fileno()] = ready

    def unwatch(self, connection: socket.socket) -> None:
        """Drop it."""
        self.ready.pop(connection.fileno(), None)


@pytest.mark.parametrize("family", [4, 6])
def test_an_icmp_error_is_heard_once_and_does_not_keep_the_loop_busy(family: int) -> None:
    """As from a router that refuses; until it is taken from the socket's queue, the socket is ready again and again."""
    host = {4: "127.0.0.1", 6: "::1"}[family]
    kind = {4: socket.AF_INET, 6: socket.AF_INET6}[family]
    with socket.socket(kind, socket.SOCK_DGRAM) as closed:
        closed.bind((host, 0))
        port = closed.getsockname()[1]
    loop, answers = Watched(), []
    target = Target("dns", host, port)
    prober = probe_dns.DnsProber(loop, socket_binding.Pin(family), 0, target, lambda *answer: answers.append(answer))
    for _time in range(3):
        prober.send(0, 1.0)
        assert len(loop.ready) == 1
        descriptor, ready = next(iter(loop.ready.items()))
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(30000)
        ready(1.0)
        assert poll.poll(0) == []
    prober.close()
    assert (answers, loop.ready) == ([], {})


@given(st.binary(max_size=80))
def test_no_packet_is_too_strange(packet: bytes) -> None:
    probe_dns.answered_query(packet, QUESTION)
    probe_http.status_of(packet)


def test_a_request_names_its_host() -> None:
    target = Target.parse({"http": "https://[2001:db8::1]:8443/health?deep=1"})
    lines = probe_http.request(target).split(b"\r\n")
    assert lines[0] == b"GET /health?deep=1 HTTP/1.1"
    assert b"Host: [2001:db8::1]:8443" in lines
    assert b"Host: a.example" in probe_http.request(Target.parse({"http": "http://a.example"})).split(b"\r\n")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n", 204),
        (b"HTTP/1.0 200\r\n", 200),
        (b"HTTP/1.1 2", None),
        (b"SSH-2.0-x\r\n", None),
        (b"HTTP/2 200\r\n", None),
    ],
)
def test_a_status_is_read(head: bytes, status: int | None) -> None:
    assert probe_http.status_of(head) == status


@pytest.mark.parametrize("family", [4, 6])
def test_the_filter_passes_replies_with_the_identifier_alone(family: int) -> None:
    """The kernel runs it on packets as raw sockets see them."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with here, there:
        here.setblocking(False)
        icmp_channel.attach_filter(here, icmp_channel.filter_program(family, 0xBEEF))
        # With options: a header of six words.
        header = b"\x46" + bytes(23) if family == 4 else b""
        kind = {4: 0, 6: 129}[family]
        packets = {
            "reply": header + struct.pack("!BBHHH", kind, 0, 0, 0xBEEF, 7),
            "of another": header + struct.pack("!BBHHH", kind, 0, 0, 0xBEEE, 7),
            "request": header + struct.pack("!BBHHH", kind + 8 if family == 4 else 128, 0, 0, 0xBEEF, 7),
            "short": header + bytes((kind, 0, 0, 0)),
        }
        for name in ("of another", "request", "short", "reply"):
            there.send(packets[name])
        assert here.recv(100) == packets["reply"]
        with pytest.raises(BlockingIOError):
            here.recv(100)


def test_names_are_looked_up_beside_and_keep_their_address_when_a_lookup_fails() -> None:
    answers = iter(["192.0.2.1", None])
    names = Names([("a.example", 4)], lambda _name, _family: next(answers))
    assert names.address("a.example", 4) is None
    names.stop()
    names._run()
    assert names.address("a.example", 4) == "192.0.2.1"
    names.stop()
    names._run()
    assert names.address("a.example", 4) == "192.0.2.1"
