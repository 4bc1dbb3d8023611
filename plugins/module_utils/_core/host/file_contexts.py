# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SELinux contexts of files that a run wrote, restored by the host's own policy where restorecon(8) exists.

A file gets the context of the directory it is made in. The policy may demand another one, and a service that cannot
read a file with the wrong one says so only in the audit log.
"""

from __future__ import annotations

import os

from . import programs
from .programs import ProgramHangs

# Red Hat and SUSE have it in both, Alpine and Arch in one of them.
RESTORECON = ("/usr/sbin/restorecon", "/sbin/restorecon", "/usr/bin/restorecon")
# Paths at a time: far below the kernel's limit for the arguments of a program.
_AT_ONCE = 500
_written: dict[str, None] = {}


def note(path: str) -> None:
    """Note a file or directory that was written; the next ``restore`` is for it."""
    _written[path] = None


def restore() -> None:
    """Restore the contexts of all files that were noted since the last time; raises nothing.

    A host without SELinux has no restorecon, or one that does nothing. A context that cannot be restored is the one of
    the directory, which is right for nearly all files.
    """
    paths = [path for path in _written if os.path.lexists(path)]
    _written.clear()
    program = next((one for one in RESTORECON if os.access(one, os.X_OK)), None) if paths else None
    if program is None:
        return
    for begin in range(0, len(paths), _AT_ONCE):
        try:
            programs.run(program, ["-i", *paths[begin : begin + _AT_ONCE]])
        except (OSError, ProgramHangs):
            return
