# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests on machines share."""

from __future__ import annotations

import pytest
import xdist.scheduler
from ansible_collections.multihome.linux.tests.machines import releases
from ansible_collections.multihome.linux.tests.machines.fixtures import bed, design, everything

__all__ = ["bed", "design", "everything"]


class ByRelease(xdist.scheduler.LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives all tests of one Debian release to one process, where they share its machines."""

    def _split_scope(self, nodeid: str) -> str:
        return next((suite for suite in releases.SUITES if suite in nodeid), "")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByRelease:
    """Have pytest-xdist schedule so."""
    return ByRelease(config, log)
