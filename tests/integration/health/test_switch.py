# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper follows the lines: what the server initiates works again, what comes in is served all the while."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.tests.integration.health.lab import (
    ADDRESSES,
    FAMILIES,
    GATEWAYS,
    LINES,
    TARGETS,
    line,
)
from ansible_collections.multihome.linux.tests.integration.health.served import (
    Connection,
    Served,
    Visitor,
    served_lab,
    tracked,
)
from ansible_collections.multihome.linux.tests.integration.run_module import run_module


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_lab(tmp_path_factory.mktemp("keeper")) as served:
        yield served


@pytest.fixture
def served(made: Served) -> Iterator[Served]:
    """The deployed server with a keeper that was just started, and both lines up."""
    made.lines()
    made.start()
    made.all_up()
    yield made
    made.end()
    for name in LINES:
        made.network.heal(name)
        made.network.hosts[f"isp-{name}"].run("ip", "link", "set", "customer", "up")
    made.server.run("rm", "-rf", "/run/multihome", "/etc/multihome/lines.json", "/etc/multihome/drained.json")
    made.server.run("sh", "-c", "for f in 4 6; do while ip -$f route del default 2>/dev/null; do :; done; done")
    made.routing()


WANTED = [("a", 257), ("b", 514)]
A_IS_DEAD = [("b", 514), ("a", 257 + (1 << 24))]


def test_new_connections_use_the_other_line_and_come_back(served: Served) -> None:
    for family in FAMILIES:
        assert served.defaults(family) == WANTED
        assert served.leaves_by(family) == "a"
    served.network.kill("a")
    served.switches(A_IS_DEAD)
    assert [served.leaves_by(family) for family in FAMILIES] == ["b", "b"]
    served.network.heal("a")
    served.switches(WANTED)
    assert [served.leaves_by(family) for family in FAMILIES] == ["a", "a"]


def test_control_without_stored_lines_new_connections_fail(served: Served) -> None:
    served.run("line_health", lines=[])
    served.network.kill("a")
    served.eventually(lambda: served.leaves_by(4) is None, "nothing watches the lines")
    assert served.defaults(4) == WANTED


def test_a_deployment_during_the_outage_changes_nothing(served: Served) -> None:
    served.network.kill("a")
    served.switches(A_IS_DEAD)
    stored = served.server.run("cat", "/etc/multihome/policy_routing.json").stdout
    for check in (True, False):
        result = served.routing(check)
        assert (result["changed"], result["actions"]) == (False, [])
        assert not served.lines(check=check)["changed"]
    assert served.defaults(4) == served.defaults(6) == A_IS_DEAD
    assert served.server.run("cat", "/etc/multihome/policy_routing.json").stdout == stored
    assert "16777" not in stored


def test_control_without_a_keeper_a_deployment_restores_what_is_wanted(served: Served) -> None:
    served.network.kill("a")
    served.eventually(lambda: served.defaults(4) == A_IS_DEAD, "the switch")
    served.end(kill=True)
    assert served.defaults(4) == A_IS_DEAD, "a keeper that dies leaves everything as it is"
    assert served.routing()["changed"]
    assert served.defaults(4) == WANTED


def test_a_keeper_that_hangs_leaves_everything_as_it_is_and_goes_on(served: Served, tmp_path: Path) -> None:
    """It hangs for longer than any silence; the lines are well at first, then one is dead."""
    with (tmp_path / "routes").open("w") as said:
        monitor = served.server.start("ip", "monitor", "route", stdout=said)
    served.signal(signal.SIGSTOP)
    time.sleep(4)
    served.signal(signal.SIGCONT)
    hung = time.monotonic()
    served.eventually(lambda: served.health().get("at", 0.0) > hung + 3, "it judges again")
    monitor.terminate()
    monitor.wait(10)
    # Its own silence is no verdict on the lines.
    assert "default" not in (tmp_path / "routes").read_text()
    # Control: nobody else switches, and it does as soon as it goes on.
    served.signal(signal.SIGSTOP)
    served.network.kill("a")
    time.sleep(4)
    assert served.defaults(4) == served.defaults(6) == WANTED
    served.signal(signal.SIGCONT)
    served.switches(A_IS_DEAD)


def test_a_new_keeper_goes_on_from_what_is_known(served: Served, tmp_path: Path) -> None:
    served.network.kill("a")
    served.eventually(lambda: served.defaults(4) == A_IS_DEAD, "the switch")
    served.end()
    with (tmp_path / "routes").open("w") as said:
        monitor = served.server.start("ip", "monitor", "route", stdout=said)
    served.start()
    served.eventually(lambda: bool(served.usable(4)), "the new keeper judges")
    served.eventually(lambda: served.state("a", 4) == "down", "the new keeper knows")
    monitor.terminate()
    monitor.wait(10)
    assert "default" not in (tmp_path / "routes").read_text()
    assert served.defaults(4) == A_IS_DEAD


def test_with_every_line_dead_nothing_changes_and_the_first_answer_recovers(served: Served) -> None:
    served.network.kill("a")
    served.eventually(lambda: served.defaults(4) == A_IS_DEAD, "the switch")
    served.network.kill("b")
    served.eventually(lambda: served.state("b", 4) == "down", "both lines are dead")
    assert served.defaults(4) == A_IS_DEAD
    served.network.heal("a")
    served.eventually(lambda: served.defaults(4) == [("a", 257), ("b", 514 + (1 << 24))], "the first answer")
    assert served.leaves_by(4) == "a"


def test_a_lost_carrier_switches(served: Served) -> None:
    served.network.hosts["isp-a"].run("ip", "link", "set", "customer", "down")
    served.switches(A_IS_DEAD)
    assert [served.leaves_by(family) for family in FAMILIES] == ["b", "b"]


def test_a_line_without_its_address_is_down_and_no_error(served: Served) -> None:
    address = f"{ADDRESSES['a', 4]}/24"
    served.server.run("ip", "address", "del", address, "dev", "a")
    served.eventually(lambda: served.state("a", 4) == "down", "the line is down")
    served.eventually(lambda: served.leaves_by(4) == "b", "the other line is used")
    assert served.leaves_by(6) == "a"
    served.server.run("ip", "address", "add", address, "dev", "a")
    # The kernel removed the line's table with the address; a deployed host has it stored.
    gateway, table = GATEWAYS["a", 4], "1001"
    served.server.run("ip", "route", "replace", "default", "via", gateway, "dev", "a", "table", table)
    served.eventually(lambda: served.defaults(4) == WANTED, "the line is back")
    assert served.leaves_by(4) == "a"


def test_a_line_declared_dead_by_mistake_goes_on_serving_what_comes_in(served: Served) -> None:
    visitors = [Visitor(served, "a", family) for family in FAMILIES]
    assert [visitor.says("before") for visitor in visitors] == ["before"] * 2
    rules = served.server.run("ip", "rule").stdout
    # Only the probes get no answer: everything else works.
    served.network.filter("a", "meta l4proto { icmp, ipv6-icmp } drop")
    served.switches(A_IS_DEAD)
    assert [visitor.says("after") for visitor in visitors] == ["after"] * 2
    assert [Visitor(served, "a", family).says("new") for family in FAMILIES] == ["new"] * 2
    assert served.server.run("ip", "rule").stdout == rules


def test_no_probe_leaves_by_another_line_while_routes_switch(served: Served) -> None:
    before = served.network.counted()
    served.network.kill("a")
    served.eventually(lambda: served.defaults(4) == A_IS_DEAD, "the switch")
    served.network.heal("a")
    served.eventually(lambda: served.defaults(4) == WANTED, "the way back")
    sent = {name: count - before[name] for name, count in served.network.counted().items()}
    assert {name: count for name, count in sent.items() if count and name[0] != name[-1]} == {}
    assert sent["a4 by a"] > 0


def drain(served: Served, line_name: str, **more: str) -> None:
    content = {"version": 1, "kind": "drained", "drained": [{"line": line_name, **more}]}
    path = "/etc/multihome/drained.json"
    served.server.run("sh", "-c", f"umask 077; cat > {path}.new && mv {path}.new {path}", feed=json.dumps(content))


def test_a_drained_line_carries_nothing_new_and_serves_what_comes_in(served: Served) -> None:
    visitor = Visitor(served, "a", 4)
    drain(served, "a", reason="new cable")
    served.eventually(lambda: served.leaves_by(4) == "b", "the switch")
    assert served.state("a", 4) == "drained"
    assert visitor.says("still") == "still"
    served.end()
    served.server.run("rm", "-rf", "/run/multihome")
    served.start()
    served.eventually(lambda: served.usable(4) == ["b"], "it is drained after a reboot too")
    served.server.run("rm", "/etc/multihome/drained.json")
    served.eventually(lambda: served.leaves_by(4) == "a", "the way back")


def test_a_drained_line_comes_back_by_itself(served: Served) -> None:
    drain(served, "a", until="2000-01-01T00:00:00Z")
    drain(served, "b")
    served.eventually(lambda: served.usable(4) == ["a"], "only b is drained: the time of a has passed")


def test_a_line_is_drained_by_declaration(served: Served) -> None:
    served.lines(line("a", drained=True), line("b"))
    served.switches(A_IS_DEAD)
    assert [served.leaves_by(family) for family in FAMILIES] == ["b", "b"]
    assert not served.routing()["changed"]


def test_the_last_usable_line_is_not_drained(served: Served) -> None:
    served.network.kill("b")
    served.eventually(lambda: served.usable(4) == ["a"] == served.usable(6), "b is dead")
    refused = run_module(
        "line_health", {"lines": [line("a", drained=True), line("b")]}, netns_prefix=served.server.prefix
    )
    assert "a is the last usable line for IPv4; force: true drains it all the same" in refused["msg"]


def test_a_broken_file_is_reported_and_changes_nothing_else(served: Served) -> None:
    served.server.run("sh", "-c", "echo nonsense > /etc/multihome/lines.json")

    def refused() -> bool:
        text = served.server.run("cat", "/run/multihome/keeper.json", check=False).stdout
        return "lines.json" in str(json.loads(text)["refused"] if text else "")

    served.eventually(refused, "the report names the file")
    served.network.kill("a")
    served.eventually(lambda: served.leaves_by(4) == "b", "the lines that were known are watched")


_TRACKED = """
table inet own {
    chain in { type filter hook input priority 0; ct state new counter; }
    chain out { type filter hook output priority 0; ct state new counter; }
}
"""


@pytest.mark.parametrize("flows", ["forget", "keep", "abort"])
def test_what_was_initiated_inside_over_a_dead_line(served: Served, flows: str) -> None:
    served.server.run("nft", "-f", "-", feed=_TRACKED)
    served.lines(line("a", flows=flows), line("b"))
    served.all_up()
    own, visitor = Connection(served.server, TARGETS[4][0]), Visitor(served, "a", 4)
    assert (own.says("before"), visitor.says("before")) == ("before", "before")
    inside = f"src={ADDRESSES['a', 4]} dst={TARGETS[4][0]} sport"
    assert tracked(served, inside)
    # Only the probes get no answer: what does not end goes on.
    served.network.filter("a", "meta l4proto { icmp, ipv6-icmp } drop")
    served.switches(A_IS_DEAD)
    if flows == "keep":
        assert tracked(served, inside)
    else:
        served.eventually(lambda: not tracked(served, inside), "the entry is deleted")
    assert visitor.says("after") == "after"
    if flows == "abort":
        assert own.says("after") in ("ConnectionAbortedError", "BrokenPipeError")
    else:
        # Its address is the line's, so it stays on the line, which is dead only by mistake.
        assert own.says("after") == "after"
    served.server.run("nft", "delete", "table", "inet", "own")
