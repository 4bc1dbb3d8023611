# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The health of a firewall's lines: the variables of role isp_firewall -> the list of line_health."""

from __future__ import annotations

from collections.abc import Iterable

from .._input.faults import sound
from .._roles import line_routing
from .._roles.line_health import WatchedLine, refuse_no_line_left, wants_health, watched
from .lines import ROLE, are_several, read_lines


def line_health(
    lines: object, mark_mask: object = line_routing.MARK_MASK, other_lines: Iterable[WatchedLine] = ()
) -> list[WatchedLine]:
    """The list of line_health: all lines where one of them has ``health``, ``drained`` or ``flows``, else none.

    Only several lines have marks. A firewall of one line may have it out of service: its servers use others.
    ``other_lines``, of other firewalls, are listed as they are, and then its own ones are too.
    """
    others = list(other_lines)
    with sound() as faults:
        found = read_lines(lines, faults)
        mask = line_routing.read_mark_mask(mark_mask, ROLE, found, faults)
        # Where the host has lines of other firewalls too, server_lines.py asks for one in service.
        if len(found) > 1 and not found[0].one_of_several:
            refuse_no_line_left(found)
    if not wants_health(found) and not others:
        return []
    several = are_several(found)
    own = [watched(line, line.held_addresses, line.gateway, mask.match(line) if several else None) for line in found]
    return [*own, *others]
