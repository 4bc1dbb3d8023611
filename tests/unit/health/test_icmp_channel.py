# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that share a socket for ICMP: each reply goes to the line that asked. No network."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health.icmp_channel import IcmpChannels
from ansible_collections.multihome.linux.plugins.module_utils._core.health.probe_icmp import IcmpProber
from ansible_collections.multihome.linux.plugins.module_utils._core.health.socket_binding import Pin

SOURCES = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
TARGET = {4: "198.51.100.1", 6: "2001:db8:1::1"}


class Connection:
    """A socket that keeps what is sent, and gives back what a test puts in."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Any]] = []
        self.waiting: list[bytes] = []
        self.closed = False

    def sendmsg(self, parts: tuple[bytes, ...], ancillary: Any, _flags: int, _address: Any) -> None:
        """Keep it."""
        self.sent.append((bytes(parts[0]), ancillary))

    def recv(self, _size: int) -> bytes:
        """Give back a packet."""
        if not self.waiting:
            raise BlockingIOError
        return self.waiting.pop(0)

    def setsockopt(self, *_option: Any) -> None:
        """Nothing is to be set."""

    def close(self) -> None:
        """Note that."""
        self.closed = True


class Loop:
    """What a channel needs of the loop."""

    def __init__(self) -> None:
        self.ready: Callable[[float], None] | None = None

    def watch(self, _connection: Any, ready: Callable[[float], None], write: bool = False) -> None:
        """Keep what is to be called."""
        assert not write
        self.ready = ready

    def unwatch(self, _connection: Any) -> None:
        """Nothing is to be called any more."""
        self.ready = None


class Site:
    """Two lines of one family, their answers, and the socket that they share."""

    def __init__(self, family: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.family, self.loop = family, Loop()
        self.made: list[Connection] = []
        monkeypatch.setattr(Pin, "open", lambda _pin, _kind, _protocol=0: self._open())
        self.channels = IcmpChannels(self.loop)
        self.answers: list[list[tuple[float, int, float]]] = [[], []]
        self.lines = []
        for source, answers in zip(SOURCES[family], self.answers, strict=True):
            pin = Pin(family, source=source)
            answered = self._appending(answers)
            self.lines.append(IcmpProber(self.channels.of(pin), pin, {3: TARGET[family]}, answered))

    @staticmethod
    def _appending(answers: list[tuple[float, int, float]]) -> Callable[[float, int, float], None]:
        return lambda now, target, rtt: answers.append((now, target, rtt))

    def _open(self) -> socket.socket:
        self.made.append(Connection())
        return self.made[-1]  # type: ignore[return-value]  # it does all that is needed of one

    def reply(self, request: bytes) -> bytes:
        """What a raw socket receives of the reply to a request."""
        kind = {4: 0, 6: 129}[self.family]
        return (b"\x46" + bytes(23) if self.family == 4 else b"") + bytes((kind,)) + request[1:]

    def receive(self, now: float, *packets: bytes) -> None:
        """Let packets come."""
        self.made[-1].waiting += packets
        assert self.loop.ready is not None
        self.loop.ready(now)


@pytest.fixture(params=[4, 6])
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(request.param, monkeypatch)


def test_each_reply_goes_to_the_line_that_asked_and_counts_once(site: Site) -> None:
    for number, prober in enumerate(site.lines):
        assert prober.send(3, 100.0 + number)
    [connection] = site.made
    first, second = (site.reply(request) for request, _source in connection.sent)
    site.receive(102.0, second)
    assert site.answers == [[], [(102.0, 3, 1.0)]]
    site.receive(103.0, second, first)
    assert site.answers == [[(103.0, 3, 3.0)], [(102.0, 3, 1.0)]]


def test_each_request_carries_the_address_of_its_line(site: Site) -> None:
    for prober in site.lines:
        prober.send(3, 100.0)
    family = socket.AF_INET if site.family == 4 else socket.AF_INET6
    for source, (_request, ancillary) in zip(SOURCES[site.family], site.made[0].sent, strict=True):
        [(_level, _type, content)] = ancillary
        assert socket.inet_pton(family, source) in content


def test_a_reply_that_does_not_know_the_payload_or_comes_to_a_line_that_is_gone_is_none(site: Site) -> None:
    for prober in site.lines:
        prober.send(3, 100.0)
    first, second = (site.reply(request) for request, _source in site.made[0].sent)
    # The number of the one line, and the secret of the other; no such line; too short; no reply.
    swapped = first[:-12] + second[-12:]
    unknown = first[:-16] + b"\xff" * 4 + first[-12:]
    site.receive(101.0, swapped, unknown, first[:-1], b"", site.reply(bytes(24))[:-24] + bytes((8,)) + first[-23:])
    assert site.answers == [[], []]
    site.lines[0].close()
    site.receive(101.0, first)
    assert site.answers == [[], []]
    # Control: the other line is still there.
    site.receive(101.0, second)
    assert site.answers == [[], [(101.0, 3, 1.0)]]


def test_the_socket_is_closed_with_its_last_line(site: Site) -> None:
    for prober in site.lines:
        prober.send(3, 100.0)
    site.lines[0].close()
    assert [each.closed for each in site.made] == [False]
    site.lines[1].close()
    assert [each.closed for each in site.made] == [True]
    assert site.loop.ready is None


def test_answers_are_taken_in_once_for_all_lines_of_one_moment(site: Site) -> None:
    site.lines[0].send(3, 100.0)
    [connection] = site.made
    reply = site.reply(connection.sent[0][0])
    site.lines[0].drain(101.0)
    connection.waiting.append(reply)
    site.lines[1].drain(101.0)
    assert site.answers[0] == []
    site.lines[1].drain(101.5)
    assert site.answers[0] == [(101.5, 3, 1.5)]


def test_a_mark_and_an_interface_have_a_socket_of_their_own() -> None:
    channels = IcmpChannels(Loop())
    plain = channels.of(Pin(4, source="192.0.2.1"))
    assert channels.of(Pin(4, source="192.0.2.2")) is plain
    others = [channels.of(pin) for pin in (Pin(4, mark=1), Pin(4, mark=2), Pin(4, interface="wan1"), Pin(6))]
    assert len({id(channel) for channel in (plain, *others)}) == 5
