# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible on the gateway, which is connected with the server by ssh: a real sshd and Ansible's own plugin.

`make setup` unpacks sshd where the system has none. It gets an account in the /etc that only this host sees.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..dns.servers import UNPACKED, program, programs
from .lab import Server

CONTROLLER = "192.168.168.11"
# The address that no module manages, and one of the earlier deployment.
MANAGEMENT, ALIAS = "192.168.168.50", "192.168.168.1"
_CALLBACKS = Path(__file__).parents[2] / "e2e" / "callback_plugins"
_CONFIGURATION = """
ListenAddress 0.0.0.0
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
"""
Task = dict[str, Any]


class Controller:
    """Runs plays on the server. ``variables`` are those of the server in the inventory."""

    def __init__(self, server: Server, gateway: Any, directory: Path) -> None:
        self.server, self._gateway, self._directory = server, gateway, directory
        self.sshd = 0

    def start(self, *tasks: Task, address: str = MANAGEMENT, **variables: Any) -> subprocess.Popen[str]:
        """Start a play of tasks, which prints one line of JSON for each event."""
        options = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o BatchMode=yes"
        # Each task has a connection of its own. One that is cut ends soon.
        options += " -o ControlMaster=no -o ControlPath=none"
        options += " -o ConnectTimeout=2 -o ServerAliveInterval=1 -o ServerAliveCountMax=2"
        host = {
            "ansible_host": address,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self._directory / "user"),
            "ansible_ssh_executable": program("ssh"),
            "ansible_ssh_args": options,
            "ansible_python_interpreter": sys.executable,
            "ansible_pipelining": True,
            **variables,
        }
        play = [{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]
        (self._directory / "play.yml").write_text(json.dumps(play))
        (self._directory / "inventory.json").write_text(json.dumps({"all": {"hosts": {"server": host}}}))
        settings = {
            **programs(),
            "ANSIBLE_CALLBACK_PLUGINS": str(_CALLBACKS),
            "ANSIBLE_STDOUT_CALLBACK": "json_lines",
            "ANSIBLE_HOME": str(self._directory / "home"),
            "ANSIBLE_SSH_RETRIES": "0",
            "ANSIBLE_HOST_KEY_CHECKING": "False",
        }
        environment = [f"{name}={value}" for name, value in settings.items()]
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            str(self._directory / "inventory.json"),
        ]
        started: subprocess.Popen[str] = self._gateway.start(
            "env",
            *environment,
            *command,
            str(self._directory / "play.yml"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        return started

    def run(self, *tasks: Task, **options: Any) -> tuple[int, list[dict[str, Any]]]:
        """Run a play to its end; exit status, and the results of its tasks."""
        process = self.start(*tasks, **options)
        output, errors = process.communicate(timeout=150)
        events = [json.loads(line) for line in output.splitlines()]
        assert events, errors
        return process.returncode, [event for event in events if event["event"] == "result"]

    def beside(self, directory: Path) -> Controller:
        """Return another controller of the same server, with files of its own."""
        shutil.copy(self._directory / "user", directory / "user")
        return Controller(self.server, self._gateway, directory)

    def cut(self) -> int:
        """End all connections, but not what was started over them; return how many there were."""
        sessions = [number for number in _below(self.sshd) if _is_sshd(number) and _is_sshd(_parent(number))]
        for number in sessions:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        return len(sessions)

    def reaches(self, address: str = MANAGEMENT) -> bool:
        """Tell whether the server answers the controller."""
        done = self._gateway.run("ping", "-n", "-c", "1", "-W", "1", address, check=False)
        return bool(done.returncode == 0)


@contextmanager
def controller(server: Server, gateway: Any, directory: Path) -> Iterator[Controller]:
    """Yield the controller of a server, on which sshd runs then."""
    for name in ("host", "user"):
        command = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
        subprocess.run(command, check=True, env=programs())
    text = _CONFIGURATION.format(directory=directory) + "".join(_split_off())
    (directory / "sshd_config").write_text(text)
    accounts = "grep -q ^sshd: /etc/passwd || echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin' >> /etc/passwd"
    unlocked = "sed -i 's/^root:[^:]*:/root:*:/' /etc/shadow"
    server.host.run("sh", "-c", f"mkdir -p -m 0755 /run/sshd; {accounts}; {unlocked}")
    libraries = f"LD_LIBRARY_PATH={programs()['LD_LIBRARY_PATH']}"
    words: Sequence[str] = [program("sshd"), "-D", "-e", "-f", str(directory / "sshd_config")]
    with (directory / "sshd.log").open("w", encoding="utf-8") as log:
        started = server.host.start("env", libraries, *words, stderr=log)
    server.eventually(lambda: "listening" in (directory / "sshd.log").read_text().lower(), 30)
    made = Controller(server, gateway, directory)
    made.sshd = started.pid
    try:
        yield made
    finally:
        started.terminate()
        started.wait(10)


def _below(process: int) -> list[int]:
    """Return the processes below one of our own."""
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        below = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:
        return []
    return [*below, *(each for child in below for each in _below(child))]


def _parent(process: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _is_sshd(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/exe").resolve().name.startswith("sshd")
    return False


def _split_off() -> Iterator[str]:
    """Give the settings for the parts that newer versions of sshd start, where they are unpacked."""
    if program("sshd").startswith(str(UNPACKED)):
        for name, option in (("sshd-session", "SshdSessionPath"), ("sshd-auth", "SshdAuthPath")):
            path = UNPACKED / "usr/lib/openssh" / name
            if path.exists():
                yield f"{option} {path}\n"
