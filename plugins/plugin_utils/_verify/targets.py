# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The targets to ask to verify a deployment."""

from __future__ import annotations

from collections.abc import Iterable

from .._declaration.model import Declaration, Offer
from .._input.ports import PortMapping, PortRange
from .._roles.module_lists import Target


def targets(declaration: Declaration, timeout: float) -> list[Target]:
    """The targets of line_check: each offer at each of its public addresses, by each port to verify."""
    return _targets(declaration.offers(), timeout)


def settled_targets(declaration: Declaration, timeout: float, host: str, changing: Iterable[str]) -> list[Target]:
    """The targets that a change of a host must not lose: the offers of a server, or of the lines that end on it.

    A server that is changed after its firewalls may get another address then, so its offers are left out until then.
    """
    later = [other for other in changing if other != host]
    offers = [
        offer
        for offer in declaration.offers()
        if offer.server.name == host or (offer.line.firewall == host and offer.server.name not in later)
    ]
    return _targets(offers, timeout)


def _targets(offers: Iterable[Offer], timeout: float) -> list[Target]:
    return [
        {
            "name": offer.service.name,
            "line": offer.line.name,
            "address": str(address),
            "port": port.public.first,
            "protocol": port.protocol,
            "timeout": timeout,
        }
        for offer in offers
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
