# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program systemctl."""

from __future__ import annotations

from . import programs
from .requirements import tool

# Seconds: systemd itself gives up on a unit after 90 s (DefaultTimeoutStartSec).
_TIMEOUT = 120.0


class CommandFailed(OSError):
    """systemctl failed."""


def systemctl(*arguments: str, unit: str) -> str:
    """Return the output of systemctl; raises CommandFailed with a pointer to the journal of ``unit``."""
    try:
        status, output, errors = programs.run(tool("systemctl") or "systemctl", arguments, timeout=_TIMEOUT)
    except programs.ProgramHangs as error:
        raise CommandFailed(f"{error}; see journalctl -u {unit}") from error
    if status:
        reason = errors.strip() or f"exit status {status}"
        raise CommandFailed(f"systemctl {' '.join(arguments)}: {reason}; see journalctl -u {unit}")
    return output
