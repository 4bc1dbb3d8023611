# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The interfaces of a server: the variables of role multihomed_web -> the lists of ip_aliases and kernel_parameters."""

from __future__ import annotations

from .._input.addresses import LONGEST_PREFIX
from .._input.faults import sound
from .._roles.interface_parameters import interface_parameters
from .._roles.module_lists import Alias, KernelParameter
from .lines import BALANCE_FROM, LOOPBACK, read_balance_from, read_default_route, read_lines


def kernel_parameters(lines: object) -> list[KernelParameter]:
    """The list of kernel_parameters of the lines' interfaces."""
    with sound() as faults:
        found = read_lines(lines, faults)
    assigned = {line.interface for line in found if line.learned}
    return interface_parameters(((line.interface, line.addresses) for line in found), assigned)


def aliases(lines: object, default_route: object = "none", balance_from: object = BALANCE_FROM) -> list[Alias]:
    """The list of ip_aliases. An address that belongs to several lines is listed once.

    For ``balance`` also the addresses that belong to no line.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
        kind = read_default_route(default_route, faults)
        sources = read_balance_from(balance_from, found, faults) if kind == "balance" else {}
    entries: dict[tuple[str, str], Alias] = {
        (line.interface, str(address)): {"name": line.name, "address": str(address), "interface": line.interface}
        for line in reversed(found)
        for address in reversed(line.held_addresses)
        if not line.learned
    }
    own = {address.ip for line in found for address in line.addresses}
    extra: list[Alias] = [
        {"name": "balance", "address": f"{address}/{LONGEST_PREFIX[family]}", "interface": LOOPBACK}
        for family, address in sources.items()
        if address not in own
    ]
    return list(reversed(entries.values())) + extra
