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
    # An upper bound for each firewall: all offers, at the public addresses and at those outside.
    most = sum(
        2 * len(offer.public) * len(offer.sources) * (len(mapping.public) if mapping.shifts else 1)
        for offer in declaration.offers()
        for mapping in offer.ports
    )
    if most <= nat.MOST:
        return []
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
