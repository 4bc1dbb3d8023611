# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state before a run, kept while the run changes the host: the keeper rolls a killed run back with it.

A journal is in /run, so that a reboot removes it together with the state of the kernel.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

from ..host import files
from .format import Refused, Stored, file_name, parse

RUN = "/run/multihome"
_PREFIX = "journal."


@dataclass(frozen=True)
class Journal:
    """The state before a run, from ``before()``; the run changes the file ``path`` to ``text``, None for no file."""

    directory: str
    path: str
    before: Callable[[], Stored]
    text: str | None

    @property
    def _file(self) -> str:
        return os.path.join(self.directory, _PREFIX + os.path.basename(self.path))

    def write(self) -> None:
        """Write the journal, before the first change; raises OSError."""
        content = {"path": self.path, "after": digest(self.text), "before": self.before().text()}
        files.make_directories(self.directory, 0o700)
        files.stage(self._file, json.dumps(content), 0o600)
        files.replace(self._file)

    def remove(self) -> None:
        """Remove the journal: the run was completed, or rolled back."""
        with contextlib.suppress(OSError):
            os.unlink(self._file)


@dataclass(frozen=True)
class Interrupted:
    """A journal that a killed run left; ``before`` is None where the run had completed, or cannot be rolled back.

    ``fault`` is the reason why it cannot.
    """

    file: str
    before: Stored | None
    fault: str = ""

    def remove(self) -> None:
        """Remove the journal."""
        with contextlib.suppress(OSError):
            os.unlink(self.file)


def journals(directory: str) -> list[str]:
    """Return the files of runs that have not ended, or were killed."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.startswith(_PREFIX))
    except OSError:
        return []
    return [os.path.join(directory, name) for name in names]


def interrupted(directory: str) -> Iterator[Interrupted]:
    """Yield the runs that were killed while they changed the host. Call it under the host's lock."""
    for file in journals(directory):
        try:
            with open(file, encoding="utf-8") as text:
                content = json.load(text)
            path, after, before = content["path"], content["after"], content["before"]
            if _current(path) == after:
                yield Interrupted(file, None)
            else:
                state = json.loads(before)
                yield Interrupted(file, parse(before, file_name(state["kind"], state)))
        except (OSError, ValueError, LookupError, TypeError, RecursionError, Refused) as error:
            yield Interrupted(file, None, f"cannot be read ({type(error).__name__}: {error})")


def digest(text: str | None) -> str | None:
    """Return a hash of a stored file's text; None for a file that does not exist."""
    return None if text is None else hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _current(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return digest(file.read())
    except FileNotFoundError:
        return None
