# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the host, run to their end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence


def run(path: str, arguments: Sequence[str], text: str | None = None, errors: str = "replace") -> tuple[int, str, str]:
    """Return exit status, output and errors of a program; ``text`` is its standard input, empty when None.

    ``errors`` is what becomes of bytes that are no UTF-8. Raises OSError when the program cannot be started.
    """
    # _core knows no Ansible, and so no run_command.
    done = subprocess.run(  # pylint: disable=ansible-bad-function
        [path, *arguments],
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors=errors,
        check=False,
        # Messages are recognised by their text.
        env=dict(os.environ, LC_ALL="C"),
    )
    return done.returncode, done.stdout, done.stderr
