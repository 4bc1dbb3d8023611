# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's requirements on a host: pyroute2 and nft. Nothing is imported before it is needed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable

from ..errors import Unsupported
from ..fields import version_tuple
from ..netlink import pyroute2_loader
from . import programs
from .distributions import packages

NFT_NEEDED = "1.0.2"
# The oldest tested version; it shifts port ranges and shows its variant (both from 1.8.0).
IPTABLES_NEEDED = "1.8.7"
# Ansible may run with a PATH that lacks the system directories, as ordinary users' often does.
SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
NOWHERE = "none in PATH or the system directories"
_CACHE: dict[str, str] = {}


def tool(name: str) -> str | None:
    """Return the path of a system tool, or None."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_PATH])
    return shutil.which(name, path=path)


def nft() -> str:
    """Return the path of a usable ``nft``; raises Unsupported with the needed and the found version, and the path."""
    if "nft" in _CACHE:
        return _CACHE["nft"]
    path = tool("nft")
    remedy = _install("nft")
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
    """Return the variant of ``iptables`` or ``ip6tables``: ``nf_tables`` or ``legacy``.

    ``run`` takes a path, arguments and standard input. Raises Unsupported when it is missing or too old.
    """
    remedy = _install("iptables")
    # The program that writes: update-alternatives can give it another variant than its siblings.
    path = find(f"{name}-restore")
    if path is None:
        raise Unsupported(name, f"{IPTABLES_NEEDED} or newer", NOWHERE, remedy)
    _status, output, _errors = run(path, ["--version"], None)
    match = re.search(r"v(\d+(?:\.\d+)+) \((nf_tables|legacy)\)", output)
    if not match or version_tuple(match[1]) < version_tuple(IPTABLES_NEEDED):
        raise Unsupported(name, f"{IPTABLES_NEEDED} or newer", f"{output.strip() or 'no version'} in {path}", remedy)
    return match[2]


def report() -> dict[str, dict[str, object]]:
    """Return ``{name: {ok, needed, found, remedy, package}}`` of every requirement; never raises.

    ``package`` is the one of this distribution that meets it. It is left out where none would help.
    """
    rows = {
        "pyroute2": _row(f"{pyroute2_loader.NEEDED} or newer", _find_pyroute2),
        "nft": _row(f"{NFT_NEEDED} or newer", _find_nft),
        "ip": _row("any version", _find_ip),
    }
    here = packages()
    for name, row in rows.items():
        if name != "pyroute2" or not pyroute2_loader.in_virtual_environment():
            row["package"] = here[name]
    return rows


def _install(name: str) -> str:
    """Return the remedy for a missing tool."""
    return f"install the package {packages()[name]}"


def _find_pyroute2() -> str:
    spec, found = pyroute2_loader.find()
    return f"{found} in {spec.origin}"


def _find_nft() -> str:
    path = nft()
    return f"{_CACHE['nft version']} in {path}"


def _find_ip() -> str:
    path = tool("ip")
    if path is None:
        raise Unsupported("ip", "any version", NOWHERE, _install("ip"))
    return path


def _row(needed: str, find: Callable[[], str]) -> dict[str, object]:
    try:
        return {"ok": True, "needed": needed, "found": find()}
    except programs.ProgramHangs as error:
        return {"ok": False, "needed": needed, "found": f"{error.path}, which hangs", "remedy": str(error)}
    except Unsupported as error:
        return {"ok": False, "needed": needed, "found": error.found, "remedy": error.remedy}
