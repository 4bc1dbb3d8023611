# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that records, confirms and reverts: all code of the engine that it needs in one file.

It needs nothing but the interpreter and pyroute2, so an upgrade or removal of the keeper does not matter.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import struct
import zipfile
from collections.abc import Mapping

from ..keeper_installation.compiled import compiled
from ..keeper_installation.host import own_code

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
# Packages that the program does not use; it would take half as long again with them.
_NOT_NEEDED = ("command", "dns", "host_plan", "info", "keeper", "learned", "preflight", "probes")
# The flags of a compiled file that is used without a look at its source: see PEP 552.
_UNCHECKED_HASH = 0b01


def archive(code: Mapping[str, str]) -> bytes:
    """Return the program as bytes. ``code`` are the texts of the engine, by path below it.

    Compiled code is beside each text: it starts in a tenth of the time, and another Python than this one reads the
    text. Both are compressed: where no hard link is possible, each checkpoint has a copy. A stronger compression takes
    twice the time for a twentieth of the size.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("__main__.py", _MAIN)
        for path, text in sorted(code.items()):
            if path.partition("/")[0] not in _NOT_NEEDED:
                file.writestr(f"_core/{path}", text)
                file.writestr(f"_core/{path}c", _unchecked(path, text))
    return buffer.getvalue()


def _unchecked(path: str, text: str) -> bytes:
    hashed = importlib.util.source_hash(text.encode())
    return importlib.util.MAGIC_NUMBER + struct.pack("<L", _UNCHECKED_HASH) + hashed + compiled(path, text)


def digest(code: Mapping[str, str]) -> str:
    """Return the version of the program with these texts."""
    found = hashlib.sha256(_MAIN.encode())
    for path, text in sorted(code.items()):
        found.update(f"{path}\0{len(text)}\0{text}".encode())
    return found.hexdigest()[:32]


@functools.cache
def own_version() -> str:
    """Return the version of the program with the engine of this process."""
    return digest(own_code())
