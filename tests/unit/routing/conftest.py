# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the routing engine share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .fake_kernel import INTERFACES


@pytest.fixture(scope="session")
def settings_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand in for /proc/sys/net/ipv4/conf."""
    directory = tmp_path_factory.mktemp("conf")
    for interface in INTERFACES:
        (directory / interface).mkdir()
        (directory / interface / "promote_secondaries").write_text("0\n")
    return directory


@pytest.fixture
def settings(settings_directory: Path) -> Iterator[Path]:
    """Give the settings, and see that they are as before when the test is over."""
    yield settings_directory
    left = {path.parent.name: path.read_text().strip() for path in settings_directory.glob("*/promote_secondaries")}
    assert left == dict.fromkeys(INTERFACES, "0")
