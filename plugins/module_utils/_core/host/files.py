# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text files of a host: read as a whole and replaced atomically, so that no reader finds a partial file."""

from __future__ import annotations

import contextlib
import os

from . import file_contexts


class Files:
    """The files below ``root``; every method raises OSError."""

    def __init__(self, root: str = "/") -> None:
        self.root = root

    def path_of(self, file: str) -> str:
        """Return the path of a file or directory of the host below ``root``."""
        return os.path.join(self.root, file.lstrip("/"))

    def load(self, file: str, follow: bool = False) -> str | None:
        """Return a file's text, None when there is no such file.

        A symbolic link is refused (ELOOP) unless ``follow`` is set, for files that others may have replaced by a link.
        """
        try:
            descriptor = os.open(self.path_of(file), os.O_RDONLY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
        except FileNotFoundError:
            return None
        with open(descriptor, encoding="utf-8", errors="surrogateescape") as text:
            return text.read()

    def save(self, file: str, text: str | None, mode: int) -> None:
        """Replace a file in one step; None removes it, and the directories that are empty without it.

        A directory is made as open as the file in it.
        """
        path = self.path_of(file)
        if text is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
                self._remove_empty(os.path.dirname(path))
            return
        make_directories(os.path.dirname(path), 0o755 if mode & 0o077 else 0o700)
        stage(path, text, mode)
        replace(path)

    def names(self, directory: str) -> list[str]:
        """Return the names in a directory; none when there is no such directory."""
        try:
            return sorted(os.listdir(self.path_of(directory)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def is_writable(self, directory: str) -> bool:
        """Tell whether a file can be created in a directory, which may have to be created first."""
        path = self.path_of(directory)
        while not os.path.lexists(path):
            path = os.path.dirname(path)
        return os.access(path, os.W_OK)

    def _remove_empty(self, directory: str) -> None:
        """Remove a directory that is empty, then the one it was in, and so on."""
        with contextlib.suppress(OSError):
            while not os.path.samefile(directory, self.root):
                os.rmdir(directory)
                directory = os.path.dirname(directory)


def make_directories(path: str, mode: int) -> None:
    """Create a directory and those above it where they are missing, with this mode whatever the umask is."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for directory in reversed(missing):
        os.mkdir(directory, mode)
        os.chmod(directory, mode)
        file_contexts.note(directory)


def stage(path: str, text: str, mode: int) -> None:
    """Write and sync a file's new text beside the old one; raises OSError, and then nothing has changed."""
    new = _staged(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as out:
            os.fchmod(out.fileno(), mode)
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
    except OSError:
        discard(path)
        raise


def replace(path: str) -> None:
    """Replace the file by the staged text; raises OSError, and then the old file is unchanged and nothing is staged."""
    try:
        os.rename(_staged(path), path)
    except OSError:
        discard(path)
        raise
    file_contexts.note(path)


def discard(path: str) -> None:
    """Remove the staged file, if it has not replaced the file."""
    with contextlib.suppress(OSError):
        os.unlink(_staged(path))


def _staged(path: str) -> str:
    # One name for all runs, under the host's lock: the file of a killed run is overwritten. Not *.conf, not *.json.
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.new")
