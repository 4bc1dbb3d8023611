# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that translate in a test: nft or either variant of iptables, this machine's or another Debian's."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from ansible_collections.multihome.linux.tests.integration.namespaces import Host

import debian_root

_PARTS = [f"{name}{part}" for name in ("iptables", "ip6tables") for part in ("", "-save", "-restore")]
_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Programs:
    """What a test translates with. ``backend`` is the module's option, ``suite`` another Debian release."""

    backend: str = "nftables"
    variant: str = "nft"
    suite: str | None = None

    def __str__(self) -> str:
        name = "nft" if self.backend == "nftables" else f"iptables-{self.variant}"
        return f"{name}-of-{self.suite}" if self.suite else name

    def commands(self) -> dict[str, list[str]]:
        """Return the command behind each program's name; skips the test where the release is not at hand."""
        names = {"nft": "nft"}
        for part in _PARTS:
            first, dash, last = part.partition("-")
            names[part] = f"{first}-{self.variant}{dash}{last}"
            names.update({f"{first}-{other}-save": f"{first}-{other}-save" for other in ("nft", "legacy")})
        if self.suite is None:
            return {name: [_found(program)] for name, program in names.items()}
        try:
            root = debian_root.Root(self.suite).made()
        except debian_root.NotAtHand as error:
            pytest.skip(str(error))
        return {name: debian_root.command(root, program) for name, program in names.items()}

    @contextmanager
    def path(self, without: Iterable[str] = ()) -> Iterator[str]:
        """Yield a PATH that gives these programs their names, and none to those ``without``."""
        with TemporaryDirectory() as directory:
            for name, command in self.commands().items():
                if name not in without:
                    program = Path(directory, name)
                    program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
                    program.chmod(0o755)
            yield f"{directory}:{os.environ.get('PATH', os.defpath)}"

    @contextmanager
    def on(self, host: Host) -> Iterator[None]:
        """Have whatever runs on a host, modules too, find these programs under their names."""
        with self.path() as path:
            host.prefix += ["env", f"PATH={path}"]
            yield


def _found(name: str) -> str:
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + os.pathsep + _SYSTEM)
    assert path, f"{name} is not installed"
    return path


NFT = Programs()
IPTABLES = Programs("iptables", "nft")
LEGACY = Programs("iptables", "legacy")
NFT_OF_DEBIAN_13 = Programs("nftables", "nft", "trixie")
IPTABLES_OF_DEBIAN_13 = Programs("iptables", "nft", "trixie")

# For fixtures and tests that hold for what either Debian prints and takes.
EVERY_NFT = [NFT, NFT_OF_DEBIAN_13]
