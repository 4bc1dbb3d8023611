# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program revert.pyz: all code of the engine in one file, for the interpreter that armed the checkpoint.

It needs nothing but that interpreter and pyroute2, so an upgrade or removal of the keeper does not matter.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence

# A process that nobody waits for, without any connection to the one that starts it. That one ends when all is loaded,
# and fails when it cannot be loaded.
_MAIN = """\
# Written by Ansible, multihome.linux: see docs/confirm.md of the collection.
import os
import sys

ready = None
if sys.argv[1:2] == ["wait"]:
    loaded, ready = os.pipe()
    if os.fork():
        os.close(ready)
        os._exit(0 if os.read(loaded, 1) else 1)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.close(loaded)
    os.chdir("/")
sys.dont_write_bytecode = True
from _core.checkpoint.main import main

sys.exit(main(sys.argv[1:], ready))
"""


def program() -> Callable[[Sequence[str]], int]:
    """Return the main function of the program.

    Ansible sends along with a module all that it imports, also in functions that are never called, as this one.
    """
    from .main import main  # noqa: PLC0415 - as said

    return main


def archive(code: Mapping[str, str]) -> bytes:
    """Return the program as bytes. ``code`` are the texts of the engine, by path below it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as program:
        program.writestr("__main__.py", _MAIN)
        for path, text in sorted(code.items()):
            program.writestr(f"_core/{path}", text)
    return buffer.getvalue()
