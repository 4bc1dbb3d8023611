# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The replies of a firewall that have to leave by their line: the variables of role isp_firewall -> path_info."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._input.addresses import has_network, of_family
from .._input.faults import sound
from .._roles import line_routing
from .._roles.module_lists import Reply, ReplyLists
from .lines import ROLE, FirewallLine, are_several, read_forwards, read_inside_networks, read_lines, read_snat

if TYPE_CHECKING:
    from netaddr import IPAddress

# Of the addresses of a line and family, and of the servers behind it, so many are asked for.
MOST = 8


def replies(
    lines: object,
    forwards: object = (),
    snat: object = (),
    inside_networks: object = (),
    table_base: object = line_routing.TABLE_BASE,
    mark_mask: object = line_routing.MARK_MASK,
) -> ReplyLists:
    """The options ``replies`` and ``inside_networks`` of path_info; none for a single line.

    By mark: replies of the servers, and of the firewall itself. By source: replies from the line's public addresses.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
        base = line_routing.read_table_base(table_base, ROLE, found, faults)
        mask = line_routing.read_mark_mask(mark_mask, ROLE, found, faults)
        inside = read_inside_networks(inside_networks, faults)
        entries = [*read_forwards(forwards, faults), *read_snat(snat, faults)]
    servers: dict[str, dict[IPAddress, None]] = {}
    for entry in entries:
        values = entry.values
        source = values.get("to_address") or getattr(values.get("source"), "ip", None)
        if source is not None and not ("source" in values and has_network(values["source"])):
            servers.setdefault(values.get("line", ""), {})[source] = None
    listed = [one for line in found for family in line.families for one in _of_line(line, family, base, mask, servers)]
    return {
        "replies": listed if are_several(found) else [],
        "inside_networks": list(dict.fromkeys(map(str, inside))),
    }


def _of_line(
    line: FirewallLine,
    family: int,
    base: int,
    mask: line_routing.MarkMask,
    servers: dict[str, dict[IPAddress, None]],
) -> list[Reply]:
    own = of_family(line.held_addresses, family)
    networks = dict.fromkeys(str(address.cidr) for address in own if has_network(address))
    way: Reply = {
        "line": line.name,
        "table": base + line.id,
        "gateways": [str(gateway) for gateway in of_family(line.gateway, family)],
        "interface": line.interface,
        "networks": list(networks),
    }
    by_mark = mask.match(line)
    entries: list[Reply] = [{**way, "source": str(address.ip)} for address in own[:MOST]]
    entries += [{**way, "source": str(address.ip), "mark": by_mark} for address in own[:1]]
    behind = of_family(servers.get(line.name, {}), family)[:MOST]
    return entries + [{**way, "source": str(source), "mark": by_mark, "forwarded": True} for source in behind]
