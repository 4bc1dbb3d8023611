# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of the kernel that wake the keeper: the check of bytes, and the filter program on the same bytes."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.interest import ADDRESSES, ROUTES, Interest
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.watch import FILES

from .world import FIRST, World

OURS, BIRD = 109, 12
DESTINATION = b"\x0a\x09\x00\x00"
INTEREST = Interest(frozenset([OURS]), frozenset([254, 200, 1001]), frozenset([(DESTINATION, 16), (b"", 0)]))
REPLACED = 0x100


def message(kind: int, flags: int = 0, body: bytes = bytes(5)) -> bytes:
    """A netlink message, padded to the next one."""
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body + bytes(-len(body) % 4)


def route(kind: int, table: int, protocol: int, destination: bytes = b"", length: int = 0, flags: int = 0) -> bytes:
    """A message of a route, as Linux writes it."""
    number = table if table < 256 else 252
    body = struct.pack("=8BI", 2, length, 0, 0, number, protocol, 0, 1, 0) + struct.pack("=HHI", 8, 15, table)
    if destination:
        body += struct.pack("=HH", 4 + len(destination), 1) + destination
    return message(kind, flags, body)


def passes(program: bytes, data: bytes) -> bool:
    """Run a socket filter as Linux does (Documentation/networking/filter.rst)."""
    code = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    at = value = 0
    while True:
        operation, if_true, if_false, operand = code[at]
        at += 1
        if operation in (0x28, 0x30):
            size = 2 if operation == 0x28 else 1
            if operand + size > len(data):
                return False
            value = int.from_bytes(data[operand : operand + size], "big")
        elif operation == 0x15:
            at += if_true if value == operand else if_false
        elif operation == 0x45:
            at += if_true if value & operand else if_false
        else:
            return bool(operand)


CASES = [
    (message(33), True),  # RTM_DELRULE
    (message(21), True),  # RTM_DELADDR
    (message(16), True),  # RTM_NEWLINK
    (route(24, 1001, OURS), False),  # RTM_NEWROUTE
    (route(24, 1001, BIRD, flags=REPLACED), True),
    (route(25, 1001, BIRD), True),  # RTM_DELROUTE: it may have been in the way
    (route(25, 200, BIRD), True),
    (route(25, 201, BIRD), False),
    (route(25, 201, OURS), True),
    (route(25, 254, BIRD, b"\x0a\x0a\x00\x00", 16), False),
    (route(25, 254, BIRD, DESTINATION, 24), False),
    (route(25, 254, BIRD, DESTINATION, 16), True),
    (route(25, 254, BIRD), True),
    (route(24, 254, BIRD, DESTINATION, 16, REPLACED), True),
    (route(25, 1002, BIRD), False),
]


@pytest.mark.parametrize(("data", "relevant"), CASES)
def test_only_an_event_after_which_an_object_may_be_missing_wakes_the_keeper(data: bytes, relevant: bool) -> None:
    assert bool(INTEREST.events(data)) is relevant
    assert bool(INTEREST.events(route(24, 1001, OURS) + data)) is relevant
    assert passes(INTEREST.program(), data) or not relevant


def test_with_assigned_gateways_a_default_route_of_main_wakes_the_keeper() -> None:
    interest = Interest(frozenset([OURS]), frozenset([1001]), defaults=True)
    without = Interest(frozenset([OURS]), frozenset([1001]))
    for kind in (24, 25):
        default, other = route(kind, 254, BIRD), route(kind, 254, BIRD, DESTINATION, 16)
        assert (interest.events(default), passes(interest.program(), default)) == ({ROUTES}, True)
        assert (without.events(default), passes(without.program(), default)) == (set(), False)
        assert (interest.events(other), passes(interest.program(), other)) == (set(), False)
        assert interest.events(route(kind, 255, BIRD)) == set()
    for data, _relevant in CASES:
        assert passes(interest.program(), data) or not passes(without.program(), data)


def test_the_filter_program_drops_the_events_of_other_tables() -> None:
    """Negative control: with the main table among ours it cannot tell destinations apart."""
    interest = Interest(frozenset([OURS]), frozenset([200]))
    foreign = [route(25, table, BIRD) for table in (254, 201, 255)] + [route(24, 254, BIRD, flags=REPLACED)]
    assert [passes(interest.program(), data) for data in foreign] == [False] * 4
    assert passes(INTEREST.program(), foreign[0])
    assert not passes(interest.program(), route(24, 200, OURS))
    assert passes(interest.program(), message(33))
    many = Interest(frozenset([OURS, 110, 111]), frozenset(range(1, 150)))
    assert [passes(many.program(), route(25, table, BIRD)) for table in (1, 149, 150)] == [True, True, False]
    assert [passes(many.program(), route(25, 250, protocol)) for protocol in (109, 111, BIRD)] == [True, True, False]
    assert Interest(frozenset([OURS]), frozenset(range(1, 251))).program() == b""


@pytest.mark.parametrize("data", [b"", b"\0", struct.pack("=IHHII", 0, 24, 0, 0, 0), message(25, body=b"")])
def test_a_message_that_is_cut_short_raises_nothing(data: bytes) -> None:
    assert INTEREST.events(data) <= {ROUTES}


def test_the_interest_follows_the_stored_states(world: World) -> None:
    world.host.aliases([FIRST])
    world.run(1)
    assert world.interest == Interest(frozenset([OURS]))
    table = {"id": 1001, "routes": [{"destination": "10.9.0.0/16", "gateway": "10.0.0.254"}]}

    def deploy() -> None:
        world.host.routing([table], [])

    world.script = [(world.now + 1, deploy, {FILES})]
    world.run(3)
    assert world.interest == Interest(frozenset([OURS]), frozenset([1001]), frozenset([(DESTINATION, 16)]))


def test_events_of_routes_are_told_from_those_of_addresses() -> None:
    assert INTEREST.events(message(33) + route(25, 1001, OURS)) == {ROUTES}
    assert INTEREST.events(message(20)) == {ADDRESSES}
    assert INTEREST.events(message(16) + message(33)) == {ADDRESSES, ROUTES}
