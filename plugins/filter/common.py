# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # the signature of a filter is its own

from ..plugin_utils._filters import as_filter
from ..plugin_utils._roles.host_preparation import preparation
from ..plugin_utils._roles.steps import steps


class FilterModule:
    """The filters that both roles share."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "host_preparation": as_filter(preparation),
            "host_steps": as_filter(steps),
        }
