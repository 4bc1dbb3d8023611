# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stored file that changes: written beside the old one, and put in its place once its state is applied."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass

from ..entries import Form
from ..errors import StoreFailed
from ..host import files
from .format import Stored
from .journal import Journal


@dataclass(frozen=True)
class Change:
    """A stored file that has to change; None is a file that does not exist."""

    path: str
    before: Stored | None
    after: Stored | None
    journal: Journal | None = None

    def as_result(self) -> Form:
        """Return the change as an action of a module's result."""
        operation = "remove" if self.after is None else "add" if self.before is None else "replace"
        return {"op": operation, "object": {"file": self.path}}

    def lines(self) -> dict[str, list[str]]:
        """Return both sides of a diff."""
        sides = {"before": self.before, "after": self.after}
        return {
            side: [f"{self.path}: {line}" for line in stored.lines()] if stored else []
            for side, stored in sides.items()
        }

    def stage(self) -> None:
        """Write the new file beside the old one; raises StoreFailed, and then nothing has changed."""
        try:
            if self.journal is not None:
                self.journal.write()
            if self.after is not None:
                _make_directory(os.path.dirname(self.path))
                files.stage(self.path, self.after.text(), 0o600)
        except OSError as error:
            self.discard()
            raise StoreFailed(self.path, error) from error

    def commit(self) -> None:
        """Replace the old file by the new one; raises StoreFailed."""
        try:
            if self.after is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path)
            else:
                files.replace(self.path)
            directory = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise StoreFailed(self.path, error) from error

    def discard(self) -> None:
        """Remove a file that was staged and not committed, and the journal: the run is over."""
        files.discard(self.path)
        if self.journal is not None:
            self.journal.remove()


def _make_directory(path: str) -> None:
    os.makedirs(path, mode=0o700, exist_ok=True)
    if stat.S_IMODE(os.stat(path).st_mode) != 0o700:
        os.chmod(path, 0o700)
