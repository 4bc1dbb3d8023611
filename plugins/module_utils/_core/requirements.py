# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine needs on a host, found and judged: pyroute2 and nft. Nothing is imported before it is needed."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from . import message_classes, programs
from .errors import Unsupported

PYROUTE2_NEEDED = "0.7.2"
NFT_NEEDED = "1.0.2"
# The oldest that is tested; it shifts ranges of ports (from 1.8.0) and tells its variant (from 1.8.0).
IPTABLES_NEEDED = "1.8.7"
# Ansible may run with a PATH that lacks the system directories, as ordinary users' often does.
SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
NOWHERE = "none in PATH or the system directories"
_CACHE: dict[str, Any] = {}


def version_tuple(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: ``0.7.2.dev3`` is (0, 7, 2)."""
    numbers = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in numbers[0].split(".")) if numbers else ()


def pyroute2() -> dict[str, Any]:
    """Return pyroute2's message classes by kind of object (message_classes.NAMES).

    Raises Unsupported when pyroute2 is missing or too old, saying where it was found.
    """
    if "pyroute2" not in _CACHE:
        spec, _version = _fit_pyroute2()
        try:
            _CACHE["pyroute2"] = message_classes.load(spec)
        except ImportError as error:
            raise _no_pyroute2(f"none ({error})") from error
    classes: dict[str, Any] = _CACHE["pyroute2"]
    return classes


def _fit_pyroute2() -> tuple[ModuleSpec, str]:
    """Return where pyroute2 was found, and its version."""
    spec = importlib.util.find_spec("pyroute2")
    if spec is None:
        raise _no_pyroute2("none (No module named pyroute2)")
    found = _pyroute2_version(spec)
    if version_tuple(found) < version_tuple(PYROUTE2_NEEDED):
        raise _no_pyroute2(f"{found} in {spec.origin}")
    return spec, found


def _no_pyroute2(found: str) -> Unsupported:
    remedy = f"install python3-pyroute2 for {sys.executable}, or name another ansible_python_interpreter"
    return Unsupported("pyroute2", f"{PYROUTE2_NEEDED} or newer", found, remedy)


def _pyroute2_version(spec: ModuleSpec) -> str:
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


def tool(name: str) -> str | None:
    """Return the path of a system tool, or None."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_PATH])
    return shutil.which(name, path=path)


def nft() -> str:
    """Return the path of a fit ``nft``; raises Unsupported with the version needed, the one found, and where."""
    if "nft" in _CACHE:
        return str(_CACHE["nft"])
    path = tool("nft")
    remedy = "install the package nftables"
    if path is None:
        raise Unsupported("nft", f"{NFT_NEEDED} or newer", NOWHERE, remedy)
    found = nft_version(path)
    if version_tuple(found) < version_tuple(NFT_NEEDED):
        raise Unsupported("nft", f"{NFT_NEEDED} or newer", f"{found} in {path}", remedy)
    _CACHE.update({"nft": path, "nft version": found})
    return path


def nft_version(path: str) -> str:
    """Return the version that ``nft --version`` prints (``nftables v1.0.6 (Lester Gooch #5)``)."""
    _status, output, _errors = programs.run(path, ["--version"])
    numbers = re.search(r"v(\d+(?:\.\d+)+)", output)
    return numbers[1] if numbers else "0"


def iptables_variant(name: str, run: Callable[..., tuple[int, str, str]], find: Callable[[str], str | None]) -> str:
    """Return what ``iptables`` or ``ip6tables`` changes, ``nf_tables`` or ``legacy`` tables.

    ``run`` takes a path, arguments and standard input. Raises Unsupported when it is missing or too old.
    """
    remedy = "install the package iptables"
    # The program that writes: with update-alternatives its variant may be another than that of its siblings.
    path = find(f"{name}-restore")
    if path is None:
        raise Unsupported(name, f"{IPTABLES_NEEDED} or newer", NOWHERE, remedy)
    _status, output, _errors = run(path, ["--version"], None)
    match = re.search(r"v(\d+(?:\.\d+)+) \((nf_tables|legacy)\)", output)
    if not match or version_tuple(match[1]) < version_tuple(IPTABLES_NEEDED):
        raise Unsupported(name, f"{IPTABLES_NEEDED} or newer", f"{output.strip() or 'no version'} in {path}", remedy)
    return match[2]


def report() -> dict[str, dict[str, Any]]:
    """Return ``{name: {ok, needed, found, remedy}}`` of everything needed; never raises."""
    return {
        "pyroute2": _row(f"{PYROUTE2_NEEDED} or newer", _find_pyroute2),
        "nft": _row(f"{NFT_NEEDED} or newer", _find_nft),
        "ip": _row("any version", _find_ip),
    }


def _find_pyroute2() -> str:
    spec, found = _fit_pyroute2()
    return f"{found} in {spec.origin}"


def _find_nft() -> str:
    path = nft()
    return f"{_CACHE['nft version']} in {path}"


def _find_ip() -> str:
    path = tool("ip")
    if path is None:
        raise Unsupported("ip", "any version", NOWHERE, "install the package iproute2")
    return path


def _row(needed: str, find: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"ok": True, "needed": needed, "found": find()}
    except Unsupported as error:
        return {"ok": False, "needed": needed, "found": error.found, "remedy": error.remedy}
