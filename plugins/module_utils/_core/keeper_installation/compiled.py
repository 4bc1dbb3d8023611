# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled code of the engine: each file is compiled once in a process, or not at all where Python has done it.

The program that restores earlier states and the installation of the keeper have it from here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
import struct
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from types import CodeType

_TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Text and compiled code, by path below the engine.
_compiled: dict[str, tuple[str, bytes]] = {}


def compiled(path: str, text: str) -> bytes:
    """Return the compiled code of a file of the engine, as marshal writes it. ``path`` is below the engine."""
    known = _compiled.get(path)
    if known is None or known[0] != text:
        code = _own_code(path, text) or compile(text, f"_core/{path}", "exec", dont_inherit=True)
        known = _compiled[path] = text, marshal.dumps(code)
    return known[1]


def _own_code(path: str, text: str) -> CodeType | None:
    """Return the code of a file of this process's engine: Python compiles it only once, and keeps that beside it."""
    file = os.path.join(_TOP, path)
    try:
        with open(file, "rb") as source:
            if source.read() != text.encode():
                return None
        return SourceFileLoader(path, file).get_code(path)
    except OSError:
        # The engine is in an archive, or has no such file.
        return None


def write_compiled(file: str, path: str, text: str) -> None:
    """Write the compiled code of a file of the engine beside it; raises OSError."""
    write_code(file, lambda: compiled(path, text))


def write_code(file: str, code: Callable[[], bytes]) -> None:
    """Write compiled code beside a file, valid until that changes (PEP 552); raises OSError.

    ``code`` returns it as marshal writes it. It is where Python looks for it, with the mode that Python gives it. What
    is valid already stays.
    """
    found = os.stat(file)
    times = struct.pack("<LLL", 0, int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF)
    header = importlib.util.MAGIC_NUMBER + times
    target = importlib.util.cache_from_source(file)
    with contextlib.suppress(OSError), open(target, "rb") as old:
        if old.read(len(header)) == header:
            return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    new = f"{target}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with open(descriptor, "wb") as out:
        out.write(header + code())
    os.rename(new, target)
