# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Address translation on a firewall: the variables of role isp_firewall -> the list of nat_rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...module_utils._core.errors import InvalidInput
from ...module_utils._core.fields import port_range, shown
from ...module_utils._core.nat.model import parse_rules
from .._declaration.model import sources_of_family
from .._input.addresses import family_name, free_bits, is_everyone, of_family, outside_of, prefix_text
from .._input.faults import DeclarationError, sound
from .._input.ports import LONGEST_SHIFTED_NAME, mapping_of
from .._input.reading import Entry
from .._roles.module_lists import NatRule
from .lines import (
    ROLE,
    FirewallLine,
    line_of,
    read_forwards,
    read_hairpins,
    read_inside_networks,
    read_lines,
    read_snat,
)
from .networks import read_networks, source_rules

if TYPE_CHECKING:
    from netaddr import IPAddress

# nat/model.py
MOST = 100_000
# As many bits as no network leaves free: for everyone.
WHOLE_ADDRESS = 129
# A rule, and the entry that it follows from, as messages name it.
_Placed = tuple[NatRule, str]


def nat_rules(
    lines: object,
    forwards: object = (),
    snat: object = (),
    inside_networks: object = (),
    hairpins: object = (),
    networks: object = (),
) -> list[NatRule]:
    """The list of nat_rules: destination translation of forwards and hairpins, then source translation.

    Destination translation is by address and not by interface, so that it also applies to a client on the LAN. Named
    protocols and ports come before all others, and of these an entry for few sources before one for many or everyone,
    and one for few ports before one for many. Sources come in the same order.
    """
    return [rule for rule, _place in _placed(lines, forwards, snat, inside_networks, hairpins, networks)]


def check_together(
    lines: object,
    forwards: object = (),
    snat: object = (),
    inside_networks: object = (),
    hairpins: object = (),
    networks: object = (),
) -> None:
    """Raise DeclarationError where nat_rules would refuse entries, such as two for the same packets, by their names."""
    placed = _placed(lines, forwards, snat, inside_networks, hairpins, networks)
    try:
        parse_rules([rule for rule, _place in placed], f"{ROLE}_forwards", [place for _rule, place in placed])
    except InvalidInput as error:
        raise DeclarationError(error.faults) from None


def _placed(
    lines: object, forwards: object, snat: object, inside_networks: object, hairpins: object, networks: object
) -> list[_Placed]:
    with sound() as faults:
        named = {line.name: line for line in read_lines(lines, faults)}
        mapped = _forwarded(read_forwards(forwards, faults), named)
        mapped += _hairpins(read_hairpins(hairpins, faults))
        sources = sorted(_source_rules(read_snat(snat, faults), named), key=_precedence)
        inside = read_inside_networks(inside_networks, faults)
        # Behind those of servers, which may be in the same networks.
        clients = source_rules(read_networks(networks, named, faults), named.values())
        leaving = [_of_role(rule, "lines") for line in named.values() for rule in _exemptions(line)]
        leaving += sources + [_of_role(rule, "networks") for rule in clients]
        faults.extend(_too_many([rule for rule, _place in mapped + leaving]))
    # A client and a server in one network would otherwise talk past the firewall on the way back.
    hairpin: NatRule = {"name": "hairpin", "type": "masquerade"}
    masquerades = [
        _of_role({**hairpin, "source": prefix_text(net), "destination": prefix_text(net)}, "inside_networks")
        for net in inside
    ]
    return sorted(_each_once(mapped), key=_precedence) + _each_once(leaving + masquerades)


def _of_role(rule: NatRule, variable: str) -> _Placed:
    return rule, f"{ROLE}_{variable} ({rule['name']})"


def _precedence(placed: _Placed) -> tuple[bool, int, int]:
    """The place of a rule among those that may match the same packets: the narrower ones first."""
    rule, _place = placed
    source, ports = rule.get("source"), rule.get("destination_port")
    first, last = port_range(ports) if ports else (0, 65535)
    return "protocol" not in rule, free_bits(source) if source else WHOLE_ADDRESS, last - first


def _each_once(placed: list[_Placed]) -> list[_Placed]:
    """The rules without those that differ from an earlier one by the name alone."""
    found: dict[object, _Placed] = {}
    for rule, place in placed:
        match = tuple((key, value) for key, value in sorted(rule.items()) if key != "name")
        found.setdefault(match, (rule, place))
    return list(found.values())


def _too_many(rules: list[NatRule]) -> list[str]:
    shifted = [port_range(rule["to_port"]) for rule in rules if "-" in rule.get("to_port", "")]
    return too_many(len(rules), sum(last - first + 1 for first, last in shifted))


def too_many(translations: int, ports: int) -> list[str]:
    """The limits of nat_rules, which keeps each port of a range that becomes another range by itself."""
    kinds = ((translations, "translations"), (ports, "ports of ranges that become other ranges"))
    return [
        f"isp_firewall_forwards: with all addresses and sources {count} {kind}; at most {MOST} are possible"
        for count, kind in kinds
        if count > MOST
    ]


def _forwarded(entries: list[Entry], named: dict[str, FirewallLine]) -> list[_Placed]:
    rules: list[_Placed] = []
    for entry in entries:
        line = line_of(entry, named)
        target = entry.values.get("to_address")
        if line is None or target is None:
            continue
        public = of_family(line.public_addresses, target.version)
        if not public and not line.entry.broken:
            family = family_name(target.version)
            entry.place.fault(f"line {shown(line.name)} has no public {family} address to forward to {target}")
        chosen = entry.values.get("public_addresses")
        # Packets from the Internet arrive at an address that is held; clients inside use the public one.
        reached = dict.fromkeys(a.ip for a in [*of_family(line.held_addresses, target.version), *public])
        if chosen is not None:
            reached = _chosen(entry, line, target.version)
        rules += [rule for address in reached for rule in _dnat(entry, address)]
    return rules


def _chosen(entry: Entry, line: FirewallLine, family: int) -> dict[IPAddress, None]:
    """The public addresses that an entry chooses, and those that the firewall has instead; others are faults."""
    chosen, place = entry.values["public_addresses"], entry.place
    known = {address.ip for address in line.public_addresses}
    held = outside_of(line.public_addresses, line.outside_addresses, family)
    for address in chosen:
        if address not in known and not line.entry.broken:
            place.fault(f"public_addresses: {address} is not a public address of line {shown(line.name)}")
    mine = [address for address in of_family(chosen, family) if address in known]
    if mine and not held:
        place.fault(f"line {shown(line.name)} needs an outside address for each public one, in the same order")
    if not mine and not place.faults:
        place.fault(f"public_addresses: none is of {family_name(family)}, as to_address is")
    return dict.fromkeys([*(held[address] for address in mine if address in held), *mine])


def _hairpins(entries: list[Entry]) -> list[_Placed]:
    rules: list[_Placed] = []
    for entry in entries:
        public, target = entry.values.get("public_address"), entry.values.get("to_address")
        if public is None or target is None:
            continue
        if public.version != target.version:
            entry.place.fault(f"public_address {public} and to_address {target} are of different families")
            continue
        rules += _dnat(entry, public)
    return rules


def _dnat(entry: Entry, public: IPAddress) -> list[_Placed]:
    """One rule for everyone, or one for each source."""
    values = entry.values
    mapping = None if entry.broken else mapping_of(entry, "port", "to_port")
    if mapping is None:
        return []
    if not mapping.exists_in(public.version) or mapping.is_extension_header(public.version):
        entry.place.fault(f"protocol: {mapping} cannot be matched in {family_name(public.version)}")
    name = values.get("name", str(mapping))
    if mapping.shifts and len(name.encode()) > LONGEST_SHIFTED_NAME:
        entry.place.fault(f"name: at most {LONGEST_SHIFTED_NAME} bytes, as a range of ports becomes another range")
    match: NatRule = {} if mapping.is_rest else {"protocol": mapping.protocol}
    match["destination"] = str(public)
    if mapping.has_ports:
        match["destination_port"] = str(mapping.public)
    rule: NatRule = {
        "name": name,
        "type": "dnat",
        **match,
        "to_address": str(values["to_address"]),
    }
    if mapping.private != mapping.public:
        rule["to_port"] = str(mapping.private)
    sources = sources_of_family(values.get("sources"), public.version)
    place = entry.place.text
    return [(rule if is_everyone(source) else {**rule, "source": prefix_text(source)}, place) for source in sources]


def _exemptions(line: FirewallLine) -> list[NatRule]:
    """The rules for packets that leave by a line as they are; before all rules that would translate them."""
    return [
        {
            "name": f"{line.name}, untranslated",
            "type": "exempt",
            "destination": prefix_text(network),
            "out_interface": line.interface,
        }
        for network in line.untranslated
    ]


def _source_rules(entries: list[Entry], named: dict[str, FirewallLine]) -> list[_Placed]:
    rules: list[_Placed] = []
    for entry in entries:
        line, source = line_of(entry, named), entry.values.get("source")
        if line is None or source is None:
            continue
        own = [address.ip for address in of_family(line.held_addresses, source.version)]
        if "to_address" in entry.values:
            own = _outgoing(entry, line, source.version)
        elif not own and not line.entry.broken:
            family = family_name(source.version)
            entry.place.fault(f"line {shown(line.name)} has no public {family} address for {prefix_text(source)}")
        if not own:
            continue
        rule: NatRule = {
            "name": line.name,
            "type": "snat",
            "source": prefix_text(source),
            "out_interface": line.interface,
            "to_address": str(own[0]),
        }
        rules.append((rule, f"{entry.place.text} ({prefix_text(source)})"))
    return rules


def _outgoing(entry: Entry, line: FirewallLine, family: int) -> list[IPAddress]:
    """The address that the firewall holds for the public one that an entry names; none where it cannot."""
    public, place = entry.values["to_address"], entry.place
    if public not in {address.ip for address in line.public_addresses}:
        place.fault(f"to_address: {public} is not a public address of line {shown(line.name)}")
    elif public.version != family:
        place.fault(f"to_address {public} and source are of different families")
    elif held := outside_of(line.public_addresses, line.outside_addresses, family):
        return [held[public]]
    else:
        place.fault(f"line {shown(line.name)} needs an outside address for each public one, in the same order")
    return []
