# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The untranslated destinations of a line, which packets always reach by this line, on a firewall of several lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ...module_utils._core.routing.rule_fields import LONGEST_DEFAULT
from .._input.addresses import family_name, has_network, overlap, prefix_text

if TYPE_CHECKING:
    from netaddr import IPNetwork

    from .._input.reading import Entry


class UntranslatedLine(Protocol):
    """A line of the declaration, or of the role."""

    @property
    def entry(self) -> Entry:
        """Where it is."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def untranslated(self) -> tuple[IPNetwork, ...]:
        """The destinations."""

    @property
    def held_addresses(self) -> list[IPNetwork]:
        """The addresses that the firewall holds on it."""


def report_untranslated(lines: Sequence[UntranslatedLine]) -> None:
    """Report the destinations of the lines of one firewall that would take replies of its other lines."""
    for line in lines if len(lines) > 1 else ():
        place = line.entry.place
        for network in line.untranslated:
            if network.prefixlen <= LONGEST_DEFAULT[network.version]:
                place.fault(
                    f"untranslated: {prefix_text(network)} is so wide a part of {family_name(network.version)} that the"
                    " replies of the other lines would leave by this one: list the networks that are meant"
                )
                continue
            for other in lines:
                on_link = [address.cidr for address in other.held_addresses if has_network(address)]
                for taken in dict.fromkeys(on_link if other is not line else ()):
                    if overlap(network, taken):
                        place.fault(
                            f"untranslated: {prefix_text(network)} overlaps {taken} on line {other.name}, whose replies"
                            " there would leave by this line"
                        )
