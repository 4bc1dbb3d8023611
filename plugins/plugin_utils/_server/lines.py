# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The variables of role multihomed_web as they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._input.addresses import (
    FAMILIES,
    family_name,
    is_link_local,
    of_family,
    read_address,
    read_gateway,
    read_interface_address,
    read_prefix,
)
from .._input.faults import Place
from .._input.reading import (
    Entry,
    Field,
    choice,
    integer,
    list_of,
    read_entries,
    read_flag,
    read_interface,
    read_line_name,
    report_repeated,
)
from .._roles import line_routing
from .._roles.line_health import HEALTH_FIELDS
from .._roles.line_routing import LARGEST_ID, LARGEST_WEIGHT

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork

ROLE = "multihomed_web"
# In use nowhere: the IPv4 dummy address (RFC 7600), and an address of the IPv6 discard prefix (RFC 6666).
BALANCE_FROM = ("192.0.0.8", "100::8")
LOOPBACK = "lo"

LINE_FIELDS = {
    "name": Field(read_line_name, required=True),
    "id": Field(integer(1, LARGEST_ID), required=True),
    "interface": Field(read_interface, required=True),
    "addresses": Field(list_of(read_interface_address, least=1), required=True),
    "gateways": Field(list_of(read_gateway), required=True),
    "weight": Field(integer(1, LARGEST_WEIGHT)),
    "onlink": Field(read_flag),
    **HEALTH_FIELDS,
    "ends_here": Field(read_flag),
    "not_held": Field(list_of(read_interface_address)),
    # Set by auto_lines: the line's addresses are not managed by the role; the families that need no gateway.
    "learned": Field(read_flag),
    "without_gateway": Field(list_of(choice("ipv4", "ipv6"))),
}


@dataclass(frozen=True)
class ServerLine:
    """An entry of ``multihomed_web_lines``."""

    entry: Entry
    name: str = ""
    id: int = 0
    interface: str = ""
    addresses: tuple[IPNetwork, ...] = ()
    gateways: tuple[IPAddress, ...] = ()
    weight: int = 1
    onlink: bool | None = None
    drained: bool = False
    flows: str = "forget"
    health: Mapping[str, Any] | None = None
    ends_here: bool = False
    not_held: tuple[IPNetwork, ...] = ()
    learned: bool = False
    without_gateway: tuple[str, ...] = ()

    def gateway(self, family: int) -> IPAddress | None:
        """The next hop of a family that the line has an address of; None where the route has only an interface."""
        return None if f"ipv{family}" in self.without_gateway else of_family(self.gateways, family)[0]

    def address(self, family: int) -> IPNetwork:
        """The first address of a family of the line: the source of connections that the server initiates there."""
        return (of_family(self.held_addresses, family) or of_family(self.addresses, family))[0]

    def holds(self, family: int) -> bool:
        """Whether the server always has an address of a family of the line."""
        return bool(of_family(self.held_addresses, family))

    @property
    def held_addresses(self) -> list[IPNetwork]:
        """The addresses of the line that no other program adds and removes."""
        others = {address.ip for address in self.not_held}
        return [address for address in self.addresses if address.ip not in others]

    def is_onlink(self, family: int) -> bool:
        """Whether the route has to say that the gateway is on the link."""
        gateway = self.gateway(family)
        if gateway is None or is_link_local(gateway):
            return False
        return line_routing.needs_onlink(gateway, self.addresses) if self.onlink is None else self.onlink

    def next_hop(self, family: int) -> tuple[str, IPAddress | None]:
        """Interface and next hop of a family; two lines of one next hop differ only beyond it."""
        return (self.interface, self.gateway(family))

    @property
    def families(self) -> list[int]:
        """The families that the line has an address of."""
        return [family for family in FAMILIES if of_family(self.addresses, family)]


def read_lines(value: object, faults: list[str]) -> list[ServerLine]:
    """``multihomed_web_lines`` by id, as far as they can be read; faults are added to ``faults``."""
    place = Place(f"{ROLE}_lines", faults)
    lines = [ServerLine(entry, **entry.values) for entry in read_entries(value, LINE_FIELDS, place)]
    report_repeated([line.entry for line in lines], "name", "id")
    for line in lines:
        if line.entry.broken:
            continue
        for address in line.not_held:
            if address.ip not in {own.ip for own in line.addresses}:
                line.entry.place.fault(f"not_held: {address} is not in addresses")
        for family in FAMILIES:
            needed = int(family in line.families and f"ipv{family}" not in line.without_gateway)
            given = of_family(line.gateways, family)
            if needed and not given:
                line.entry.place.fault(f"gateways: has {family_name(family)} addresses, but no gateway for them")
            elif len(given) > max(needed, 1):
                line.entry.place.fault(f"gateways: one per family, not {' and '.join(map(str, given))}")
    return sorted(lines, key=lambda line: line.id)


def own_interfaces(lines: Sequence[ServerLine]) -> list[tuple[str, list[IPNetwork]]]:
    """The interfaces that belong to lines alone, with their networks.

    Those of lines that end on this host, and those of one line each where the lines have several interfaces. On an
    interface that lines behind firewalls share is the LAN.
    """
    by_interface: dict[str, list[ServerLine]] = {}
    for line in lines:
        by_interface.setdefault(line.interface, []).append(line)
    return [
        (interface, [address for line in own for address in line.addresses])
        for interface, own in by_interface.items()
        if len(lines) > 1 and (all(line.ends_here for line in own) or len(own) == 1)
    ]


def read_inside_networks(value: object, faults: list[str]) -> tuple[IPNetwork, ...]:
    """``multihomed_web_inside_networks``."""
    return list_of(read_prefix)(value, Place(f"{ROLE}_inside_networks", faults)) or ()


def read_default_route(value: object, faults: list[str]) -> str:
    """``multihomed_web_default_route``."""
    return choice("none", "failover", "balance")(value, Place(f"{ROLE}_default_route", faults)) or "none"


def read_balance_from(value: object, lines: Sequence[ServerLine], faults: list[str]) -> dict[int, IPAddress]:
    """The source, by family, of new connections until they are given to a line.

    Where all lines share one address, it is that one. Otherwise it must be an address of no line, from
    ``ROLE_balance_from``.
    """
    place = Place(f"{ROLE}_balance_from", faults)
    given = list_of(read_address)(value, place) or ()
    found = {}
    for family in FAMILIES:
        firsts = {line.address(family).ip for line in lines if family in line.families}
        of_none = of_family(given, family)
        if len(of_none) > 1:
            place.fault(f"one per family is enough, not {' and '.join(map(str, of_none))}")
        if len(firsts) > 1 and not of_none and not place.faults:
            place.fault(f"an {family_name(family)} address is needed, as the lines have different ones")
        if len(firsts) == 1:
            found[family] = firsts.pop()
        elif firsts and of_none:
            found[family] = of_none[0]
    return found
