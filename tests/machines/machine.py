# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A booted machine in the place of one host of a running lab.

    machine = Machine(lab, "web1", "bookworm")
    machine.start()
    lab.exec("web1", "systemctl", "is-system-running")
    machine.reboot()

All that knows the lab's hosts, Ansible's connection too, enters the machine instead from then on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ..lab import network, state
from ..lab.channel import Channel
from ..lab.lab import Lab
from ..lab.state import LabError
from ..lab.topology import Host, Topology
from . import configuration, control_groups, releases
from .configuration import NETWORKD

_TIMEOUT = 60.0  # seconds; a boot needs about one, with all hands busy a few
PYTHON = "/usr/bin/python3"


class Machine:
    """A machine: its files last as long as the lab, its network as long as it is not booted again."""

    def __init__(self, lab: Lab, host: str, suite: str, manager: str = NETWORKD, filter_programs: bool = False) -> None:
        """Describe the machine that shall be ``host``; ``manager`` is what manages its interfaces.

        With ``filter_programs`` it has ufw, firewalld and Docker, none of which is started.
        """
        self.lab = lab
        self.suite = suite
        self.topology: Topology = lab.topology
        self.host: Host = self.topology.hosts[host]
        self.name = host
        self._manager, self._filter_programs = manager, filter_programs
        self._channel: Channel | None = None
        self._log = lab.directory / f"machine-{host}.log"

    def start(self) -> None:
        """Boot the machine for the first time and wait until it runs. Raises LabError with the reason."""
        programs = releases.FILTER_PROGRAMS[self.suite] if self._filter_programs else ()
        release = releases.made(self.suite, programs)
        options = {
            "name": self.name,
            "release": str(release),
            "store": str(self.lab.directory / "store" / "machines" / self.name),
            "control_group": str(control_groups.make(self.lab.name, self.name)),
            # As everywhere a new address is first checked for duplicates.
            "settings": [entry for entry in network.settings_before(self.host) if "accept_dad" not in entry[0]],
            "files": {
                **configuration.identity(self.host, self.topology),
                **configuration.managed_by(self._manager, self.host),
                **(configuration.disabled_filter_programs() if programs else {}),
            },
            "visible": [str(configuration.TESTS)],
        }
        holder = state.running(self.lab.name)["holder"]["pid"]
        program = [
            *(state.find_tool("nsenter") or "nsenter", "--target", str(holder), "--mount", "--net", "--pid", "--"),
            *("env", f"--chdir={state.CHECKOUT}", "PYTHONDONTWRITEBYTECODE=1", sys.executable),
            *("-m", "tests.machines.launcher"),
        ]
        self._channel = Channel(program, [json.dumps(options)], self._log)
        self._boot()

    def end(self) -> None:
        """Switch the machine off for good; its files go with the lab."""
        if self._channel is not None:
            self._channel.close()
            self._channel.process.wait()

    def reboot(self) -> None:
        """Have the machine boot again, as `systemctl reboot` does, and wait until it runs."""
        self.lab.exec(self.name, "systemctl", "reboot", check=False)
        self._boot()

    def crash(self) -> None:
        """Boot again without any shutting down, as if the power had failed for a moment, and wait until it runs."""
        self.lab.exec(self.name, "systemctl", "reboot", "--force", "--force", check=False)
        self._boot()

    def manage_by(self, manager: str) -> None:
        """Have something else manage the interfaces, from the next boot on."""
        self.write(configuration.managed_by(manager, self.host))

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write files on the running machine; None removes one."""
        script = configuration.TESTS / "machines" / "files.py"
        self.lab.exec(self.name, PYTHON, "-B", str(script), stdin=json.dumps(files))

    def _boot(self) -> None:
        """Give a network that is just made its cables, let the machine boot, and make it the lab's host."""
        message, launcher = self._hear()
        if message != "network":
            raise LabError(f"machine {self.name}: {message}; see {self._log}")
        record = state.running(self.lab.name)
        pids = {name: process["pid"] for name, process in record["hosts"].items()}
        self._plug({**pids, self.name: launcher})
        assert self._channel is not None
        self._channel.send(b"boot")
        self.lab.replace_host(self.name, self._init(launcher), PYTHON)
        self._wait_until_running()

    def _hear(self) -> tuple[str, int]:
        """Return what the launcher says next and its process id."""
        assert self._channel is not None
        heard = self._channel.hear(_TIMEOUT)
        if heard is None:
            raise LabError(f"machine {self.name} does not come to an end; see {self._log}")
        message, launcher = heard
        return message.decode() or "its launcher has ended", launcher

    def _plug(self, pids: Mapping[str, int]) -> None:
        """Plug new cables in, their far ends set up as the lab set them up."""
        commands = network.cables(self.topology, dict(pids)).splitlines()
        for (near, far), command in zip(self.topology.cables, commands, strict=True):
            if self.name not in (near[0], far[0]):
                continue
            (_own, interface), (other, port) = (near, far) if near[0] == self.name else (far, near)
            # The cable of the boot before, if it is not gone by itself yet.
            _ip(pids[other], f"link delete dev {port}", check=False)
            address = configuration.hardware_address(self.name, interface)
            _ip(pids[other], command)
            _ip(pids[self.name], f"link set dev {interface} address {address}")
            _ip(pids[other], _far_end(self.topology.hosts[other], port))

    def _init(self, launcher: int) -> int:
        """Return the process id of the machine's init: the child of nspawn that is number 1 for itself."""
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            for nspawn in _children(launcher):
                for child in _children(nspawn):
                    if _is_init(child):
                        return child
            time.sleep(0.01)
        raise LabError(f"machine {self.name} does not boot; see {self._log}")

    def _wait_until_running(self) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            found = self.lab.exec(self.name, "systemctl", "is-system-running", "--wait", check=False).stdout.strip()
            if found == "running":
                return
            if found == "degraded":
                failed = self.lab.exec(self.name, "systemctl", "--failed", "--no-legend", "--plain").stdout
                raise LabError(f"machine {self.name}: {failed.strip()}")
            time.sleep(0.02)
        raise LabError(f"machine {self.name} does not get as far as to run; see {self._log}")


def _far_end(host: Host, port: str) -> str:
    """Return the batch that sets up one interface of a host whose other interfaces stand."""
    own = tuple(interface for interface in host.interfaces if interface.name == port)
    bridges = [f"link set dev {port} master {bridge.name}\n" for bridge in host.interfaces if port in bridge.ports]
    return "".join([*bridges, network.addressing(dataclasses.replace(host, interfaces=own, routes=()))])


def _ip(pid: int, batch: str, check: bool = True) -> None:
    """Run a batch of ip in the network of a process."""
    tool = state.find_tool("nsenter") or "nsenter"
    command = [tool, "--target", str(pid), "--net", "--", "ip", "-batch", "-"]
    result = subprocess.run(command, input=batch, capture_output=True, text=True, check=False)
    if check and result.returncode:
        raise LabError(f"{batch.strip()}: {result.stderr.strip()}")


def _children(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return []


def _is_init(pid: int) -> bool:
    """Whether a process is number 1 of a PID namespace and has become systemd: its root then is the machine's."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        process = Path(f"/proc/{pid}")
        numbers = next(line for line in (process / "status").read_text().splitlines() if line.startswith("NSpid:"))
        return numbers.split()[-1] == "1" and (process / "comm").read_text() == "systemd\n"
    return False
