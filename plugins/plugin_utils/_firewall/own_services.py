# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Services that the firewall of a line answers itself.

A packet to the line's address reaches them without translation. Only where another server has all packets that no
service names (``any``) is there a translation to the address itself, which is found first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .._declaration.model import Offer
from .._input.addresses import outside_of
from .._input.ports import PortMapping
from .._roles.module_lists import TakenPort

if TYPE_CHECKING:
    from netaddr import IPAddress


def is_own(offer: Offer) -> bool:
    """Whether a service is on the host that terminates its line."""
    return bool(offer.line.firewall) and offer.line.firewall == offer.server.name


def addresses_of_any(offers: Iterable[Offer]) -> set[IPAddress]:
    """The public addresses where another server gets all packets that no service names."""
    return {
        address
        for offer in offers
        if not is_own(offer) and any(mapping.is_rest for mapping in offer.ports)
        for address in offer.public
    }


def kept(offer: Offer, taken: Collection[IPAddress]) -> Iterator[tuple[IPAddress, IPAddress, PortMapping]]:
    """The ports of an own service that need a translation, at the addresses in ``taken``.

    Each with its public address, and with the address that the host holds for that.
    """
    held = outside_of(offer.line.public_addresses, offer.line.outside_addresses, offer.family)
    for mapping in sorted(mapping for mapping in offer.ports if not mapping.is_rest):
        for address in offer.public:
            if address in taken:
                yield address, held.get(address, address), mapping


def addresses_here(lines: Iterable[Any], server_lines: Iterable[Any]) -> set[str]:
    """The addresses of a firewall itself, by its variables."""
    texts = [text for line in server_lines for text in _as_list(line.get("addresses"))]
    for key in ("public_addresses", "outside_addresses"):
        texts += [text for line in lines for text in _as_list(line.get(key))]
    return {str(text).partition("/")[0] for text in texts}


def elsewhere(here: Collection[str], mapped: Sequence[Any]) -> list[Any]:
    """The entries of forwards or hairpins that lead to another host."""
    return [entry for entry in mapped if entry["to_address"] not in here]


def still_taken(here: Collection[str], ports: Iterable[TakenPort]) -> list[TakenPort]:
    """The ports that a server takes from the firewall, without those that a translation to itself keeps."""
    found = list(ports)
    kept = {(entry["address"], entry["port"]) for entry in found if entry["server"] in here}
    return [entry for entry in found if (entry["address"], entry["port"]) not in kept]


def _as_list(value: object) -> Sequence[object]:
    return [value] if isinstance(value, str) else value if isinstance(value, Sequence) else []
