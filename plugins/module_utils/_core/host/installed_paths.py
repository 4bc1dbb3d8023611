# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the keeper and the command are installed."""

from __future__ import annotations

from .files import Files

LIBRARY = "/usr/lib/multihome"
PROGRAM = f"{LIBRARY}/multihome-keeper"
COMMAND = "/usr/local/sbin/multihome"
NAME = "multihome-keeper.service"
# By this line a file is known as one of this collection.
MARKER = "# Installed by Ansible, multihome.linux.keeper: change it there, not here.\n"


def is_foreign(files: Files, path: str) -> bool:
    """Tell whether a path exists and is no file of this collection, by its first two lines."""
    try:
        text = files.load(path)
    except OSError:
        return True
    return text is not None and MARKER not in text.splitlines(keepends=True)[:2]
