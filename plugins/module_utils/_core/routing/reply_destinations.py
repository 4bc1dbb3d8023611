# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where replies go to: the destinations for which the kernel is asked. No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterator, Sequence

from .. import fields
from .reply_model import Reply

# Routes that are a default in all but length cover a part of the address space: two destinations in each half of it.
# Nothing is ever sent to them. Each has a second one, for a host that has the first in a network of its own.
FAR: dict[int, tuple[tuple[str, str], ...]] = {
    4: (
        ("11.255.255.253", "21.255.255.253"),
        ("101.255.255.253", "91.255.255.253"),
        ("151.255.255.253", "161.255.255.253"),
        ("192.0.2.253", "214.255.255.253"),
    ),
    6: (
        ("2001:db8:ffff:ffff::fffd", "2001:db8:fffe:ffff::fffd"),
        ("2a0f:ffff:ffff:ffff::fffd", "2620:ffff:ffff:ffff::fffd"),
        ("3fff:fff:ffff:ffff::fffd", "3fff:ffe:ffff:ffff::fffd"),
    ),
}
# Each reply is asked for towards the networks of so many other lines at least, and of all where there are few lines.
_FEWEST, _ALL = 2, 400
# How a reply has to go: by its line; on the line's own link; by main. OUTSIDE: by its line, or by a route of main that
# our rule for main gives.
LINE, LINK, INSIDE, OUTSIDE = "line", "link", "inside", "outside"


class Destinations:
    """Where replies go to: far away, into the networks of lines, and to ``inside`` networks."""

    def __init__(self, replies: Sequence[Reply], inside: Sequence[str]) -> None:
        self._inside = {family: [n for n in inside if fields.family_of(n) == family] for family in (4, 6)}
        networks: dict[tuple[str, int], dict[str, None]] = {}
        for reply in replies:
            networks.setdefault((reply.line, reply.family), {}).update(dict.fromkeys(reply.networks))
        self._networks = networks
        self._lines = list(dict.fromkeys(reply.line for reply in replies))
        self._places = {line: place for place, line in enumerate(self._lines)}
        taken = {text for reply in replies for text in (reply.source, *reply.gateways)}
        every = {*inside, *(text for listed in networks.values() for text in listed)}
        self._parsed = {text: ipaddress.ip_network(text) for text in every}
        self._hosts = {text: host_of(text, taken) for text in every}
        self._far = {family: self._outside(FAR[family]) for family in (4, 6)}

    def of(self, reply: Reply) -> Iterator[tuple[str, str]]:
        """Give each destination with how the reply has to go there."""
        inside = self._inside[reply.family]
        for text in self._far[reply.family]:
            yield text, LINE
        for network in self._of_others(reply):
            # Where lines share a network, as servers behind firewalls do, it is the line's own or an inside one.
            if network not in inside and network not in reply.networks:
                yield self._hosts[network], LINE
        for network in reply.networks:
            if network not in inside:
                yield self._hosts[network], LINK
        for network in inside:
            yield self._hosts[network], INSIDE

    def far(self, family: int) -> Sequence[str]:
        """Return the destinations that are far away."""
        return self._far[family]

    def is_outside(self, destination: str) -> bool:
        """Tell whether no network of a line, and none inside, contains a destination."""
        address = ipaddress.ip_address(destination)
        return not any(address in network for network in self._parsed.values() if network.version == address.version)

    def _outside(self, far: Sequence[Sequence[str]]) -> list[str]:
        """Return of each group of destinations the first one that is outside."""
        found = (next(filter(self.is_outside, choices), None) for choices in far)
        return [text for text in found if text is not None]

    def _of_others(self, reply: Reply) -> list[str]:
        """Return networks of other lines: all, or where there are many those of the lines that follow this one."""
        lines, place = self._lines, self._places[reply.line]
        count = min(len(lines) - 1, max(_FEWEST, _ALL // len(lines)))
        following = (lines[(place + step) % len(lines)] for step in range(1, count + 1))
        found: dict[str, None] = {}
        for line in following:
            found.update(self._networks.get((line, reply.family), {}))
        return list(found)


def host_of(network: str, taken: Container[str]) -> str:
    """Return an address of a network that is none of those ``taken``: one of the last."""
    known = ipaddress.ip_network(network)
    last = int(known.broadcast_address) - (1 if known.version == 4 and known.prefixlen < 31 else 0)
    for number in range(last, int(known.network_address) - 1, -1):
        text = str(type(known.network_address)(number))
        if text not in taken:
            return text
    return str(known.network_address)
