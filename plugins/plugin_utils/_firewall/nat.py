# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Address translation on a firewall: the variables of role isp_firewall -> the list of nat_rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...module_utils._core.fields import port_range, shown
from .._declaration.model import sources_of_family
from .._input.addresses import family_name, is_everyone, of_family, prefix_text
from .._input.faults import sound
from .._input.ports import LONGEST_SHIFTED_NAME, port_mapping
from .._input.reading import Entry
from .._roles.module_lists import NatRule
from .lines import (
    FirewallLine,
    line_of,
    read_forwards,
    read_hairpins,
    read_inside_networks,
    read_lines,
    read_snat,
)

if TYPE_CHECKING:
    from netaddr import IPAddress

# nat/model.py
MOST = 100_000


def nat_rules(
    lines: object, forwards: object = (), snat: object = (), inside_networks: object = (), hairpins: object = ()
) -> list[NatRule]:
    """The list of nat_rules: destination translation of forwards and hairpins, then source translation.

    Destination translation is by address and not by interface, so that it also applies to a client on the LAN.
    """
    with sound() as faults:
        named = {line.name: line for line in read_lines(lines, faults)}
        forwarded = _forwarded(read_forwards(forwards, faults), named)
        hairpinned = _hairpins(read_hairpins(hairpins, faults))
        leaving = _source_rules(read_snat(snat, faults), named)
        networks = read_inside_networks(inside_networks, faults)
        faults.extend(_too_many(forwarded + hairpinned + leaving))
    # A client and a server in one network would otherwise talk past the firewall on the way back.
    masquerades: list[NatRule] = [
        {"name": "hairpin", "type": "masquerade", "source": prefix_text(net), "destination": prefix_text(net)}
        for net in networks
    ]
    return forwarded + hairpinned + leaving + masquerades


def _too_many(rules: list[NatRule]) -> list[str]:
    """The limits of nat_rules, which keeps each port of a range that becomes another range by itself."""
    shifted = [port_range(rule["to_port"]) for rule in rules if "-" in rule.get("to_port", "")]
    ports = sum(last - first + 1 for first, last in shifted)
    kinds = (("translations", len(rules)), ("ports of ranges that become other ranges", ports))
    return [
        f"isp_firewall_forwards: with all addresses and sources {count} {kind}; at most {MOST} are possible"
        for kind, count in kinds
        if count > MOST
    ]


def _forwarded(entries: list[Entry], named: dict[str, FirewallLine]) -> list[NatRule]:
    rules: list[NatRule] = []
    for entry in entries:
        line = line_of(entry, named)
        target = entry.values.get("to_address")
        if line is None or target is None:
            continue
        public = of_family(line.public_addresses, target.version)
        if not public and not line.entry.broken:
            family = family_name(target.version)
            entry.place.fault(f"line {shown(line.name)} has no public {family} address to forward to {target}")
        # Packets from the Internet arrive at an address that is held; clients inside use the public one.
        reached = dict.fromkeys(a.ip for a in [*of_family(line.held_addresses, target.version), *public])
        rules += [rule for address in reached for rule in _dnat(entry, address)]
    return rules


def _hairpins(entries: list[Entry]) -> list[NatRule]:
    rules: list[NatRule] = []
    for entry in entries:
        public, target = entry.values.get("public_address"), entry.values.get("to_address")
        if public is None or target is None:
            continue
        if public.version != target.version:
            entry.place.fault(f"public_address {public} and to_address {target} are of different families")
            continue
        rules += _dnat(entry, public)
    return rules


def _dnat(entry: Entry, public: IPAddress) -> list[NatRule]:
    """One rule for everyone, or one for each source."""
    values = entry.values
    if not {"protocol", "port"} <= set(values) or entry.broken:
        return []
    mapping = port_mapping(values["protocol"], values["port"], values.get("to_port"), entry.place)
    if mapping is None:
        return []
    name = values.get("name", str(mapping))
    if mapping.shifts and len(name.encode()) > LONGEST_SHIFTED_NAME:
        entry.place.fault(f"name: at most {LONGEST_SHIFTED_NAME} bytes, as a range of ports becomes another range")
    rule: NatRule = {
        "name": name,
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


def _source_rules(entries: list[Entry], named: dict[str, FirewallLine]) -> list[NatRule]:
    rules: list[NatRule] = []
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
