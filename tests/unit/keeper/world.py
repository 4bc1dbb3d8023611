# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in memory, its keeper by a clock of its own, and a script of what happens when."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.errors import Busy
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.interest import Interest
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.keeper import Keeper
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.startup_delay import StartupDelay
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.stored_states import States
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.watch import STOP
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias
from ansible_collections.multihome.linux.tests.unit.routing.fake_kernel import INTERFACES

from .hosts import Host

BASE = {"address": "10.0.0.50/24", "interface": "eth0"}
FIRST, SECOND = ({"address": f"10.0.0.{n}/24", "interface": "eth0"} for n in (1, 2))
ADDRESS_V6 = {"address": "fd00:168::1/64", "interface": "eth0"}
# IFA_F_NODAD, linux/if_addr.h
_NO_DETECTION = 0x02


class World:
    """A host with a base address and stored state, its keeper, and a script of what happens when."""

    def __init__(self, root: Path) -> None:
        self.host = Host(root)
        self.now = 1000.0
        self.script: list[tuple[float, Callable[[], None], set[str]]] = []
        self.looks: list[float] = []
        self.locked = 0
        self.interest = Interest()
        self.put(BASE, owner=0)
        self.keeper = self.fresh()

    def fresh(self) -> Keeper:
        """A keeper that was started just now."""
        engines = {"ip_aliases": self.host.alias_engine, "policy_routing": self.host.routing_engine}
        states = States(self.host.directories[0], engines, self.host.directories[1])
        return Keeper(states, self.lock, lambda: self.now, StartupDelay(self.now, lambda _interface: True))

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
        self.host.fake.carry_out("add", rtnetlink_encoding.encode_alias(alias, INTERFACES[alias.interface], owner))

    def take(self, entry: dict[str, Any]) -> None:
        """Remove an address."""
        alias = Alias.parse(entry)
        self.host.fake.carry_out("remove", rtnetlink_encoding.encode_alias(alias, INTERFACES[alias.interface], 0))

    def mark(self, address: str, flag: int) -> None:
        """Set a flag of an address that stands, as duplicate address detection does."""
        for message in self.host.fake.addresses:
            if message.get("IFA_ADDRESS") == address:
                message.attributes["IFA_FLAGS"] |= flag  # type: ignore[index]  # the fake's own, a dict

    def detects(self) -> bool:
        """Whether the address that was put on last is looked for on its link."""
        return not self.host.fake.sent[-1][1].header["flags"] & _NO_DETECTION

    def lose_routing(self) -> None:
        """Remove all policy rules, and all routes but the kernel's own."""
        self.host.fake.rules = type(self.host.fake.rules)()
        self.host.fake.routes = [route for route in self.host.fake.routes if route.header["proto"] == 2]

    def rules(self) -> list[Any]:
        """The policy rules of ours."""
        return [rule for rule in self.host.fake.snapshot().rules() if rule.owner == 109]

    def routes(self) -> list[tuple[int, int, str | None]]:
        """Table, owner and gateway of each route that is not the kernel's own."""
        found = self.host.fake.snapshot().routes()
        return [(route.object.table, route.owner, route.object.gateway) for route in found if route.owner != 2]

    def addresses(self) -> list[str]:
        """The addresses that stand."""
        snapshot = self.host.fake.snapshot()
        return [existing.object.address for existing in snapshot.addresses()]

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

    def attend(self, interest: Interest) -> None:
        """Note which routes wake the keeper."""
        self.interest = interest

    def run(self, until: float) -> dict[str, Any]:
        """Run the keeper through the script; return its last report."""
        reports: list[Any] = []
        self.script.append((self.now + until, lambda: None, {STOP}))
        self.script.sort(key=lambda step: step[0])
        self.keeper.run(self, reports.append)
        return dict(reports[-1])
