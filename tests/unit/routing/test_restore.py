# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fault at each request in turn: what stood before stands again, and the message says what happened."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import (
    ApplyFailed,
    ForeignObject,
    InvalidInput,
    MultihomeError,
    ReadFailed,
    VerifyFailed,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import (
    Filters,
    Message,
    RequestFailed,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import (
    changes,
    restore,
    rtnetlink_encoding,
    rtnetlink_mapping,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias, Route
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from . import hosts
from .fake_kernel import INTERFACES, FakeKernel
from .values import BIRD, OURS

MakeHost = Callable[[], FakeKernel]
MakeEngine = Callable[[FakeKernel], Any]

many = hypothesis_settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])

# A run with every kind of step: addresses change their label, go as primaries of foreign secondaries, and come.
ALIASES_THERE = [
    (OURS, {"address": "10.0.0.1/24", "interface": "eth0"}),
    (BIRD, {"address": "10.0.0.2/24", "interface": "eth0"}),
    (OURS, {"address": "10.0.9.9/32", "interface": "eth0"}),
    (OURS, {"address": "fd00::1/64", "interface": "eth0"}),
    (OURS, {"address": "10.1.0.1/24", "interface": "eth1"}),
]
ALIASES = [
    {"address": "10.1.0.1/24", "interface": "eth1", "label": "eth1:1"},
    {"address": "10.1.0.2/24", "interface": "eth1"},
    {"address": "fd00::1/48", "interface": "eth0"},
]
ROUTES_THERE: list[tuple[int, int, dict[str, Any]]] = [
    (OURS, 1001, {"destination": "default", "gateway": "10.0.0.254"}),
    (BIRD, 1001, {"destination": "default", "gateway": "10.0.0.254", "metric": 5}),
    (OURS, 1001, {"destination": "10.9.0.0/16", "type": "unreachable"}),
    (OURS, 1002, {"destination": "::/0", "gateway": "fd00::fe"}),
]
ROUTES = [
    (1001, {"destination": "default", "gateway": "10.1.0.254"}),
    (1002, {"destination": "default", "gateway": "10.1.0.254"}),
]
RULES_THERE = [
    (BIRD, {"priority": 100, "source": "10.0.0.0/24", "table": 1002}),
    (OURS, {"priority": 100, "source": "10.0.0.1", "table": 1001}),
    (OURS, {"priority": 100, "source": "10.0.0.0/24", "table": 1002}),
    (OURS, {"priority": 101, "family": "ipv4", "mark": 1, "table": 1001}),
    (OURS, {"priority": 101, "family": "ipv4", "table": 1001}),
]
RULES = [
    {"priority": 100, "family": "ipv4", "table": 1001},
    {"priority": 101, "family": "ipv4", "mark": 1, "table": 1001},
    {"priority": 102, "source": "fd00::1", "table": 1002},
]


def run(engine: Any) -> Any:
    return converge(engine, False, contextlib.nullcontext)


def alias_host(settings: Path) -> FakeKernel:
    fake = hosts.alias_host(settings, ALIASES_THERE)
    # Goes when its interface loses the only address, and that is what a change of the label means for a moment.
    theirs = Route.parse({"destination": "default", "gateway": "10.1.0.254"}, 254)
    fake.carry_out("add", rtnetlink_encoding.encode_route(theirs, INTERFACES, BIRD))
    return fake


def alias_engine(fake: FakeKernel) -> Any:
    return hosts.alias_engine(fake, ALIASES, purge=True)


def routing_host(settings: Path) -> FakeKernel:
    return hosts.routing_host(settings, ROUTES_THERE, RULES_THERE)


def routing_engine(fake: FakeKernel) -> Any:
    return hosts.routing_engine(fake, ROUTES, RULES, purge=True)


CASES = pytest.mark.parametrize(
    ("make_host", "make_engine"),
    [pytest.param(alias_host, alias_engine, id="aliases"), pytest.param(routing_host, routing_engine, id="routing")],
)


def requests_of_a_whole_run(make_host: MakeHost, make_engine: MakeEngine) -> int:
    fake = make_host()
    run(make_engine(fake))
    return len(fake.sent)


def fault_at_each_request(make_host: MakeHost, make_engine: MakeEngine, same: Callable[[FakeKernel], Any]) -> int:
    """Return how many requests were made to fail; ``same`` is what must be as before."""
    count = requests_of_a_whole_run(make_host, make_engine)
    for number in range(1, count + 1):
        fake = make_host()
        before = same(fake)
        fake.faults[number] = RequestFailed(errno.ENOBUFS)
        with pytest.raises(ApplyFailed) as caught:
            run(make_engine(fake))
        assert caught.value.not_undone == (), f"request {number}"
        assert same(fake) == before, f"request {number}: {fake.sent[number - 1]}"
    return count


@CASES
def test_a_fault_at_any_request_leaves_the_host_as_it_was(
    settings: Path, make_host: Callable[[Path], FakeKernel], make_engine: MakeEngine
) -> None:
    assert fault_at_each_request(partial(make_host, settings), make_engine, FakeKernel.state) >= 8


@CASES
def test_an_interrupt_at_any_request_leaves_the_host_as_it_was(
    settings: Path, make_host: Callable[[Path], FakeKernel], make_engine: MakeEngine
) -> None:
    for number in range(1, requests_of_a_whole_run(partial(make_host, settings), make_engine) + 1):
        fake = make_host(settings)
        before = fake.state()
        fake.faults[number] = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            run(make_engine(fake))
        assert fake.state() == before, f"request {number}"


@CASES
def test_without_undo_the_difference_would_be_seen(
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_host: Callable[[Path], FakeKernel],
    make_engine: MakeEngine,
) -> None:
    monkeypatch.setattr(changes, "restore", lambda *_arguments: [])
    with pytest.raises(AssertionError, match="request 2"):
        fault_at_each_request(partial(make_host, settings), make_engine, FakeKernel.state)


@pytest.mark.parametrize("part", ["_order_of_addresses", "_routes"])
def test_each_part_of_undo_is_needed_for_addresses(settings: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(restore, part, lambda *_arguments: None)
    with pytest.raises(AssertionError):
        fault_at_each_request(partial(alias_host, settings), alias_engine, FakeKernel.state)


def rules_of_each_owner(fake: FakeKernel) -> Any:
    # A rule of ours that is put back comes behind a foreign one of its priority: that one is not to be touched.
    return {
        **fake.state(),
        "rule": sorted(map(repr, fake.dump("rule")), key=lambda line: "'FRA_PROTOCOL': 109" in line),
    }


@given(st.lists(st.tuples(hosts.owners, hosts.aliases), max_size=7), st.lists(hosts.aliases, max_size=5), st.booleans())
@many
def test_any_fault_in_any_run_on_addresses(settings: Path, there: Any, entries: Any, purge: bool) -> None:
    make_host = partial(hosts.alias_host, settings, there)
    listed = hosts.acceptable(lambda some: hosts.alias_engine(make_host(), some, purge), entries)
    with contextlib.suppress(ForeignObject):
        fault_at_each_request(make_host, lambda fake: hosts.alias_engine(fake, listed, purge), FakeKernel.state)


@given(
    st.lists(st.tuples(hosts.owners, hosts.tables, hosts.routes), max_size=6),
    st.lists(st.tuples(hosts.tables, hosts.routes), max_size=4),
    st.lists(st.tuples(hosts.owners, hosts.rules), max_size=6),
    st.lists(hosts.rules, max_size=4),
    st.booleans(),
)
@many
def test_any_fault_in_any_run_on_routing(
    settings: Path, there: Any, routes: Any, rules_there: Any, rules: Any, purge: bool
) -> None:
    make_host = partial(hosts.routing_host, settings, there, rules_there)
    listed = hosts.acceptable(lambda some: hosts.routing_engine(make_host(), some, [], purge), routes)
    listed_rules = hosts.acceptable(lambda some: hosts.routing_engine(make_host(), [], some, purge), rules)

    def make_engine(fake: FakeKernel) -> Any:
        return hosts.routing_engine(fake, listed, listed_rules, purge)

    try:
        requests_of_a_whole_run(make_host, make_engine)
    except (ForeignObject, InvalidInput):
        return  # nothing to interrupt: see test_plan.py
    fault_at_each_request(make_host, make_engine, rules_of_each_owner)


def rule(priority: int, **more: Any) -> dict[str, Any]:
    return {"priority": priority, "family": "ipv4", "table": 1001, **more}


@pytest.mark.parametrize("priority", [0, 100])
@pytest.mark.parametrize(
    "there",
    [
        pytest.param([{}, {"source": "10.0.0.1"}], id="a particular one behind a general one"),
        pytest.param([{}, {"source": "10.0.0.1"}, {"mark": 1}, {"source": "10.0.0.0/24"}], id="several"),
        pytest.param([{"mark": 1}, {"table": 1002}, {}], id="another table between a particular and a general one"),
    ],
)
def test_a_purge_that_fails_puts_rules_back_that_are_in_each_others_way(
    settings: Path, there: list[dict[str, Any]], priority: int
) -> None:
    make_host = partial(hosts.routing_host, settings, [], [(OURS, rule(priority, **one)) for one in there])
    assert len([m for m in make_host().rules.listed if rtnetlink_mapping.owner_of(m) == OURS]) == len(there)
    count = fault_at_each_request(make_host, lambda fake: hosts.routing_engine(fake, [], [], True), FakeKernel.state)
    assert count >= len(there)


@pytest.mark.parametrize("priority", [0, 100])
def test_a_general_rule_comes_although_a_particular_one_stays(settings: Path, priority: int) -> None:
    fake = hosts.routing_host(settings, [], [(OURS, rule(priority, mark=1, source="10.0.0.1"))])
    run(hosts.routing_engine(fake, [], [rule(priority, mark=1)], False))
    stand = [m.get("FRA_SRC") for m in fake.rules.listed if rtnetlink_mapping.owner_of(m) == OURS]
    assert stand == [None, "10.0.0.1"]


def test_a_changed_label_keeps_the_routes_of_others_and_a_changed_length_leaves_none_behind(settings: Path) -> None:
    fake = alias_host(settings)
    network = [repr(m) for m in fake.routes if m.get("RTA_DST") == "fd00::" and m.header["dst_len"] == 64]
    theirs = [repr(m) for m in fake.routes if rtnetlink_mapping.owner_of(m) == BIRD]
    assert len(network) == len(theirs) == 1
    run(alias_engine(fake))
    routes = [repr(m) for m in fake.routes]
    assert theirs[0] in routes
    assert network[0] not in routes


def test_a_changed_label_keeps_a_primary_the_source_of_its_network(settings: Path) -> None:
    alias = {"address": "10.0.0.1/24", "interface": "eth0"}
    fake = hosts.alias_host(settings, [(OURS, alias), (BIRD, {**alias, "address": "10.0.0.2/24"})])
    before = fake.state()["route"]
    run(hosts.alias_engine(fake, [{**alias, "label": "eth0:1"}], purge=True))
    assert fake.state()["route"] == before


def test_the_message_says_what_failed_and_what_was_undone(settings: Path) -> None:
    fake = hosts.routing_host(settings, [], [])
    fake.faults[3] = RequestFailed(errno.EINVAL)
    with pytest.raises(ApplyFailed) as caught:
        run(routing_engine(fake))
    hint = "the kernel finds it invalid; is the gateway on the link, the source an address of this host?"
    assert str(caught.value).splitlines() == [
        f"rules[0] (100): cannot add IPv4 rule 100 (table 1001): Invalid argument ({hint})",
        "undone: add route 0.0.0.0/0 in table 1001; add route 0.0.0.0/0 in table 1002",
        "the host is as it was before",
    ]


def test_what_could_not_be_undone_is_named(settings: Path) -> None:
    fake = hosts.routing_host(settings, [], [])
    fake.faults[2] = RequestFailed(errno.EINVAL)
    fake.faults[3] = RequestFailed(errno.EBUSY)
    with pytest.raises(ApplyFailed) as caught:
        run(routing_engine(fake))
    assert caught.value.not_undone == ("remove route 0.0.0.0/0 in table 1001: Device or resource busy",)
    assert str(caught.value).splitlines()[-1] == (
        "NOT undone, repair by hand: remove route 0.0.0.0/0 in table 1001: Device or resource busy"
    )


class Unreadable(FakeKernel):
    """A kernel whose dump of this number, counted from 1, fails."""

    fails_at = 0
    dumped = 0

    def dump(self, kind: str, only: Filters | None = None) -> list[Message]:
        """Dump, or fail."""
        self.dumped += 1
        if self.dumped == self.fails_at:
            raise RequestFailed(errno.ENOBUFS)
        return super().dump(kind, only)


def unreadable(fake: FakeKernel, fails_at: int) -> Unreadable:
    result = Unreadable(fake.settings, faults=fake.faults)
    result.addresses, result.routes, result.rules = fake.addresses, fake.routes, fake.rules
    result.fails_at = fails_at
    return result


def test_a_failed_read_changes_nothing_and_says_so(settings: Path) -> None:
    fake = unreadable(routing_host(settings), 3)
    fake.read_only = True
    with pytest.raises(ReadFailed, match="cannot read the policy rules of this host: No buffer space available"):
        run(routing_engine(fake))


def test_a_read_back_that_fails_takes_the_run_back(settings: Path) -> None:
    fake = routing_host(settings)
    before = fake.state()
    with pytest.raises(VerifyFailed, match="cannot read the routes of this host"):
        run(routing_engine(unreadable(fake, 4)))
    assert fake.state() == before


def test_an_undo_that_cannot_read_says_so(settings: Path) -> None:
    fake = routing_host(settings)
    fake.faults[1] = RequestFailed(errno.EINVAL)
    with pytest.raises(ApplyFailed) as caught:
        run(routing_engine(unreadable(fake, 4)))
    assert caught.value.not_undone == ("cannot read the routes of this host: No buffer space available",)


class Liar(FakeKernel):
    """A kernel that accepts everything and, once this many requests were carried out, does nothing any more."""

    honest = 0

    def carry_out(self, operation: str, message: Message) -> None:
        """Carry out, or only seem to; an undo is taken seriously."""
        if len(self.sent) != self.honest + 1:
            super().carry_out(operation, message)


@pytest.mark.parametrize("honest", range(5))
@CASES
def test_a_kernel_that_lies_is_found_out_and_everything_is_put_back(
    settings: Path, make_host: Callable[[Path], FakeKernel], make_engine: MakeEngine, honest: int
) -> None:
    original = make_host(settings)
    liar = Liar(settings)
    liar.addresses, liar.routes, liar.rules = original.addresses, original.routes, original.rules
    liar.honest = honest
    before = liar.state()
    with pytest.raises(MultihomeError) as caught:
        run(make_engine(liar))
    assert isinstance(caught.value, (VerifyFailed, ApplyFailed))
    assert liar.state() == before
    assert str(caught.value).splitlines()[-1].endswith("as it was before")


def test_the_message_of_a_failed_verification(settings: Path) -> None:
    liar = Liar(settings)
    with pytest.raises(VerifyFailed) as caught:
        run(hosts.alias_engine(liar, [{"address": "10.0.0.1/24", "interface": "eth0"}], purge=False))
    assert str(caught.value).splitlines() == [
        "after applying, the kernel disagrees:",
        "still to do: add address 10.0.0.1/24 on eth0",
        "the host is as it was before",
    ]


class Crowded(FakeKernel):
    """A kernel in which another program adds an address beside ours, right after the first request."""

    def carry_out(self, operation: str, message: Message) -> None:
        """Carry out, and add the other address."""
        super().carry_out(operation, message)
        if len(self.sent) == 1:
            other = Alias.parse({"address": "10.0.0.2/24", "interface": "eth0"})
            super().carry_out("add", rtnetlink_encoding.encode_alias(other, INTERFACES["eth0"], BIRD))


def left_after_a_rollback(settings: Path) -> list[str]:
    fake = Crowded(settings, faults={2: RequestFailed(errno.ENOBUFS)})
    listed = [{"address": address, "interface": "eth0"} for address in ("10.0.0.1/24", "10.0.9.9/24")]
    with pytest.raises(ApplyFailed, match="the host is as it was before"):
        run(hosts.alias_engine(fake, listed, purge=False))
    return [existing.object.address for existing in fake.snapshot().addresses()]


def test_a_rollback_keeps_a_secondary_that_another_program_added_to_our_new_primary(settings: Path) -> None:
    assert left_after_a_rollback(settings) == ["10.0.0.2/24"]


def test_without_promotion_that_secondary_would_be_lost(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_interfaces_with_ipv4_changes", lambda _actions: [])
    assert left_after_a_rollback(settings) == []


def test_added_addresses_that_cannot_be_checked_are_rolled_back(settings: Path) -> None:
    fake = unreadable(hosts.alias_host(settings, []), 2)
    with pytest.raises(ApplyFailed) as caught:
        run(hosts.alias_engine(fake, [{"address": "fd00::1/64", "interface": "eth0"}], purge=False))
    assert str(caught.value).splitlines() == [
        "cannot check the added addresses: cannot read the addresses of this host: No buffer space available",
        "undone: add address fd00::1/64 on eth0",
        "the host is as it was before",
    ]
    assert fake.dump("address") == []
