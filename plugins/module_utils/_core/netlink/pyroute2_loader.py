# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads only those message classes of pyroute2 that the engine uses.

Importing the whole package (a database, event loops, a command line) takes 80 ms and 20 MB.
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
# pyroute2 has no types.
Classes = dict[str, Any]
_CACHE: dict[str, Classes] = {}


def message_classes() -> Classes:
    """Return pyroute2's message classes by kind of object (NAMES).

    Raises Unsupported when pyroute2 is missing or too old, with the place where it was found.
    """
    if "classes" not in _CACHE:
        spec, _version = find()
        try:
            _CACHE["classes"] = load(spec)
        except ImportError as error:
            raise _missing(f"none ({error})") from error
    return _CACHE["classes"]


def find() -> tuple[ModuleSpec, str]:
    """Return where pyroute2 is, and its version; raises Unsupported when it is missing or too old."""
    spec = importlib.util.find_spec("pyroute2")
    if spec is None:
        raise _missing("none (No module named pyroute2)")
    found = _version_of(spec)
    if version_tuple(found) < version_tuple(NEEDED):
        raise _missing(f"{found} in {spec.origin}")
    return spec, found


def in_virtual_environment() -> bool:
    """Whether this Python is one of a virtual environment, which no package of the distribution reaches."""
    return sys.prefix != sys.base_prefix


def _missing(found: str) -> Unsupported:
    package = f"install the distribution's package of pyroute2 for {sys.executable}"
    own = f"run {sys.executable} -m pip install pyroute2, as no package reaches this virtual environment"
    remedy = f"{own if in_virtual_environment() else package}, or name another ansible_python_interpreter"
    return Unsupported("pyroute2", f"{NEEDED} or newer", found, remedy)


def _version_of(spec: ModuleSpec) -> str:
    """Return the version of pyroute2 from its version file, or "0"; importing it would take 80 ms."""
    for place in spec.submodule_search_locations or ():
        with contextlib.suppress(OSError):
            match = re.search(r'__version__ = ["\'](.+)["\']', Path(place, "config", "version.py").read_text("utf-8"))
            if match:
                return match[1]
    # Debian's 0.7.2 has no version file: read the installed metadata. Importing that takes 10 ms.
    metadata = importlib.import_module("importlib.metadata")
    try:
        return str(metadata.version("pyroute2"))
    except ImportError:
        return "0"


def load(spec: ModuleSpec) -> Classes:
    """Return the message classes by kind, from the package that ``spec`` found; raises ImportError.

    The package's own code is not run, and none of its modules stays loaded, so that it can still be imported whole.
    When the classes cannot be loaded by themselves, the whole package is imported.
    """
    if _PACKAGE in sys.modules or not spec.submodule_search_locations:
        return _classes()
    package = ModuleType(_PACKAGE)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[_PACKAGE] = package
    try:
        return _classes()
    except (ImportError, AttributeError):
        _unload()
        return _classes()
    finally:
        if sys.modules.get(_PACKAGE) is package:
            _unload()


def _classes() -> Classes:
    return {
        kind: getattr(importlib.import_module(f"{_PACKAGE}.netlink.rtnl.{name}"), name) for kind, name in NAMES.items()
    }


def _unload() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]:
        del sys.modules[name]
