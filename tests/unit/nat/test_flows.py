# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connections are deleted after a change, compared with a plain walk down the lists, over random lists."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput, Unsupported
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.conntrack import (
    DESTINATION_TRANSLATED,
    SOURCE_TRANSLATED,
    Conntrack,
    End,
    Flow,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.conntrack_flush import FlowFlusher
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.engine import NatEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import parse_rules
from ansible_collections.multihome.linux.tests.unit.nat.engines import selection
from ansible_collections.multihome.linux.tests.unit.nat.entries import entries, packets, plain
from ansible_collections.multihome.linux.tests.unit.nat.fake_nft import FakeNft
from ansible_collections.multihome.linux.tests.unit.nat.packets import WITH_PORTS, Packet, first_match, hooks
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

Listed = Sequence[dict[str, Any]]
# The host's own address.
OWN = "198.51.100.1"


class FakeConntrack(Conntrack):
    """Connection tracking in memory."""

    def __init__(self, *flows: Flow, fails: bool = False) -> None:
        super().__init__()
        self.held = list(flows)
        self.fails = fails
        # Of these, answers are under way when they are deleted.
        self.answered: list[Flow] = []

    def check(self) -> None:
        """Raise where the test wants it."""
        if self.fails:
            raise Unsupported("connection tracking", "the rights of root", "an ordinary user")

    def flows(self, only_translated: bool) -> Iterator[Flow]:
        """Yield the connections."""
        self.check()
        return (flow for flow in list(self.held) if flow.status or not only_translated)

    def delete(self, flows: list[Flow]) -> list[tuple[Flow, str]]:
        """Delete some."""
        self.held = [flow for flow in self.held if flow not in flows]
        answered = [flow for flow in flows if flow in self.answered]
        self.held += [Flow(flow.family, flow.protocol, flow.reply, flow.original, 0x10) for flow in answered]
        self.answered = []
        return []

    def successors(self, flows: Sequence[Flow]) -> list[Flow | None]:
        """Find the entries of the same packets, of either direction."""
        return [
            next((held for held in self.held if flow.original in (held.original, held.reply)), None) for flow in flows
        ]


@dataclass
class FakePaths:
    """Routes that all use one interface; None is an unknown one."""

    interface: str | None = "wan0"
    own: set[str] = field(default_factory=lambda: {OWN})

    def is_local(self, address: str) -> bool:
        """Return whether the test says so."""
        return address in self.own

    def arrival(self, _source: str, _destination: str) -> str | None:
        """Return the interface."""
        return self.interface

    def departure(self, _source: str, destination: str) -> str | None:
        """Return the interface, None for the host itself."""
        return None if destination in self.own else self.interface


def at_once(_seconds: float) -> None:
    """Do not wait."""


class Flusher(FlowFlusher):
    """The flusher on a host whose interfaces have one address."""

    def _addresses(self, _interface: str | None) -> Collection[str]:
        return {OWN}


def flow_of(listed: Listed, packet: Packet) -> Flow:
    """Return the connection that a packet begins where the list is configured."""
    done = first_match(listed, packet)
    ports = (packet.source_port, packet.destination_port) if packet.protocol in WITH_PORTS else (None, None)
    original = End(packet.source, packet.destination, *ports)
    source, source_port = packet.source, ports[0]
    destination, destination_port = packet.destination, ports[1]
    status = 0
    if done and done[1] == (packet.destination if packet.hook == "destination" else packet.source):
        # An exemption.
        done = None
    if done and packet.hook == "destination":
        # Redirected ones come to the host itself.
        status, destination, destination_port = DESTINATION_TRANSLATED, done[1] or OWN, done[2] or ports[1]
    elif done:
        # The interface that everything leaves by has one address.
        status, source = SOURCE_TRANSLATED, done[1] or OWN
        if done[2]:
            source_port = int(done[2].partition("-")[0])
    reply = End(source=destination, destination=source, source_port=destination_port, destination_port=source_port)
    return Flow(packet.family, packet.protocol, original, reply, status)


def deleted(before: Listed, after: Listed, flow: Flow, which: str, paths: FakePaths | None = None) -> bool:
    """Return whether a change deletes a connection."""
    conntrack = FakeConntrack(flow)
    flusher = Flusher(which, conntrack, paths=paths or FakePaths(), sleep=at_once)
    lists = [[entry.object for entry in parse_rules(listed)] for listed in (before, after)]
    foretold = flusher.flush(lists[0], lists[1], check_mode=True)
    assert conntrack.held == [flow]
    assert flusher.flush(lists[0], lists[1], check_mode=False) == foretold == 1 - len(conntrack.held)
    return not conntrack.held


def _at(hook: str, listed: Listed) -> Listed:
    """Return the entries of one hook: a packet of the small world passes only that one."""
    return [entry for entry in listed if hook in hooks(entry)]


def _without_interface(listed: Listed) -> list[dict[str, Any]]:
    """Return a legal list of the entries without an interface."""
    return [entry for entry in listed if not {"in_interface", "out_interface"} & set(entry)]


KEPT = {"type": "exempt", "protocol": "udp", "family": "ipv4", "keeps": "destination"}
ALL = {"type": "dnat", "protocol": "udp", "destination": "10.0.0.0/24", "to_address": "192.168.0.1"}


# Found by hypothesis: only the exemption before an entry goes.
@example([KEPT, ALL], [ALL], [Packet("destination", 4, "udp", "10.0.0.1", "10.0.0.1", 1, 1, "wan0")])
@settings(max_examples=80)
@given(entries(), entries(), st.lists(packets(), min_size=5, max_size=30))
def test_new_deletes_those_that_are_not_translated_and_would_be(
    before: Listed, after: Listed, sent: list[Packet]
) -> None:
    for packet in sent:
        flow = flow_of(before, packet)
        expected = not flow.status and bool(flow_of(after, packet).status)
        event("deleted" if expected else "left")
        lists = _at(packet.hook, before), _at(packet.hook, after)
        assert deleted(*lists, flow, "new", FakePaths(packet.interface)) == expected, packet


@settings(max_examples=80)
@given(entries(), entries(), st.data(), st.lists(packets(), min_size=5, max_size=30))
def test_changed_deletes_those_that_would_be_translated_otherwise(
    before: Listed, added: Listed, data: st.DataObject, sent: list[Packet]
) -> None:
    before, added = _without_interface(plain(before)), _without_interface(plain(added))
    # Some entries go, others come, and the order is any.
    keys = {entry.object.key for entry in parse_rules(added)}
    kept = [e for e in before if data.draw(st.booleans()) and parse_rules([e])[0].object.key not in keys]
    after = data.draw(st.permutations([*added, *kept]))
    try:
        parse_rules(after)
    except InvalidInput:
        return
    for packet in sent:
        flow = flow_of(before, packet)
        expected = not _same_result(flow, after, packet)
        event("deleted" if expected else "left")
        assert deleted(_at(packet.hook, before), _at(packet.hook, after), flow, "changed") == expected, packet


def _same_result(flow: Flow, after: Listed, packet: Packet) -> bool:
    """Return whether a connection is as one that begins now would be; of several source ports any one will do."""
    now = flow_of(after, packet)
    done = first_match(after, packet)
    if packet.hook == "destination" or not done or not now.status:
        return flow == now
    first, _dash, last = (done[2] or "1-65535").partition("-")
    port = flow.reply.destination_port
    same_address = flow.status == now.status and flow.reply.destination == now.reply.destination
    return same_address and (port is None or int(first) <= port <= int(last or first))


WEB = {
    "type": "dnat",
    "protocol": "udp",
    "destination": "203.0.113.10",
    "destination_port": "53",
    "to_address": "192.168.168.1",
}
LINE = {"type": "masquerade", "family": "ipv4", "out_interface": "wan0"}
ASKED = Flow(4, "udp", End("198.51.100.9", "203.0.113.10", 4000, 53), End("203.0.113.10", "198.51.100.9", 53, 4000), 0)
MAPPED = Flow(
    4,
    "udp",
    ASKED.original,
    End("192.168.168.1", "198.51.100.9", 53, 4000),
    DESTINATION_TRANSLATED,
)


def test_changed_deletes_those_that_another_order_of_the_entries_translates_otherwise() -> None:
    some = {**WEB, "source": "198.51.100.0/24", "to_address": "192.168.168.2"}
    assert deleted([WEB, some], [some, WEB], MAPPED, "changed")
    # Not where the order is the same, where only others move, and not with ``new``.
    assert not deleted([WEB, some], [WEB, some], MAPPED, "changed")
    other = {**WEB, "destination": "203.0.113.11"}
    assert not deleted([WEB, other], [other, WEB], MAPPED, "changed")
    assert not deleted([WEB, some], [some, WEB], MAPPED, "new")


OUT = Flow(4, "tcp", End("192.168.168.1", "192.0.2.1", 5000, 80), End("192.0.2.1", "192.168.168.1", 80, 5000), 0)


@pytest.mark.parametrize("which", ["new", "changed"])
def test_a_flow_older_than_its_mapping_is_deleted_and_one_of_another_port_is_not(which: str) -> None:
    assert deleted([], [WEB], ASKED, which)
    assert not deleted([], [{**WEB, "destination_port": "54"}], ASKED, which)
    assert not deleted([WEB], [WEB, {**WEB, "destination_port": "54"}], ASKED, which)
    assert not deleted([WEB], [{**WEB, "name": "another name"}], ASKED, which)


def test_only_changed_deletes_flows_to_the_old_server() -> None:
    moved = {**WEB, "to_address": "192.168.168.2"}
    assert deleted([WEB], [moved], MAPPED, "changed")
    assert deleted([WEB], [], MAPPED, "changed")
    assert deleted([WEB], [{**moved, "source": "198.51.100.0/24"}, WEB], MAPPED, "changed")
    assert not deleted([WEB], [moved], MAPPED, "new")
    assert not deleted([WEB], [], MAPPED, "new")


def test_an_exemption_ends_the_translation_of_flows_only_with_changed() -> None:
    exempt = {"type": "exempt", "family": "ipv4", "in_interface": "wan0"}
    assert deleted([WEB], [exempt, WEB], MAPPED, "changed")
    assert not deleted([WEB], [exempt, WEB], MAPPED, "new")
    assert not deleted([], [exempt, WEB], ASKED, "new")
    masked = Flow(4, "tcp", OUT.original, End("192.0.2.1", "198.51.100.1", 80, 5000), SOURCE_TRANSLATED)
    vpn = {"type": "exempt", "destination": "192.0.2.0/24"}
    assert deleted([LINE], [vpn, LINE], masked, "changed")
    assert not deleted([LINE], [{**vpn, "destination": "192.0.3.0/24"}, LINE], masked, "changed")
    assert not deleted([], [vpn, LINE], OUT, "new")


@pytest.mark.parametrize("which", ["new", "changed"])
def test_a_flow_whose_exemption_ends_is_deleted_if_it_is_translated_from_now_on(which: str) -> None:
    exempt = {"type": "exempt", "protocol": "udp", "destination": "203.0.113.0/24", "keeps": "destination"}
    assert deleted([exempt, WEB], [WEB], ASKED, which)
    # Another order ends it as well.
    assert deleted([exempt, WEB], [WEB, exempt], ASKED, which)
    # These remain exempt, or nothing translates them.
    other = {**WEB, "destination_port": "54"}
    assert not deleted([exempt, WEB], [exempt, WEB, other], ASKED, which)
    assert not deleted([exempt, WEB], [other, exempt, WEB], ASKED, which)
    assert not deleted([exempt], [], ASKED, which)
    assert not deleted([exempt, other], [other], ASKED, which)
    # An older connection that no exemption kept is left, as is one whose exemption may not have matched.
    assert not deleted([{**exempt, "destination": "203.0.114.0/24"}, WEB], [WEB], ASKED, which)
    entering = {**exempt, "in_interface": "wan0"}
    assert deleted([entering, WEB], [WEB], ASKED, which)
    assert not deleted([entering, WEB], [WEB], ASKED, which, FakePaths("lan0"))
    assert not deleted([entering, WEB], [WEB], ASKED, which, FakePaths(None))


def test_what_another_program_translated_is_left() -> None:
    assert not deleted([], [{**WEB, "to_address": "192.168.168.2"}], MAPPED, "changed")


def test_what_a_later_entry_translates_to_the_same_server_is_left() -> None:
    everything = {"type": "dnat", "destination": "203.0.113.10", "to_address": "192.168.168.1"}
    assert not deleted([WEB, everything], [everything], MAPPED, "changed")
    assert deleted([WEB], [{**everything, "to_address": "192.168.168.2"}], MAPPED, "changed")


def test_the_interface_is_that_of_the_route_and_an_unknown_one_leaves_the_flow() -> None:
    entering = {**WEB, "in_interface": "wan0"}
    for rules, flow in (([entering], ASKED), ([LINE], OUT)):
        assert deleted([], rules, flow, "new", FakePaths("wan0"))
        assert not deleted([], rules, flow, "new", FakePaths("lan0"))
        assert not deleted([], rules, flow, "new", FakePaths(None))
    # Where the first entry may match, the second may not be the one that translates.
    assert not deleted([], [entering, {**WEB, "to_address": "192.168.168.2"}], ASKED, "new", FakePaths(None))


def test_what_stays_on_the_host_or_leaves_it_as_its_own_is_left() -> None:
    # Its own connection to another host is not translated by an entry without a destination.
    anywhere = {k: v for k, v in WEB.items() if k != "destination"}
    assert not deleted([], [anywhere], ASKED, "new", FakePaths(own={"198.51.100.9"}))
    assert deleted([], [anywhere], ASKED, "new", FakePaths(own={"198.51.100.9", "203.0.113.10"}))
    # A connection to the host itself never leaves it.
    assert not deleted([], [LINE], OUT, "new", FakePaths(own={"192.0.2.1"}))
    # The firewall's own connections have the address of the line already.
    own = Flow(4, "tcp", End("198.51.100.1", "192.0.2.1", 1, 2), End("192.0.2.1", "198.51.100.1", 2, 1), 0)
    assert not deleted([], [LINE], own, "new")
    loop = Flow(4, "udp", End("127.0.0.1", "127.0.0.1", 1, 53), End("127.0.0.1", "127.0.0.1", 53, 1), 0)
    assert not deleted([], [anywhere], loop, "new")


def engine(conntrack: FakeConntrack, **options: Any) -> NatEngine:
    """Return an engine on nft in memory."""
    flusher = FlowFlusher("new", conntrack, paths=FakePaths(), sleep=at_once)
    return NatEngine([WEB], selection=selection(FakeNft()), flows=flusher, **options)


def test_a_connection_that_an_answer_under_way_makes_of_a_deleted_one_is_deleted_too() -> None:
    rules = [parse_rules([{**WEB, "to_address": address}])[0].object for address in ("10.0.0.1", "10.0.0.2")]
    end = End("192.0.2.1", "203.0.113.10", 40000, 53)
    moved = Flow(4, "udp", end, End("10.0.0.1", "192.0.2.1", 53, 40000), DESTINATION_TRANSLATED)
    conntrack = FakeConntrack(moved)
    conntrack.answered = [moved]
    flusher = Flusher("changed", conntrack, paths=FakePaths(), sleep=at_once)
    assert flusher.flush(rules[:1], rules[1:], check_mode=False) == 1
    assert conntrack.held == []
    # The control: the connection that the client opens again stays.
    right = Flow(4, "udp", end, End("10.0.0.2", "192.0.2.1", 53, 40000), DESTINATION_TRANSLATED)
    conntrack.held = [moved]
    flusher = Flusher("changed", conntrack, paths=FakePaths(), sleep=lambda _seconds: conntrack.held.append(right))
    assert flusher.flush(rules[:1], rules[1:], check_mode=False) == 1
    assert conntrack.held == [right]


def test_the_keeper_deletes_them_when_it_restores_and_tells_when_it_cannot() -> None:
    for fails in (False, True):
        conntrack = FakeConntrack(ASKED, MAPPED, OUT, fails=fails)
        made = engine(conntrack)
        current = made.read()
        assert made.repair(made.plan(current), current) == {}
        assert conntrack.held == ([ASKED, MAPPED, OUT] if fails else [MAPPED, OUT])
        assert list(made.waiting()) == (["connections older than their translation"] if fails else [])
        assert not made.plan(made.read()).actions


@pytest.mark.parametrize("value", ["new", "changed", "true", True])
def test_a_missing_requirement_is_told_before_anything_changes(value: object) -> None:
    made = engine(FakeConntrack(fails=True), forget_flows=value)
    current = made.read()
    with pytest.raises(Unsupported, match="connection tracking"):
        made.apply(made.plan(current), current)
    assert made.plan(made.read()).actions


@pytest.mark.parametrize("value", ["none", "false", False])
def test_nothing_is_asked_where_nothing_is_deleted(value: object) -> None:
    made = engine(FakeConntrack(fails=True), forget_flows=value)
    current = made.read()
    plan = made.plan(current)
    made.apply(plan, current)
    assert made.flush_flows(plan, check_mode=False) == {}


def test_another_value_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"forget_flows.*not one of none, new, changed"):
        engine(FakeConntrack(), forget_flows="some")
