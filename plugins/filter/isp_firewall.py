# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # the signature of a filter is its own

from ..plugin_utils._filters import as_filter, faults_netaddr_missing, netaddr_missing, of_host
from ..plugin_utils._firewall import options, referring, variables


class FilterModule:
    """The declaration -> the variables of role isp_firewall; these -> their faults and the lists of its modules."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "isp_firewall_lines": of_host(variables.lines),
            "isp_firewall_forwards": of_host(variables.forwards),
            "isp_firewall_hairpins": of_host(variables.hairpins),
            "isp_firewall_snat": of_host(variables.snat),
            "isp_firewall_networks": of_host(variables.networks),
            "isp_firewall_server_lines": of_host(variables.server_lines),
            "isp_firewall_inside_networks": of_host(variables.inside_networks),
            "isp_firewall_faults": as_filter(referring.faults, netaddr_missing),
            "isp_firewall_kernel_parameters": as_filter(referring.kernel_parameters),
            "isp_firewall_addresses": as_filter(referring.addresses),
            "isp_firewall_tables": as_filter(referring.tables),
            "isp_firewall_rules": as_filter(referring.rules),
            "isp_firewall_interface_groups": as_filter(referring.interface_groups),
            "isp_firewall_replies": as_filter(referring.replies),
            "isp_firewall_marks": as_filter(referring.marks),
            "isp_firewall_line_health": as_filter(referring.line_health),
            "isp_firewall_nat_rules": as_filter(referring.nat_rules),
            "isp_firewall_taken_ports": as_filter(referring.taken_ports),
            "isp_firewall_accept": as_filter(referring.accept),
            "isp_firewall_mss": as_filter(referring.mss),
            "isp_firewall_options": as_filter(options.options, faults_netaddr_missing),
        }
