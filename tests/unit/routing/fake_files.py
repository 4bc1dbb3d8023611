# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text files of a host, in memory."""

from __future__ import annotations

from ansible_collections.multihome.linux.plugins.module_utils._core.host.files import Files


class FakeFiles(Files):
    """Holds ``texts`` and ``modes`` by path.

    ``read_only`` are directories that take no file; writing to a path of ``refused`` raises the error.
    """

    def __init__(self, texts: dict[str, str] | None = None) -> None:
        super().__init__()
        self.texts = dict(texts or {})
        self.modes: dict[str, int] = {}
        self.read_only: set[str] = set()
        self.refused: dict[str, OSError] = {}

    def load(self, file: str, follow: bool = False) -> str | None:  # noqa: ARG002 - there are no links here
        """Return a file's text."""
        return self.texts.get(file)

    def save(self, file: str, text: str | None, mode: int) -> None:
        """Write or remove a file."""
        if file in self.refused:
            raise self.refused[file]
        if text is None:
            self.texts.pop(file, None)
        else:
            self.texts[file], self.modes[file] = text, mode

    def names(self, directory: str) -> list[str]:
        """Return what lies in a directory."""
        below = (file[len(directory) + 1 :] for file in self.texts if file.startswith(f"{directory}/"))
        return sorted({name.partition("/")[0] for name in below})

    def is_writable(self, directory: str) -> bool:
        """Tell whether a directory takes files."""
        return directory not in self.read_only
