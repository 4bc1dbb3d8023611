# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the keeper looks and what comes of it, on a kernel in memory and by a clock of its own."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core import duplicate_addresses, wire
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import Busy
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper import keeper, settling
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.damping import BURST
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.keeper import IDLE, Keeper
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.settling import Settling
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.states import States
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.watch import FILES, FILTERS, ROUTES, STOP
from ansible_collections.multihome.linux.plugins.module_utils._core.model import Alias, Route
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink import RequestFailed
from ansible_collections.multihome.linux.tests.unit.core.fake_kernel import INTERFACES

from .hosts import Host

BASE = {"address": "10.0.0.50/24", "interface": "eth0"}
FIRST, SECOND = ({"address": f"10.0.0.{n}/24", "interface": "eth0"} for n in (1, 2))
ADDRESS_V6 = {"address": "fd00:168::1/64", "interface": "eth0"}
# linux/if_addr.h
NO_DETECTION, DETECTION_FAILED, TENTATIVE = 0x02, 0x08, 0x40
LATE = {"address": "10.7.0.1/24", "interface": "eth7"}
TABLE = {"id": 1001, "routes": [{"destination": "default", "gateway": "10.0.0.254"}]}
RULES = [{"priority": 23010 + n, "family": "ipv4", "source": f"10.0.0.{n}", "table": 1001} for n in (1, 2)]
BIRD = 12


class World:
    """A host with a base address and stored state, its keeper, and a script of what happens when."""

    def __init__(self, root: Path) -> None:
        self.host = Host(root)
        self.now = 1000.0
        self.script: list[tuple[float, Callable[[], None], set[str]]] = []
        self.looks: list[float] = []
        self.locked = 0
        self.put(BASE, owner=0)
        self.keeper = self.fresh()

    def fresh(self) -> Keeper:
        """A keeper that was started just now."""
        engines = {"ip_aliases": self.host.alias_engine, "policy_routing": self.host.routing_engine}
        states = States(str(self.host.directory), engines)
        return Keeper(states, self.lock, lambda: self.now, Settling(self.now, lambda _interface: True))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Note when the keeper looks; be held by somebody else as often as `locked` says."""
        self.looks.append(self.now)
        if self.locked:
            self.locked -= 1
            raise Busy("another run (process 7) has held it for 5 s")
        yield

    def put(self, entry: dict[str, Any], owner: int) -> None:
        """Add an address of somebody's."""
        alias = Alias.parse(entry)
        self.host.fake.carry_out("add", wire.encode_alias(alias, INTERFACES[alias.interface], owner))

    def take(self, entry: dict[str, Any]) -> None:
        """Remove an address."""
        alias = Alias.parse(entry)
        self.host.fake.carry_out("remove", wire.encode_alias(alias, INTERFACES[alias.interface], 0))

    def mark(self, address: str, flag: int) -> None:
        """Set a flag of an address that stands, as duplicate address detection does."""
        for message in self.host.fake.addresses:
            if message.get("IFA_ADDRESS") == address:
                message.attributes["IFA_FLAGS"] |= flag  # type: ignore[index]  # the fake's own, a dict

    def detects(self) -> bool:
        """Whether the address that was put on last is looked for on its link."""
        return not self.host.fake.sent[-1][1].header["flags"] & NO_DETECTION

    def lose_routing(self) -> None:
        """Remove all policy rules, and all routes but the kernel's own."""
        self.host.fake.rules = type(self.host.fake.rules)()
        self.host.fake.routes = [route for route in self.host.fake.routes if route.header["proto"] == 2]

    def rules(self) -> list[Any]:
        """The policy rules of ours."""
        return [rule for rule in self.host.fake.snapshot().existing("rule") if rule.owner == 109]

    def routes(self) -> list[tuple[int, int, str | None]]:
        """Table, owner and gateway of each route that is not the kernel's own."""
        found = self.host.fake.snapshot().existing("route")
        return [(route.object.table, route.owner, route.object.gateway) for route in found if route.owner != 2]

    def addresses(self) -> list[str]:
        """The addresses that stand."""
        snapshot = self.host.fake.snapshot()
        return [existing.object.address for existing in snapshot.existing("address")]

    def wait(self, timeout: float) -> set[str]:
        """Let the time pass until something happens, as Watch.wait does."""
        until = self.now + timeout
        if self.script and self.script[0][0] <= until:
            moment, action, happened = self.script.pop(0)
            self.now = max(self.now, moment)
            action()
            return happened
        self.now = until
        return set()

    def run(self, until: float) -> dict[str, Any]:
        """Run the keeper through the script; return its last report."""
        reports: list[dict[str, Any]] = []
        self.script.append((self.now + until, lambda: None, {STOP}))
        self.script.sort(key=lambda step: step[0])
        self.keeper.run(self, reports.append)
        return reports[-1]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_stored_is_applied_at_the_start(world: World) -> None:
    world.host.aliases([FIRST, SECOND])
    world.host.routing([TABLE], RULES)
    wanted = world.host.fake.state()
    world.take(FIRST)
    world.take(SECOND)
    world.lose_routing()
    report = world.run(1)
    assert world.host.fake.state() == wanted
    assert report["repairs"] == 5
    assert (report["damped"], report["waiting"], report["refused"], report["last_error"]) == ([], [], [], None)


def test_what_stands_is_left_alone_and_nobody_looks_before_it_is_time(world: World) -> None:
    world.host.aliases([FIRST])
    world.host.fake.read_only = True
    assert world.run(2.5 * IDLE)["repairs"] == 0
    assert [round(look - 1000) for look in world.looks] == [0, 300, 600]


def test_what_goes_is_back_at_once_and_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.host.aliases([FIRST, SECOND])
    world.script = [(1005.0, lambda: world.take(FIRST), {ROUTES})]
    report = world.run(10)
    assert "10.0.0.1/24" in world.addresses()
    assert world.looks[1] < 1005.0 + keeper.PATIENCE
    assert report["last_repair"]["object"] == "address 10.0.0.1/24 on eth0"
    assert "ip_aliases: put back address 10.0.0.1/24 on eth0" in capsys.readouterr().err


def test_events_of_packet_filters_are_no_reason_to_look_at_routes(world: World) -> None:
    world.host.aliases([FIRST])
    world.script = [(1005.0, lambda: world.take(FIRST), {FILTERS})]
    assert world.run(10)["repairs"] == 0
    assert "10.0.0.1/24" not in world.addresses()


def test_events_that_pour_in_make_few_looks(world: World) -> None:
    world.host.aliases([FIRST])
    world.script = [(1005.0 + n / 1000, lambda: None, {ROUTES}) for n in range(1000)]
    world.run(10)
    assert 2 < len(world.looks) < 15


def test_a_foreign_object_in_the_way_is_named_and_left_and_the_others_stand(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.host.aliases([FIRST])
    world.host.routing([TABLE], RULES)
    world.lose_routing()
    bird = Route.parse({"destination": "default", "gateway": "10.0.0.253"}, 1001)
    world.host.fake.carry_out("add", wire.encode_route(bird, INTERFACES, BIRD))
    world.take(FIRST)
    report = world.run(100)
    assert "10.0.0.1/24" in world.addresses()
    assert len(world.rules()) == len(RULES)
    assert world.routes() == [(1001, BIRD, "10.0.0.253")]
    [waiting] = report["waiting"]
    assert waiting["object"] == "route 0.0.0.0/0 in table 1001"
    assert "bird" in waiting["reason"]
    assert capsys.readouterr().err.count("waits") == 1


def test_an_interface_that_is_not_there_yet_holds_up_nobody_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.host.aliases([FIRST])
    world.host.file("ip_aliases").write_text(world.host.file("ip_aliases").read_text().replace("eth0", "eth7", 1))
    monkeypatch.setitem(INTERFACES, "eth7", 7)
    world.host.aliases([LATE, SECOND])
    world.take(LATE)
    world.take(SECOND)
    monkeypatch.delitem(INTERFACES, "eth7")
    reports: list[Any] = []
    world.keeper.look({FILES})
    reports.append(world.keeper.report())
    assert "10.0.0.2/24" in world.addresses()
    assert 'interface "eth7" does not exist' in reports[0]["waiting"][0]["reason"]
    monkeypatch.setitem(INTERFACES, "eth7", 7)
    world.now += settling.STARTING + 1
    world.keeper.look({ROUTES})
    assert "10.7.0.1/24" in world.addresses()
    assert world.keeper.report()["waiting"] == []


def test_who_removes_it_again_and_again_is_outwaited_by_name(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.host.aliases([FIRST, SECOND])

    def remove() -> None:
        if "10.0.0.1/24" in world.addresses():
            world.take(FIRST)

    world.script = [(1005.0 + n / 10, remove, {ROUTES}) for n in range(600)]
    world.script.append((1030.0, lambda: world.take(SECOND), {ROUTES}))
    report = world.run(60)
    [damped] = report["damped"]
    assert damped["object"] == "address 10.0.0.1/24 on eth0"
    assert BURST < damped["repairs"] < BURST + 8
    assert "10.0.0.2/24" in world.addresses()
    assert f"{damped['object']}: another program removes it again and again" in capsys.readouterr().err
    # The loop is over: at the next try it stands, and later it is as good as new.
    assert world.run(1000)["damped"] == []
    assert "10.0.0.1/24" in world.addresses()


def test_a_file_that_cannot_be_used_is_left_and_told_and_the_others_apply(world: World) -> None:
    world.host.aliases([FIRST])
    world.host.routing([TABLE], RULES)
    broken = world.host.file("ip_aliases").read_text().replace('"version": 1', '"version": 7')
    world.host.file("ip_aliases").write_text(broken)
    world.lose_routing()
    report = world.run(1)
    assert len(world.rules()) == len(RULES)
    assert [refused["file"] for refused in report["refused"]] == ["ip_aliases.json"]
    assert "of version 7" in report["last_error"]["error"]
    assert world.host.file("ip_aliases").read_text() == broken
    world.host.file("ip_aliases").write_text(broken.replace("7,", "1,", 1))
    assert world.run(1)["refused"] == []


def test_an_entry_that_cannot_be_meant_is_told_with_its_file(world: World) -> None:
    world.host.aliases([FIRST])
    world.host.file("ip_aliases").write_text(
        world.host.file("ip_aliases").read_text().replace("10.0.0.1/", "10.0.0.300/")
    )
    [refused] = world.run(1)["refused"]
    assert "aliases[0] (10.0.0.300/24): not an IP address" in refused["reason"]


def test_a_new_file_takes_effect_before_anything_is_put_back_from_the_old_one(world: World) -> None:
    world.host.aliases([FIRST])

    def deploy_another() -> None:
        world.host.aliases([SECOND], purge=True)

    world.script = [(1005.0, deploy_another, {ROUTES, FILES})]
    assert world.run(10)["repairs"] == 0
    assert "10.0.0.1/24" not in world.addresses()
    assert "10.0.0.2/24" in world.addresses()


def test_while_a_module_holds_the_lock_the_keeper_waits_and_tries_again(world: World) -> None:
    world.host.aliases([FIRST])
    world.take(FIRST)
    world.locked = 2
    report = world.run(30)
    assert "10.0.0.1/24" in world.addresses()
    assert "process 7" in report["last_error"]["error"]


def test_a_request_that_the_kernel_refuses_does_not_hold_up_the_others(world: World) -> None:
    world.host.aliases([FIRST])
    other = {"id": 1002, "routes": [{"destination": "10.9.0.0/16", "gateway": "10.0.0.254"}]}
    world.host.routing([TABLE, other], RULES)
    world.lose_routing()
    world.host.fake.faults = {len(world.host.fake.sent) + 1: RequestFailed(101)}
    world.keeper.look({FILES})
    assert [waiting["object"] for waiting in world.keeper.report()["waiting"]] == ["route 0.0.0.0/0 in table 1001"]
    assert [table for table, _owner, _gateway in world.routes()] == [1002]
    world.keeper.look({ROUTES})
    assert world.keeper.report()["waiting"] == []


def test_after_the_boot_the_hosts_own_address_comes_first(world: World) -> None:
    world.host.aliases([FIRST, SECOND])
    for entry in (FIRST, SECOND, BASE):
        world.take(entry)
    world.keeper = world.fresh()
    world.script = [(world.now + 1.0, lambda: world.put(BASE, owner=0), {ROUTES})]
    world.run(5)
    assert world.addresses() == ["10.0.0.50/24", "10.0.0.1/24", "10.0.0.2/24"]


def test_after_the_boot_an_interface_that_is_switched_off_gets_no_address_of_either_family(world: World) -> None:
    """NetworkManager would take it for configured, and leave it switched off."""
    world.host.aliases([FIRST, ADDRESS_V6])
    for entry in (FIRST, ADDRESS_V6, BASE):
        world.take(entry)
    up: set[str] = set()
    engines = {"ip_aliases": world.host.alias_engine}
    settles = settling.Settling(world.now, up.__contains__)
    world.keeper = Keeper(States(str(world.host.directory), engines), world.lock, lambda: world.now, settles)
    world.put({"address": "fe80::1/64", "interface": "eth0"}, owner=0)
    report = world.run(5)
    assert world.addresses() == ["fe80::1/64"]
    assert [waiting["reason"] for waiting in report["waiting"]] == ["eth0 is not up yet"] * 2
    up.add("eth0")
    world.put(BASE, owner=0)
    world.keeper.look({ROUTES})
    assert world.addresses() == ["10.0.0.50/24", "10.0.0.1/24", "fe80::1/64", "fd00:168::1/64"]


def test_after_the_boot_an_interface_without_an_address_of_its_own_is_not_waited_for_long(world: World) -> None:
    world.host.aliases([FIRST])
    world.take(FIRST)
    world.take(BASE)
    world.keeper = world.fresh()
    report = world.run(1)
    assert "10.0.0.1/24" not in world.addresses()
    assert "own address first" in report["waiting"][0]["reason"]
    world.run(settling.TURN + 2)
    assert world.addresses() == ["10.0.0.1/24"]


def test_a_manager_that_configures_anew_gives_the_hosts_own_address_first(world: World) -> None:
    world.host.aliases([FIRST])
    world.now += settling.STARTING + 1
    world.keeper.look({ROUTES})

    def flush() -> None:
        for entry in (FIRST, BASE):
            world.take(entry)

    world.script = [
        (world.now + 1.0, flush, {ROUTES}),
        (world.now + 1.5, lambda: world.put(BASE, owner=0), {ROUTES}),
    ]
    world.run(3)
    assert world.addresses() == ["10.0.0.50/24", "10.0.0.1/24"]


def test_what_waits_is_tried_less_and_less_often_until_something_else_waits(world: World) -> None:
    world.host.aliases([FIRST])
    file = world.host.file("ip_aliases")
    good = file.read_text()
    file.write_text(good.replace("eth0", "eth7"))

    def another_interface() -> None:
        file.write_text(good.replace("eth0", "eth8"))

    world.script = [(1100.0, another_interface, {FILES})]
    world.run(110)
    pauses = [round(later - earlier) for earlier, later in itertools.pairwise(world.looks)]
    assert pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert pauses[7:10] == [1, 2, 4]


def test_the_report_is_handed_out_while_nothing_happens(world: World) -> None:
    reports: list[Any] = []
    world.script = [(1000.0 + 100, lambda: None, {STOP})]
    world.keeper.run(world, reports.append, alive=10.0)
    assert len(reports) >= 10
    assert len(world.looks) == 1


@pytest.fixture
def plugged(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world with cables in all interfaces and an IPv6 alias, which stands and which the keeper has seen."""
    monkeypatch.setattr(duplicate_addresses, "is_running", lambda _interface: True)
    world.host.aliases([ADDRESS_V6])
    world.keeper.look({FILES})
    return world


def test_an_address_that_stood_until_now_is_of_use_at_once_again(plugged: World) -> None:
    for _again in range(2):
        plugged.take(ADDRESS_V6)
        plugged.keeper.look({ROUTES})
        assert not plugged.detects()
        plugged.keeper.look({ROUTES})
    assert "fd00:168::1/64" in plugged.addresses()
    assert plugged.host.aliases([ADDRESS_V6]).actions() == []


def test_at_the_start_an_address_is_looked_for(plugged: World) -> None:
    plugged.take(ADDRESS_V6)
    plugged.keeper = plugged.fresh()
    plugged.keeper.look({FILES})
    assert "fd00:168::1/64" in plugged.addresses()
    assert plugged.detects()


@pytest.mark.parametrize("flag", [TENTATIVE, DETECTION_FAILED])
def test_an_address_that_was_of_no_use_yet_is_looked_for_again(plugged: World, flag: int) -> None:
    plugged.mark("fd00:168::1", flag)
    plugged.keeper.look({ROUTES})
    plugged.take(ADDRESS_V6)
    plugged.keeper.look({ROUTES})
    assert plugged.detects()


def test_an_address_that_was_away_for_longer_is_looked_for_again(
    plugged: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged.take(ADDRESS_V6)
    interface = INTERFACES["eth0"]
    monkeypatch.delitem(INTERFACES, "eth0")
    plugged.keeper.look({ROUTES})
    monkeypatch.setitem(INTERFACES, "eth0", interface)
    plugged.keeper.look({ROUTES})
    assert "fd00:168::1/64" in plugged.addresses()
    assert plugged.detects()


def test_an_address_on_another_interface_of_the_name_is_looked_for(
    plugged: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged.take(ADDRESS_V6)
    monkeypatch.setitem(INTERFACES, "eth0", 17)
    plugged.keeper.look({ROUTES})
    assert plugged.detects()
