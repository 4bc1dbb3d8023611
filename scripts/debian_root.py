# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roots of other Debian releases for the tests; nothing of them is installed on this machine.

    python scripts/debian_root.py SUITE [PACKAGE...]              programs, run by their own loader and libraries
    python scripts/debian_root.py --whole SUITE [PACKAGE...]      a whole system, to boot or to change the root to

prints the directory. It is made once and kept in .cache/debian. Packages come from where this machine's own come from.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from environment import CACHE, SYSTEM_PATH
from system_tools import install

DIRECTORY = CACHE / "debian"
PACKAGES = ("iptables", "nftables")


class NotAtHand(Exception):
    """The root cannot be made here; says why."""


@dataclass(frozen=True)
class Root:
    """A release with some packages and what they depend on.

    Unpacked only, which takes a few seconds, or as a ``whole`` system: configured, with what Debian calls required
    (mmdebstrap's variants "extract" and "minbase").
    """

    suite: str
    packages: tuple[str, ...] = PACKAGES
    whole: bool = False

    @property
    def directory(self) -> Path:
        """Where it is, or would be: every set of packages has a directory of its own."""
        content = hashlib.sha256(" ".join(sorted(self.packages)).encode()).hexdigest()[:8]
        return DIRECTORY / f"{self.suite}-{'whole' if self.whole else 'unpacked'}-{content}"

    def made(self) -> Path:
        """Return the directory; make it first where it is not there. Several processes may ask at once.

        Raises NotAtHand where it has to be made and cannot be, by an ordinary user or without apt, and
        subprocess.CalledProcessError when a package cannot be had.
        """
        if self.directory.is_dir():
            return self.directory
        if os.geteuid() != 0:
            raise NotAtHand(f"{self.directory} is not there; as root: {self._command_line()}")
        if _found("apt-get") is None:
            raise NotAtHand(f"{self.directory} is not there, and no apt-get to make it with")
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        with _locked(self.directory.with_suffix(".lock")):
            if not self.directory.is_dir():
                self._make()
        return self.directory

    def _make(self) -> None:
        if _found("mmdebstrap") is None:
            install(["mmdebstrap"])
        # What a run that was killed has left goes first. Under its own name stands only what is complete.
        unfinished = self.directory.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [
            # What it mounts meanwhile is nobody else's to see, and goes with it however it ends.
            *(_found("unshare") or "unshare", "--mount", _found("mmdebstrap") or "mmdebstrap", "--quiet"),
            *(f"--variant={'minbase' if self.whole else 'extract'}", f"--include={','.join(self.packages)}"),
            *(f"--aptopt={option}" for option in _download_options()),
            *(self.suite, str(unfinished), *_sources(self.suite)),
        ]
        try:
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
            unfinished.rename(self.directory)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _command_line(self) -> str:
        whole = ["--whole"] if self.whole else []
        return " ".join(["python", "scripts/debian_root.py", *whole, self.suite, *self.packages])


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file that one process at a time can hold; the kernel drops it with its holder."""
    with path.open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _found(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", os.defpath) + os.pathsep + SYSTEM_PATH)


def _sources(suite: str) -> list[str]:
    """Return apt's lines for a release, at the addresses where this machine has its own release from.

    None on a machine that is no Debian or has none of Debian's addresses: mmdebstrap then knows where to look.
    """
    own = own_codename()
    if own is None:
        return []
    targets = _index_targets()
    if not targets:
        # A fresh machine has no lists yet, and without them apt does not say whose an address is.
        subprocess.run(["apt-get", "update"], check=True)
        targets = _index_targets()
    return sorted(
        {f"deb {address} {suite}{release[len(own) :]} main" for address, release in targets if release.startswith(own)}
    )


def own_codename() -> str | None:
    """Return the name of this machine's own release, None on a machine that is no Debian."""
    with contextlib.suppress(OSError):
        release = platform.freedesktop_os_release()
        return release.get("VERSION_CODENAME") if release["ID"] == "debian" else None
    return None


def _index_targets() -> list[tuple[str, str]]:
    """Return the address and the release, "bookworm" or "bookworm-security", of each list that apt has from Debian."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"]
    command += ["Created-By: Packages", "Origin: Debian", "Component: main"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [(words[0], words[1]) for words in map(str.split, lines)]


def _download_options() -> list[str]:
    """Return what this machine's apt was told of proxies and of how strictly dates are checked."""
    command = ["apt-config", "dump", "--no-empty", "--format", '%F "%v";%n', "Acquire"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if line.startswith(("Acquire::http", "Acquire::Check-"))]


def command(directory: Path, name: str) -> list[str]:
    """Return the command that runs a program of an unpacked release, by the release's own loader and libraries."""
    # Debian 11 still keeps a part of them outside /usr.
    libraries = [path for top in ("usr/lib", "lib") for path in (directory / top).glob("*-linux-gnu*")]
    loader = next(found for library in libraries for found in library.glob("ld-linux*.so*"))
    plugins = [library / "xtables" for library in libraries if (library / "xtables").is_dir()]
    variables = ["env", *(f"XTABLES_LIBDIR={path}" for path in plugins[:1])]
    search = ["--library-path", ":".join(map(str, libraries))]
    return [*variables, str(loader), *search, str(directory / "usr" / "sbin" / name)]


def main(arguments: Iterable[str] | None = None) -> None:
    """Make what the command line names and print where it is."""
    parser = argparse.ArgumentParser(description="Make the root of a Debian release, once, and print where it is.")
    parser.add_argument("--whole", action="store_true", help="a whole system, to boot or to change the root to")
    parser.add_argument("suite", help="bookworm, trixie, ...")
    parser.add_argument("packages", nargs="*", metavar="package", default=PACKAGES)
    wanted = parser.parse_args(None if arguments is None else list(arguments))
    try:
        print(Root(wanted.suite, tuple(wanted.packages), wanted.whole).made())
    except NotAtHand as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
