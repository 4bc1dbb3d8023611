# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Routing tables, policy rules and marks of lines, as both roles number them.

All numbers follow from a line's id, never from its place in a list, so that no line's objects depend on another's.
The order of the rules: main without its default routes, so that the LAN and more specific routes win; then for each
line the packets that are marked as its connections; then for each line the packets that carry one of its addresses.
Each rule of a line is followed by an end: packets for which the line has no route must not leave by another line.
The first rule also passes over routes that are defaults in all but length (0.0.0.0/1), and over routes by interfaces
that belong to lines: a neighbour on one line must not draw the replies of another. So each table has its line's
networks too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ...module_utils._core.fields import mark_number
from ...module_utils._core.routing.rule_fields import LONGEST_DEFAULT
from .._input.addresses import FAMILIES, has_network, is_link_local, of_family, overlap
from .._input.faults import Place
from .._input.reading import integer, reader_of
from .module_lists import InterfaceGroup, Route, Rule, Selector, Table

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork

MAIN_TABLE = 254
# Tables that the kernel or iproute2 has a meaning for: unspec, default, main, local.
RESERVED_TABLES = frozenset({0, 253, MAIN_TABLE, 255})
# Names that `ip` would take for something else than a line's table; that table is then known by its number.
RESERVED_TABLE_NAMES = frozenset({"unspec", "default", "main", "local", "all", "cache"})
LARGEST_ID = 250
LARGEST_WEIGHT = 256
# More than any id, so that weight comes first.
METRIC_STEP = 256
# Rules of one line take a band of ten priorities.
BAND = 10
WHOLE_BAND = BAND * (LARGEST_ID + 1)
# The kernel's own rule for main.
MAIN_RULE_PRIORITY = 32766
# The defaults of both roles' variables.
TABLE_BASE, PRIORITY_BASE, SOURCE_PRIORITY_BASE, MARK_MASK = 1000, 20000, 23000, "0xff"
INTERFACE_GROUP = 109
# The kernel's group of every interface, and the largest number that a rule can name.
_DEFAULT_GROUP, _LARGEST_GROUP = 0, 2**31 - 1
_LINK_LOCAL = "fe80::/64"


class NumberedLine(Protocol):
    """The part of a line from which numbers follow."""

    @property
    def name(self) -> str:
        """The line's name."""

    @property
    def id(self) -> int:
        """The line's number."""

    @property
    def weight(self) -> int:
        """How much the line is preferred."""


class HasFamilies(Protocol):
    """A line that knows its families."""

    @property
    def families(self) -> list[int]:
        """The families that the line has addresses of."""


@dataclass(frozen=True)
class MarkMask:
    """The bits of connection marks that hold a line's id; ``unit`` is the lowest of them."""

    mask: int
    unit: int

    def mark_of(self, line: NumberedLine) -> int:
        """The mark of a line."""
        return line.id * self.unit

    def match(self, line: NumberedLine) -> str:
        """A line's mark as policy rules and path_info take it."""
        return f"0x{self.mark_of(line):x}/0x{self.mask:x}"


def table(base: int, line: NumberedLine, routes: list[Route]) -> Table:
    """A line's routing table; it has the line's name where `ip` takes that for a name, and not for an option."""
    number = base + line.id
    if line.name[0].isalpha() and line.name not in RESERVED_TABLE_NAMES:
        return {"id": number, "name": line.name, "routes": routes}
    return {"id": number, "routes": routes}


def metric(line: NumberedLine) -> int:
    """The metric of a line's route in main: the heaviest line is preferred, then the smallest id."""
    return (LARGEST_WEIGHT + 1 - line.weight) * METRIC_STEP + line.id


def main_rules(priority: int, families: Iterable[int], groups: Sequence[InterfaceGroup] = ()) -> list[Rule]:
    """The rules that look up main first, without its default routes, and without those by interfaces in ``groups``."""
    by_group: Rule = {"suppress_interface_group": groups[0]["group"]} if groups else {}
    return [
        {
            "name": "main",
            "priority": priority,
            "family": f"ipv{family}",
            "table": MAIN_TABLE,
            "suppress_prefix_length": LONGEST_DEFAULT[family],
            **by_group,
        }
        for family in families
    ]


def interface_groups(
    interfaces: Iterable[tuple[str, Iterable[IPNetwork]]], inside: Iterable[IPNetwork], group: int
) -> list[InterfaceGroup]:
    """The interfaces that belong to lines alone, each with the lines' networks; one with an inside network does not."""
    networks = list(inside)
    return [
        {"interface": interface, "group": group}
        for interface, own in interfaces
        if not any(overlap(one, other) for one in own if has_network(one) for other in networks)
    ]


def connected(interface: str, addresses: Iterable[IPNetwork], alone: bool) -> list[Route]:
    """The routes to a line's own networks; where its interface is in the group, to link-local neighbours too."""
    held = list(addresses)
    networks = [str(address.cidr) for address in held if has_network(address)]
    if alone and of_family(held, 6):
        networks.append(_LINK_LOCAL)
    return [{"destination": network, "interface": interface} for network in dict.fromkeys(networks)]


def needs_onlink(gateway: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    """Whether no network of an interface contains a gateway, so that its route has to say that it is on the link."""
    return not is_link_local(gateway) and not any(
        gateway in network for network in networks if network.version == gateway.version
    )


def families_of(lines: Iterable[HasFamilies]) -> list[int]:
    """The families that any line has."""
    having = list(lines)
    return [family for family in FAMILIES if any(family in line.families for line in having)]


def mark_rules(base: int, line: NumberedLine, families: Iterable[int], table_base: int, mask: MarkMask) -> list[Rule]:
    """The rules for packets that are marked as a line's connections."""
    return [
        rule
        for family in families
        for rule in rule_and_end({"family": f"ipv{family}", "mark": mask.match(line)}, base, line, table_base)
    ]


def source_rules(
    base: int, line: NumberedLine, selectors: Iterable[Selector], table_base: int, end: bool = True
) -> list[Rule]:
    """The rules for packets that carry an address of a line; without their ends the next rules are tried too."""
    entries: list[Rule] = []
    for selector in selectors:
        both = rule_and_end(selector, base, line, table_base)
        entries += both if end else both[:1]
    return entries


def by_source(sources: Iterable[str]) -> list[Selector]:
    """A selector for each of some sources, each once."""
    return [{"source": source} for source in dict.fromkeys(sources)]


def rule_and_end(selector: Selector, base: int, line: NumberedLine, table_base: int) -> list[Rule]:
    """A rule of ``selector`` into a line's table, and the end behind it."""
    priority = base + BAND * line.id
    return [
        {"name": line.name, **selector, "priority": priority, "table": table_base + line.id},
        {"name": line.name, **selector, "priority": priority + 1, "action": "unreachable"},
    ]


def read_table_base(value: object, role: str, lines: Iterable[NumberedLine], faults: list[str]) -> int:
    """``ROLE_table_base``; no line's table may be one of the kernel's own."""
    place = Place(f"{role}_table_base", faults)
    base = integer(0, 2**32 - 1 - LARGEST_ID)(value, place)
    if base is None:
        return 0
    for line in lines:
        if base + line.id in RESERVED_TABLES:
            place.fault(f"{base} gives line {line.name} table {base + line.id}, which is the kernel's own")
    return base


def read_priorities(first: object, source_first: object, role: str, faults: list[str]) -> tuple[int, int]:
    """``ROLE_priority_base`` and ``ROLE_source_priority_base``; all marks come before all sources."""
    read = integer(1, MAIN_RULE_PRIORITY - WHOLE_BAND)
    base = read(first, Place(f"{role}_priority_base", faults))
    place = Place(f"{role}_source_priority_base", faults)
    source_base = read(source_first, place)
    if base and source_base and source_base < base + WHOLE_BAND:
        place.fault(f"{source_base} must be at least {base + WHOLE_BAND}, behind the priorities of {base}")
    return base or 0, source_base or 0


def read_interface_group(value: object, role: str, faults: list[str]) -> int:
    """``ROLE_interface_group``."""
    group = integer(_DEFAULT_GROUP + 1, _LARGEST_GROUP)(value, Place(f"{role}_interface_group", faults))
    return INTERFACE_GROUP if group is None else group


def read_mark_mask(value: object, role: str, lines: Sequence[NumberedLine], faults: list[str]) -> MarkMask:
    """``ROLE_mark_mask``: adjacent bits, with room for the ids of all lines."""
    place = Place(f"{role}_mark_mask", faults)
    mask: int | None = reader_of(mark_number)(value, place)
    if mask is None:
        return MarkMask(0xFF, 1)
    unit = mask & -mask
    if mask // unit & (mask // unit + 1):
        place.fault(f"0x{mask:x} has bits that are not adjacent")
    for line in lines:
        if line.id > mask // unit:
            place.fault(f"0x{mask:x} has no room for the id of line {line.name}, {line.id}")
    return MarkMask(mask, unit)
