# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the gateways of lines without targets are asked for, and when they count as dead."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health.gateway_watch import (
    ASK_EVERY,
    GRACE,
    Addresses,
    Gateways,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import DOWN, RECOVERING, UP
from ansible_collections.multihome.linux.plugins.module_utils._core.health.loop import Loop
from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import parse_lines
from ansible_collections.multihome.linux.plugins.module_utils._core.health.probe_schedule import Watch

LINE: dict[str, Any] = {
    "name": "unicom",
    "id": 1,
    "interface": "wan0",
    "addresses": ["203.0.113.10", "2001:db8:a::10"],
    "gateways": ["203.0.113.1", "2001:db8:a::1"],
}
FOUR, SIX = ("wan0", "203.0.113.1"), ("wan0", "2001:db8:a::1")


class Asked(list[tuple[str, str]]):
    """What the kernel was made to ask."""

    def __call__(self, *place: str) -> None:
        """Note a question."""
        self.append((place[0], place[1]))


def gateways(**settings: Any) -> Gateways:
    (line,) = parse_lines([{**LINE, **settings}])
    return Gateways([Watch(line, family, 0.0) for family in line.families], 0.0)


@pytest.fixture
def made() -> Iterator[Callable[..., Loop]]:
    """Returns loops that do not run; closes them."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(contextlib.closing(Loop(parse_lines([{**LINE, **settings}]))))


def test_they_are_asked_for_again_and_again() -> None:
    watched, asked = gateways(), Asked()
    for now in (watched.next_time, watched.next_time + ASK_EVERY):
        assert watched.look(now, asked) == []
        assert asked == [FOUR, SIX]
        asked.clear()
        assert watched.next_time == now + ASK_EVERY


def test_with_targets_or_without_an_interface_nothing_is_asked() -> None:
    targets = {"health": {"targets": ["192.0.2.1", "2001:db8:f::1"]}}
    for settings in (targets, {"interface": None}):
        watched = gateways(**settings)
        assert watched.next_time == float("inf")
        # It is only a hint there.
        assert watched.is_dead(1.0, FOUR, Asked())


def test_one_that_is_said_not_to_answer_is_asked_and_has_a_second_for_it() -> None:
    watched, asked = gateways(), Asked()
    watched.look(0.0, asked)
    asked.clear()
    assert not watched.is_dead(1.0, FOUR, asked)
    assert asked == [FOUR]
    assert not watched.is_dead(1.5, FOUR, asked)
    assert asked == [FOUR]
    assert watched.next_time == 1.0 + GRACE
    assert watched.look(1.0 + GRACE, asked) == [FOUR]
    # From then on there is nothing to doubt, until it answers.
    assert watched.is_dead(4.0, FOUR, asked)
    watched.answered(FOUR)
    assert not watched.is_dead(5.0, FOUR, asked)
    watched.answered(FOUR)
    assert watched.look(5.0 + GRACE, asked) == []


def test_an_address_that_is_missing_may_be_replaced_within_a_second() -> None:
    (line,) = parse_lines([LINE])
    watches = [Watch(line, family, 0.0) for family in line.families]
    watched, here = Addresses(watches), set(LINE["addresses"])
    assert watched.look(1.0, here.__contains__) == []
    here.remove("203.0.113.10")
    assert watched.look(2.0, here.__contains__) == []
    assert watched.next_time == 2.0 + GRACE
    # As after a new lease: the keeper tells the new one.
    here.add("203.0.113.11")
    watches[0].address = "203.0.113.11"
    assert watched.look(2.0 + GRACE, here.__contains__) == []
    assert watched.next_time == float("inf")
    # Control: this one is not replaced.
    here.remove("203.0.113.11")
    watched.look(5.0, here.__contains__)
    assert watched.look(5.0 + GRACE, here.__contains__) == [(watches[0], False)]
    watches[0].judge.address(6.0, present=False)
    here.add("203.0.113.11")
    assert watched.look(7.0, here.__contains__) == [(watches[0], True)]


def test_an_address_that_nobody_assigned_is_not_looked_for() -> None:
    (line,) = parse_lines([{**LINE, "addresses": ["auto:wan0:ipv4"]}])
    watched = Addresses([Watch(line, 4, 0.0)])
    assert watched.look(1.0, lambda _address: False) == []
    assert watched.next_time == float("inf")


def test_what_is_known_of_a_gateway_ends_with_it(made: Callable[..., Loop]) -> None:
    """The one that takes its place may be in the kernel's table for long, and then nothing is said of it."""
    loop = made()
    loop._heard_carrier("wan0", True)
    for place in (FOUR, SIX):
        loop._heard_neighbour(*place, False)
    loop.set_gateways("unicom", ["203.0.113.9", SIX[1]])
    loop._heard_post(1.0)
    states = {probes.watch.family: (probes.watch.judge.state, probes.watch.judge.reason) for probes in loop._probes}
    # Control: the other family's is the same as before.
    assert states[6] == (DOWN, "the gateway does not answer")
    assert states[4][0] == RECOVERING


def test_sockets_are_bound_again_when_an_interface_of_the_name_is_back(made: Callable[..., Loop]) -> None:
    """It may be another one: what is bound to an interface stays with it when that is renamed."""
    health = {"targets": [{"dns": "127.0.0.1"}]}
    loop = made(interface="lo", bind_interface=True, health=health)
    probes = next(each for each in loop._probes if each.watch.family == 4)
    (before,) = probes._probers
    loop._heard_carrier("lo", True)
    # Control: nothing was lost.
    assert probes._probers == [before]
    loop._heard_carrier("lo", False)
    loop._heard_carrier("lo", True)
    assert probes._probers != [before]


def test_a_gateway_of_one_family_says_nothing_of_the_other(made: Callable[..., Loop]) -> None:
    loop = made()
    loop._heard_carrier("wan0", True)
    loop._heard_neighbour("wan0", SIX[1], False)
    assert {probes.watch.family: probes.watch.judge.state for probes in loop._probes} == {4: UP, 6: DOWN}
