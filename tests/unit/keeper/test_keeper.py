# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the keeper checks, and the result, on a kernel in memory and with its own clock."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper import keeper, startup_delay
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.backoff import BURST
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.interest import ADDRESSES
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.keeper import FIRST_PAUSE, IDLE
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.watch import FILES, FILTERS, STOP
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import RequestFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Route
from ansible_collections.multihome.linux.tests.unit.routing.fake_kernel import INTERFACES

from .world import FIRST, SECOND, World

LATE = {"address": "10.7.0.1/24", "interface": "eth7"}
TABLE = {"id": 1001, "routes": [{"destination": "default", "gateway": "10.0.0.254"}]}
RULES = [{"priority": 23010 + n, "family": "ipv4", "source": f"10.0.0.{n}", "table": 1001} for n in (1, 2)]
BIRD = 12


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


def test_without_events_checks_are_rare_and_change_nothing(world: World) -> None:
    world.host.aliases([FIRST])
    world.host.fake.read_only = True
    assert world.run(2.5 * IDLE)["repairs"] == 0
    assert [round(look - 1000) for look in world.looks] == [0, 300, 600]


def test_what_goes_is_back_at_once_and_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.host.aliases([FIRST, SECOND])
    world.script = [(1005.0, lambda: world.take(FIRST), {ADDRESSES})]
    report = world.run(10)
    assert "10.0.0.1/24" in world.addresses()
    assert world.looks[1] < 1005.0 + keeper.LONGEST_PAUSE
    assert report["last_repair"]["object"] == "address 10.0.0.1/24 on eth0"
    assert "ip_aliases: restored address 10.0.0.1/24 on eth0" in capsys.readouterr().err


def test_events_of_packet_filters_are_no_reason_to_look_at_routes(world: World) -> None:
    world.host.aliases([FIRST])
    world.script = [(1005.0, lambda: world.take(FIRST), {FILTERS})]
    assert world.run(10)["repairs"] == 0
    assert "10.0.0.1/24" not in world.addresses()


def test_events_that_pour_in_make_few_looks(world: World) -> None:
    world.host.aliases([FIRST])
    world.script = [(1005.0 + n / 1000, lambda: None, {ADDRESSES}) for n in range(1000)]
    world.run(10)
    assert 2 < len(world.looks) <= 15


def test_a_foreign_object_in_the_way_is_named_and_left_and_the_others_are_restored(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.host.aliases([FIRST])
    world.host.routing([TABLE], RULES)
    world.lose_routing()
    bird = Route.parse({"destination": "default", "gateway": "10.0.0.253"}, 1001)
    world.host.fake.carry_out("add", rtnetlink_encoding.encode_route(bird, INTERFACES, BIRD))
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
    world.keeper.check({FILES})
    reports.append(world.keeper.report())
    assert "10.0.0.2/24" in world.addresses()
    assert 'interface "eth7" does not exist' in reports[0]["waiting"][0]["reason"]
    monkeypatch.setitem(INTERFACES, "eth7", 7)
    world.now += startup_delay.STARTING + 1
    world.keeper.check({ADDRESSES})
    assert "10.7.0.1/24" in world.addresses()
    assert world.keeper.report()["waiting"] == []


def test_repairs_of_an_object_that_is_removed_in_a_loop_back_off(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.host.aliases([FIRST, SECOND])

    def remove() -> None:
        if "10.0.0.1/24" in world.addresses():
            world.take(FIRST)

    world.script = [(1005.0 + n / 10, remove, {ADDRESSES}) for n in range(600)]
    world.script.append((1030.0, lambda: world.take(SECOND), {ADDRESSES}))
    report = world.run(60)
    [damped] = report["damped"]
    assert damped["object"] == "address 10.0.0.1/24 on eth0"
    assert BURST < damped["repairs"] < BURST + 8
    assert "10.0.0.2/24" in world.addresses()
    assert f"{damped['object']}: another program keeps removing it" in capsys.readouterr().err
    # The loop is over: at the next try it stands, and later it is as good as new.
    assert world.run(1000)["damped"] == []


def test_an_object_that_becomes_due_during_another_check_is_restored(world: World) -> None:
    """Events of packet filters come just before it is time for an address, and the look at them lasts beyond that."""
    world.host.aliases([FIRST])
    world.script = [(1001.0 + n / 10, lambda: world.take(FIRST), {ADDRESSES}) for n in range(BURST + 2)]
    world.run(2.3)
    assert "10.0.0.1/24" not in world.addresses()
    [damped] = world.keeper._backoff.delayed().values()
    world.script = [(damped[1] - FIRST_PAUSE / 2, lambda: None, {FILTERS})]
    world.run(damped[1] + 1 - world.now)
    assert "10.0.0.1/24" in world.addresses()
    assert "10.0.0.1/24" in world.addresses()


def test_an_unusable_file_is_left_and_named_and_the_others_apply(world: World) -> None:
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


def test_an_invalid_entry_is_named_with_its_file(world: World) -> None:
    world.host.aliases([FIRST])
    world.host.file("ip_aliases").write_text(
        world.host.file("ip_aliases").read_text().replace("10.0.0.1/", "10.0.0.300/")
    )
    [refused] = world.run(1)["refused"]
    assert "aliases[0] (10.0.0.300/24): not an IP address" in refused["reason"]


def test_a_new_file_takes_effect_before_anything_of_the_old_one_is_restored(world: World) -> None:
    world.host.aliases([FIRST])

    def deploy_another() -> None:
        world.host.aliases([SECOND], purge=True)

    world.script = [(1005.0, deploy_another, {ADDRESSES, FILES})]
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
    world.keeper.check({FILES})
    assert [waiting["object"] for waiting in world.keeper.report()["waiting"]] == ["route 0.0.0.0/0 in table 1001"]
    assert [table for table, _owner, _gateway in world.routes()] == [1002]
    world.keeper.check({ADDRESSES})
    assert world.keeper.report()["waiting"] == []


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
