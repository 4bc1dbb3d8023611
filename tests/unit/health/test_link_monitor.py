# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carriers, as the kernel tells them or says when it is asked."""

from __future__ import annotations

import errno
import fcntl
import select

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health import link_monitor
from hypothesis import given
from hypothesis import strategies as st


def test_an_interface_is_asked_for_its_carrier_and_told_once() -> None:
    told: list[tuple[str, bool]] = []
    carriers = link_monitor.Carriers(["lo", "nowhere"], lambda name, there: told.append((name, there)))
    carriers.ask()
    assert told == []
    carriers._last["lo"] = False
    carriers.ask()
    carriers.ask()
    assert told == [("lo", True)]
    carriers.close()


def test_an_interface_that_cannot_say_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_words: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "")

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    carriers = link_monitor.Carriers(["ppp0"], lambda _name, _there: None)
    assert carriers
    carriers.ask()
    assert not carriers
    carriers.close()


def test_many_interfaces_are_asked_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    monkeypatch.setattr(fcntl, "ioctl", lambda _channel, _what, request: asked.append(request[:16].rstrip(b"\0")))
    names = [f"eth{number:03}" for number in range(100)]
    carriers = link_monitor.Carriers(names, lambda _name, _there: None)
    for _time in range(4):
        carriers.ask()
    assert [name.decode() for name in asked] == names
    carriers.close()


def test_the_kernel_tells_of_links_without_being_told_twice() -> None:
    heard: list[tuple[str, bool]] = []
    listening = link_monitor.Links(lambda name, there: heard.append((name, there)), lambda *_neighbour: None)
    listening.take()
    assert ("lo", True) in heard
    listening.close()


def test_an_interface_that_does_not_exist_has_no_carrier() -> None:
    """The kernel says nothing of it, also not when everything is asked for again."""
    heard: list[tuple[str, bool]] = []
    links = link_monitor.Links(lambda name, there: heard.append((name, there)), lambda *_neighbour: None, ["lo", "no0"])
    for _time in range(2):
        take_all(links)
        assert ("no0", False) in heard
        assert ("lo", False) not in heard
        heard.clear()
        links._ask_for_all()
    links.close()


def test_the_addresses_of_this_host_are_known() -> None:
    told: list[bool] = []
    links = link_monitor.Links(
        lambda *_carrier: None, lambda *_neighbour: None, addresses=lambda: told.append(links.has_address("127.0.0.1"))
    )
    take_all(links)
    assert told == [True]
    assert not links.has_address("192.0.2.77")
    # One that another host has is none, and one that is removed neither.
    index, packed = 7, bytes((192, 0, 2, 77))
    attribute = link_monitor._ATTRIBUTE.pack(8, link_monitor._LOCAL) + packed
    for kind, flags, there in (
        (link_monitor._NEW_ADDRESS, 0, True),
        (link_monitor._DELETE_ADDRESS, 0, False),
        (link_monitor._NEW_ADDRESS, link_monitor._DUPLICATE, False),
    ):
        links._heard(kind, 0, link_monitor._ADDRESS.pack(flags, index) + attribute)
        assert links.has_address("192.0.2.77") == there
    assert len(told) == 4
    links.close()


def take_all(links: link_monitor.Links) -> None:
    """Take in everything that was asked for."""
    poll = select.poll()
    poll.register(links.fileno(), select.POLLIN)
    while links._dumping:
        assert poll.poll(30000)
        links.take()


def test_what_is_asked_for_during_a_dump_is_asked_after_it() -> None:
    """The kernel makes one dump at a time, and refuses a second one."""
    heard: list[str] = []
    links = link_monitor.Links(lambda name, _there: heard.append(name), lambda *_neighbour: None)
    links._ask_for_all()
    take_all(links)
    assert heard.count("lo") == 2
    links.close()


@given(st.binary(max_size=200))
def test_no_message_is_too_strange(data: bytes) -> None:
    for _kind, _sequence, body in link_monitor._messages(data):
        dict(link_monitor._attributes(body))
