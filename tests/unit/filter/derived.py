# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that follows from a declaration, host by host: the roles' variables, and the lists of their modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.multihome.linux.plugins.filter.common import FilterModule as Common
from ansible_collections.multihome.linux.plugins.filter.isp_firewall import FilterModule as Firewall
from ansible_collections.multihome.linux.plugins.filter.multihomed_web import FilterModule as Web
from ansible_collections.multihome.linux.plugins.filter.playbooks import FilterModule as Playbooks
from ansible_collections.multihome.linux.tests.unit.filter.declarations import Declaration

FILTERS: dict[str, Callable[..., Any]] = {
    **Common().filters(),
    **Firewall().filters(),
    **Web().filters(),
    **Playbooks().filters(),
}
FIREWALL_VARIABLES = ("lines", "forwards", "hairpins", "snat", "inside_networks", "networks")


def hosts(declaration: Declaration) -> list[str]:
    """Every host that a declaration names."""
    firewalls = {line["firewall"] for line in declaration.get("lines") or () if line.get("firewall")}
    return sorted(firewalls) + sorted(servers(declaration))


def servers(declaration: Declaration) -> set[str]:
    """The servers that a declaration names."""
    return {server["name"] for server in declaration.get("servers") or ()}


def firewall_variables(declaration: Declaration, host: str) -> dict[str, Any]:
    """The variables of role isp_firewall."""
    return {name: FILTERS[f"isp_firewall_{name}"](declaration, host) for name in FIREWALL_VARIABLES}


def firewall_lists(variables: dict[str, Any]) -> dict[str, Any]:
    """The lists that role isp_firewall gives to its modules."""
    lines, snat, inside = (variables[name] for name in ("lines", "snat", "inside_networks"))
    networks = {"networks": variables.get("networks", [])}
    mapped = (lines, variables["forwards"], snat, inside, variables["hairpins"])
    return {
        "addresses": FILTERS["isp_firewall_addresses"](lines),
        "tables": FILTERS["isp_firewall_tables"](lines, inside_networks=inside, **networks),
        "rules": FILTERS["isp_firewall_rules"](lines, snat, inside_networks=inside, **networks),
        "interface_groups": FILTERS["isp_firewall_interface_groups"](lines, inside),
        "replies": FILTERS["isp_firewall_replies"](lines, variables["forwards"], snat, inside),
        "marks": FILTERS["isp_firewall_marks"](lines, inside_networks=inside, snat=snat, **networks),
        "kernel_parameters": FILTERS["isp_firewall_kernel_parameters"](lines),
        "accept": FILTERS["isp_firewall_accept"](*mapped, **networks),
        "nat_rules": FILTERS["isp_firewall_nat_rules"](*mapped, **networks),
    }


def web_lists(lines: list[dict[str, Any]], default_route: str = "failover", reply: str = "source") -> dict[str, Any]:
    """The lists that role multihomed_web gives to its modules."""
    return {
        "kernel_parameters": FILTERS["multihomed_web_kernel_parameters"](lines),
        "aliases": FILTERS["multihomed_web_aliases"](lines, default_route),
        "tables": FILTERS["multihomed_web_tables"](lines, default_route),
        "rules": FILTERS["multihomed_web_rules"](lines, reply=reply, default_route=default_route),
        "interface_groups": FILTERS["multihomed_web_interface_groups"](lines),
        "replies": FILTERS["multihomed_web_replies"](lines, reply),
        "marks": FILTERS["multihomed_web_marks"](lines, reply, default_route),
    }


def everything(declaration: Declaration) -> dict[str, Any]:
    """Variables and lists of every host, and what verification asks."""
    outcome: dict[str, Any] = {"targets": FILTERS["line_check_targets"](declaration)}
    for host in hosts(declaration):
        if host in servers(declaration):
            variables = {name: FILTERS[f"multihomed_web_{name}"](declaration, host) for name in ("lines", "reply")}
            lists = web_lists(variables["lines"], reply=variables["reply"])
        else:
            variables = firewall_variables(declaration, host)
            lists = firewall_lists(variables)
        paths = FILTERS["path_info_paths"](declaration, host, ["198.41.0.4", "2001:503:ba3e::2:30"])
        outcome[host] = {"variables": variables, "lists": {**lists, "paths": paths}}
    return outcome
