# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The faults of the variables of role multihomed_web."""

from __future__ import annotations

from .._input.faults import all_faults
from .._roles import line_routing
from . import health, interfaces, routing
from .lines import BALANCE_FROM


def faults(
    lines: object,
    table_base: object = line_routing.TABLE_BASE,
    priority_base: object = line_routing.PRIORITY_BASE,
    source_priority_base: object = line_routing.SOURCE_PRIORITY_BASE,
    reply: object = "source",
    default_route: object = "none",
    balance_from: object = BALANCE_FROM,
    mark_mask: object = line_routing.MARK_MASK,
    other_addresses: object = (),
    interface_group: object = line_routing.INTERFACE_GROUP,
    inside_networks: object = (),
) -> list[str]:
    """Every fault that keeps one of the modules' lists from being made; none when the variables are sound."""
    return all_faults(
        lambda: routing.tables(lines, default_route, table_base, balance_from),
        lambda: routing.rules(
            lines, table_base, priority_base, source_priority_base, reply, default_route, mark_mask, other_addresses
        ),
        lambda: routing.interface_groups(lines, interface_group, inside_networks),
        lambda: routing.marks(lines, reply, default_route, balance_from, mark_mask, other_addresses),
        lambda: interfaces.aliases(lines, default_route, balance_from),
        lambda: health.line_health(lines, reply, default_route, mark_mask),
    )
