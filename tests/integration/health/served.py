# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server of the health lab as it is deployed: main's default routes, stored lines, and the keeper."""

from __future__ import annotations

import contextlib
import functools
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
from ansible_collections.multihome.linux.tests.integration.keeper.host import write_program
from ansible_collections.multihome.linux.tests.integration.namespaces import Host
from ansible_collections.multihome.linux.tests.integration.run_module import run_module
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

PATIENCE = 60.0
# What the tests measure of the other end: a server that echoes, and a client that keeps one connection.
_ECHO = """
import contextlib, socket, threading
def serve(connection):
    with contextlib.suppress(ConnectionError):
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

# Asks again and again, each time by a new connection; says for each answer when it was asked, and when it came.
_SEEK = """
import socket, sys, threading, time
def ask():
    began = time.monotonic()
    try:
        with socket.create_connection((sys.argv[1], 7), timeout=1.0) as connection:
            connection.sendall(b"x")
            if connection.recv(1):
                print(began, time.monotonic(), flush=True)
    except OSError:
        pass
while True:
    threading.Thread(target=ask, daemon=True).start()
    time.sleep(0.05)
"""


def echo(host: Host) -> None:
    """Let a host answer whoever connects to its port 7."""
    host.start(sys.executable, "-c", _ECHO)


def leaves_by(host: Host, family: int) -> str | None:
    """The line by which a new connection of a server leaves, None when it gets no answer."""
    done = host.run(sys.executable, "-c", _ASK, TARGETS[family][0], check=False)
    addresses = {address: name for (name, _family), address in ADDRESSES.items()}
    return addresses[done.stdout.strip()] if done.returncode == 0 else None


class Served:
    """The server of the lab as it is deployed, with the keeper; ``world`` is the rest of the Internet."""

    def __init__(self, network: Lab, directory: Path) -> None:
        self.network, self.server = network, network.server
        self._log = directory / "log"
        self.program = write_program(directory)
        self.process: subprocess.Popen[str] | None = None
        for host in (network.server, network.world):
            echo(host)

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
            self.process = self.server.start("/usr/bin/python3", "-I", str(self.program), stderr=log)
        self.eventually(lambda: self.health().get("at", 0.0) > began, "the keeper watches the lines")

    def end(self, kill: bool = False) -> None:
        """End the keeper, if it runs."""
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            assert self.process.wait(20) == (-9 if kill else 0)
            self.process = None

    def signal(self, number: int) -> None:
        """Send the keeper a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def health(self) -> dict[str, Any]:
        """What health.json says."""
        text = self.server.run("sh", "-c", "tr -cd ' -~' < /run/multihome/health.json", check=False).stdout
        try:
            found = json.loads(text)
        except ValueError:
            # What a test left there for the keeper to find.
            return {}
        return found if isinstance(found, dict) and isinstance(found.get("at"), float) else {}

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
        eventually(holds, lambda: f"{what}\n{self.log()[-3000:]}\n{self.health()}", PATIENCE)

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
        return leaves_by(self.server, family)


class Seeker:
    """A program on a host that asks the world again and again, each time by a new connection."""

    def __init__(self, host: Host, family: int) -> None:
        command = (sys.executable, "-c", _SEEK, TARGETS[family][0])
        self._process = host.start(*command, stdout=subprocess.PIPE)
        self._rows: queue.SimpleQueue[tuple[float, float]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for row in self._process.stdout:
            began, answered = map(float, row.split())
            self._rows.put((began, answered))

    def works_again(self, since: float, patience: float = 60.0) -> float:
        """Wait for the first answer to a connection that began after a moment; return when it came.

        AssertionError when that takes too long.
        """
        with contextlib.suppress(queue.Empty):
            while True:
                began, answered = self._rows.get(timeout=max(0.0, since + patience - time.monotonic()))
                if began > since:
                    return answered
        raise AssertionError("no new connection works again")

    def stop(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.wait(10)
        self._reader.join(10)


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
def served_lab(directory: Path, *more: str) -> Iterator[Served]:
    """Make the lab, with ``more`` hosts, deploy the server, and remove everything."""
    with lab(*more) as network:
        for family in FAMILIES:
            network.server.run("ip", f"-{family}", "route", "del", "default")
        served = Served(network, directory)
        served.routing()
        try:
            yield served
        finally:
            served.end()


def tracked(served: Served, selector: str) -> bool:
    """Whether a connection is tracked by the server."""
    return selector in served.server.run("cat", "/proc/net/nf_conntrack", check=False).stdout
