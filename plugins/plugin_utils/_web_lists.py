# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""The variables of role multihomed_web -> the lists that its modules take.

All numbers follow from a line's id, never from its place in a list, so that no line's objects depend on another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._addresses import (
    FAMILIES,
    family_name,
    of_family,
    read_gateway,
    read_interface_address,
)
from ._faults import Place, sound
from ._reading import (
    Entry,
    Field,
    choice,
    integer,
    list_of,
    read_entries,
    read_interface,
    read_line_name,
    report_repeated,
)

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

LINE_FIELDS = {
    "name": Field(read_line_name, required=True),
    "id": Field(integer(1, LARGEST_ID), required=True),
    "interface": Field(read_interface, required=True),
    "addresses": Field(list_of(read_interface_address, least=1), required=True),
    "gateways": Field(list_of(read_gateway, least=1, single=True), required=True),
    "weight": Field(integer(1, LARGEST_WEIGHT)),
}


@dataclass(frozen=True)
class Line:
    """An entry of ``multihomed_web_lines``."""

    entry: Entry
    name: str = ""
    id: int = 0
    interface: str = ""
    addresses: tuple[IPNetwork, ...] = ()
    gateways: tuple[IPAddress, ...] = ()
    weight: int = 1

    def gateway(self, family: int) -> IPAddress:
        """The next hop of a family that the line has an address of."""
        return of_family(self.gateways, family)[0]

    @property
    def families(self) -> list[int]:
        """The families that the line has an address of."""
        return [family for family in FAMILIES if of_family(self.addresses, family)]


def read_lines(value: object, faults: list[str]) -> list[Line]:
    """``multihomed_web_lines`` by id, as far as they can be read; what cannot is added to ``faults``."""
    place = Place("multihomed_web_lines", faults)
    lines = [Line(entry, **entry.values) for entry in read_entries(value, LINE_FIELDS, place)]
    report_repeated([line.entry for line in lines], "name", "id")
    for line in lines:
        if line.entry.broken:
            continue
        for family in FAMILIES:
            wanted = int(family in line.families)
            given = of_family(line.gateways, family)
            if wanted and not given:
                line.entry.place.fault(f"gateways: has {family_name(family)} addresses, but no gateway for them")
            elif len(given) > max(wanted, 1):
                line.entry.place.fault(f"gateways: one per family, not {' and '.join(map(str, given))}")
    return sorted(lines, key=lambda line: line.id)


def aliases(lines: object) -> list[dict[str, Any]]:
    """The list of ip_aliases. An address that stands for several lines is there once."""
    with sound() as faults:
        found = read_lines(lines, faults)
    entries = {
        (line.interface, str(address)): {"name": line.name, "address": str(address), "interface": line.interface}
        for line in reversed(found)
        for address in reversed(line.addresses)
    }
    return list(reversed(entries.values()))


def tables(lines: object, default_route: object = "none", table_base: object = 1000) -> list[dict[str, Any]]:
    """The tables of policy_routing: one per line with a default route by each family's gateway.

    With ``default_route`` failover, main gets these default routes too, each with the line's own address as source
    and a metric of its own.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
        kind = choice("none", "failover")(default_route, Place("multihomed_web_default_route", faults))
        base = _read_table_base(table_base, found, faults)
    entries: list[dict[str, Any]] = []
    for line in found:
        name = {"name": line.name} if _can_name_table(line.name) else {}
        entries.append({"id": base + line.id, **name, "routes": [_route(line, family) for family in line.families]})
    if kind == "failover" and found:
        routes = [_failover_route(line, family) for line in found for family in line.families]
        entries.append({"id": MAIN_TABLE, "name": "main", "routes": routes})
    return entries


def rules(
    lines: object,
    table_base: object = 1000,
    priority_base: object = 20000,
    source_priority_base: object = 23000,
) -> list[dict[str, Any]]:
    """The rules of policy_routing.

    First main without its default routes, so that the LAN and more specific routes win. Then for each address of a line
    the line's table, and behind it an end: what no route of the line takes must not leave by another line.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
        base = _read_table_base(table_base, found, faults)
        first = _read_priority(priority_base, "multihomed_web_priority_base", faults)
        source_first = _read_priority(source_priority_base, "multihomed_web_source_priority_base", faults)
        if first and source_first and source_first < first + WHOLE_BAND:
            place = Place("multihomed_web_source_priority_base", faults)
            place.fault(f"{source_first} must be at least {first + WHOLE_BAND}, behind the priorities of {first}")
    families = [family for family in FAMILIES if any(family in line.families for line in found)]
    entries: list[dict[str, Any]] = [
        {
            "name": "main",
            "priority": first,
            "family": f"ipv{family}",
            "table": MAIN_TABLE,
            "suppress_prefix_length": 0,
        }
        for family in families
    ]
    for line in found:
        priority = source_first + BAND * line.id
        for address in dict.fromkeys(str(address.ip) for address in line.addresses):
            rule = {"name": line.name, "source": address}
            entries.append({**rule, "priority": priority, "table": base + line.id})
            entries.append({**rule, "priority": priority + 1, "action": "unreachable"})
    return entries


def _route(line: Line, family: int) -> dict[str, Any]:
    return {"destination": "default", "gateway": str(line.gateway(family)), "interface": line.interface}


def _failover_route(line: Line, family: int) -> dict[str, Any]:
    """The heaviest line is preferred, then the smallest id; a metric depends on its own line alone."""
    metric = (LARGEST_WEIGHT + 1 - line.weight) * METRIC_STEP + line.id
    source = of_family(line.addresses, family)[0].ip
    return {"name": line.name, **_route(line, family), "metric": metric, "source": str(source)}


def _can_name_table(name: str) -> bool:
    """Whether `ip` and policy_routing take ``name`` for a name, and not for a number or an option."""
    return name[0].isalpha() and name not in RESERVED_TABLE_NAMES


def _read_table_base(value: object, lines: list[Line], faults: list[str]) -> int:
    place = Place("multihomed_web_table_base", faults)
    base = integer(0, 2**32 - 1 - LARGEST_ID)(value, place)
    if base is None:
        return 0
    for line in lines:
        if base + line.id in RESERVED_TABLES:
            place.fault(f"{base} gives line {line.name} table {base + line.id}, which is the kernel's own")
    return base


def _read_priority(value: object, name: str, faults: list[str]) -> int:
    return integer(1, MAIN_RULE_PRIORITY - WHOLE_BAND)(value, Place(name, faults)) or 0
