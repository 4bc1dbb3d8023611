# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interface groups: only the default group and our own are changed, before the rules that use them, and undone."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed, InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import RequestFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine

from . import hosts
from .fake_kernel import FakeKernel
from .values import OURS

RULE = {
    "priority": 20000,
    "family": "ipv4",
    "table": "main",
    "suppress_prefix_length": 7,
    "suppress_interface_group": OURS,
}


@pytest.fixture
def fake(settings: Path) -> FakeKernel:
    return hosts.routing_host(settings, [], [])


def groups(*names: str, group: int = OURS) -> list[dict[str, Any]]:
    return [{"interface": name, "group": group} for name in names]


def engine(fake: FakeKernel, listed: Any, rules: Any = None, purge: bool = False) -> RoutingEngine:
    return RoutingEngine(None, rules, OURS, purge, fake.executor(), listed)


def run(made: RoutingEngine, check_mode: bool = False) -> Outcome[Any]:
    return converge(made, check_mode, contextlib.nullcontext)


def test_a_group_is_given_before_the_rule_that_uses_it(fake: FakeKernel) -> None:
    fake.read_only = True
    foreseen = run(engine(fake, groups("eth0", "eth1"), [RULE]), check_mode=True)
    fake.read_only = False
    made = engine(fake, groups("eth0", "eth1"), [RULE])
    done = run(made)
    assert done.actions() == foreseen.actions()
    assert [message.kind for _operation, message in fake.sent] == ["link", "link", "rule"]
    assert fake.groups == {"eth0": OURS, "eth1": OURS}
    assert made.after(done.plan)["interface_groups"] == groups("eth0", "eth1")
    assert made.before(done.plan) == {"rules": [], "interface_groups": []}
    assert made.lines(done.plan)["after"][:2] == [f"group {OURS} of interface {name}" for name in ("eth0", "eth1")]
    again = run(engine(fake, groups("eth0", "eth1"), [RULE]))
    assert not again.changed


def test_the_group_of_somebody_else_stays_and_is_told(fake: FakeKernel) -> None:
    fake.groups["eth1"] = 5
    made = engine(fake, groups("eth0", "eth1"), purge=True)
    done = run(made)
    assert fake.groups == {"eth0": OURS, "eth1": 5}
    assert made.remarks(done.plan) == {
        "warnings": [
            (
                "interface_groups[1] (eth1): interface eth1 is in group 5 already and keeps it; rules with "
                "suppress_interface_group 109 do not pass over the main table's routes by it"
            )
        ]
    }
    assert not run(engine(fake, groups("eth0", "eth1"), purge=True)).changed


def test_a_missing_interface_is_no_error_and_is_put_into_its_group_when_it_appears(fake: FakeKernel) -> None:
    fake.missing.add("eth1")
    made = engine(fake, groups("eth0", "eth1"))
    done = run(made)
    assert fake.groups == {"eth0": OURS}
    [warning] = made.remarks(done.plan)["warnings"]
    assert warning.startswith("interface_groups[1] (eth1): interface eth1 does not exist; it gets group 109 when")
    assert list(made.waiting()) == ["group 109 of interface eth1"]
    assert made.to_store(None, done.plan) == {"interface_groups": groups("eth0", "eth1")}
    fake.missing.clear()
    assert [str(action) for action in made.without(()).plan(made.read()).actions] == ["add group 109 of interface eth1"]


@pytest.mark.parametrize("purge", [True, False])
def test_purge_takes_only_interfaces_of_our_own_group_out(fake: FakeKernel, purge: bool) -> None:
    fake.groups.update(eth0=OURS, eth1=5)
    made = engine(fake, [], purge=purge)
    done = run(made)
    assert fake.groups == {"eth0": 0 if purge else OURS, "eth1": 5}
    assert made.before(done.plan) == {"interface_groups": groups("eth0")}
    assert made.after(done.plan) == {"interface_groups": [] if purge else groups("eth0")}


def test_rules_go_before_the_groups_that_they_use(fake: FakeKernel) -> None:
    run(engine(fake, groups("eth0"), [RULE]))
    fake.sent.clear()
    run(engine(fake, [], [], purge=True))
    assert [(operation, message.kind) for operation, message in fake.sent] == [("remove", "rule"), ("replace", "link")]


def test_another_number_replaces_ours(fake: FakeKernel) -> None:
    run(engine(fake, groups("eth0")))
    done = run(engine(fake, groups("eth0", group=200)))
    assert done.actions() == [{"op": "replace", "object": {"interface": "eth0", "group": 200}}]
    assert fake.groups == {"eth0": 200}


def test_what_is_refused_later_takes_the_group_back(fake: FakeKernel) -> None:
    before = fake.state()
    fake.faults[3] = RequestFailed(errno.EPERM)
    with pytest.raises(ApplyFailed, match=r"^rules\[0\] \(20000\): cannot add IPv4 rule 20000 "):
        run(engine(fake, groups("eth0", "eth1"), [RULE]))
    assert fake.state()["link"] == [text.replace("'IFLA_GROUP': 109", "'IFLA_GROUP': 0") for text in before["link"]]
    assert fake.state() == before


def test_faults_of_the_list() -> None:
    listed = [
        {"interface": "eth0"},
        {"interface": "eth0/1", "group": 4294967295},
        {"interface": "eth1", "group": 0},
        {"interface": "lo", "group": 109},
        {"interface": "eth2", "group": 109},
        {"name": "again", "interface": "eth2", "group": 110},
    ]
    twice = "two entries for one interface eth2; keep one of them"
    with pytest.raises(InvalidInput) as caught:
        RoutingEngine(None, None, interface_groups=listed)
    assert list(caught.value.faults) == [
        "interface_groups[0] (eth0): group is missing",
        "interface_groups[1] (eth0/1): not an interface name",
        'interface_groups[1] (eth0/1): group "4294967295": not within 0 to 4294967294',
        "interface_groups[2] (eth1): group 0 is the group of every interface; leave the entry out, and purge",
        "interface_groups[3] (lo): the loopback interface belongs to no line",
        f"interface_groups[4] (eth2) and interface_groups[5] (again): {twice}",
    ]
