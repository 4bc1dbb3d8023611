# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plugin_utils import _firewall, _firewall_forwarding, _firewall_lists, _firewall_routing
from ..plugin_utils._filters import as_filter, of_host


class FilterModule:
    """The declaration -> the variables of role isp_firewall, and these -> the lists of its modules."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "isp_firewall_lines": of_host(_firewall.lines),
            "isp_firewall_forwards": of_host(_firewall.forwards),
            "isp_firewall_hairpins": of_host(_firewall.hairpins),
            "isp_firewall_snat": of_host(_firewall.snat),
            "isp_firewall_inside_networks": of_host(_firewall.inside_networks),
            "isp_firewall_kernel_parameters": as_filter(_firewall_lists.kernel_parameters),
            "isp_firewall_addresses": as_filter(_firewall_lists.addresses),
            "isp_firewall_tables": as_filter(_firewall_routing.tables),
            "isp_firewall_rules": as_filter(_firewall_routing.rules),
            "isp_firewall_marks": as_filter(_firewall_routing.marks),
            "isp_firewall_nat_rules": as_filter(_firewall_lists.nat_rules),
            "isp_firewall_accept": as_filter(_firewall_forwarding.accept),
        }
