# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# This is a private module utility: use the modules, not this. It may change in any release.
"""Runs preflight with the code that is installed on a host, where that is the collection's own.

The action plugin sends the text of this file to the host, so it imports only what Python has.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import stat
import sys
from collections.abc import Iterator
from typing import Any

LIBRARY = "/usr/lib/multihome"


def digests_of(directory: str) -> dict[str, str]:
    """Return the digest of each Python file below a directory, by path."""
    return {os.path.relpath(path, directory): _digest(path) for path in _files(directory)}


def only_known(directory: str, known: dict[str, str]) -> bool:
    """Tell whether there are Python files below a directory, all of them with a known digest.

    A file or directory that anyone but root, or the user of this process, may change is not known.
    """
    count = 0
    for path in _files(directory):
        if not (_only_ours(path) and _only_ours(os.path.dirname(path))):
            return False
        if known.get(os.path.relpath(path, directory)) != _digest(path):
            return False
        count += 1
    return count > 0


def answer(digests: dict[str, str], options: dict[str, Any], library: str = LIBRARY) -> dict[str, Any]:
    """Return the result of preflight for validated options, or why the installed code was not used."""
    if not only_known(f"{library}/_core", digests):
        return {"used": False, "reason": "the installed code is not the one of the collection"}
    sys.path.insert(0, library)
    run = importlib.import_module("_core.host_plan.run")
    errors = importlib.import_module("_core.errors")
    try:
        return {"used": True, **run.answer(options)}
    except errors.MultihomeError as error:
        # The module that sends its own code reports it in full.
        return {"used": False, "reason": str(error)}


def _files(directory: str) -> Iterator[str]:
    for path, names, files in os.walk(directory):
        names[:] = sorted(name for name in names if name != "__pycache__")
        yield from (os.path.join(path, name) for name in sorted(files) if name.endswith(".py"))


def _digest(path: str) -> str:
    with open(path, "rb") as source:
        return hashlib.sha256(source.read()).hexdigest()


def _only_ours(path: str) -> bool:
    found = os.lstat(path)
    by_others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return found.st_uid in (0, os.geteuid()) and not by_others and not stat.S_ISLNK(found.st_mode)
