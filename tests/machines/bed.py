# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The design on booted machines: a lab of two lines in which the server and the first firewall are machines.

The second firewall stays one of the lab's own hosts: a host without systemd.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from ..lab.lab import Lab
from ..lab.state import CHECKOUT
from ..lab.topology import choose
from .machine import Machine

SERVER, FIREWALL, WITHOUT_SYSTEMD = "web1", "fw-a", "fw-b"
LINES = ("unicom", "interlink")


@dataclass(frozen=True)
class Bed:
    """A lab and its machines, all of one Debian release."""

    suite: str
    lab: Lab
    server: Machine
    firewall: Machine

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The server and the firewall."""
        return self.server, self.firewall


@contextlib.contextmanager
def booted(suite: str, name: str, filter_programs: bool = False) -> Iterator[Bed]:
    """Yield a bed under the name of its lab. However this process ends, nothing of it stays.

    With ``filter_programs`` the firewall has ufw, firewalld and Docker, none of which is started. Raises LabError where
    it cannot be.
    """
    lab = Lab(name)
    guardian = subprocess.Popen(
        [sys.executable, "-m", "tests.machines.guardian", name],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(guardian.communicate)
        lab.up(choose(lines=len(LINES)))
        firewall = Machine(lab, FIREWALL, suite, filter_programs=filter_programs)
        bed = Bed(suite, lab, Machine(lab, SERVER, suite), firewall)
        for machine in bed.machines:
            stack.callback(machine.end)
            machine.start()
        yield bed
