# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab from the outside: bring it up, run commands on its hosts, break and heal its lines, take it down.

    lab = Lab("default")
    lab.up(choose(lines=3))
    lab.exec("client1", "ping", "-c1", "203.0.113.10")
    lab.break_line("unicom", "carrier")
    lab.down()

Every step is idempotent and tells by its result whether it changed anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import network, preflight, state, topology
from .channel import Channel
from .state import LabError
from .topology import Line, Options, Topology

BREAKS = ("carrier", "blackhole", "firewall")
_UP_TIMEOUT = 120.0  # seconds; 3 lines need about one
_DOWN_TIMEOUT = 30.0


class Lab:
    """One lab, known by its name; several may run at the same time."""

    def __init__(self, name: str = "default") -> None:
        """Raise LabError for a name that cannot be a directory's."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,40}", name):
            raise LabError(f'lab name "{name}": small letters, digits, - and _ are allowed')
        self.name = name
        self.directory = state.directory(name)

    @property
    def topology(self) -> Topology:
        """The running lab's topology."""
        return topology.build(_options(state.running(self.name)))

    @property
    def hosts(self) -> tuple[str, ...]:
        """The running lab's host names."""
        return tuple(state.running(self.name)["hosts"])

    @property
    def lines(self) -> tuple[Line, ...]:
        """The running lab's lines, in the declaration's order."""
        return self.topology.lines

    @property
    def breaks(self) -> dict[str, str]:
        """Each broken line's name and how it is broken."""
        return dict(state.running(self.name)["breaks"])

    @property
    def machines(self) -> dict[str, str]:
        """The hosts that `replace_host` replaced, and the Python of each."""
        return dict(state.running(self.name).get("machines", {}))

    def is_up(self) -> bool:
        """Tell whether the lab runs, with all its hosts."""
        record = state.read(self.name)
        return record is not None and all(map(state.is_alive, [record["holder"], *record["hosts"].values()]))

    def up(self, options: Options) -> bool:
        """Bring the lab up as `options` (of topology.choose) say; build it anew if it runs differently.

        Returns False if it was up already. Raises LabError with the reason and the remedy.
        """
        with self._lock():
            if self.is_up() and _options(state.running(self.name)) == options:
                return False
            preflight.check(user_namespace=os.geteuid() != 0)
            self._end()
            (self.directory / "store").mkdir(exist_ok=True)
            try:
                self._build(options)
            except BaseException:
                self._end()
                raise
            return True

    def down(self) -> bool:
        """End every process of the lab, and with them all that it had; return False if there was nothing."""
        if not self.directory.is_dir():
            return False
        with self._lock():
            was_up = self._end()
            shutil.rmtree(self.directory)
        for parent in list(self.directory.parents)[:2]:
            with contextlib.suppress(OSError):  # other labs, or other things of the checkout, are in it
                parent.rmdir()
        return was_up

    def replace_host(self, host: str, pid: int, python: str) -> None:
        """Let another process, the init of a booted machine for instance, be `host` from now on.

        `python` is the interpreter of Ansible's modules there. The lab's own process ends, and with it its cables go.
        """
        with self._lock():
            record = state.running(self.name)
            machines = record.setdefault("machines", {})
            if host not in machines and state.is_alive(record["hosts"][host]):
                os.kill(record["hosts"][host]["pid"], signal.SIGKILL)
            record["hosts"][host] = state.identify(pid)
            machines[host] = python
            state.write(self.name, record)

    def add_lan_interface(self, host: str, interface: str) -> None:
        """Give `host` a second interface on the LAN, up and without addresses of its own."""
        record = state.running(self.name)
        plan, port = topology.build(_options(record)), f"{host}-{interface}"
        pids = {name: record["hosts"][name]["pid"] for name in (host, topology.SWITCH)}
        text = network.cable(len(plan.cables), (host, interface), (topology.SWITCH, port), pids)
        # In no PID namespace of a host: the ids are those that we see.
        user = ["--user", "--preserve-credentials"] if record["user_namespace"] else []
        enter = [state.find_tool("nsenter") or "nsenter", "--target", str(pids[host]), "--net", *user, "--"]
        result = subprocess.run(
            [*enter, state.find_tool("ip") or "ip", "-batch", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise LabError(f"{host}: {text.strip()}: {result.stderr.strip()}")
        self.exec(topology.SWITCH, "ip", "link", "set", "dev", port, "master", "lan", "up")
        self._set_link(host, interface, True)

    def command(self, host: str, *words: str) -> list[str]:
        """Return the command that runs `words` on `host`, for who wants to start it in a way of their own."""
        return [*state.enter_command(state.running(self.name), host), *words]

    def exec(
        self, host: str, *words: str, stdin: str | None = None, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on `host` and return its result; raise LabError with its output if it fails and `check`."""
        result = subprocess.run(
            self.command(host, *words),
            input="" if stdin is None else stdin,
            capture_output=True,
            text=True,
            env=state.host_environment(),
            timeout=timeout,
            check=False,
        )
        if check and result.returncode:
            said = (result.stdout + result.stderr).strip()
            raise LabError(f"{host}: {' '.join(words)}: exit code {result.returncode}: {said}")
        return result

    def popen(self, host: str, *words: str, **arguments: Any) -> subprocess.Popen[str]:
        """Start a command on `host`; it ends with the returned process. `arguments` are subprocess.Popen's."""
        arguments = {"text": True, "stdin": subprocess.DEVNULL, "env": state.host_environment(), **arguments}
        process: subprocess.Popen[str] = subprocess.Popen(self.command(host, *words), **arguments)
        return process

    def ask(self, host: str, *urls: str, timeout: float = 2, count: int = 1, **options: Any) -> dict[str, Any]:
        """Let `host` request `urls` and return client.py's report, failures and all.

        `options` are client.py's: source, concurrency, interval.
        """
        words = [sys.executable, str(Path(__file__).with_name("client.py")), *urls]
        for name, value in {"timeout": timeout, "count": count, **options}.items():
            words += [f"--{name}", str(value)]
        limit = 30 + timeout * count * len(urls)
        report: dict[str, Any] = json.loads(self.exec(host, *words, check=False, timeout=limit).stdout)
        return report

    def ansible_environment(self) -> dict[str, str]:
        """Return the environment in which Ansible's commands work on this lab."""
        configuration = state.CHECKOUT / "inventory" / "lab" / "ansible.cfg"
        return {**os.environ, "ANSIBLE_CONFIG": str(configuration), "LAB_NAME": self.name}

    def break_line(self, line: str, how: str) -> bool:
        """Break `line`: `carrier` is lost at the firewall, the ISP is a `blackhole`, or the `firewall` is gone.

        A line broken in another way before is then broken in this way only. Returns False if it was so already.
        """
        if how not in BREAKS:
            raise LabError(f'"{how}" is none of {", ".join(BREAKS)}')
        return self._set_break(line, how)

    def heal_line(self, line: str) -> bool:
        """Undo what `break_line` did to `line`; return False if it was whole."""
        return self._set_break(line, None)

    def _set_break(self, name: str, how: str | None) -> bool:
        with self._lock():
            record = state.running(self.name)
            plan = topology.build(_options(record))
            line = next((line for line in plan.lines if line.name == name), None)
            if line is None:
                raise LabError(f'no line "{name}", the lab has: {", ".join(line.name for line in plan.lines)}')
            if how == "firewall" and plan.hosts[line.end].role != "firewall":
                raise LabError(f'line "{name}" ends on {line.end} itself (shape C): it has no firewall to break')
            before: str | None = record["breaks"].get(name)
            record["breaks"].pop(name, None)
            if how is not None:
                record["breaks"][name] = how
            # First the record: if we are killed in between, the same command mends what is left.
            state.write(self.name, record)
            self._apply_breaks(plan, record["breaks"], line.end)
            return before != how

    def _apply_breaks(self, plan: Topology, breaks: dict[str, str], end: str) -> None:
        """Make the lines that end on host `end` what `breaks` says.

        Only the far ends of the host's cables are touched, so that it sees lost carriers and keeps its own
        addresses and routes, as it would with the plugs pulled.
        """
        own = [line for line in plan.lines if line.end == end]
        gone = any(breaks.get(line.name) == "firewall" for line in own)
        if plan.hosts[end].role == "firewall":
            self._set_link(topology.SWITCH, end, not gone)
        for line in own:
            self.exec(line.isp, "nft", "-f", "-", stdin=network.black_hole(breaks.get(line.name) == "blackhole"))
            self._set_link(line.isp, "line0", not gone and breaks.get(line.name) != "carrier")

    def _set_link(self, host: str, interface: str, up: bool) -> None:
        self.exec(host, "ip", "link", "set", "dev", interface, "up" if up else "down")

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one at a time change this lab; the lock is on its directory and ends with the process."""
        while True:
            self.directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.directory, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                # Somebody may have taken the lab down, directory and all, while we waited.
                if _is_same(self.directory, descriptor):
                    yield
                    return
            finally:
                os.close(descriptor)

    def _build(self, options: Options) -> None:
        """Start the holder, hear from every host, write the record, and let the holder go its own way."""
        user_namespace = os.geteuid() != 0
        store, kind = str(self.directory / "store"), "user" if user_namespace else "root"
        channel = Channel(
            [sys.executable, "-m", "tests.lab.holder"],
            [store, kind, json.dumps(dataclasses.asdict(options))],
            self.directory / "log",
            cwd=state.CHECKOUT,
            env={**os.environ, "LAB_NAME": self.name},
        )
        try:
            processes = self._hear(channel, len(topology.build(options).hosts) + 1)
            record = {
                "name": self.name,
                "options": dataclasses.asdict(options),
                "boot_id": state.boot_id(),
                "user_namespace": user_namespace,
                "breaks": {},
                "holder": processes.pop(""),
                "hosts": {host: processes[host] for host in topology.build(options).hosts},
            }
            state.write(self.name, record)
            channel.send(b"complete")
            if channel.process.wait(timeout=_UP_TIMEOUT):
                raise LabError("the lab's holder ended when it was to go on its own")
        finally:
            channel.close()
            if channel.process.poll() is None:
                channel.process.kill()  # the holder proper dies with it
                channel.process.wait()

    def _hear(self, channel: Channel, count: int) -> dict[str, dict[str, int]]:
        """Return `{host: process}` from `count` messages."""
        processes: dict[str, dict[str, int]] = {}
        deadline = time.monotonic() + _UP_TIMEOUT
        while len(processes) < count:
            heard = channel.hear(max(0.0, deadline - time.monotonic()))
            if heard is None:
                raise LabError(f"the lab did not come up in {_UP_TIMEOUT:.0f} s; see {self.directory}/log")
            data, pid = heard
            if not data:
                raise LabError(f"the lab's holder ended early; see {self.directory}/log")
            message = json.loads(data)
            if "error" in message:
                raise LabError(f"the lab did not come up: {message['error']}")
            processes[message["host"]] = state.identify(pid)
        return processes

    def _end(self) -> bool:
        """Kill the holder if it runs, and wait until the kernel has ended all else; return whether it ran."""
        record = state.read(self.name)
        (self.directory / "state.json").unlink(missing_ok=True)
        if record is None or not state.is_alive(record["holder"]):
            return False
        os.kill(record["holder"]["pid"], signal.SIGKILL)
        deadline = time.monotonic() + _DOWN_TIMEOUT
        while any(map(state.is_alive, [record["holder"], *record["hosts"].values()])):
            if time.monotonic() > deadline:
                raise LabError(f"process {record['holder']['pid']} of the lab does not end")
            time.sleep(0.01)
        return True


def _is_same(path: Path, descriptor: int) -> bool:
    try:
        own, other = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return os.path.samestat(own, other)


def _options(record: dict[str, Any]) -> Options:
    return topology.choose(**record["options"])
