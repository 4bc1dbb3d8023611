# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine needs on a host, found and judged: pyroute2 and nft. Nothing is imported before it is needed."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from .errors import Unsupported

PYROUTE2_NEEDED = "0.7.2"
NFT_NEEDED = "1.0.2"
# The oldest that is tested; it shifts ranges of ports (from 1.8.0) and tells its variant (from 1.8.0).
IPTABLES_NEEDED = "1.8.7"
# Ansible may run with a PATH that lacks the system directories, as ordinary users' often does.
SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_NOWHERE = "none in PATH or the system directories"
_CACHE: dict[str, Any] = {}


def version_tuple(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: ``0.7.2.dev3`` is (0, 7, 2)."""
    numbers = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in numbers[0].split(".")) if numbers else ()


def pyroute2() -> Any:
    """Return the imported pyroute2; raises Unsupported when it is missing or too old, saying where it was found."""
    if "pyroute2" in _CACHE:
        return _CACHE["pyroute2"]
    remedy = f"install python3-pyroute2 for {sys.executable}, or name another ansible_python_interpreter"
    try:
        module = importlib.import_module("pyroute2")
    except ImportError as error:
        raise Unsupported("pyroute2", f"{PYROUTE2_NEEDED} or newer", f"none ({error})", remedy) from error
    found = _pyroute2_version(module)
    if version_tuple(found) < version_tuple(PYROUTE2_NEEDED):
        raise Unsupported("pyroute2", f"{PYROUTE2_NEEDED} or newer", _located(module), remedy)
    _CACHE["pyroute2"] = module
    return module


def take_pyroute2(module: Any) -> None:
    """Have pyroute2() return this from now on, without a look at its version."""
    _CACHE["pyroute2"] = module


def _pyroute2_version(module: Any) -> str:
    # Debian's 0.7.2 has no version file, and says "unknown" of itself: ask the installed metadata then.
    found = str(getattr(module, "__version__", "unknown"))
    if not version_tuple(found):
        try:
            found = str(_metadata().version("pyroute2"))
        except ImportError:
            found = "0"
    return found


def _metadata() -> Any:
    # Importing it takes 10 ms, and few modules ask it anything.
    return importlib.import_module("importlib.metadata")


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
        raise Unsupported("nft", f"{NFT_NEEDED} or newer", _NOWHERE, remedy)
    found = nft_version(path)
    if version_tuple(found) < version_tuple(NFT_NEEDED):
        raise Unsupported("nft", f"{NFT_NEEDED} or newer", f"{found} in {path}", remedy)
    _CACHE.update({"nft": path, "nft version": found})
    return path


def nft_version(path: str) -> str:
    """Return the version that ``nft --version`` prints (``nftables v1.0.6 (Lester Gooch #5)``)."""
    # _core knows no Ansible, and so no run_command.
    answer = subprocess.run(  # pylint: disable=ansible-bad-function
        [path, "--version"], capture_output=True, text=True, check=False
    )
    numbers = re.search(r"v(\d+(?:\.\d+)+)", answer.stdout)
    return numbers[1] if numbers else "0"


def iptables_variant(name: str, run: Callable[..., tuple[int, str, str]], find: Callable[[str], str | None]) -> str:
    """Return what ``iptables`` or ``ip6tables`` changes, ``nf_tables`` or ``legacy`` tables.

    ``run`` takes a path, arguments and standard input. Raises Unsupported when it is missing or too old.
    """
    remedy = "install the package iptables"
    # The program that writes: with update-alternatives its variant may be another than that of its siblings.
    path = find(f"{name}-restore")
    if path is None:
        raise Unsupported(name, f"{IPTABLES_NEEDED} or newer", "none in PATH or the system directories", remedy)
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
    # Importing it takes 100 ms; where its metadata lies beside it, they tell as much.
    spec = importlib.util.find_spec("pyroute2")
    try:
        installed = _metadata().distribution("pyroute2")
    except ImportError:
        return _located(pyroute2())
    beside = spec is not None and str(installed.locate_file("pyroute2/__init__.py")) == spec.origin
    if spec is None or not beside or version_tuple(installed.version) < version_tuple(PYROUTE2_NEEDED):
        return _located(pyroute2())
    return f"{installed.version} in {spec.origin}"


def _find_nft() -> str:
    path = nft()
    return f"{_CACHE['nft version']} in {path}"


def _find_ip() -> str:
    path = tool("ip")
    if path is None:
        raise Unsupported("ip", "any version", _NOWHERE, "install the package iproute2")
    return path


def _located(module: Any) -> str:
    return f"{_pyroute2_version(module)} in {module.__file__}"


def _row(needed: str, find: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"ok": True, "needed": needed, "found": find()}
    except Unsupported as error:
        return {"ok": False, "needed": needed, "found": error.found, "remedy": error.remedy}
