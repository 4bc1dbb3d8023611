# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program systemctl."""

from __future__ import annotations

from . import programs
from .requirements import tool


class CommandFailed(OSError):
    """systemctl would not."""


def systemctl(*arguments: str, unit: str) -> str:
    """Return what systemctl says; raises CommandFailed, with where the journal of ``unit`` tells more."""
    status, output, errors = programs.run(tool("systemctl") or "systemctl", arguments)
    if status:
        said = errors.strip() or f"exit status {status}"
        raise CommandFailed(f"systemctl {' '.join(arguments)}: {said}; see journalctl -u {unit}")
    return output
