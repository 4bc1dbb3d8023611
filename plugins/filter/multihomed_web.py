# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # the signature of a filter is its own

from ..plugin_utils._filters import as_filter, faults_netaddr_missing, netaddr_missing, of_host
from ..plugin_utils._server import auto_lines, checks, options, referring, replies, routing, variables


class FilterModule:
    """The declaration -> the variables of role multihomed_web; these -> their faults and the lists of its modules."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "multihomed_web_lines": of_host(variables.lines),
            "multihomed_web_reply": of_host(variables.reply),
            "multihomed_web_learned": as_filter(auto_lines.auto_lines),
            "multihomed_web_gather_subset": as_filter(auto_lines.gather_subset, list),
            "multihomed_web_faults": as_filter(checks.faults, netaddr_missing),
            "multihomed_web_kernel_parameters": as_filter(referring.kernel_parameters),
            "multihomed_web_aliases": as_filter(referring.aliases),
            "multihomed_web_tables": as_filter(referring.tables),
            "multihomed_web_rules": as_filter(referring.rules),
            "multihomed_web_interface_groups": as_filter(referring.interface_groups),
            "multihomed_web_reply_way": as_filter(routing.reply_way),
            "multihomed_web_replies": as_filter(replies.replies),
            "multihomed_web_marks": as_filter(referring.marks),
            "multihomed_web_line_health": as_filter(referring.line_health),
            "multihomed_web_options": as_filter(options.options, faults_netaddr_missing),
        }
