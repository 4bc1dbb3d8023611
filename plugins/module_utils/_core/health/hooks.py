# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of /etc/multihome/hooks.d, run when something happens to a line, one after the other.

A hook gets the event as its first argument and everything else in its environment. It may take TIMEOUT seconds; then
it is killed with everything that it started. Nothing ever waits for a hook.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import stat
import subprocess
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Optional

DIRECTORY = "/etc/multihome/hooks.d"
UP, DOWN, DEGRADED, ADDRESS, TAKEN = "up", "down", "degraded", "address", "taken"
EVENTS = (UP, DOWN, DEGRADED, ADDRESS, TAKEN)
TIMEOUT = 10.0
# Events that wait. A hook that hangs each time holds up the others; the oldest events are then given up.
_WAITING = 256
_MARKER = "MULTIHOME_HOOK_RUN"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Log = Callable[[str, str], None]
_Event = Optional["tuple[str, dict[str, str]]"]


def faults(path: str) -> str:
    """Return why a file is not run, empty where it is: only root, or who runs this, may be able to change it."""
    try:
        found = os.stat(path)
    except OSError as error:
        return str(error.strerror)
    if not stat.S_ISREG(found.st_mode):
        return "not a file"
    if not found.st_mode & stat.S_IXUSR:
        return "not executable"
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "writable by others than root"
    return ""


class Hooks:
    """Runs hooks in a thread of its own; ``log`` gets a level and a text."""

    def __init__(self, log: Log, directory: str = DIRECTORY, timeout: float = TIMEOUT) -> None:
        self._log, self._directory, self._timeout = log, directory, timeout
        self._events: queue.Queue[_Event] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin to run hooks."""
        self._thread = threading.Thread(target=self._run, name="health-hooks", daemon=True)
        self._thread.start()

    def stop(self, patience: float = 1.0) -> None:
        """End; a hook that runs is killed, what waits is given up."""
        self._stopping.set()
        with contextlib.suppress(queue.Full):
            self._events.put_nowait(None)
        if self._thread is not None:
            self._thread.join(patience)

    def happened(self, event: str, facts: Mapping[str, str]) -> None:
        """Have the hooks run for an event; returns at once."""
        while True:
            try:
                self._events.put_nowait((event, dict(facts)))
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    self._events.get_nowait()
                self._log("warning", "hooks are too slow; an event was given up")
            else:
                return

    def _run(self) -> None:
        while True:
            event = self._events.get()
            try:
                if event is None or self._stopping.is_set():
                    return
                for path in self._programs():
                    self._call(path, *event)
            finally:
                self._events.task_done()

    def _programs(self) -> list[str]:
        try:
            # A name that begins with a dot, or ends in ~, is an editor's.
            names = sorted(name for name in os.listdir(self._directory) if name[0] != "." and name[-1] != "~")
        except OSError:
            return []
        found = []
        for name in names:
            path = os.path.join(self._directory, name)
            fault = faults(path)
            if fault:
                self._log("warning", f"hook {name} is not run: {fault}")
            else:
                found.append(path)
        return found

    def _call(self, path: str, event: str, facts: Mapping[str, str]) -> None:
        name, marker = os.path.basename(path), uuid.uuid4().hex
        environment = {"PATH": _PATH, "LANG": "C.UTF-8", _MARKER: marker, "MULTIHOME_EVENT": event}
        environment.update({f"MULTIHOME_{key.upper()}": value for key, value in facts.items()})
        try:
            # The only way to run a program of the administrator's; no shell is involved.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                [path, event],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            self._log("warning", f"hook {name} cannot be run: {error.strerror}")
            return
        status = self._ended(process)
        if status is None:
            self._kill(process, marker)
            if not self._stopping.is_set():
                self._log("warning", f"hook {name} was killed: it took more than {self._timeout:g} s")
        elif status:
            self._log("warning", f"hook {name} failed with status {status}")

    def _ended(self, process: subprocess.Popen[bytes]) -> int | None:
        """Return the exit status; None after the time is over, or when all of this ends."""
        left = self._timeout
        while left > 0 and not self._stopping.is_set():
            try:
                return process.wait(min(left, 0.1))
            except subprocess.TimeoutExpired:
                left -= 0.1
        return None

    @staticmethod
    def _kill(process: subprocess.Popen[bytes], marker: str) -> None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        # Who left the process group is known by the environment; until a search finds nobody, as one may fork.
        for _search in range(10):
            found = _marked(marker)
            for pid in found:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            if not found:
                break
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)


def _marked(marker: str) -> list[int]:
    """Return the processes that have a hook's marker in their environment."""
    wanted = f"{_MARKER}={marker}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                if wanted in file.read().split(b"\0"):
                    found.append(int(name))
    return found
