# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources leave by an interface untranslated. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Union

from .entry_faults import SOURCE
from .model import NatRule, hook

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
_EVERYTHING = {4: ipaddress.ip_network("0.0.0.0/0"), 6: ipaddress.ip_network("::/0")}


def untranslated(rules: Iterable[NatRule], interface: str, network: str) -> list[str]:
    """Return the parts of a network that leave by an interface with the sources that they have.

    An entry covers its sources if it matches whatever they send: by no port, protocol or destination. An exemption
    covers them too, as it is declared.
    """
    rest: list[Network] = [ipaddress.ip_network(network)]
    for rule in rules:
        if rule.family == rest[0].version and hook(rule) == SOURCE and _is_for_all(rule, interface):
            covered = ipaddress.ip_network(rule.source) if rule.source else _EVERYTHING[rule.family]
            rest = [part for one in rest for part in _without(one, covered)]
            if not rest:
                break
    return [str(part) for part in rest]


def _is_for_all(rule: NatRule, interface: str) -> bool:
    limits = (rule.destination, rule.source_port, rule.destination_port, rule.in_interface)
    return rule.out_interface in (None, interface) and rule.protocol == "any" and not any(limits)


def _without(network: Network, covered: Network) -> list[Network]:
    """Return the parts of a network that another one of its family does not have."""
    if covered.supernet_of(network):  # type: ignore[arg-type]  # both are of one family
        return []
    if not network.supernet_of(covered):  # type: ignore[arg-type]  # both are of one family
        return [network]
    return sorted(network.address_exclude(covered))  # type: ignore[arg-type]  # both are of one family
