# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The kernel parameters of interfaces that lines end on, the same for both roles.

No parameter of all interfaces is among them: those belong to the host, and may be managed by something else.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from .._input.addresses import has_network, of_family
from .module_lists import KernelParameter

if TYPE_CHECKING:
    from netaddr import IPNetwork

# Loose: the larger of this and the value for all interfaces counts, and 2 is larger than the strict 1
# (Documentation/networking/ip-sysctl.rst). The strict filter looks up the way back without the connection's mark.
REVERSE_PATH = {"rp_filter": "2"}
# Each of several interfaces in one subnet answers for its own addresses alone, and asks in its own name.
SHARED_SUBNET = {"arp_ignore": "1", "arp_announce": "2"}
IPV6_ON = {"disable_ipv6": "0"}


def interface_parameters(
    lines: Iterable[tuple[str, Iterable[IPNetwork]]], assigned: Collection[str] = ()
) -> list[KernelParameter]:
    """The list of kernel_parameters of lines, each an interface and the line's addresses there.

    The addresses of interfaces in ``assigned`` are not known: several of these may be in one subnet, and IPv6 there is
    for the program that assigns addresses.
    """
    addresses: dict[str, list[IPNetwork]] = {}
    for interface, own in lines:
        addresses.setdefault(interface, []).extend(own)
    sharing = {
        name
        for one, other in itertools.combinations(addresses, 2)
        if _overlap(addresses[one], addresses[other])
        for name in (one, other)
    }
    sharing |= set(assigned) if len(assigned) > 1 else set()
    entries = []
    for interface, own in addresses.items():
        if of_family(own, 4):
            values = {**REVERSE_PATH, **(SHARED_SUBNET if interface in sharing else {})}
            entries += [parameter(4, interface, name, value) for name, value in values.items()]
        if of_family(own, 6) and interface not in assigned:
            entries += [parameter(6, interface, name, value) for name, value in IPV6_ON.items()]
    return entries


def parameter(family: int, interface: str, name: str, value: str) -> KernelParameter:
    """An entry of kernel_parameters for one interface."""
    # sysctl writes a dot within an interface's name as "/".
    # The interface of a line may be missing now; that line must not stop the others.
    return {"name": f"net.ipv{family}.conf.{interface.replace('.', '/')}.{name}", "value": value, "optional": True}


def _overlap(some: Iterable[IPNetwork], others: Iterable[IPNetwork]) -> bool:
    """Whether a subnet of IPv4 addresses is, or is within, one of the others'."""
    pairs = itertools.product(*([net for net in of_family(nets, 4) if has_network(net)] for nets in (some, others)))
    return any(one in other or other in one for one, other in pairs)
