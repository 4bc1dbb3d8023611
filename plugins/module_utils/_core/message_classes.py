# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of pyroute2 just the message classes that the engine uses.

What importing the package itself brings along (a database, event loops, a command line) takes 80 ms and 20 MB.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

NAMES = {"address": "ifaddrmsg", "route": "rtmsg", "neighbour": "ndmsg", "rule": "fibmsg"}
_PACKAGE = "pyroute2"


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
