# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beds for pytest. A conftest.py takes the fixtures by importing them.

A test that asks for one runs on each Debian release; those of one release share it, and so a process of pytest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ..lab.state import LabError
from . import releases
from .bed import Bed, booted
from .deployed import Deployed


@pytest.fixture(scope="session", params=releases.SUITES)
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    """Booted machines, on which nothing is deployed yet; skips where none can boot, and says why."""
    suite: str = request.param
    try:
        releases.check()
    except LabError as error:
        pytest.skip(f"no machine can boot here: {error}")
    with booted(suite, f"test-{os.getpid()}-{suite}") as found:
        yield found


@pytest.fixture(scope="session")
def everything(bed: Bed) -> Deployed:
    """The design, deployed on the bed; for `design` below."""
    return Deployed(bed)


@pytest.fixture
def design(everything: Deployed) -> Iterator[Deployed]:
    """The same, whole before the test; and after it every object, whoever's, has to be as it was deployed."""
    assert everything.mended() == []
    yield everything
    assert everything.mended() == []
