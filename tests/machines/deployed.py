# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The design deployed on machines: what stood before, what stands since, and what tests ask of it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from typing import Any

from ..e2e import checks, playbooks
from . import configuration, standing
from .bed import Bed
from .machine import Machine
from .standing import Object

KEEPER = "multihome-keeper.service"


class Deployed:
    """A bed with the design on it. ``before`` and ``after`` the deployment, each machine's objects and files.

    ``foretold`` is the deployment in check mode, before the real one in ``done``.
    """

    def __init__(self, bed: Bed) -> None:
        """Deploy; raises PlaybookFailed."""
        self.bed, self.lab = bed, bed.lab
        for machine in bed.machines:
            # Until the deployment forbids it, systemd-networkd may have taken these for remains of its own.
            self.run(machine, "systemctl", "restart", configuration.FOREIGN)
        self.before = {machine.name: self.settled(machine) for machine in bed.machines}
        self.files = {machine.name: standing.files(self.lab, machine.name) for machine in bed.machines}
        self.foretold = playbooks.deploy(self.lab, "--check", "--diff")
        self.done = playbooks.deploy(self.lab, "--diff")
        self.after = {machine.name: standing.objects(self.lab, machine.name) for machine in bed.machines}

    def deploy(self) -> None:
        """Deploy, once more or for the first time; raises PlaybookFailed."""
        playbooks.deploy(self.lab)

    def run(self, machine: Machine, *words: str, check: bool = True) -> str:
        """Run a command on a machine and return what it prints."""
        return self.lab.exec(machine.name, *words, check=check).stdout

    def ours(self, machine: Machine) -> list[Object]:
        """Return the objects that the deployment has brought to a machine, without what the kernel makes by itself."""
        return [
            found
            for text, found in self.now(machine).items()
            if text not in self.before[machine.name] and '"protocol": "kernel"' not in text
        ]

    def now(self, machine: Machine) -> Mapping[str, Object]:
        """Return the objects that stand on a machine."""
        return standing.objects(self.lab, machine.name)

    def differences(self, in_order: bool = True) -> list[str]:
        """Return what is other than after the deployment, ours or not.

        Not ``in_order``: it may have become another one of a subnet's addresses that is the primary.
        """
        found = []
        for machine in self.bed.machines:
            sides: list[Mapping[str, Object]] = [self.after[machine.name], self.now(machine)]
            if not in_order:
                sides = [standing.without_order(side) for side in sides]
            found += [f"{machine.name}: {difference}" for difference in standing.differences(*sides)]
        return found

    def mended(self, seconds: float = 15, in_order: bool = True) -> list[str]:
        """Return what is wrong, objects that differ or lines that do not answer, once nothing is or after a while."""
        return checks.eventually(lambda: self.differences(in_order) or checks.services_answered(self.lab), seconds)

    def settled(self, machine: Machine) -> Mapping[str, Object]:
        """Return the objects of a machine once its own addresses are there, and checked for duplicates."""
        own = {configuration.plain(each) for interface in machine.host.interfaces for each in interface.addresses}

        def missing() -> list[str]:
            shown = [each.text for each in self.now(machine).values() if each.kind == "address"]
            tentative = self.run(machine, "ip", "-oneline", "address", "show", "tentative").splitlines()
            return tentative + [address for address in own if not any(f'"{address}"' in text for text in shown)]

        checks.eventually(missing)
        return self.now(machine)

    def keeper(self, machine: Machine) -> dict[str, Any]:
        """Return what multihome_info says of the keeper of a machine."""
        found: dict[str, Any] = self.module(machine, "multihome.linux.multihome_info", gather_subset=["keeper"])[
            "keeper"
        ]
        return found

    def module(self, machine: Machine, name: str, **options: Any) -> Mapping[str, Any]:
        """Run one module on a machine and return its result, also where it fails."""
        play = {"hosts": machine.name, "gather_facts": False, "tasks": [{name: options}]}
        with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as playbook:
            json.dump([play], playbook)
            playbook.flush()
            return playbooks.run(self.lab, playbook.name).results[-1].values

    def process(self, machine: Machine) -> int:
        """Return the keeper's process id on its machine; 0 while it does not run."""
        return int(self.run(machine, "systemctl", "show", "--property=MainPID", "--value", KEEPER))

    def journal(self, machine: Machine) -> str:
        """Return what the keeper has said since the machine booted."""
        return self.run(machine, "journalctl", "--boot", "--output=cat", f"--unit={KEEPER}")

    def report(self, machine: Machine) -> dict[str, Any]:
        """Return what the keeper says of itself, at once, without Ansible."""
        said: dict[str, Any] = json.loads(self.run(machine, "cat", "/run/multihome/keeper.json"))
        return said

    def state(self, machine: Machine) -> str:
        """Return what tells why a machine does not answer, for a person who reads of a test that failed."""
        commands = [
            ("ip", "address", "show"),
            ("ip", "rule", "show"),
            ("ip", "route", "show", "table", "all"),
            ("cat", "/run/multihome/keeper.json"),
            ("journalctl", "--boot", "--output=short-monotonic", "--priority=info", "--lines=150", "--no-hostname"),
        ]
        shown = [f"{' '.join(words)}\n{self.run(machine, *words, check=False)}" for words in commands]
        return "\n".join([machine.name, *shown])
