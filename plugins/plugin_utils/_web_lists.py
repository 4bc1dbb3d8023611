# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""The variables of role multihomed_web -> its lines, and the list of ip_aliases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._addresses import (
    FAMILIES,
    LONGEST_PREFIX,
    family_name,
    of_family,
    read_address,
    read_gateway,
    read_interface_address,
)
from ._faults import Place, sound
from ._interface_parameters import interface_parameters
from ._reading import (
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
from ._routing import LARGEST_ID, LARGEST_WEIGHT

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork

ROLE = "multihomed_web"
# What nobody else has: a dummy IPv4 address (RFC 7600), and one of the IPv6 prefix that leads nowhere (RFC 6666).
BALANCE_FROM = ("192.0.0.8", "100::8")
LOOPBACK = "lo"

LINE_FIELDS = {
    "name": Field(read_line_name, required=True),
    "id": Field(integer(1, LARGEST_ID), required=True),
    "interface": Field(read_interface, required=True),
    "addresses": Field(list_of(read_interface_address, least=1), required=True),
    "gateways": Field(list_of(read_gateway, single=True), required=True),
    "weight": Field(integer(1, LARGEST_WEIGHT)),
    # Of a line whose addresses somebody else put on the interface, and of one that needs no gateway (_learned.py).
    "learned": Field(read_flag),
    "without_gateway": Field(list_of(choice("ipv4", "ipv6"))),
}


@dataclass(frozen=True)
class Line:
    """An entry of ``multihomed_web_lines``."""

    entry: Entry
    name: str = ""
    id: int = 0
    interface: str = ""
    addresses: tuple[IPNetwork, ...] = ()
    gateways: tuple[IPAddress, ...] = ()
    weight: int = 1
    learned: bool = False
    without_gateway: tuple[str, ...] = ()

    def gateway(self, family: int) -> IPAddress | None:
        """The next hop of a family that the line has an address of; None where the interface alone is the way."""
        return None if f"ipv{family}" in self.without_gateway else of_family(self.gateways, family)[0]

    def address(self, family: int) -> IPNetwork:
        """The first address of a family that the line has one of: what the server begins on the line carries it."""
        return of_family(self.addresses, family)[0]

    def next_hop(self, family: int) -> tuple[str, IPAddress | None]:
        """Interface and next hop of a family; two lines of one next hop differ only beyond it."""
        return (self.interface, self.gateway(family))

    @property
    def families(self) -> list[int]:
        """The families that the line has an address of."""
        return [family for family in FAMILIES if of_family(self.addresses, family)]


def read_lines(value: object, faults: list[str]) -> list[Line]:
    """``multihomed_web_lines`` by id, as far as they can be read; what cannot is added to ``faults``."""
    place = Place(f"{ROLE}_lines", faults)
    lines = [Line(entry, **entry.values) for entry in read_entries(value, LINE_FIELDS, place)]
    report_repeated([line.entry for line in lines], "name", "id")
    for line in lines:
        if line.entry.broken:
            continue
        for family in FAMILIES:
            wanted = int(family in line.families and f"ipv{family}" not in line.without_gateway)
            given = of_family(line.gateways, family)
            if wanted and not given:
                line.entry.place.fault(f"gateways: has {family_name(family)} addresses, but no gateway for them")
            elif len(given) > max(wanted, 1):
                line.entry.place.fault(f"gateways: one per family, not {' and '.join(map(str, given))}")
    return sorted(lines, key=lambda line: line.id)


def read_default_route(value: object, faults: list[str]) -> str:
    """``multihomed_web_default_route``."""
    return choice("none", "failover", "balance")(value, Place(f"{ROLE}_default_route", faults)) or "none"


def read_balance_from(value: object, lines: Sequence[Line], faults: list[str]) -> dict[int, IPAddress]:
    """The address that connections of each family begin with until they are given to a line.

    Where one address stands for all lines, it is that. Else it must be one of no line, of ``ROLE_balance_from``.
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


def kernel_parameters(lines: object) -> list[dict[str, Any]]:
    """The list of kernel_parameters of the lines' interfaces."""
    with sound() as faults:
        found = read_lines(lines, faults)
    return interface_parameters((line.interface, line.addresses) for line in found)


def aliases(lines: object, default_route: object = "none", balance_from: object = BALANCE_FROM) -> list[dict[str, Any]]:
    """The list of ip_aliases. An address that stands for several lines is there once.

    For ``balance`` also the addresses that stand for no line.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
        kind = read_default_route(default_route, faults)
        begins = read_balance_from(balance_from, found, faults) if kind == "balance" else {}
    entries = {
        (line.interface, str(address)): {"name": line.name, "address": str(address), "interface": line.interface}
        for line in reversed(found)
        for address in reversed(line.addresses)
        if not line.learned
    }
    own = {address.ip for line in found for address in line.addresses}
    extra = [
        {"name": "balance", "address": f"{address}/{LONGEST_PREFIX[family]}", "interface": LOOPBACK}
        for family, address in begins.items()
        if address not in own
    ]
    return list(reversed(entries.values())) + extra
