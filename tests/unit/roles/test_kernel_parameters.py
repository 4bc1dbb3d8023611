# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role sets exactly the kernel parameters that preflight, which computes them by itself, finds wrong."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.host.kernel_parameter_file import parameter_path
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.catalogue import KERNEL_PARAMETERS, KINDS
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.facts import Facts, Link
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.model import parse_desired
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.run import judge
from ansible_collections.multihome.linux.plugins.modules.preflight import ARGUMENT_SPEC
from ansible_collections.multihome.linux.tests.unit.filter import declarations, derived

SPEC: dict[str, Any] = dict(ARGUMENT_SPEC)
OPTIONS = {name: spec.get("default") for name, spec in SPEC.items()}
# Two lines that end on interfaces of one subnet, and a line on an interface whose name holds a dot.
SHARED = [
    {"name": "a", "id": 1, "interface": "eth0", "addresses": ["192.0.2.1/24"], "gateways": ["192.0.2.11"]},
    {"name": "b", "id": 2, "interface": "eth1.7", "addresses": ["192.0.2.2/25"], "gateways": ["192.0.2.12"]},
    {"name": "c", "id": 3, "interface": "eth2", "addresses": ["2001:db8::2/64"], "gateways": ["2001:db8::1"]},
]


NAMES = {name: alias for name, spec in SPEC["lines"]["options"].items() for alias in spec.get("aliases", ())}


def public(line: dict[str, Any]) -> dict[str, Any]:
    """A server's line as a firewall's."""
    return {NAMES.get(name, name): value for name, value in line.items()}


def given(role: str, lines: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The options of preflight as Ansible hands them over, with no alias left."""
    own = {alias: name for name, alias in NAMES.items()}
    entries = [{own.get(name, name): value for name, value in line.items()} for line in lines]
    return {**OPTIONS, "role": role, "lines": entries, **more}


def hosts() -> list[tuple[str, list[dict[str, Any]]]]:
    """Role and lines of every host of every declaration."""
    found = [("server", SHARED), ("firewall", [public(line) for line in SHARED])]
    for declaration in declarations.ALL.values():
        for host in derived.hosts(declaration):
            if host in derived.servers(declaration):
                found.append(("server", derived.FILTERS["multihomed_web_lines"](declaration, host)))
            else:
                found.append(("firewall", derived.firewall_variables(declaration, host)["lines"]))
    return found


def entries(role: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the role sets."""
    name = {"server": "multihomed_web", "firewall": "isp_firewall"}[role]
    return list(derived.FILTERS[f"{name}_kernel_parameters"](lines))


def spoilt(lines: list[dict[str, Any]], forwarding: str) -> Facts:
    """A host on which every parameter is as bad as can be."""
    parameters = {"net/ipv4/ip_forward": forwarding, "net/ipv6/conf/all/forwarding": "0"}
    bad = {"rp_filter": "1", "arp_ignore": "0", "arp_announce": "0", "arp_filter": "0", "forwarding": "0"}
    names = {line["interface"] for line in lines}
    for interface in {"all", *names}:
        parameters.update({f"net/ipv4/conf/{interface}/{name}": value for name, value in bad.items()})
        parameters[f"net/ipv6/conf/{interface}/disable_ipv6"] = "1"
    return Facts(dict.fromkeys(names, Link(up=True, running=True)), parameters)


@pytest.mark.parametrize(("role", "lines"), hosts())
@pytest.mark.parametrize("forwarding", ["0", "1"])
def test_a_role_sets_every_wrong_parameter(role: str, lines: list[dict[str, Any]], forwarding: str) -> None:
    facts = spoilt(lines, forwarding)
    wrong = judge(parse_desired(given(role, lines)), facts)
    assert wrong
    assert {KINDS[finding.id].fixed_by for finding in wrong} == {KERNEL_PARAMETERS}
    sets = entries(role, lines)
    found = judge(parse_desired(given(role, lines, kernel_parameters=sets)), facts)
    assert [finding for finding in found if not finding.will_mend] == []
    # The control: without any one that is wrong, something is left.
    needed = [parameter_path(finding.kernel_parameter["name"]) for finding in wrong if finding.kernel_parameter]
    for entry in sets:
        rest = [other for other in sets if other is not entry]
        found = judge(parse_desired(given(role, lines, kernel_parameters=rest)), facts)
        assert any(not finding.will_mend for finding in found) is (parameter_path(entry["name"]) in needed), entry


def test_every_parameter_that_a_role_can_fix_is_wrong_somewhere() -> None:
    found = {
        finding.id
        for role, lines in hosts()
        for finding in judge(parse_desired(given(role, lines)), spoilt(lines, "0"))
    }
    assert found == {name for name, kind in KINDS.items() if kind.fixed_by == KERNEL_PARAMETERS}
