# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plugin_utils import _learned, _web, _web_lists, _web_routing
from ..plugin_utils._filters import as_filter, of_host


class FilterModule:
    """The declaration -> the variables of role multihomed_web, and these -> the lists of its modules."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "multihomed_web_lines": of_host(_web.lines),
            "multihomed_web_reply": of_host(_web.reply),
            "multihomed_web_learned": as_filter(_learned.learned),
            "multihomed_web_kernel_parameters": as_filter(_web_lists.kernel_parameters),
            "multihomed_web_aliases": as_filter(_web_lists.aliases),
            "multihomed_web_tables": as_filter(_web_routing.tables),
            "multihomed_web_rules": as_filter(_web_routing.rules),
            "multihomed_web_marks": as_filter(_web_routing.marks),
        }
