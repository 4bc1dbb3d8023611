# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""The variables of role isp_firewall -> the lists that its modules take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._addresses import (
    family_name,
    held,
    is_everyone,
    of_family,
    prefix_text,
    read_address,
    read_gateway,
    read_interface_address,
    read_prefix,
)
from ._declaration import sources_of_family
from ._faults import Place, shown, sound
from ._interface_parameters import interface_parameters, parameter
from ._ports import PROTOCOLS, port_mapping, read_port_range
from ._reading import (
    Entry,
    Field,
    choice,
    integer,
    list_of,
    read_entries,
    read_interface,
    read_line_name,
    read_text,
    report_repeated,
)
from ._routing import LARGEST_ID, LARGEST_WEIGHT

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork

LINE_FIELDS = {
    "name": Field(read_line_name, required=True),
    "id": Field(integer(1, LARGEST_ID), required=True),
    "interface": Field(read_interface, required=True),
    "public_addresses": Field(list_of(read_interface_address, least=1), required=True),
    "outside_addresses": Field(list_of(read_interface_address)),
    "gateway": Field(list_of(read_gateway, single=True)),
    "weight": Field(integer(1, LARGEST_WEIGHT)),
}
PORT_FIELDS = {
    "protocol": Field(choice(*PROTOCOLS), required=True),
    "port": Field(read_port_range, required=True),
    "to_address": Field(read_address, required=True),
    "to_port": Field(read_port_range),
    "sources": Field(list_of(read_prefix, least=1)),
}
FORWARD_FIELDS = {
    "name": Field(read_text),
    "line": Field(read_line_name, required=True),
    **PORT_FIELDS,
}
HAIRPIN_FIELDS = {
    "name": Field(read_text),
    "public_address": Field(read_address, required=True),
    **PORT_FIELDS,
}
SNAT_FIELDS = {
    "line": Field(read_line_name, required=True),
    "source": Field(read_prefix, required=True),
}
FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


@dataclass(frozen=True)
class Line:
    """An entry of ``isp_firewall_lines``."""

    entry: Entry
    name: str = ""
    id: int = 0
    interface: str = ""
    public_addresses: tuple[IPNetwork, ...] = ()
    outside_addresses: tuple[IPNetwork, ...] = ()
    gateway: tuple[IPAddress, ...] = ()
    weight: int = 1

    @property
    def held_addresses(self) -> list[IPNetwork]:
        """The addresses that the firewall itself holds on the line."""
        return held(self.public_addresses, self.outside_addresses)


def read_lines(value: object, faults: list[str]) -> list[Line]:
    """``isp_firewall_lines`` by id, as far as they can be read; what cannot is added to ``faults``."""
    place = Place("isp_firewall_lines", faults)
    lines = [Line(entry, **entry.values) for entry in read_entries(value, LINE_FIELDS, place)]
    report_repeated([line.entry for line in lines], "name", "id")
    return sorted(lines, key=lambda line: line.id)


def kernel_parameters(lines: object) -> list[dict[str, Any]]:
    """The list of kernel_parameters: of the lines' interfaces, and forwarding in each family that the lines have.

    Linux forwards an IPv4 packet by the switch of the interface that it came in by; IPv6 has one for all that counts.
    Forwarding makes Linux deaf to router advertisements unless ``accept_ra`` is 2 (Documentation/networking/
    ip-sysctl.rst), so a line that learns its IPv6 gateway from them gets that first.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
    learning = [line for line in found if of_family(line.public_addresses, 6) and not of_family(line.gateway, 6)]
    parameters = interface_parameters((line.interface, line.held_addresses) for line in found)
    parameters += [parameter(6, line.interface, "accept_ra", "2") for line in learning]
    families = {address.version for line in found for address in line.public_addresses}
    parameters += [{"name": name, "value": "1"} for family, name in FORWARDING.items() if family in families]
    interfaces = dict.fromkeys(line.interface for line in found if of_family(line.public_addresses, 4))
    return parameters + [parameter(4, interface, "forwarding", "1") for interface in interfaces]


def addresses(lines: object) -> list[dict[str, Any]]:
    """The list of ip_aliases: the addresses that the firewall holds, each on its line's interface."""
    with sound() as faults:
        found = read_lines(lines, faults)
    return [
        {"name": line.name, "address": str(address), "interface": line.interface}
        for line in found
        for address in line.held_addresses
    ]


def nat_rules(
    lines: object, forwards: object = (), snat: object = (), inside_networks: object = (), hairpins: object = ()
) -> list[dict[str, Any]]:
    """The list of nat_rules: destination translation of forwards and hairpins, then source translation.

    Destination translation is by address and not by interface, so that it also meets a client on the LAN.
    """
    with sound() as faults:
        named = {line.name: line for line in read_lines(lines, faults)}
        forwarded = _forwarded(read_entries(forwards, FORWARD_FIELDS, Place("isp_firewall_forwards", faults)), named)
        looped = _looped(read_entries(hairpins, HAIRPIN_FIELDS, Place("isp_firewall_hairpins", faults)))
        translated = _translated(read_entries(snat, SNAT_FIELDS, Place("isp_firewall_snat", faults)), named)
        networks = list_of(read_prefix)(inside_networks, Place("isp_firewall_inside_networks", faults)) or ()
    # A client and a server in one network would otherwise talk past the firewall on the way back.
    masquerades = [
        {"name": "hairpin", "type": "masquerade", "source": prefix_text(net), "destination": prefix_text(net)}
        for net in networks
    ]
    return forwarded + looped + translated + masquerades


def _forwarded(entries: list[Entry], named: dict[str, Line]) -> list[dict[str, Any]]:
    rules = []
    for entry in entries:
        line = line_of(entry, named)
        target = entry.values.get("to_address")
        if line is None or target is None:
            continue
        public = of_family(line.public_addresses, target.version)
        if not public and not line.entry.broken:
            family = family_name(target.version)
            entry.place.fault(f"line {shown(line.name)} has no public {family} address to forward to {target}")
        # What comes from the Internet arrives at an address that is held; clients inside ask for the public one.
        asked = dict.fromkeys(a.ip for a in [*of_family(line.held_addresses, target.version), *public])
        rules += [rule for address in asked for rule in _dnat(entry, address)]
    return rules


def _looped(entries: list[Entry]) -> list[dict[str, Any]]:
    rules = []
    for entry in entries:
        public, target = entry.values.get("public_address"), entry.values.get("to_address")
        if public is None or target is None:
            continue
        if public.version != target.version:
            entry.place.fault(f"public_address {public} and to_address {target} are of different families")
            continue
        rules += _dnat(entry, public)
    return rules


def _dnat(entry: Entry, public: IPAddress) -> list[dict[str, Any]]:
    """One rule for everyone, or one for each source."""
    values = entry.values
    if not {"protocol", "port"} <= set(values) or entry.broken:
        return []
    mapping = port_mapping(values["protocol"], values["port"], values.get("to_port"), entry.place)
    if mapping is None:
        return []
    rule = {
        "name": values.get("name", str(mapping)),
        "type": "dnat",
        "protocol": mapping.protocol,
        "destination": str(public),
        "destination_port": str(mapping.public),
        "to_address": str(values["to_address"]),
    }
    if mapping.private != mapping.public:
        rule["to_port"] = str(mapping.private)
    sources = sources_of_family(values.get("sources"), public.version)
    return [rule if is_everyone(source) else {**rule, "source": prefix_text(source)} for source in sources]


def _translated(entries: list[Entry], named: dict[str, Line]) -> list[dict[str, Any]]:
    rules = []
    for entry in entries:
        line, source = line_of(entry, named), entry.values.get("source")
        if line is None or source is None:
            continue
        own = of_family(line.held_addresses, source.version)
        if not own:
            if not line.entry.broken:
                family = family_name(source.version)
                entry.place.fault(f"line {shown(line.name)} has no public {family} address for {prefix_text(source)}")
            continue
        rules.append(
            {
                "name": line.name,
                "type": "snat",
                "source": prefix_text(source),
                "out_interface": line.interface,
                "to_address": str(own[0].ip),
            }
        )
    return rules


def line_of(entry: Entry, named: dict[str, Line]) -> Line | None:
    """The line that an entry names; another one is a fault."""
    name = entry.values.get("line")
    if name is not None and name not in named:
        entry.place.fault(f"line {shown(name)} is not in isp_firewall_lines")
    return named.get(name) if name is not None else None
