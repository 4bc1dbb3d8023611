# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of pyroute2 just the message classes that the engine uses.

What importing the package itself brings along (a database, event loops, a command line) takes 80 ms and 20 MB.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import Unsupported
from ..fields import version_tuple

NEEDED = "0.7.2"
NAMES = {"address": "ifaddrmsg", "route": "rtmsg", "neighbour": "ndmsg", "rule": "fibmsg"}
_PACKAGE = "pyroute2"
_CACHE: dict[str, Any] = {}


def message_classes() -> dict[str, Any]:
    """Return pyroute2's message classes by kind of object (NAMES).

    Raises Unsupported when pyroute2 is missing or too old, saying where it was found.
    """
    if "classes" not in _CACHE:
        spec, _version = find()
        try:
            _CACHE["classes"] = load(spec)
        except ImportError as error:
            raise _missing(f"none ({error})") from error
    classes: dict[str, Any] = _CACHE["classes"]
    return classes


def find() -> tuple[ModuleSpec, str]:
    """Return where pyroute2 was found, and its version; raises Unsupported when it is missing or too old."""
    spec = importlib.util.find_spec("pyroute2")
    if spec is None:
        raise _missing("none (No module named pyroute2)")
    found = _version_of(spec)
    if version_tuple(found) < version_tuple(NEEDED):
        raise _missing(f"{found} in {spec.origin}")
    return spec, found


def _missing(found: str) -> Unsupported:
    remedy = f"install python3-pyroute2 for {sys.executable}, or name another ansible_python_interpreter"
    return Unsupported("pyroute2", f"{NEEDED} or newer", found, remedy)


def _version_of(spec: ModuleSpec) -> str:
    """Return the version that a found pyroute2 has, or "0"; importing it takes 80 ms, and its version file tells."""
    for place in spec.submodule_search_locations or ():
        with contextlib.suppress(OSError):
            told = re.search(r'__version__ = ["\'](.+)["\']', Path(place, "config", "version.py").read_text("utf-8"))
            if told:
                return told[1]
    # Debian's 0.7.2 has no version file: ask the installed metadata then. Importing that takes 10 ms.
    metadata = importlib.import_module("importlib.metadata")
    try:
        return str(metadata.version("pyroute2"))
    except ImportError:
        return "0"


def load(spec: ModuleSpec) -> dict[str, Any]:
    """Return the message classes by kind, from the package that ``spec`` found; raises ImportError.

    The package's own code is not run, and no part of it stays among the loaded modules, for whoever imports it whole.
    A package that will not be taken apart is imported whole.
    """
    if _PACKAGE in sys.modules or not spec.submodule_search_locations:
        return _classes()
    package = ModuleType(_PACKAGE)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[_PACKAGE] = package
    try:
        return _classes()
    except (ImportError, AttributeError):
        _forget()
        return _classes()
    finally:
        if sys.modules.get(_PACKAGE) is package:
            _forget()


def _classes() -> dict[str, Any]:
    return {
        kind: getattr(importlib.import_module(f"{_PACKAGE}.netlink.rtnl.{name}"), name) for kind, name in NAMES.items()
    }


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]:
        del sys.modules[name]
