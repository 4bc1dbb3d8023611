# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The targets to ask to verify a deployment."""

from __future__ import annotations

from .._declaration.model import Declaration, Offer
from .._input.ports import PortMapping, PortRange
from .._roles.module_lists import Target


def targets(declaration: Declaration, timeout: float) -> list[Target]:
    """The targets of line_check: each offer at each of its public addresses, by each port to verify."""
    return [
        {
            "name": offer.service.name,
            "line": offer.line.name,
            "address": str(address),
            "port": port.public.first,
            "protocol": port.protocol,
            "timeout": timeout,
        }
        for offer in declaration.offers()
        for address in offer.public
        for port in ports_to_verify(offer)
    ]


def ports_to_verify(offer: Offer) -> list[PortMapping]:
    """The ports that the service names for it, else the first of each of its tcp entries.

    Every listener on a tcp port answers a connection, but only some services answer an unknown datagram, and
    line_check has no sctp.
    """
    if offer.service.verify_ports is not None:
        return sorted(offer.service.verify_ports)
    first = [PortRange(port.public.first, port.public.first) for port in offer.ports if port.protocol == "tcp"]
    return [PortMapping("tcp", port, port) for port in sorted(first)]
