# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Forwarding on a firewall: the variables of role isp_firewall -> the list of forward_policy."""

from __future__ import annotations

from ...module_utils._core.fields import shown
from .._input.addresses import of_family, prefix_text
from .._input.faults import sound
from .._roles.module_lists import Accept, Clamp
from .lines import FirewallLine, line_of, read_forwards, read_hairpins, read_inside_networks, read_lines, read_snat
from .networks import read_networks


def accept(
    lines: object,
    forwards: object = (),
    snat: object = (),
    inside_networks: object = (),
    hairpins: object = (),
    networks: object = (),
) -> list[Accept]:
    """The list of forward_policy: the servers that ports are mapped to, and connections from inside by the lines.

    From the inside networks, and those of clients, every line of the family may be used, from other addresses of
    ``snat`` their own line.
    """
    with sound() as faults:
        named = {line.name: line for line in read_lines(lines, faults)}
        mapped = [*read_forwards(forwards, faults), *read_hairpins(hairpins, faults)]
        inside = [*read_inside_networks(inside_networks, faults)]
        inside += [each for entry in read_networks(networks, named, faults) for each in entry.networks]
        sources = [
            (line, entry.values["source"])
            for entry in read_snat(snat, faults)
            if (line := line_of(entry, named)) is not None and "source" in entry.values
        ]
    servers = dict.fromkeys(str(entry.values["to_address"]) for entry in mapped)
    outbound = [
        (prefix_text(network), line.interface)
        for network in inside
        for line in named.values()
        if of_family(line.public_addresses, network.version)
    ]
    outbound += [
        (prefix_text(source), line.interface)
        for line, source in sources
        if not any(source in network for network in inside)
    ]
    to_servers: list[Accept] = [{"mapped_to": server} for server in servers]
    from_inside: list[Accept] = [
        {"source": source, "out_interface": interface} for source, interface in dict.fromkeys(outbound)
    ]
    return to_servers + from_inside


def clamps(lines: object) -> list[Clamp]:
    """The limits of the segment size of forward_policy, one for each interface."""
    with sound() as faults:
        found: dict[str, FirewallLine] = {}
        for line in read_lines(lines, faults):
            first = found.setdefault(line.interface, line)
            if first.mss != line.mss:
                same = f"interface {shown(line.interface)}, where line {shown(first.name)} has {first.mss}"
                line.entry.place.fault(f"mss {line.mss} on {same}")
    return [{"interface": name, "mss": line.mss} for name, line in found.items() if line.mss != "off"]
