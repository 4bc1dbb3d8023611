# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# This is a private module utility: use the modules, not this. It may change in any release.
"""Finds the engine on a host: the installed one, where that is the collection's own, or one that is sent along.

The action plugins send the text of this file to the host, so it imports only what Python has.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import os
import stat
import sys
import zipimport
from collections.abc import Iterator
from types import CodeType
from typing import Any, ClassVar

LIBRARY = "/usr/lib/multihome"
_IN_MEMORY = "/proc/self/fd/"


def digests_of(directory: str) -> dict[str, str]:
    """Return the digest of each Python file below a directory, by path."""
    return {os.path.relpath(path, directory): _digest(path) for path in _files(directory)}


def only_known(directory: str, known: dict[str, str]) -> bool:
    """Tell whether the Python files below a directory are the known ones, all of them, with their digests.

    A file or directory that anyone but root, or the user of this process, may change is not known; nor is one in such a
    directory.
    """
    place = os.path.dirname(directory)
    if not (os.path.isdir(directory) and _only_ours(place) and _only_ours(os.path.dirname(place))):
        return False
    count = 0
    for path in _files(directory):
        if not (_only_ours(path) and _only_ours(os.path.dirname(path))):
            return False
        if known.get(os.path.relpath(path, directory)) != _digest(path):
            return False
        count += 1
    return count == len(known)


def answer(digests: dict[str, str], options: dict[str, Any], library: str = LIBRARY) -> dict[str, Any]:
    """Return the result of preflight for validated options, or why the installed code was not used."""
    if not only_known(f"{library}/_core", digests):
        return {"used": False, "reason": "the installed code is not the one of the collection"}
    return look(options, library)


def look(options: dict[str, Any], library: str) -> dict[str, Any]:
    """Return the result of preflight for validated options, with the engine in ``library``."""
    sys.path.insert(0, library)
    run = importlib.import_module("_core.host_plan.run")
    errors = importlib.import_module("_core.errors")
    try:
        return {"used": True, **run.answer(options)}
    except errors.MultihomeError as error:
        # The module that sends its own code reports it in full.
        return {"used": False, "reason": str(error)}


def library_for(given: dict[str, Any]) -> str | None:
    """Return where the engine is to be imported from.

    That is one of ``places`` with these ``digests``. Else, with ``engine``, it is from the archive that is its Base64:
    unpacked to ``keep``, for the next modules, or without one in no file system. None without any.
    """
    for place in given["places"]:
        if only_known(f"{place}/_core", given["digests"]):
            return str(place)
    if "engine" not in given:
        return None
    archive = base64.b64decode(given.pop("engine"))
    descriptor = os.memfd_create("multihome")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(archive)
    library = f"{_IN_MEMORY}{descriptor}"
    if given["keep"] and unpacked(library, given["keep"], given["digests"]):
        return str(given["keep"])
    sys.path_hooks.insert(0, _importer)
    return library


class _Importer(zipimport.zipimporter):
    """Imports from an archive, and compiles each module once: its base does that to tell the name of a file as well."""

    codes: ClassVar[dict[str, CodeType]] = {}

    def get_filename(self, fullname: str) -> str:
        """Return the path of a module, below that of the archive."""
        end = "/__init__.py" if self.is_package(fullname) else ".py"
        return f"{self.archive}/{self.prefix}{fullname.rpartition('.')[2]}{end}"

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of a module, and remember it. Python 3.9 asks for none."""
        code = super().get_code(fullname)
        self.codes[os.path.relpath(self.get_filename(fullname), self.archive)] = code
        return code


def _importer(path: str) -> _Importer:
    if not path.startswith(_IN_MEMORY):
        raise ImportError(path)
    return _Importer(path)


def unpacked(library: str, place: str, digests: dict[str, str]) -> bool:
    """Unpack an archive with the engine, in one step; return whether it is there. Another run may do the same.

    Python need not compile again what was imported from it.
    """
    import shutil  # noqa: PLC0415 - only a host without the engine needs these
    import tempfile  # noqa: PLC0415 - as above
    import zipfile  # noqa: PLC0415 - as above

    mask = os.umask(0o077)
    try:
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        new = tempfile.mkdtemp(prefix=".engine-", dir=os.path.dirname(place))
        try:
            zipfile.ZipFile(library).extractall(new)
            _write_codes(new)
            os.rename(new, place)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError:
        pass
    finally:
        os.umask(mask)
    return only_known(f"{place}/_core", digests)


def _write_codes(place: str) -> None:
    """Write what was compiled beside the files, with the engine that it is of."""
    import functools  # noqa: PLC0415 - as above
    import marshal  # noqa: PLC0415 - as above

    if _Importer.codes:
        write_code = importlib.import_module("_core.keeper_installation.compiled").write_code
        for path, code in _Importer.codes.items():
            write_code(os.path.join(place, path), functools.partial(marshal.dumps, code))


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
