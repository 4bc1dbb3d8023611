# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The variables of role isp_firewall as they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...module_utils._core.fields import shown
from .._input.addresses import (
    FAMILIES,
    held_addresses,
    is_everyone,
    is_link_local,
    of_family,
    read_address,
    read_gateway,
    read_interface_address,
    read_prefix,
)
from .._input.faults import Place
from .._input.ports import read_port_range, read_protocol
from .._input.reading import (
    Entry,
    Field,
    integer,
    list_of,
    read_entries,
    read_flag,
    read_interface,
    read_line_name,
    read_segment_size,
    read_service_name,
    read_text,
    report_repeated,
)
from .._input.ways_out import read_way_out
from .._roles import line_routing
from .._roles.line_health import HEALTH_FIELDS
from .._roles.line_routing import LARGEST_ID, LARGEST_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netaddr import IPAddress, IPNetwork

ROLE = "isp_firewall"

LINE_FIELDS = {
    "name": Field(read_line_name, required=True),
    "id": Field(integer(1, LARGEST_ID), required=True),
    "interface": Field(read_interface, required=True),
    "public_addresses": Field(list_of(read_interface_address, least=1), required=True),
    "outside_addresses": Field(list_of(read_interface_address)),
    "gateway": Field(list_of(read_gateway)),
    "weight": Field(integer(1, LARGEST_WEIGHT)),
    "onlink": Field(read_flag),
    "mss": Field(read_segment_size),
    **HEALTH_FIELDS,
    "untranslated": Field(list_of(read_prefix, distinct=True)),
    # Set by assigned.py: another program gives the interface its addresses.
    "learned": Field(read_flag),
    # Set by options.py: the host has lines of other firewalls too.
    "one_of_several": Field(read_flag),
}
PORT_FIELDS = {
    "protocol": Field(read_protocol, required=True),
    # Needed where the protocol has ports.
    "port": Field(read_port_range),
    "to_address": Field(read_address, required=True),
    "to_port": Field(read_port_range),
    "sources": Field(list_of(read_prefix, least=1, distinct=True)),
}
FORWARD_FIELDS = {
    "name": Field(read_service_name),
    "line": Field(read_line_name, required=True),
    "public_addresses": Field(list_of(read_address, least=1, distinct=True)),
    **PORT_FIELDS,
}
HAIRPIN_FIELDS = {
    "name": Field(read_service_name),
    "public_address": Field(read_address, required=True),
    **PORT_FIELDS,
}
SNAT_FIELDS = {
    "line": Field(read_line_name, required=True),
    "source": Field(read_prefix, required=True),
    "to_address": Field(read_address),
}
NETWORK_FIELDS = {
    "name": Field(read_text),
    "networks": Field(list_of(read_prefix, least=1, distinct=True), required=True),
    "outgoing": Field(read_way_out),
}


@dataclass(frozen=True)
class FirewallLine:
    """An entry of ``isp_firewall_lines``."""

    entry: Entry
    name: str = ""
    id: int = 0
    interface: str = ""
    public_addresses: tuple[IPNetwork, ...] = ()
    outside_addresses: tuple[IPNetwork, ...] = ()
    gateway: tuple[IPAddress, ...] = ()
    weight: int = 1
    onlink: bool | None = None
    mss: str = "off"
    drained: bool = False
    flows: str = "forget"
    health: Mapping[str, Any] | None = None
    untranslated: tuple[IPNetwork, ...] = ()
    learned: bool = False
    one_of_several: bool = False

    def is_onlink(self, gateway: IPAddress) -> bool:
        """Whether the route has to say that a gateway is on the link."""
        if is_link_local(gateway):
            return False
        return line_routing.needs_onlink(gateway, self.held_addresses) if self.onlink is None else self.onlink

    @property
    def held_addresses(self) -> list[IPNetwork]:
        """The addresses that the firewall itself holds on the line."""
        return held_addresses(self.public_addresses, self.outside_addresses)

    @property
    def families(self) -> list[int]:
        """The families that the line has public addresses of."""
        return [family for family in FAMILIES if of_family(self.public_addresses, family)]


def read_lines(value: object, faults: list[str]) -> list[FirewallLine]:
    """``isp_firewall_lines`` by id, as far as they can be read; faults are added to ``faults``."""
    place = Place(f"{ROLE}_lines", faults)
    lines = [FirewallLine(entry, **entry.values) for entry in read_entries(value, LINE_FIELDS, place)]
    report_repeated([line.entry for line in lines], "name", "id")
    return sorted(lines, key=lambda line: line.id)


def are_several(lines: Sequence[FirewallLine]) -> bool:
    """Whether a host has a choice of lines, those of other firewalls included."""
    return len(lines) > 1 or any(line.one_of_several for line in lines)


def read_forwards(value: object, faults: list[str]) -> list[Entry]:
    """``isp_firewall_forwards``."""
    return read_entries(value, FORWARD_FIELDS, Place(f"{ROLE}_forwards", faults))


def read_hairpins(value: object, faults: list[str]) -> list[Entry]:
    """``isp_firewall_hairpins``."""
    return read_entries(value, HAIRPIN_FIELDS, Place(f"{ROLE}_hairpins", faults))


def read_snat(value: object, faults: list[str]) -> list[Entry]:
    """``isp_firewall_snat``."""
    return read_entries(value, SNAT_FIELDS, Place(f"{ROLE}_snat", faults))


def read_inside_networks(value: object, faults: list[str]) -> tuple[IPNetwork, ...]:
    """``isp_firewall_inside_networks``."""
    place = Place(f"{ROLE}_inside_networks", faults)
    found = list_of(read_prefix)(value, place) or ()
    for network in found:
        if is_everyone(network):
            place.fault(f"{network} is every address, and clients outside would be masqueraded: list those inside")
    return found


def line_of(entry: Entry, named: Mapping[str, FirewallLine]) -> FirewallLine | None:
    """The line that an entry names; another one is a fault."""
    name = entry.values.get("line")
    if name is not None and name not in named:
        entry.place.fault(f"line {shown(name)} is not in {ROLE}_lines")
    return named.get(name) if name is not None else None
