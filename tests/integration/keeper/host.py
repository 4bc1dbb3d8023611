# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a line, deployed with `persist: true`, and the keeper as the program that hosts run, without systemd."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation import host as keeper_host
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation import unit as keeper_unit
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ..namespaces import Host, Hosts
from ..run_module import run_module

ALIASES = [
    {"address": "192.168.168.1/24", "interface": "eth0"},
    {"address": "fd00:168::1/64", "interface": "eth0"},
]
ROUTING = {
    "tables": [{"id": 1001, "routes": [{"destination": "default", "gateway": "192.168.168.11"}]}],
    "rules": [{"priority": 23010, "source": "192.168.168.1", "table": 1001}],
}
NAT = {
    "rules": [
        {"type": "masquerade", "family": "ipv4", "out_interface": "eth0"},
        {
            "type": "dnat",
            "protocol": "tcp",
            "destination": "192.168.168.1",
            "destination_port": "80",
            "to_address": "10.0.0.1",
        },
    ]
}
MARKS = {"marks": [{"mark": 1, "gateway": "192.168.168.11"}, {"mark": 2, "in_interface": "eth0"}]}


def write_program(directory: Path) -> Path:
    """Write the keeper's program, with the code of this checkout beside it; return its path."""
    program = directory / Path(keeper_unit.PROGRAM).name
    for path, text in keeper_host.own_code().items():
        (directory / "_core" / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / "_core" / path).write_text(text)
    program.write_text(keeper_unit.PROGRAM_TEXT)
    return program


class Kept:
    """The host, and what it runs."""

    def __init__(self, host: Host, directory: Path, gateway: Host | None = None) -> None:
        self.host = host
        self.gateway = gateway
        self._log = directory / "log"
        self.program = write_program(directory)
        self.process: subprocess.Popen[str] | None = None

    def run(self, module: str, **options: Any) -> dict[str, Any]:
        """Run a module with `persist: true`."""
        return run_module(module, {"persist": True, **options}, netns_prefix=self.host.prefix)

    def deploy(self) -> None:
        """Have everything stand and stored."""
        done = [
            self.run("ip_aliases", aliases=ALIASES),
            self.run("policy_routing", **ROUTING),
            self.run("nat_rules", **NAT),
            # In the order in which the keeper has them, so that all stands in the same one again.
            self.run("forward_policy", policy="drop", accept=[{"mapped_to": "10.0.0.1"}]),
            self.run("connection_marks", **MARKS),
        ]
        assert [result.get("msg") for result in done if not result.get("changed")] == []

    def start(self) -> None:
        """Start the keeper, and wait until it has looked."""
        self.host.run("rm", "-f", "/run/multihome/keeper.json")
        with self._log.open("a") as log:
            # The distribution's Python, as on a host, and nothing of this checkout.
            self.process = self.host.start("/usr/bin/python3", "-I", str(self.program), stderr=log)
        self.eventually(lambda: self.said("since"), 20)

    def stop(self) -> None:
        """End the keeper, and wait for it."""
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(10) == 0
            self.process = None

    @contextmanager
    def running(self) -> Iterator[Kept]:
        """Run the keeper for a time, on a host that anything may be deployed on yet."""
        # The keeper is notified of files in a directory that exists, as it does where anything was deployed.
        self.host.run("mkdir", "-p", "/etc/multihome")
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def said(self, name: str) -> Any:
        """One of the values of the state file, None when there is none."""
        text = self.host.run("cat", "/run/multihome/keeper.json", check=False).stdout
        return json.loads(text).get(name) if text else None

    def info(self) -> dict[str, Any]:
        """What multihome_info says of the keeper."""
        answer = run_module("multihome_info", {"gather_subset": ["keeper"]}, netns_prefix=self.host.prefix)
        keeper: dict[str, Any] = answer["keeper"]
        return keeper

    def log(self) -> str:
        """All that the keeper has written."""
        return self._log.read_text()

    def state(self) -> dict[str, list[str]]:
        """All that stands, ours and others', without handles and counters, and of addresses without what passes."""
        links = json.loads(self.host.run("ip", "-json", "address", "show").stdout)
        addresses = [
            f"{link['ifname']} {address['local']}/{address['prefixlen']} {address.get('secondary', '')}"
            for link in links
            for address in link.get("addr_info", ())
            if address.get("scope") == "global"
        ]
        commands = {
            "route": ("ip", "route", "show", "table", "1001"),
            "rule": ("ip", "rule", "show"),
            "nft": ("nft", "--stateless", "list", "ruleset"),
        }
        found = {kind: self.host.run(*command).stdout.splitlines() for kind, command in commands.items()}
        return {**found, "address": sorted(addresses)}

    def differences(self, before: dict[str, list[str]]) -> list[str]:
        """What went (-) and what came (+) since `before`."""
        now = self.state()
        gone = [f"-{line}" for kind, lines in before.items() for line in lines if line not in now[kind]]
        come = [f"+{line}" for kind, lines in now.items() for line in lines if line not in before[kind]]
        return gone + come or [kind for kind in before if before[kind] != now[kind]]

    def as_before(self, before: dict[str, list[str]], seconds: float = 5) -> float:
        """Wait until all stands again, and return how long it took; AssertionError with what differs."""
        begin = time.monotonic()
        while found := self.differences(before):
            assert time.monotonic() < begin + seconds, "\n".join([*found, self.log()[-2000:]])
            time.sleep(0.01)
        return time.monotonic() - begin

    def eventually(self, holds: Callable[[], Any], seconds: float = 5) -> float:
        """Wait until something holds, and return how long it took; AssertionError with the log when it does not."""
        return eventually(holds, self.log, seconds, pause=0.01)


@contextmanager
def kept(directory: Path) -> Iterator[Kept]:
    """Yield a host with one cable to a gateway, with everything deployed; nothing of it stays."""
    with Hosts("server", "gateway") as hosts:
        hosts.link("server", "eth0", "gateway", "eth0")
        hosts["gateway"].address("eth0", "192.168.168.11/24")
        hosts["server"].address("eth0", "192.168.168.50/24")
        made = Kept(hosts["server"], directory, hosts["gateway"])
        made.deploy()
        yield made
