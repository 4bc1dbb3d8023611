# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that replaces many objects is killed at a random moment, beside the keeper and foreign objects."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.multihome.linux.tests.integration.keeper.host import Kept
from ansible_collections.multihome.linux.tests.integration.run_module import run_module, start_module

# Seconds until the host has to be in one of the two states: longer than the keeper may take to repair.
_LONGEST = 20.0
FOREIGN = (
    ("ip", "rule", "add", "priority", "100", "from", "10.99.0.0/16", "lookup", "200"),
    ("ip", "route", "add", "10.99.0.0/16", "dev", "eth0", "table", "200"),
    ("ip", "route", "add", "10.98.0.0/16", "dev", "eth0", "table", "1700", "proto", "12"),
)


def policy(first_table: int, count: int) -> dict[str, Any]:
    """The options of policy_routing for ``count`` tables of one route each, and as many rules."""
    numbers = range(first_table, first_table + count)
    return {
        "tables": [{"id": n, "routes": [{"destination": "default", "gateway": "192.168.168.11"}]} for n in numbers],
        "rules": [{"priority": 20000 + n, "source": f"10.{n // 256}.{n % 256}.1", "table": n} for n in numbers],
        "purge": True,
        "persist": True,
    }


class Site:
    """The host with 500 tables and rules, the keeper, and objects of other programs; two states that take turns."""

    def __init__(self, kept: Kept, count: int) -> None:
        self.kept = kept
        self.options = [policy(1000, count), policy(1000 + count, count)]
        for command in FOREIGN:
            kept.host.run(*command)
        self.states: list[Mapping[str, list[str]]] = []
        self.seconds = 0.0
        for options in (self.options[1], self.options[0]):
            begin = time.monotonic()
            done = run_module("policy_routing", options, netns_prefix=kept.host.prefix)
            self.seconds = time.monotonic() - begin
            assert done.get("changed"), done
            self.states.insert(0, self.routing())

    def routing(self) -> dict[str, list[str]]:
        """All routes and policy rules of the host."""
        commands = {"rules": ("ip", "rule"), "routes": ("ip", "route", "show", "table", "all")}
        return {name: sorted(self.kept.host.run(*words).stdout.splitlines()) for name, words in commands.items()}

    def stored(self) -> int:
        """Which of the two states is stored."""
        text = self.kept.host.run("cat", "/etc/multihome/policy_routing.json").stdout
        first = min(rule["priority"] for rule in json.loads(text)["rules"])
        return int(first != self.options[0]["rules"][0]["priority"])

    def kill(self, draw: random.Random) -> str:
        """Kill a run at a random moment; return "old", "new" or how the host differs from both."""
        old = self.stored()
        self.run_and_kill(draw)
        return self.outcome(old)

    def outcome(self, old: int) -> str:
        """Return "old" or "new" once the host is in that state, else how it differs from the stored one."""
        until = time.monotonic() + _LONGEST
        while True:
            found, stored = self.routing(), self.stored()
            if found == self.states[stored]:
                return "old" if stored == old else "new"
            if time.monotonic() > until:
                return self._difference(found, stored)
            time.sleep(0.1)

    def run_and_kill(self, draw: random.Random) -> None:
        """Start the run to the other state, and kill it at a random moment."""
        process = start_module("policy_routing", self.options[1 - self.stored()], self.kept.host.prefix)
        time.sleep(draw.uniform(0.1, 1.1) * self.seconds)
        process.kill()
        process.wait()

    def run_and_kill_half_way(self) -> None:
        """Start the run to the other state, and kill it once the first policy rules have changed."""
        before = self._rules()
        process = start_module("policy_routing", self.options[1 - self.stored()], self.kept.host.prefix)
        until = time.monotonic() + _LONGEST
        while self._rules() == before and process.poll() is None and time.monotonic() < until:
            pass
        process.kill()
        process.wait()

    def _rules(self) -> int:
        return self.kept.host.run("ip", "rule").stdout.count("\n")

    def _difference(self, found: Mapping[str, list[str]], stored: int) -> str:
        wanted = self.states[stored]
        missing = sum(len(set(wanted[name]) - set(found[name])) for name in wanted)
        extra = sum(len(set(found[name]) - set(wanted[name])) for name in wanted)
        return f"{missing} objects of the stored state are missing, {extra} are too many"
