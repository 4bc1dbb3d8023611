# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program on the host, once for all modules and runs. Files are named after their version.

/var/lib/multihome/programs/VERSION.pyz                 the program, which only root may read
                           /confirm-1 -> VERSION.pyz    the version that modules run

Each checkpoint has a hard link to the version that armed it, so that an installation within its time does not matter.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable

from ..confirm import PROGRAM
from .file_records import sync_directory, write_synced

_SUFFIX = ".pyz"


class Installation:
    """The installed program; methods that write raise OSError."""

    def __init__(self, path: str = PROGRAM) -> None:
        self.path = path
        self._directory, self._name = os.path.split(path)

    def version(self) -> str | None:
        """Return the installed version, None without any."""
        try:
            target = os.readlink(self.path)
        except OSError:
            return None
        return target[: -len(_SUFFIX)] if os.path.isfile(self.path) else None

    def install(self, version: str, build: Callable[[], bytes]) -> None:
        """Install a version, and remove all others."""
        for directory in (os.path.dirname(self._directory), self._directory):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        os.chmod(self._directory, 0o700)
        name = f"{version}{_SUFFIX}"
        self._replace(name, lambda new: write_synced(new, build()))
        self._replace(self._name, lambda new: os.symlink(name, new))
        for other in os.listdir(self._directory):
            if other not in (name, self._name):
                os.unlink(os.path.join(self._directory, other))
        sync_directory(self._directory)

    def _replace(self, name: str, make: Callable[[str], None]) -> None:
        new = os.path.join(self._directory, f".{name}.new")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        try:
            make(new)
            os.rename(new, os.path.join(self._directory, name))
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(new)
            raise

    def exists(self) -> bool:
        """Tell whether there is something to remove."""
        return os.path.lexists(self._directory)

    def remove(self) -> None:
        """Remove the program."""
        shutil.rmtree(self._directory)
        with contextlib.suppress(OSError):
            # Only when it is empty: the keeper and checkpoints use it too.
            os.rmdir(os.path.dirname(self._directory))

    def link_to(self, path: str) -> None:
        """Give a checkpoint its own link to the program."""
        try:
            os.link(os.path.realpath(self.path), path)
        except OSError:
            # On another file system, or on one without hard links.
            with open(self.path, "rb") as file:
                write_synced(path, file.read())
