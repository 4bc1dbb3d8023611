# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper follows the lines: what the server initiates works again, what comes in is served all the while."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation import host as keeper_host
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation import unit as keeper_unit
from ansible_collections.multihome.linux.tests.integration.health.lab import (
    ADDRESSES,
    FAMILIES,
    GATEWAYS,
    LINES,
    TARGETS,
    Lab,
    lab,
    line,
)
from ansible_collections.multihome.linux.tests.integration.health.lab import eventually as within
from ansible_collections.multihome.linux.tests.integration.namespaces import Host
from ansible_collections.multihome.linux.tests.integration.run_module import run_module

PATIENCE = 60.0
# What the tests measure of the other end: a server that echoes, and a client that keeps one connection.
_ECHO = """
import socket, threading
def serve(connection):
    while data := connection.recv(100):
        connection.sendall(data)
listening = socket.create_server(("::", 7), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
"""
_ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], 7), timeout=1.0) as connection:
    connection.sendall(b"x")
    assert connection.recv(1) == b"x"
    print(connection.getsockname()[0])
"""
# One connection that says of each line of its input whether it came back.
_STAY = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 7), timeout=5.0)
print("open", flush=True)
for row in sys.stdin:
    try:
        connection.sendall(row.strip().encode())
        print(connection.recv(100).decode(), flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""


class Served:
    """The server of the lab as it is deployed, with the keeper; ``world`` is the rest of the Internet."""

    def __init__(self, network: Lab, directory: Path) -> None:
        self.network, self.server = network, network.server
        self._log = directory / "log"
        self.program = directory / Path(keeper_unit.PROGRAM).name
        for path, text in keeper_host.own_code().items():
            (directory / "_core" / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / "_core" / path).write_text(text)
        self.program.write_text(keeper_unit.PROGRAM_TEXT)
        self._process: subprocess.Popen[str] | None = None
        for host in (network.server, network.world):
            host.start(sys.executable, "-c", _ECHO)

    def run(self, module: str, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run a module on the server; one that fails is an error."""
        result = run_module(module, options, check=check, netns_prefix=self.server.prefix)
        assert not result.get("failed"), result
        return result

    def routing(self, check: bool = False) -> dict[str, Any]:
        """Deploy main's default routes, the first line preferred."""
        routes = [
            {"destination": "default", "gateway": GATEWAYS[name, family], "interface": name, "metric": metric,
             "source": ADDRESSES[name, family]}
            for name, metric in (("a", 257), ("b", 514))
            for family in FAMILIES
        ]  # fmt: skip
        return self.run("policy_routing", check, tables=[{"id": 254, "routes": routes}], purge=True, persist=True)

    def lines(self, *lines: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Store the lines; by default both of the lab."""
        return self.run("line_health", lines=list(lines or (line("a"), line("b"))), **options)

    def start(self) -> None:
        """Start the keeper, and wait until it has written what it knows."""
        began = time.monotonic()
        with self._log.open("a") as log:
            self._process = self.server.start("/usr/bin/python3", "-I", str(self.program), stderr=log)
        self.eventually(lambda: self.health().get("at", 0.0) > began, "the keeper watches the lines")

    def end(self, kill: bool = False) -> None:
        """End the keeper, if it runs."""
        if self._process is not None:
            (self._process.kill if kill else self._process.terminate)()
            assert self._process.wait(20) == (-9 if kill else 0)
            self._process = None

    def health(self) -> dict[str, Any]:
        """What health.json says."""
        text = self.server.run("cat", "/run/multihome/health.json", check=False).stdout
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def state(self, name: str, family: int) -> str:
        """The state of a line."""
        lines = self.health().get("lines", {})
        return str(lines.get(name, {}).get(f"ipv{family}", {}).get("state"))

    def usable(self, family: int) -> list[str]:
        """The lines that traffic is sent over."""
        found: list[str] = self.health().get("usable", {}).get(f"ipv{family}", {}).get("lines", [])
        return found

    def all_up(self) -> None:
        """Wait until every line is up."""
        for name in LINES:
            for family in FAMILIES:
                self.eventually(functools.partial(self._is, name, family, "up"), f"{name} {family} up")

    def _is(self, name: str, family: int, state: str) -> bool:
        return self.state(name, family) == state

    def eventually(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds."""
        try:
            within(holds, PATIENCE, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-3000:]}\n{self.health()}") from error

    def log(self) -> str:
        """What the keeper has written."""
        return self._log.read_text() if self._log.exists() else ""

    def defaults(self, family: int) -> list[tuple[str, int]]:
        """Main's default routes: line and metric, the preferred one first."""
        routes = json.loads(self.server.run("ip", "-json", f"-{family}", "route", "show", "default").stdout)
        return sorted(((each["dev"], each["metric"]) for each in routes), key=lambda found: found[1])

    def switches(self, defaults: list[tuple[str, int]]) -> None:
        """Wait until main's default routes of both families are these."""
        for family in FAMILIES:
            self.eventually(functools.partial(self._has_defaults, family, defaults), f"IPv{family}: {defaults}")

    def _has_defaults(self, family: int, defaults: list[tuple[str, int]]) -> bool:
        return self.defaults(family) == defaults

    def leaves_by(self, family: int) -> str | None:
        """The line by which a new connection of the server leaves, None when it gets no answer."""
        done = self.server.run(sys.executable, "-c", _ASK, TARGETS[family][0], check=False)
        addresses = {address: name for (name, _family), address in ADDRESSES.items()}
        return addresses[done.stdout.strip()] if done.returncode == 0 else None


class Connection:
    """A client with one connection, as long as the test lasts."""

    def __init__(self, host: Host, address: str) -> None:
        command = (sys.executable, "-c", _STAY, address)
        self._process = host.start(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.hears() == "open"

    def hears(self) -> str:
        """The next answer."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def says(self, text: str) -> str:
        """Say something; return what comes back."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()
        return self.hears()


class Visitor(Connection):
    """A client in the world that asks the server."""

    def __init__(self, served: Served, name: str, family: int) -> None:
        super().__init__(served.network.world, ADDRESSES[name, family])


@contextmanager
def served_lab(directory: Path) -> Iterator[Served]:
    """Make the lab, deploy the server, and remove everything."""
    with lab() as network:
        for family in FAMILIES:
            network.server.run("ip", f"-{family}", "route", "del", "default")
        served = Served(network, directory)
        served.routing()
        try:
            yield served
        finally:
            served.end()


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


def tracked(served: Served, selector: str) -> bool:
    """Whether a connection is tracked by the server."""
    return selector in served.server.run("cat", "/proc/net/nf_conntrack", check=False).stdout
