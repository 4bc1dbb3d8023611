# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name servers of this machine's own release, and those of Debian 12 and 13, by their own loaders and libraries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

import debian_root

from ..namespaces import Host
from .servers import KINDS, NAMES, NameServer, Programs

_PACKAGES = ("knot", "bind9", "pdns-server", "pdns-backend-sqlite3", "unbound")
OTHERS = [suite for suite in ("bookworm", "trixie") if suite != debian_root.own_codename()]


class UnpackedPrograms(Programs):
    """The programs of a release that is unpacked below ``root``."""

    def command(self, name: str) -> list[str]:
        """Return the command that runs a program by the release's own loader and libraries."""
        return debian_root.command(self.root, name)


def programs_of(suite: str) -> Programs:
    """Return the programs of a release, of this machine's own without ``suite``; skips the test without them."""
    try:
        return UnpackedPrograms(debian_root.Root(suite, _PACKAGES).made()) if suite else Programs()
    except debian_root.NotAtHand as error:
        pytest.skip(str(error))


@dataclass(frozen=True)
class Kind:
    """A name server by its name; ``suite`` is another Debian release than this machine's."""

    name: str
    suite: str = ""

    def __str__(self) -> str:
        return f"{self.name}-of-{self.suite}" if self.suite else self.name

    def on(self, host: Host, directory: Path) -> NameServer:
        """Return the server, not started yet; skips the test where the release is not at hand."""
        return KINDS[self.name](host, directory, programs=programs_of(self.suite))


OWN = [Kind(name) for name in NAMES]
EVERY = [*OWN, *(Kind(name, suite) for suite in OTHERS for name in NAMES)]
