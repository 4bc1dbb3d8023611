# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Checks of the networks of clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...module_utils._core.fields import shown
from .._input.addresses import family_name, is_everyone, of_family, overlap
from .model import Declaration, Line, Network

if TYPE_CHECKING:
    from netaddr import IPNetwork


def check_networks(declaration: Declaration) -> None:
    """Each network belongs to one entry, and has lines to leave by."""
    seen: list[tuple[IPNetwork, Network]] = []
    for entry in declaration.networks:
        place = entry.entry.place
        for network in entry.networks:
            if is_everyone(network):
                place.fault(f"networks: {network} is every address; list the networks behind the firewalls")
                continue
            for other, owner in seen:
                if overlap(network, other):
                    place.fault(f"networks: {network} and {other} of {owner.entry.place.text} overlap")
            seen.append((network, entry))
        if "outgoing" not in entry.entry.broken:
            _check_way_out(entry, declaration)


def _check_way_out(entry: Network, declaration: Declaration) -> None:
    place, lines = entry.entry.place, []
    for name in entry.outgoing if isinstance(entry.outgoing, tuple) else ():
        line = declaration.line_named.get(name)
        if line is None:
            place.fault(f"outgoing: line {shown(name)} is not in multihome_lines")
        elif not line.firewall and "firewall" not in line.entry.broken:
            place.fault(f"outgoing: line {shown(name)} has no firewall, so no client can leave by it")
        else:
            lines.append(line)
    if isinstance(entry.outgoing, str):
        lines = [line for line in declaration.lines if line.firewall or "firewall" in line.entry.broken]
    if not place.faults:
        for network in entry.networks:
            _check_family(entry, network, lines)


def _check_family(entry: Network, network: IPNetwork, lines: list[Line]) -> None:
    if not any(of_family(line.public_addresses, network.version) for line in lines):
        family = family_name(network.version)
        entry.entry.place.fault(f"networks: {network} has no line with a public {family} address to leave by")
