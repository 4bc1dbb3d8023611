# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to the host for the installer: files, systemd, and the code to install."""

from __future__ import annotations

import contextlib
import functools
import importlib.resources
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..host import file_contexts
from ..host.files import Files
from ..host.installed_paths import is_foreign
from ..host.systemd import CommandFailed, systemctl
from .compiled import write_compiled
from .destinations import destinations
from .unit import COMMAND, LIBRARY, NAME, PATH

if TYPE_CHECKING:
    from importlib.abc import Traversable  # Python 3.11 has it elsewhere too

# The distribution's interpreter: python3-pyroute2 is installed for it, and upgrades keep both in step.
SYSTEM_PYTHON = "/usr/bin/python3"
_ENGINE = (__package__ or "").rpartition(".")[0]
_SHARED = ("/etc/multihome", "/var/lib/multihome")


class KeeperHost:
    """The host below ``root``; methods that write raise OSError, those for the service CommandFailed."""

    def __init__(self, root: str = "/") -> None:
        self.files = Files(root)

    def installed(self) -> dict[str, str]:
        """Return the texts of all files that make up the keeper, by path."""
        paths = (*self._library(), PATH) if self.has_foreign_command() else (*self._library(), PATH, COMMAND)
        found = {path: self.files.load(path) for path in paths}
        return {path: text for path, text in found.items() if text is not None}

    def has_foreign_command(self) -> bool:
        """Tell whether another program has a file, a link or a directory in the place of the command."""
        return is_foreign(self.files, COMMAND)

    def save(self, path: str, text: str | None) -> None:
        """Write a file; None removes it."""
        if text is None and path == COMMAND:
            # Not through Files, which removes directories that are empty then: this one is not ours.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.files.path_of(path))
            return
        is_program = text is not None and text.startswith("#!")
        self.files.save(path, text, 0o755 if is_program else 0o644)

    def compile(self, code: Mapping[str, str]) -> None:
        """Compile the installed code: the service cannot write there, and starts in half the time."""
        for path, text in code.items():
            # Python compiles what is missing, and names what it cannot compile.
            with contextlib.suppress(OSError, SyntaxError):
                write_compiled(self.files.path_of(f"{LIBRARY}/_core/{path}"), path, text)

    def remove_leftovers(self) -> None:
        """Remove the directories and the keeper's report, once the files are gone."""
        shutil.rmtree(self.files.path_of(LIBRARY), ignore_errors=True)
        for name in ("keeper.json", "keeper.alive", "health.json", "keeper.prom", "metrics.prom"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.files.path_of(f"/run/multihome/{name}"))
        for directory in _SHARED:
            # Only when they are empty: the modules use them too.
            with contextlib.suppress(OSError):
                os.rmdir(self.files.path_of(directory))

    def remove_sent_engines(self) -> None:
        """Remove the engines that modules were sent with and kept: the installed one takes their place."""
        for path in self._sent_engines():
            shutil.rmtree(path, ignore_errors=True)

    def has_leftovers(self) -> bool:
        """Tell whether remove_leftovers() has something to remove; files of the modules do not count."""
        shared = [self.files.path_of(directory) for directory in _SHARED]
        empty = any(os.path.isdir(directory) and not os.listdir(directory) for directory in shared)
        return empty or os.path.isdir(self.files.path_of(LIBRARY)) or bool(self._sent_engines())

    def _sent_engines(self) -> list[str]:
        run = self.files.path_of("/run/multihome")
        names = os.listdir(run) if os.path.isdir(run) else []
        return [os.path.join(run, name) for name in names if name.startswith(("engine-", ".engine-"))]

    def has_systemd(self) -> bool:
        """Tell whether systemd runs this host (sd_booted(3))."""
        return os.path.isdir(self.files.path_of("/run/systemd/system"))

    def destinations(self) -> tuple[str, ...] | None:
        """Return the addresses that the keeper has to send packets to; None for anywhere."""
        return destinations(self.files)

    def is_running(self) -> bool:
        """Tell whether the service runs and is enabled, with the unit file as it is now."""
        shown = self._systemctl("show", "--property=ActiveState,UnitFileState,NeedDaemonReload", NAME)
        return {"ActiveState=active", "UnitFileState=enabled", "NeedDaemonReload=no"} <= set(shown.split())

    def start(self) -> None:
        """Enable the service and restart it with the current files."""
        file_contexts.restore()
        self._systemctl("daemon-reload")
        self._systemctl("enable", NAME)
        self._systemctl("restart", NAME)

    def stop(self) -> None:
        """Stop the service and disable it."""
        self._systemctl("disable", "--now", NAME)

    def reload(self) -> None:
        """Let systemd drop the unit whose file is gone."""
        self._systemctl("daemon-reload")
        with contextlib.suppress(CommandFailed):
            self._systemctl("reset-failed", NAME)

    def python(self) -> str:
        """Return the interpreter for the service: the distribution's if this process runs with it."""
        same = os.path.realpath(SYSTEM_PYTHON) == os.path.realpath(sys.executable)
        return SYSTEM_PYTHON if same else sys.executable

    def _library(self) -> Iterator[str]:
        top = self.files.path_of(LIBRARY)
        for directory, names, files in os.walk(top):
            names[:] = sorted(name for name in names if name != "__pycache__")
            below = os.path.relpath(directory, top)
            yield from (os.path.normpath(os.path.join(LIBRARY, below, name)) for name in sorted(files))

    def _systemctl(self, *arguments: str) -> str:
        return systemctl(*arguments, unit=NAME)


def own_code() -> dict[str, str]:
    """Return the texts of the engine, the package above this one, by path below it, in order.

    A module that Ansible sent contains only what it imports: see whole.py. The files are read once in a process:
    another run may replace them later, and this one goes on with the same texts.
    """
    return dict(_own_texts())


@functools.cache
def _own_texts() -> dict[str, str]:
    return dict(sorted(_texts(importlib.resources.files(_ENGINE), "")))


def _texts(directory: Traversable, below: str) -> Iterator[tuple[str, str]]:
    for item in directory.iterdir():
        if item.is_dir():
            if item.name != "__pycache__":
                yield from _texts(item, f"{below}{item.name}/")
        elif item.name.endswith(".py"):
            yield f"{below}{item.name}", item.read_text(encoding="utf-8")
