# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The limits of nat_rules, for all firewalls of a declaration at once."""

from __future__ import annotations

from .._declaration.model import Declaration
from .._input.faults import DeclarationError
from . import nat, variables


def limit_faults(declaration: Declaration) -> list[str]:
    """The faults of each firewall that would get more translations than nat_rules accepts; the rest must be sound."""
    counts: dict[str, list[int]] = {}
    for offer in declaration.offers():
        for mapping in offer.ports if offer.line.firewall else ():
            count = counts.setdefault(offer.line.firewall, [0, 0])
            made = len(offer.public) * len(offer.sources)
            count[0] += made
            count[1] += made * len(mapping.public) if mapping.shifts else 0
    total = sum(map(sum, counts.values()))
    # Each may have all of them, at the public addresses and at those outside.
    if 2 * total <= nat.MOST:
        return []
    # So many need too much time and memory to be made. Each host has at least those of its own lines.
    surely = [f"on {host}, {fault}" for host, count in sorted(counts.items()) for fault in nat.too_many(*count)]
    if surely and total > 10 * nat.MOST:
        return [f"multihome_services: {fault}" for fault in surely]
    faults = []
    for host in sorted({line.firewall for line in declaration.lines if line.firewall}):
        try:
            nat.nat_rules(
                variables.lines(declaration, host),
                variables.forwards(declaration, host),
                (),
                (),
                variables.hairpins(declaration, host),
            )
        except DeclarationError as error:
            faults += [f"multihome_services: on {host}, {fault}" for fault in error.faults]
    return faults
