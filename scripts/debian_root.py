# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other Debian releases' nft and iptables for the tests: `python scripts/debian_root.py SUITE` unpacks them.

They are unpacked under .cache/SUITE and run there by their own loader and libraries; nothing of them is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from environment import CACHE, SYSTEM_PATH
from system_tools import install

PACKAGES = ("iptables", "nftables")


class NotAtHand(Exception):
    """The release cannot be unpacked here; says why."""


def root(suite: str) -> Path:
    """Return where a release is unpacked, and do so first where it is not.

    Raises NotAtHand for an ordinary user, subprocess.CalledProcessError when Debian's mirror does not give it.
    """
    directory = CACHE / suite
    if directory.is_dir():
        return directory
    if os.geteuid() != 0:
        raise NotAtHand(f"{directory} is not there; as root: python scripts/debian_root.py {suite}")
    mmdebstrap = _mmdebstrap()
    if mmdebstrap is None:
        install(["mmdebstrap"])
    unpacking = CACHE / f"{suite}.{os.getpid()}"
    try:
        command = [mmdebstrap or "mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(PACKAGES)}"]
        subprocess.run([*command, suite, str(unpacking)], check=True, stdin=subprocess.DEVNULL)
        unpacking.rename(directory)
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)
    return directory


def _mmdebstrap() -> str | None:
    return shutil.which("mmdebstrap", path=os.environ.get("PATH", os.defpath) + os.pathsep + SYSTEM_PATH)


def command(directory: Path, name: str) -> list[str]:
    """Return the command that runs a program of an unpacked release, by the release's own loader and libraries."""
    # Debian 11 still keeps a part of them outside /usr.
    libraries = [path for top in ("usr/lib", "lib") for path in (directory / top).glob("*-linux-gnu*")]
    loader = next(found for library in libraries for found in library.glob("ld-linux*.so*"))
    plugins = next(library / "xtables" for library in libraries if (library / "xtables").is_dir())
    variables = ["env", f"XTABLES_LIBDIR={plugins}"]
    search = ["--library-path", ":".join(map(str, libraries))]
    return [*variables, str(loader), *search, str(directory / "usr" / "sbin" / name)]


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(root(wanted))
