# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""The routing of a firewall: the variables of role isp_firewall -> the lists that its modules take.

A firewall of one line sends everything there. One of several lines knows each connection's line by the interface that
it came in by, and what it or a server begins by its source address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _routing
from ._addresses import FAMILIES, family_name, of_family, prefix_text
from ._faults import Place, shown, sound
from ._firewall_lists import SNAT_FIELDS, Line, line_of, read_lines
from ._reading import read_entries, report_repeated

if TYPE_CHECKING:
    from netaddr import IPNetwork

ROLE = "isp_firewall"


def tables(lines: object, table_base: object = _routing.TABLE_BASE) -> list[dict[str, Any]]:
    """The tables of policy_routing: in main a default route by each gateway that is given.

    Of several lines each has a table of its own too, and its metric in main follows from its weight.
    """
    with sound() as faults:
        found = _read(lines, faults)
        base = _routing.read_table_base(table_base, ROLE, found, faults)
    several = len(found) > 1
    own = [_routing.table(base, line, _routes(line)) for line in found if several]
    names = [{"name": line.name, **({"metric": _routing.metric(line)} if several else {})} for line in found]
    routes = [{**name, **route} for name, line in zip(names, found, strict=True) for route in _routes(line)]
    return own + ([{"id": _routing.MAIN_TABLE, "name": "main", "routes": routes}] if routes else [])


def rules(
    lines: object,
    snat: object = (),
    table_base: object = _routing.TABLE_BASE,
    priority_base: object = _routing.PRIORITY_BASE,
    source_priority_base: object = _routing.SOURCE_PRIORITY_BASE,
    mark_mask: object = _routing.MARK_MASK,
) -> list[dict[str, Any]]:
    """The rules of policy_routing, none for a single line.

    By mark leaves what belongs to a connection that came in by a line; by source what the firewall itself sends from
    a line's public address, and what a server sends from an address that stands for one line alone.
    """
    with sound() as faults:
        found = _read(lines, faults)
        base = _routing.read_table_base(table_base, ROLE, found, faults)
        first, source_first = _routing.read_priorities(priority_base, source_priority_base, ROLE, faults)
        marks_used = _routing.read_mark_mask(mark_mask, ROLE, found, faults)
        sources = _sources(found, snat, faults)
    if len(found) < 2:
        return []
    entries = _routing.main_rules(first, [family for family in FAMILIES if any(family in _of(line) for line in found)])
    for line in found:
        entries += _routing.mark_rules(first, line, _of(line), base, marks_used)
    for line in found:
        own = [str(address.ip) for address in line.held_addresses]
        selectors = _routing.by_source([*own, *map(prefix_text, sources[line.name])])
        entries += _routing.source_rules(source_first, line, selectors, base)
    return entries


def marks(lines: object, mark_mask: object = _routing.MARK_MASK) -> list[dict[str, Any]]:
    """The marks of connection_marks: each of several lines by its interface."""
    with sound() as faults:
        found = _read(lines, faults)
        marks_used = _routing.read_mark_mask(mark_mask, ROLE, found, faults)
    entries = [{"name": line.name, "mark": marks_used.of(line), "in_interface": line.interface} for line in found]
    return entries if len(found) > 1 else []


def _read(lines: object, faults: list[str]) -> list[Line]:
    """The lines; each of several needs what tells it from the others."""
    found = read_lines(lines, faults)
    if len(found) > 1:
        report_repeated([line.entry for line in found], "interface")
        for line in found:
            for family in _of(line):
                if not of_family(line.gateway, family) and not line.entry.broken:
                    name = family_name(family)
                    line.entry.place.fault(f"is one of several lines, so it needs the ISP's {name} gateway")
    return found


def _of(line: Line) -> list[int]:
    """The families that a line has public addresses of."""
    return [family for family in FAMILIES if of_family(line.public_addresses, family)]


def _routes(line: Line) -> list[dict[str, Any]]:
    return [
        {"destination": "default", "gateway": str(gateway), "interface": line.interface}
        for family in FAMILIES
        for gateway in of_family(line.gateway, family)
    ]


def _sources(lines: list[Line], snat: object, faults: list[str]) -> dict[str, list[IPNetwork]]:
    """The inside addresses that stand for one line alone, by the line; those of several leave by the preferred one."""
    named = {line.name: line for line in lines}
    holders: dict[IPNetwork, dict[str, Place]] = {}
    for entry in read_entries(snat, SNAT_FIELDS, Place("isp_firewall_snat", faults)):
        line, source = line_of(entry, named), entry.values.get("source")
        if line is not None and source is not None:
            holders.setdefault(source, {})[line.name] = entry.place
    alone = {source: next(iter(held.items())) for source, held in holders.items() if len(held) == 1}
    for source, (name, place) in alone.items():
        for wider, (other, _place) in alone.items():
            if source in wider and named[other].id < named[name].id:
                place.fault(
                    f"{prefix_text(source)} is within {prefix_text(wider)} of line {shown(other)},"
                    " whose rule comes first: give that line the greater id"
                )
    return {
        line.name: [source for source, (name, _length) in sorted(alone.items()) if name == line.name] for line in lines
    }
