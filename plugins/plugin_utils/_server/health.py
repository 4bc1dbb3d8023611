# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The health of a server's lines: the variables of role multihomed_web -> the list of line_health."""

from __future__ import annotations

from .._input.faults import sound
from .._roles import line_routing
from .._roles.line_health import WatchedLine, refuse_no_line_left, wants_health, watched
from .lines import ROLE, read_default_route, read_lines
from .routing import ambiguous_addresses, read_reply


def line_health(
    lines: object,
    reply: object = "source",
    default_route: object = "none",
    mark_mask: object = line_routing.MARK_MASK,
) -> list[WatchedLine]:
    """The list of line_health: all lines where one of them has ``health``, ``drained`` or ``flows``, else none.

    A server judges a line end to end, by the address that stands for it, so a dead firewall is a dead line.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
        mask = line_routing.read_mark_mask(mark_mask, ROLE, found, faults)
        by_mark = read_reply(reply, found, faults) == "mark"
        balanced = read_default_route(default_route, faults) == "balance"
        ambiguous = {} if faults else ambiguous_addresses(found)
        refuse_no_line_left(found)
    if not wants_health(found):
        return []
    return [
        watched(
            line,
            [address for address in line.addresses if by_mark or address.ip not in ambiguous],
            line.gateways,
            mask.match(line) if by_mark or balanced else None,
        )
        for line in found
    ]
