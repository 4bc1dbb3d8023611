# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program revert.pyz: all code of the engine in one file, for the interpreter that armed the checkpoint.

It needs nothing but that interpreter and pyroute2, so an upgrade or removal of the keeper does not matter.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

# A process that nobody waits for, without any connection to the one that starts it, is made before anything is loaded.
_MAIN = """\
# Written by Ansible, multihome.linux: see docs/confirm.md of the collection.
import os
import sys

if sys.argv[1:2] == ["wait"]:
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
sys.dont_write_bytecode = True
from _core.checkpoint.main import main

sys.exit(main(sys.argv[1:]))
"""


def archive(code: Mapping[str, str]) -> bytes:
    """Return the program as bytes. ``code`` are the texts of the engine, by path below it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as program:
        program.writestr("__main__.py", _MAIN)
        for path, text in sorted(code.items()):
            program.writestr(f"_core/{path}", text)
    return buffer.getvalue()
