# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The interfaces of a firewall: the variables of role isp_firewall -> the lists of ip_aliases and kernel_parameters."""

from __future__ import annotations

from collections.abc import Iterable

from .._input.addresses import of_family
from .._input.faults import sound
from .._roles.interface_parameters import interface_parameters, parameter
from .._roles.module_lists import Alias, KernelParameter
from .lines import read_lines

FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


def kernel_parameters(lines: object, inside: Iterable[object] = ()) -> list[KernelParameter]:
    """The list of kernel_parameters: those of the lines' interfaces, and forwarding in each family of the lines.

    Linux forwards an IPv4 packet by the switch of the interface that it came in by; in IPv6 only the switch of all
    interfaces counts.
    Forwarding makes Linux ignore router advertisements unless ``accept_ra`` is 2 (Documentation/networking/
    ip-sysctl.rst), so a line that learns its IPv6 gateway from them gets that first.

    A line whose addresses an ISP assigns may have IPv6; that is for the hosts and networks ``inside`` that have it.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
    wants_ipv6 = any(":" in str(text) for text in inside)
    ipv6 = [line for line in found if of_family(line.public_addresses, 6) and (wants_ipv6 or not line.learned)]
    learning = [line for line in ipv6 if line.learned or not of_family(line.gateway, 6)]
    assigned = {line.interface for line in found if line.learned}
    parameters = interface_parameters(((line.interface, line.held_addresses) for line in found), assigned)
    parameters += [parameter(6, line.interface, "accept_ra", "2") for line in learning]
    families = {4 for line in found if of_family(line.public_addresses, 4)} | {6 for _line in ipv6}
    switches: list[KernelParameter] = [{"name": FORWARDING[family], "value": "1"} for family in sorted(families)]
    interfaces = dict.fromkeys(line.interface for line in found if of_family(line.public_addresses, 4))
    parameters += switches
    return parameters + [parameter(4, interface, "forwarding", "1") for interface in interfaces]


def addresses(lines: object) -> list[Alias]:
    """The list of ip_aliases: the addresses that the firewall holds, each on its line's interface."""
    with sound() as faults:
        found = read_lines(lines, faults)
    return [
        {"name": line.name, "address": str(address), "interface": line.interface}
        for line in found
        for address in line.held_addresses
        if not line.learned
    ]
