# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests on machines share."""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.tests.machines.fixtures import bed, group

__all__ = ["bed"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares a bed."""
    group(items)
