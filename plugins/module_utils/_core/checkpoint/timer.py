# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts the revert: a timer of systemd, or a process of its own; and after a boot, a unit before the network."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from ..confirm import PLACE, Refused
from ..host import programs
from ..host.requirements import tool
from .directory import Directory

PENDING_NAME = "multihome-pending.service"
PENDING_UNIT = f"/etc/systemd/system/{PENDING_NAME}"
PENDING_WANTED = f"/etc/systemd/system/sysinit.target.wants/{PENDING_NAME}"
# The program takes about so many seconds to load, and sleeps until the deadline itself.
_HEAD_START = 1.0

_UNIT = """\
# Installed by Ansible, multihome.linux, while changes wait for their confirmation. It removes itself.
[Unit]
Description=Restores the last confirmed state of multihome.linux
DefaultDependencies=no
ConditionPathExists={place}/pending
RequiresMountsFor={place} /etc /usr/lib
After=local-fs.target
Before=systemd-sysctl.service network-pre.target multihome-keeper.service sysinit.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart={python} -I {place}/pending/revert.pyz boot {place}
TimeoutStartSec=120
UMask=0077

[Install]
WantedBy=sysinit.target
"""


class Timer:
    """Starts and stops the revert of a run; files are below ``root``."""

    def __init__(self, directory: Directory, root: str = "/") -> None:
        self._directory, self._root = directory, root

    def has_systemd(self) -> bool:
        """Tell whether systemd runs this host (sd_booted(3))."""
        return os.path.isdir(self._real("/run/systemd/system"))

    def start(self, run: str, seconds: float) -> None:
        """Have the run reverted when its deadline is over; raises OSError or Refused."""
        command = [sys.executable, "-I", self._directory.path(run, "revert.pyz")]
        if self.has_systemd():
            self._run([*command, "check", self._directory.place])
            self._start_by_systemd(run, seconds, command)
        else:
            self._run([*command, "wait", self._directory.place, run])

    def _run(self, command: list[str]) -> None:
        # The process that waits outlives this one, its session and its connection.
        done = subprocess.run(  # pylint: disable=ansible-bad-function  # _core knows no Ansible, and so no run_command
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            start_new_session=True,
            close_fds=True,
            cwd="/",
        )
        if done.returncode:
            raise Refused(f"cannot start {command[2]}: exit status {done.returncode}; nothing was changed")

    def _start_by_systemd(self, run: str, seconds: float, command: list[str]) -> None:
        path = tool("systemd-run")
        if path is None:
            raise Refused("systemd-run is missing on this host; install it, or set no confirm; nothing was changed")
        options = [
            f"--on-active={max(seconds - _HEAD_START, 0.1):.1f}",
            "--timer-property=AccuracySec=100ms",
            # With its suffix: the name of a run may end in another one, such as ".mount".
            f"--unit={unit(run)}.service",
            f"--description=Reverts run {run} of multihome.linux unless it is confirmed",
            "--property=UMask=0077",
            # The program does not end by a signal, unless somebody or the kernel ends it.
            "--property=Restart=on-abnormal",
            "--property=RestartSec=1",
            "--property=OOMScoreAdjust=-900",
            "--collect",
            "--quiet",
        ]
        arguments = [*options, *command, "sleep", self._directory.place, run]
        status, _output, errors = programs.run(path, arguments)
        if status:
            # One of a run that was killed while it armed may be left.
            self.stop(run)
            status, _output, errors = programs.run(path, arguments)
        if status:
            raise Refused(f"systemd-run: {errors.strip() or f'exit status {status}'}; nothing was changed")

    def stop(self, run: str) -> None:
        """Have the run not reverted any more. A process of its own ends by itself when it sees the new state."""
        if self.has_systemd():
            systemctl = tool("systemctl") or "systemctl"
            with contextlib.suppress(OSError):
                programs.run(systemctl, ["stop", f"{unit(run)}.timer"])

    def install_boot_unit(self) -> None:
        """Have a reboot restore the state before the run; raises OSError."""
        if not self.has_systemd():
            return
        text = _UNIT.format(place=PLACE, python=sys.executable)
        real, wanted = self._real(PENDING_UNIT), self._real(PENDING_WANTED)
        os.makedirs(os.path.dirname(wanted), mode=0o755, exist_ok=True)
        self.remove_boot_unit()
        descriptor = os.open(real, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # systemd reads it at the next boot, so it need not read it now.
        os.symlink(PENDING_UNIT, wanted)
        for directory in (os.path.dirname(real), os.path.dirname(wanted)):
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def remove_boot_unit(self) -> None:
        """Remove that unit; raises OSError."""
        for path in (PENDING_WANTED, PENDING_UNIT):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._real(path))

    def _real(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))


def unit(run: str) -> str:
    """Return the name of a run's timer and service, without their suffixes."""
    return f"multihome-revert-{run}"
