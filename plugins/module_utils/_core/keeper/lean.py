# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads of pyroute2 just the message classes that the engine uses: half the memory of a service that mostly waits.

What importing the package itself brings along (a database, event loops, a command line) takes 20 MB and 150 ms.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

from .. import requirements

NAME = "pyroute2"


def load() -> bool:
    """Put a package in place that runs no code of its own; return whether that will do.

    Where pyroute2 is missing or will not be taken apart, nothing is changed: the engine imports and judges it whole.
    """
    spec = importlib.util.find_spec(NAME) if NAME not in sys.modules else None
    if spec is None or not spec.submodule_search_locations:
        return False
    package = ModuleType(NAME)
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    package.__file__ = spec.origin
    sys.modules[NAME] = package
    try:
        for name in ("ifaddrmsg", "rtmsg", "ndmsg", "fibmsg"):
            importlib.import_module(f"{NAME}.netlink.rtnl.{name}")
    except (ImportError, AttributeError):
        for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
            del sys.modules[name]
        return False
    # Whether the version will do was judged when the keeper was installed.
    requirements.take_pyroute2(package)
    return True
