# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""What a firewall forwards: the variables of role isp_firewall -> the list that forward_policy takes."""

from __future__ import annotations

from typing import Any

from ._addresses import of_family, prefix_text, read_prefix
from ._faults import Place, sound
from ._firewall_lists import FORWARD_FIELDS, HAIRPIN_FIELDS, SNAT_FIELDS, line_of, read_lines
from ._reading import list_of, read_entries


def accept(
    lines: object, forwards: object = (), snat: object = (), inside_networks: object = (), hairpins: object = ()
) -> list[dict[str, Any]]:
    """The list of forward_policy: the servers that ports are mapped to, and what leaves by the lines from inside.

    From the inside networks everything may leave by every line of its family, from other addresses of ``snat`` by
    their own line.
    """
    with sound() as faults:
        named = {line.name: line for line in read_lines(lines, faults)}
        mapped = [
            *read_entries(forwards, FORWARD_FIELDS, Place("isp_firewall_forwards", faults)),
            *read_entries(hairpins, HAIRPIN_FIELDS, Place("isp_firewall_hairpins", faults)),
        ]
        networks = list_of(read_prefix)(inside_networks, Place("isp_firewall_inside_networks", faults)) or ()
        sources = [
            (line, entry.values["source"])
            for entry in read_entries(snat, SNAT_FIELDS, Place("isp_firewall_snat", faults))
            if (line := line_of(entry, named)) is not None and "source" in entry.values
        ]
    servers = dict.fromkeys(str(entry.values["to_address"]) for entry in mapped)
    outbound = [
        (prefix_text(network), line.interface)
        for network in networks
        for line in named.values()
        if of_family(line.public_addresses, network.version)
    ]
    outbound += [
        (prefix_text(source), line.interface)
        for line, source in sources
        if not any(source in network for network in networks)
    ]
    return [{"mapped_to": server} for server in servers] + [
        {"source": source, "out_interface": interface} for source, interface in dict.fromkeys(outbound)
    ]
