# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a keeper that nobody looks after: interfaces come and go, files break, lines die in any order."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.health.lab import (
    ADDRESSES,
    FAMILIES,
    GATEWAYS,
    LENGTH,
    LINES,
    TARGETS,
    line,
    table,
)
from ansible_collections.multihome.linux.tests.integration.health.served import Served, Visitor, served_lab

WANTED = [("a", 257), ("b", 514)]
A_IS_DEAD = [("b", 514), ("a", 257 + (1 << 24))]
B_IS_DEAD = [("a", 257), ("b", 514 + (1 << 24))]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The deployed server, without a keeper."""
    with served_lab(tmp_path) as made:
        made.lines(*quick())
        yield made


def quick(**settings: Any) -> list[dict[str, Any]]:
    """Both lines, without a hold time."""
    health = {"targets": [*TARGETS[4], *TARGETS[6]], "up_after": 0}
    return [line(name, **{"health": health, **settings}) for name in LINES]


def plug(served: Served, name: str) -> None:
    """Bring a line's interface with its addresses, in place of the one before."""
    network, isp = served.network, served.network.hosts[f"isp-{name}"]
    network.hosts.link("server", name, f"isp-{name}", "customer")
    isp.address("customer", *(f"{GATEWAYS[name, family]}/{LENGTH[family]}" for family in FAMILIES))
    served.server.address(name, *(f"{ADDRESSES[name, family]}/{LENGTH[family]}" for family in FAMILIES))
    network.settle()
    # A deployed host has the line's own table stored; here the lab made it.
    for family in FAMILIES:
        way = ("via", GATEWAYS[name, family], "dev", name, "table", str(table(name)))
        served.server.run("ip", f"-{family}", "route", "replace", "default", *way)


def unplug(served: Served, name: str) -> None:
    """Take a line's interface away."""
    served.server.run("ip", "link", "delete", "dev", name)


def index(served: Served, name: str) -> int:
    found: int = json.loads(served.server.run("ip", "-json", "link", "show", "dev", name).stdout)[0]["ifindex"]
    return found


def report(served: Served) -> dict[str, Any]:
    """What the keeper says of itself."""
    text = served.server.run("cat", "/run/multihome/keeper.json", check=False).stdout
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def no_traceback(served: Served) -> None:
    assert "Traceback" not in served.log()
    assert "Error:" not in served.log()


def test_an_interface_that_disappears_and_returns_as_another_one(served: Served) -> None:
    served.start()
    served.all_up()
    first = index(served, "a")
    unplug(served, "a")
    served.eventually(lambda: served.state("a", 4) == served.state("a", 6) == "down", "the line is down")
    served.eventually(lambda: [served.leaves_by(family) for family in FAMILIES] == ["b", "b"], "the other line is used")
    plug(served, "a")
    assert index(served, "a") != first
    served.switches(WANTED)
    served.all_up()
    assert [served.leaves_by(family) for family in FAMILIES] == ["a", "a"]
    # The carrier of the new one is watched, and not that of the one before.
    served.network.hosts["isp-a"].run("ip", "link", "set", "customer", "down")
    served.eventually(lambda: served.health()["lines"]["a"]["ipv4"]["reason"] == "no carrier", "its carrier is watched")
    served.switches(A_IS_DEAD)
    no_traceback(served)


def test_an_interface_that_is_renamed_is_named_and_costs_only_its_line(served: Served) -> None:
    served.start()
    served.all_up()
    served.server.run("ip", "link", "set", "dev", "a", "down")
    served.server.run("ip", "link", "set", "dev", "a", "name", "other0")
    served.server.run("ip", "link", "set", "dev", "other0", "up")
    served.eventually(lambda: [served.leaves_by(family) for family in FAMILIES] == ["b", "b"], "the other line is used")
    served.eventually(lambda: 'interface "a"' in json.dumps(report(served)["waiting"]).replace("\\", ""), "it is named")
    served.server.run("ip", "link", "set", "dev", "other0", "down")
    served.server.run("ip", "link", "set", "dev", "other0", "name", "a")
    served.server.address("a", *(f"{ADDRESSES['a', 6]}/64",))
    for family in FAMILIES:
        way = ("via", GATEWAYS["a", family], "dev", "a", "table", str(table("a")))
        served.server.run("ip", f"-{family}", "route", "replace", "default", *way)
    served.switches(WANTED)
    served.all_up()
    assert report(served)["waiting"] == []
    no_traceback(served)


def test_a_keeper_that_starts_before_the_network(served: Served) -> None:
    for name in LINES:
        unplug(served, name)
    served.start()
    served.eventually(lambda: served.state("a", 4) == "down", "there is no interface")
    for name in reversed(LINES):
        plug(served, name)
    served.switches(WANTED)
    served.all_up()
    assert [served.leaves_by(family) for family in FAMILIES] == ["a", "a"]
    no_traceback(served)


def test_the_settings_change_while_a_line_is_dead(served: Served, tmp_path: Path) -> None:
    served.start()
    served.all_up()
    served.network.kill("a")
    served.switches(A_IS_DEAD)
    with (tmp_path / "routes").open("w") as said:
        monitor = served.server.start("ip", "monitor", "route", stdout=said)
    served.lines(*quick(health={"targets": [*TARGETS[4][:2], *TARGETS[6][:2]], "interval": 0.4, "up_after": 0}))
    served.eventually(lambda: served.log().count("line a IPv4") > 0, "the settings are taken in")
    time.sleep(4)
    assert [served.state("a", family) for family in FAMILIES] == ["down", "down"]
    monitor.terminate()
    monitor.wait(10)
    # Not for a moment was the dead line used again.
    assert "default" not in (tmp_path / "routes").read_text()
    served.network.heal("a")
    served.switches(WANTED)


def drain(served: Served, *names: str) -> None:
    """Take lines out of service, as the command does."""
    content = {"version": 1, "kind": "drained", "drained": [{"line": name} for name in names]}
    path = "/etc/multihome/drained.json"
    served.server.run("sh", "-c", f"umask 077; cat > {path}.new && mv {path}.new {path}", feed=json.dumps(content))


def test_a_drained_line_that_dies_is_not_used_when_it_is_in_service_again(served: Served) -> None:
    served.start()
    served.all_up()
    drain(served, "a")
    served.switches(A_IS_DEAD)
    served.network.kill("a")
    # It is probed all the same: the figures say that nothing comes back.
    served.eventually(lambda: served.health()["lines"]["a"]["ipv4"]["resume"].get("state") == "down", "it is dead")
    drain(served)
    served.eventually(lambda: served.state("a", 4) == "down", "it is not drained any more")
    assert served.defaults(4) == A_IS_DEAD
    assert served.leaves_by(4) == "b"
    served.network.heal("a")
    served.switches(WANTED)


def test_the_other_line_dies_while_one_is_drained(served: Served) -> None:
    """Then the drained one is all there is: the routes stay as they were, and an alarm says so."""
    served.start()
    served.all_up()
    drain(served, "a")
    served.switches(A_IS_DEAD)
    served.network.kill("b")
    served.eventually(lambda: served.state("b", 4) == "down", "line b is dead")
    served.eventually(lambda: served.health()["usable"]["ipv4"]["alarm"], "an alarm says so")
    served.network.heal("b")
    served.eventually(lambda: served.leaves_by(4) == "b", "line b is back")


@pytest.mark.parametrize(
    "content", ["", "nonsense", "[]", '{"version": 1}', '{"version": 1, "lines": 7, "at": "x"}', "\\0\\377"]
)
def test_files_that_make_no_sense(served: Served, content: str) -> None:
    """All that a keeper reads at its start, but for the lists themselves."""
    served.server.run("mkdir", "-p", "/run/multihome")
    for name in ("health", "keeper", "learned"):
        served.server.run("sh", "-c", f"printf '%b' \"$0\" > /run/multihome/{name}.json", content)
    served.server.run("sh", "-c", "umask 077; printf '%b' \"$0\" > /etc/multihome/drained.json", content)
    served.start()
    served.all_up()
    served.network.kill("a")
    served.switches(A_IS_DEAD)
    assert [each["file"] for each in report(served)["refused"]] == ["drained.json"]
    assert "Traceback" not in served.log()


def test_a_keeper_that_hangs_leaves_the_kernel_as_it_is(served: Served) -> None:
    served.start()
    served.all_up()
    served.network.kill("a")
    served.switches(A_IS_DEAD)
    assert served.process is not None
    served.process.send_signal(signal.SIGSTOP)
    served.network.heal("a")
    time.sleep(3)
    assert served.defaults(4) == A_IS_DEAD
    assert served.leaves_by(4) == "b"
    served.process.send_signal(signal.SIGCONT)
    served.switches(WANTED)


def test_targets_that_both_lines_have_in_common_are_asked_by_each_line_for_itself(served: Served) -> None:
    """As in all these tests; a target that dies says nothing about the lines."""
    served.start()
    served.all_up()
    for family in FAMILIES:
        length = 32 if family == 4 else 128
        served.network.world.run("ip", f"-{family}", "address", "del", f"{TARGETS[family][0]}/{length}", "dev", "lo")
    before = served.network.counted()
    time.sleep(3)
    assert [served.state(name, family) for name in LINES for family in FAMILIES] == ["up"] * 4
    sent = {name: count - before[name] for name, count in served.network.counted().items()}
    assert {name: count for name, count in sent.items() if count and name[0] != name[-1]} == {}


def three_lines(served: Served) -> None:
    """A third line on line b's interface and gateway, with another address."""
    extra = {4: "198.51.100.11", 6: "2001:db8:b::11"}
    served.server.address("b", *(f"{extra[family]}/{LENGTH[family]}" for family in FAMILIES))
    served.network.settle()
    routes = [
        {
            "destination": "default",
            "gateway": GATEWAYS[name, family],
            "interface": name,
            "metric": metric,
            "source": source,
        }
        for family in FAMILIES
        for name, metric, source in (
            ("a", 257, ADDRESSES["a", family]),
            ("b", 514, ADDRESSES["b", family]),
            ("b", 771, extra[family]),
        )
    ]
    served.run("policy_routing", tables=[{"id": 254, "routes": routes}], purge=True, persist=True)
    for family in FAMILIES:
        served.server.run(
            "ip", f"-{family}", "rule", "add", "from", extra[family], "lookup", str(table("b")), "priority", "23030"
        )
    third = {**line("b", health=quick()[0]["health"]), "name": "c", "id": 3, "addresses": list(extra.values())}
    served.lines(*quick(), third)


def test_two_lines_on_one_interface_and_gateway_are_judged_by_their_addresses(served: Served) -> None:
    three_lines(served)
    served.start()
    served.all_up()
    served.eventually(lambda: served.state("c", 4) == served.state("c", 6) == "up", "line c is up")
    # Its ISP drops what has the address of line b alone.
    served.network.filter("b", f"ip saddr {ADDRESSES['b', 4]} drop")
    served.eventually(lambda: served.defaults(4) == [("a", 257), ("b", 771), ("b", 514 + (1 << 24))], "only b is moved")
    assert served.state("c", 4) == "up"
    assert served.defaults(6) == [("a", 257), ("b", 514), ("b", 771)]


def test_two_of_three_lines_die_in_any_order(served: Served) -> None:
    three_lines(served)
    served.start()
    served.all_up()
    served.eventually(lambda: served.state("c", 4) == "up", "line c is up")
    served.network.kill("a")
    served.eventually(lambda: served.leaves_by(4) == "b", "line b is next")
    served.network.filter("b", f"ip saddr {ADDRESSES['b', 4]} drop")
    served.eventually(lambda: served.usable(4) == ["c"], "line c is the last one")
    served.eventually(lambda: served.defaults(4)[0] == ("b", 771), "what is initiated leaves by it")
    # The last one is never removed.
    served.network.kill("b")
    served.eventually(lambda: served.state("c", 4) == "down", "all are dead")
    assert served.defaults(4)[0] == ("b", 771)
    served.network.heal("a")
    served.eventually(lambda: served.leaves_by(4) == "a", "the first answer recovers")


def test_an_interface_with_a_dot_in_its_name_as_of_a_vlan(served: Served) -> None:
    """Its kernel parameters have a slash there."""
    network = served.network
    unplug(served, "a")
    network.hosts.link("server", "a.100", "isp-a", "customer")
    network.hosts["isp-a"].address("customer", *(f"{GATEWAYS['a', family]}/{LENGTH[family]}" for family in FAMILIES))
    served.server.address("a.100", *(f"{ADDRESSES['a', family]}/{LENGTH[family]}" for family in FAMILIES))
    network.settle()
    routes = [
        {"destination": "default", "gateway": GATEWAYS[name, family], "interface": interface, "metric": metric}
        for family in FAMILIES
        for name, interface, metric in (("a", "a.100", 257), ("b", "b", 514))
    ]
    served.run("policy_routing", tables=[{"id": 254, "routes": routes}], purge=True, persist=True)
    for family in FAMILIES:
        way = ("via", GATEWAYS["a", family], "dev", "a.100", "table", str(table("a")))
        served.server.run("ip", f"-{family}", "route", "replace", "default", *way)
    served.lines({**quick()[0], "interface": "a.100"}, quick()[1])
    served.start()
    served.all_up()
    network.hosts["isp-a"].run("ip", "link", "set", "customer", "down")
    served.eventually(lambda: served.health()["lines"]["a"]["ipv4"]["reason"] == "no carrier", "its carrier is watched")
    served.eventually(lambda: served.defaults(4) == [("b", 514), ("a.100", 257 + (1 << 24))], "the switch")


def test_visitors_of_a_line_that_others_call_dead_are_served_all_night(served: Served) -> None:
    """Whatever the keeper thinks of a line, by any of the ways above: what comes in by it is answered by it."""
    served.start()
    served.all_up()
    visitor = Visitor(served, "a", 4)
    served.network.filter("a", "meta l4proto { icmp, ipv6-icmp } drop")
    served.switches(A_IS_DEAD)
    drain(served, "a")
    time.sleep(1)
    assert visitor.says("drained") == "drained"
    drain(served)
    served.end(kill=True)
    served.start()
    assert visitor.says("again") == "again"
    assert Visitor(served, "a", 4).says("new") == "new"
