# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The replies of a server that have to leave by their line: the variables of role multihomed_web -> path_info."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._input.addresses import has_network, of_family
from .._input.faults import sound
from .._roles import line_routing
from .._roles.module_lists import Reply, ReplyLists
from .lines import ROLE, ServerLine, own_interfaces, read_inside_networks, read_lines
from .routing import ambiguous_addresses, read_reply
from .sources import Sources, read_other_addresses

if TYPE_CHECKING:
    from netaddr import IPAddress

# Of the addresses of a line and family so many are asked for: one rule, or one mark, is for all of them.
MOST = 8


def replies(
    lines: object,
    reply: object = "source",
    table_base: object = line_routing.TABLE_BASE,
    mark_mask: object = line_routing.MARK_MASK,
    other_addresses: object = (),
    inside_networks: object = (),
) -> ReplyLists:
    """The options ``replies`` and ``inside_networks`` of path_info: by source, and by mark where marks decide."""
    with sound() as faults:
        found = read_lines(lines, faults)
        base = line_routing.read_table_base(table_base, ROLE, found, faults)
        mask = line_routing.read_mark_mask(mark_mask, ROLE, found, faults)
        by_mark = read_reply(reply, found, faults) == "mark"
        others = read_other_addresses(other_addresses, faults)
        inside = read_inside_networks(inside_networks, faults)
    ambiguous = ambiguous_addresses(found)
    sources = Sources(found, ambiguous, others)
    entries: list[Reply] = []
    # Lines of one next hop may share an address: the rules of the first one decide.
    seen: set[object] = set()
    for line in found:
        for family in line.families:
            addresses = [address.ip for address in of_family(line.addresses, family)]
            own = [address for address in addresses if (address, line.next_hop(family)) not in seen][:MOST]
            seen.update((address, line.next_hop(family)) for address in own)
            marked = family in sources.marked_families(line)
            entries += [
                _reply(line, address, base, mask if marked or address in ambiguous else None) for address in own
            ]
            if by_mark and not marked and own and own[0] not in ambiguous:
                entries.append(_reply(line, own[0], base, mask))
    lan = [str(network) for network in [*inside, *_shared_networks(found)]]
    return {"replies": entries, "inside_networks": list(dict.fromkeys(lan))}


def _reply(line: ServerLine, source: IPAddress, base: int, mask: line_routing.MarkMask | None) -> Reply:
    gateway = line.gateway(source.version)
    own = of_family(line.addresses, source.version)
    networks = dict.fromkeys(str(address.cidr) for address in own if has_network(address))
    entry: Reply = {
        "line": line.name,
        "table": base + line.id,
        "source": str(source),
        "gateways": [] if gateway is None else [str(gateway)],
        "interface": line.interface,
        "networks": list(networks),
    }
    return entry if mask is None else {**entry, "mark": mask.match(line)}


def _shared_networks(lines: Sequence[ServerLine]) -> list[object]:
    """The networks of interfaces that lines behind firewalls share: the LAN."""
    own = {interface for interface, _networks in own_interfaces(lines)}
    return [
        address.cidr
        for line in lines
        if line.interface not in own and not line.ends_here
        for address in line.addresses
        if has_network(address)
    ]
