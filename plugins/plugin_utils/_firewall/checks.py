# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The faults of the variables of role isp_firewall."""

from __future__ import annotations

from .._input.faults import all_faults
from .._roles import line_routing
from . import forwarding, health, interfaces, nat, routing


def faults(
    lines: object,
    forwards: object = (),
    snat: object = (),
    inside_networks: object = (),
    hairpins: object = (),
    table_base: object = line_routing.TABLE_BASE,
    priority_base: object = line_routing.PRIORITY_BASE,
    source_priority_base: object = line_routing.SOURCE_PRIORITY_BASE,
    mark_mask: object = line_routing.MARK_MASK,
    interface_group: object = line_routing.INTERFACE_GROUP,
    networks: object = (),
) -> list[str]:
    """Every fault of the variables; none when they are sound."""
    found = entry_faults(
        lines,
        forwards,
        snat,
        inside_networks,
        hairpins,
        table_base,
        priority_base,
        source_priority_base,
        mark_mask,
        interface_group,
        networks,
    )
    return found or together_faults(lines, forwards, snat, inside_networks, hairpins, networks)


def together_faults(
    lines: object,
    forwards: object = (),
    snat: object = (),
    inside_networks: object = (),
    hairpins: object = (),
    networks: object = (),
) -> list[str]:
    """The faults of entries that are sound one by one, such as two for the same packets."""
    return all_faults(lambda: nat.check_together(lines, forwards, snat, inside_networks, hairpins, networks))


def entry_faults(
    lines: object,
    forwards: object = (),
    snat: object = (),
    inside_networks: object = (),
    hairpins: object = (),
    table_base: object = line_routing.TABLE_BASE,
    priority_base: object = line_routing.PRIORITY_BASE,
    source_priority_base: object = line_routing.SOURCE_PRIORITY_BASE,
    mark_mask: object = line_routing.MARK_MASK,
    interface_group: object = line_routing.INTERFACE_GROUP,
    networks: object = (),
) -> list[str]:
    """Every fault that keeps one of the modules' lists from being made."""
    return all_faults(
        lambda: routing.rules(
            lines, snat, table_base, priority_base, source_priority_base, mark_mask, interface_group, inside_networks
        ),
        lambda: nat.nat_rules(lines, forwards, snat, inside_networks, hairpins, networks),
        lambda: forwarding.accept(lines, forwards, snat, inside_networks, hairpins, networks),
        lambda: interfaces.kernel_parameters(lines),
        lambda: health.line_health(lines, mark_mask),
    )
