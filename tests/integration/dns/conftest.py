# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper on the host of a name server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..keeper.host import Kept
from .servers import NameServer


@pytest.fixture
def keeper(server: NameServer, tmp_path: Path) -> Iterator[Kept]:
    """A keeper that knows nothing of the lines yet."""
    server.host.run("rm", "-f", "/run/multihome/health.json")
    with Kept(server.host, tmp_path).running() as kept:
        yield kept
