# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads dnspython of the distribution. Hosts without zones do not need it, and do not pay for it."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace
from typing import Any

from ..errors import Unsupported
from ..fields import version_tuple

NEEDED = "2.1.0"
_MODULES = ("exception", "flags", "message", "name", "opcode", "rcode", "rdatatype", "tsig", "update", "version")
_CACHE: dict[str, Any] = {}


def dnspython() -> Any:
    """Return the modules of dnspython that are used, as attributes; raises Unsupported when it is missing or too old.

    Importing them takes 60 ms.
    """
    if "dns" not in _CACHE:
        remedy = f"install python3-dnspython for {sys.executable}, or name another ansible_python_interpreter"
        try:
            found = {name: importlib.import_module(f"dns.{name}") for name in _MODULES}
        except ImportError as error:
            raise Unsupported("dnspython", f"{NEEDED} or newer", f"none ({error})", remedy) from error
        version = str(found["version"].version)
        if version_tuple(version) < version_tuple(NEEDED):
            raise Unsupported("dnspython", f"{NEEDED} or newer", f"{version} in {found['version'].__file__}", remedy)
        _CACHE["dns"] = SimpleNamespace(**found)
    return _CACHE["dns"]
