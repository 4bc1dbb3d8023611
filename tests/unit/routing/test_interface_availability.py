# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries and the interfaces that they depend on: down, missing, or named by an alternative name."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed, InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.alias_engine import AliasEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Route

from . import hosts
from .fake_kernel import FakeKernel
from .values import BIRD, OURS

GATEWAYS = {"eth0": "10.0.0.254", "eth1": "10.1.0.254"}


@pytest.fixture
def fake(settings: Path) -> FakeKernel:
    return hosts.routing_host(settings, [], [])


def table(number: int, by: str, **more: Any) -> dict[str, Any]:
    route = {"destination": "default", "gateway": GATEWAYS[by], "interface": by, **more}
    return {"id": number, "name": f"by-{by}", "routes": [route]}


TABLES = [table(1001, "eth0"), table(1002, "eth1")]


def routing(fake: FakeKernel, tables: Any = None, rules: Any = None, skip: bool = True, purge: bool = False) -> Any:
    return RoutingEngine(tables, rules, OURS, purge, fake.executor(), skip_unavailable=skip)


def aliases(fake: FakeKernel, listed: Any, skip: bool = True) -> AliasEngine:
    return AliasEngine(listed, OURS, False, fake.executor(), skip_unavailable=skip)


def run(made: Any, check_mode: bool = False) -> Outcome[Any]:
    return converge(made, check_mode, contextlib.nullcontext)


def defaults(fake: FakeKernel) -> list[tuple[int, str | None]]:
    return [(e.object.table, e.object.interface) for e in fake.snapshot().routes() if e.owner == OURS]


@pytest.mark.parametrize(("how", "reason"), [("down", "is down"), ("missing", "does not exist on this host")])
def test_a_dead_line_costs_only_itself(fake: FakeKernel, how: str, reason: str) -> None:
    getattr(fake, how).add("eth1")
    foreseen, made = routing(fake, TABLES), routing(fake, TABLES)
    told = foreseen.remarks(run(foreseen, check_mode=True).plan)
    done = run(made)
    assert defaults(fake) == [(1001, "eth0")]
    assert made.remarks(done.plan) == told
    place = "tables[1] (by-eth1).routes[0] (default)"
    assert told["warnings"] == [f"interface eth1 {reason}: skipped until it is up: {place}"]
    assert told["skipped"] == [{"interface": "eth1", "reason": reason, "entries": [place]}]
    # Nothing is missing for a second run, and all of it is stored for the keeper.
    assert not run(routing(fake, TABLES)).changed
    assert made.to_store(None, done.plan)["tables"] == TABLES
    assert made.waiting() == {"route 0.0.0.0/0 in table 1002": f'interface "eth1" {reason}'}
    getattr(fake, how).clear()
    run(routing(fake, TABLES))
    assert defaults(fake) == [(1001, "eth0"), (1002, "eth1")]


def test_without_leave_a_missing_interface_is_an_error(fake: FakeKernel) -> None:
    fake.missing.add("eth1")
    with pytest.raises(InvalidInput) as caught:
        run(routing(fake, TABLES, skip=False))
    assert list(caught.value.faults) == [
        'tables[1] (by-eth1).routes[0] (default): interface "eth1" does not exist on this host; it has eth0, lo'
    ]


def test_faults_of_the_list_remain_errors(fake: FakeKernel) -> None:
    fake.down.add("eth1")
    with pytest.raises(
        ApplyFailed, match=r"^tables\[0\] \(by-eth0\).routes\[0\] \(x\): cannot add route default via 192"
    ):
        run(routing(fake, [table(1001, "eth0", gateway="192.0.2.1", name="x"), TABLES[1]]))


def test_of_several_next_hops_the_living_ones_are_used(fake: FakeKernel) -> None:
    hops = [{"gateway": gateway, "interface": name, "weight": 3} for name, gateway in GATEWAYS.items()]
    tables = [{"id": 1001, "routes": [{"destination": "default", "nexthops": hops}]}]
    fake.down.add("eth1")
    made = routing(fake, tables)
    done = run(made)
    assert defaults(fake) == [(1001, "eth0")]
    assert made.remarks(done.plan)["warnings"] == [
        "interface eth1 is down: skipped until it is up: a next hop of tables[0] (1001).routes[0] (default)"
    ]
    assert not run(routing(fake, tables)).changed
    fake.down.clear()
    assert [action["op"] for action in run(routing(fake, tables)).actions()] == ["replace"]
    assert not run(routing(fake, tables)).changed
    fake.down.update(GATEWAYS)
    assert not run(routing(fake, tables)).changed, "nothing to go by: all of it waits"


def test_an_address_needs_its_interface_only_to_exist(fake: FakeKernel) -> None:
    listed = [{"address": "10.0.0.9/24", "interface": "eth0"}, {"address": "10.1.0.9/24", "interface": "eth1"}]
    fake.down.add("eth0")
    fake.missing.add("eth1")
    made = aliases(fake, listed)
    done = run(made)
    assert [action.object.interface for action in done.plan.actions] == ["eth0"]
    assert made.remarks()["skipped"] == [
        {"interface": "eth1", "reason": "does not exist on this host", "entries": ["aliases[1] (10.1.0.9/24)"]}
    ]
    assert made.to_store(None, done.plan) == {"aliases": listed}
    assert not run(aliases(fake, listed)).changed
    with pytest.raises(InvalidInput, match='interface "eth1" does not exist'):
        run(aliases(fake, listed, skip=False))


@pytest.fixture
def renamed(fake: FakeKernel) -> FakeKernel:
    """The host with other names for its interfaces."""
    fake.alternative_names = {"eth0": {"IFLA_PROP_LIST": ("enp1s0", "wan")}, "eth1": {"IFLA_PROP_LIST": ("enp2s0",)}}
    return fake


def test_an_alternative_name_is_as_good_as_the_own_one(renamed: FakeKernel) -> None:
    tables = [table(1001, "eth0", interface="wan"), table(1002, "eth1", interface="enp2s0")]
    rules = [{"priority": 5, "family": "ipv4", "in_interface": "enp2s0", "table": 1002}]
    groups = [{"interface": "enp1s0", "group": OURS}]
    made = RoutingEngine(tables, rules, executor=renamed.executor(), interface_groups=groups)
    done = run(made)
    assert defaults(renamed) == [(1001, "eth0"), (1002, "eth1")]
    assert renamed.groups == {"eth0": OURS}
    [rule] = [e.object for e in renamed.snapshot().rules() if e.owner == OURS]
    assert rule.in_interface == "eth1"
    # Stored as it was written: the kernel may call the interface otherwise after the next boot.
    stored = made.to_store(None, done.plan)
    assert stored["tables"] == tables
    assert stored["interface_groups"] == groups
    assert stored["rules"][0]["in_interface"] == "enp2s0"
    again = RoutingEngine(tables, rules, executor=renamed.executor(), interface_groups=groups)
    assert not run(again).changed
    own = RoutingEngine(TABLES, None, executor=renamed.executor())
    assert not run(own).changed


def test_an_alias_by_an_alternative_name(renamed: FakeKernel) -> None:
    listed = [{"address": "10.0.0.9/24", "interface": "wan", "label": "wan:1"}]
    made = aliases(renamed, listed)
    done = run(made)
    assert done.actions()[0]["object"] == {"address": "10.0.0.9/24", "interface": "eth0", "label": "eth0:1"}
    assert made.to_store(None, done.plan) == {"aliases": listed}
    assert not run(aliases(renamed, listed)).changed


def test_an_interface_by_two_of_its_names(renamed: FakeKernel) -> None:
    same = [{"address": "10.0.0.9/24", "interface": name} for name in ("wan", "eth0")]
    assert len(run(aliases(renamed, same)).plan.actions) == 1
    twice = "two entries for one address 10.0.0.9/24 on eth0 by two names of an interface; keep one of them"
    differ = [{**same[0], "label": "wan:1"}, same[1]]
    with pytest.raises(InvalidInput) as caught:
        run(aliases(renamed, differ))
    assert list(caught.value.faults) == [f"aliases[0] (10.0.0.9/24) and aliases[1] (10.0.0.9/24): {twice}"]
    assert len(caught.value.objects) == 1


def test_the_keeper_finds_what_it_can_leave_out_by_whatever_name(renamed: FakeKernel) -> None:
    """A conflict is told by the object under the interface's own name, and leaving that out ends it."""
    theirs = {"address": "10.0.0.9/24", "interface": "eth0", "label": "eth0:5"}
    renamed = hosts.alias_host(renamed.settings or Path(), [(BIRD, theirs)])
    renamed.alternative_names = {"eth0": {"IFLA_PROP_LIST": ("wan",)}}
    made = aliases(renamed, [{"address": "10.0.0.9/24", "interface": "wan", "label": "wan:1"}])
    current = made.read()
    with pytest.raises(Exception, match="in its place") as caught:
        made.plan(current)
    keys = {item.key for item in caught.value.objects}  # type: ignore[attr-defined]  # a ForeignObject
    assert made.without(keys).plan(current).actions == ()


LONG = "a-name-that-is-longer-than-fifteen-bytes"


def test_an_alternative_name_may_be_long(renamed: FakeKernel) -> None:
    renamed.alternative_names["eth1"] = {"IFLA_PROP_LIST": (LONG,)}
    rules = [{"priority": 5, "family": "ipv4", "in_interface": LONG, "table": 1002}]
    run(RoutingEngine([table(1002, "eth1", interface=LONG)], rules, executor=renamed.executor()))
    assert defaults(renamed) == [(1002, "eth1")]
    run(aliases(renamed, [{"address": "10.1.0.9/24", "interface": LONG}]))
    renamed.alternative_names.clear()
    with pytest.raises(InvalidInput, match=r"^rules\[0\] \(5\): an interface of this name does not exist") as caught:
        run(RoutingEngine(None, rules, executor=renamed.executor()))
    assert len(caught.value.objects) == 1
    with pytest.raises(InvalidInput, match=f'interface "{LONG}" does not exist on this host'):
        run(RoutingEngine([table(1002, "eth1", interface=LONG)], None, executor=renamed.executor()))
    for name in (LONG + "/1", "x" * 128):
        with pytest.raises(InvalidInput, match="interface name"):
            aliases(renamed, [{"address": "10.1.0.9/24", "interface": name}])


def test_a_name_that_no_interface_has_is_refused(renamed: FakeKernel) -> None:
    with pytest.raises(InvalidInput, match='interface "enp9s0" does not exist on this host; it has eth0, eth1, lo'):
        run(routing(renamed, [table(1001, "eth0", interface="enp9s0")], skip=False))


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"destination": "default", "gateway": "172.31.1.1"}, "route default via 172.31.1.1 in table 7"),
        (
            {"destination": "default", "gateway": "172.31.1.1", "interface": "wan0", "onlink": True},
            "route default via 172.31.1.1 dev wan0 onlink in table 7",
        ),
        ({"destination": "fd00::/8", "type": "unreachable"}, "route unreachable fd00::/8 in table 7"),
        (
            {"destination": "10.0.0.0/8", "nexthops": [{"gateway": "10.0.0.1"}, {"interface": "wan1"}]},
            "route 10.0.0.0/8 dev wan1 and via 10.0.0.1 in table 7",
        ),
        ({"destination": "10.0.0.0/8", "interface": "w", "source": "10.0.0.1"}, "route 10.0.0.0/8 dev w from 10.0.0.1"),
    ],
)
def test_messages_name_the_gateway_of_a_route(entry: Any, text: str) -> None:
    assert Route.parse(entry, 7).described.startswith(text)
