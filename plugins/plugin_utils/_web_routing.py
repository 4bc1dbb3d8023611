# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""The routing of a server: the variables of role multihomed_web -> the lists that its modules take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import _routing, _web_sources
from ._addresses import FAMILIES, everyone_of, has_network
from ._faults import Place, shown, sound
from ._reading import choice
from ._web_lists import BALANCE_FROM, ROLE, Line, read_balance_from, read_default_route, read_lines

if TYPE_CHECKING:
    from netaddr import IPAddress

# More than any metric of failover, whose routes may stand beside these for a moment while one follows the other.
BALANCE_METRIC = 1 << 17


def tables(
    lines: object,
    default_route: object = "none",
    table_base: object = _routing.TABLE_BASE,
    balance_from: object = BALANCE_FROM,
) -> list[dict[str, Any]]:
    """The tables of policy_routing: one per line with a default route by each family's gateway.

    With ``failover`` main gets these default routes too, each with the line's own address as source and a metric of
    its own. With ``balance`` their source is the address whose connections are given to lines.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
        kind = read_default_route(default_route, faults)
        base = _routing.read_table_base(table_base, ROLE, found, faults)
        begins = read_balance_from(balance_from, found, faults) if kind == "balance" else {}
    entries = [_routing.table(base, line, [_route(line, family) for family in line.families]) for line in found]
    if kind != "none" and found:
        routes = [_main_route(line, family, begins.get(family)) for line in found for family in line.families]
        entries.append({"id": _routing.MAIN_TABLE, "name": "main", "routes": routes})
    return entries


def rules(
    lines: object,
    table_base: object = _routing.TABLE_BASE,
    priority_base: object = _routing.PRIORITY_BASE,
    source_priority_base: object = _routing.SOURCE_PRIORITY_BASE,
    reply: object = "source",
    default_route: object = "none",
    mark_mask: object = _routing.MARK_MASK,
    other_addresses: object = (),
) -> list[dict[str, Any]]:
    """The rules of policy_routing: by mark where marks are in use, and by source.

    An address that stands for lines of different next hops does not tell the line. It looks at main's default routes;
    where these are left alone, at the lines' tables in turn, since a reply needs a route before its mark is known. So
    does an address whose line it takes a mark to know because no few prefixes hold all of the line's.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
        base = _routing.read_table_base(table_base, ROLE, found, faults)
        first, source_first = _routing.read_priorities(priority_base, source_priority_base, ROLE, faults)
        marks_used = _routing.read_mark_mask(mark_mask, ROLE, found, faults)
        kind = read_default_route(default_route, faults)
        by_mark = _read_reply(reply, faults) == "mark"
        others = _web_sources.read_other_addresses(other_addresses, faults)
        undecided = _undecided(found)
        if not by_mark and not faults:
            _refuse_undecided(undecided, faults)
    families = [family for family in FAMILIES if any(family in line.families for line in found)]
    entries = _routing.main_rules(first, families)
    sources = _web_sources.Sources(found, undecided, others)
    for line in found:
        marked = line.families if by_mark or kind == "balance" else sources.marked_families(line)
        entries += _routing.mark_rules(first, line, marked, base, marks_used)
    for line in found:
        entries += _routing.source_rules(source_first, line, sources.ruled(line), base)
        if kind == "none":
            entries += _routing.source_rules(source_first, line, sources.unruled(line), base, end=False)
    if kind == "none":
        last = {"name": "end", "priority": source_first + _routing.WHOLE_BAND - 1, "action": "unreachable"}
        entries += [{**last, **selector} for selector in sources.all_unruled]
    return entries


def marks(
    lines: object,
    reply: object = "source",
    default_route: object = "none",
    balance_from: object = BALANCE_FROM,
    mark_mask: object = _routing.MARK_MASK,
    other_addresses: object = (),
) -> dict[str, list[Any]]:
    """The lists of connection_marks: ``marks``, ``balance``, ``balance_from`` and ``balance_exclude``.

    Marks are known by gateway or interface for ``reply: mark``, and by source where that takes too many rules.
    """
    with sound() as faults:
        found = read_lines(lines, faults)
        marks_used = _routing.read_mark_mask(mark_mask, ROLE, found, faults)
        by_mark = _read_reply(reply, faults) == "mark"
        balanced = read_default_route(default_route, faults) == "balance"
        begins = read_balance_from(balance_from, found, faults) if balanced else {}
        others = _web_sources.read_other_addresses(other_addresses, faults)
        if balanced and not faults:
            _refuse_indistinct(found)
    networks = {address.cidr for line in found for address in line.addresses if has_network(address)}
    own = {address.ip for line in found for address in line.addresses}
    by_source = _web_sources.Sources(found, _undecided(found), others).marks(marks_used)
    return {
        "marks": (_marks(found, marks_used) if by_mark else []) + by_source,
        "balance": [_share(line, marks_used) for line in found if balanced],
        "balance_from": [str(address) for address in begins.values()],
        # An address of the server's own is what connections to its neighbours begin with too.
        "balance_exclude": [str(network) for network in sorted(networks) if own & set(begins.values())],
    }


def _marks(lines: Sequence[Line], marks_used: _routing.Marks) -> list[dict[str, Any]]:
    """A line that has an interface to itself is known by it, others by their gateways.

    Where several lines have one next hop, that one tells them apart, and what comes from there goes back there.
    """
    interfaces = [line.interface for line in lines]
    entries: dict[tuple[str, Any], dict[str, Any]] = {}
    for line in lines:
        mark = {"name": line.name, "mark": marks_used.of(line), "in_interface": line.interface}
        if interfaces.count(line.interface) == 1:
            entries[line.interface, None] = mark
            continue
        for family in line.families:
            gateway = line.gateway(family)
            known = {} if gateway is None else {"gateway": str(gateway)}
            entries.setdefault(line.next_hop(family), {**mark, **known})
    return list(entries.values())


def _share(line: Line, marks_used: _routing.Marks) -> dict[str, Any]:
    sources = [str(line.address(family).ip) for family in line.families]
    return {"name": line.name, "mark": marks_used.of(line), "weight": line.weight, "sources": sources}


def _route(line: Line, family: int) -> dict[str, Any]:
    gateway = line.gateway(family)
    if gateway is None:
        return {"destination": str(everyone_of(family)), "interface": line.interface}
    return {"destination": "default", "gateway": str(gateway), "interface": line.interface}


def _main_route(line: Line, family: int, begin: IPAddress | None) -> dict[str, Any]:
    metric = _routing.metric(line) + (0 if begin is None else BALANCE_METRIC)
    source = begin or line.address(family).ip
    return {"name": line.name, **_route(line, family), "metric": metric, "source": str(source)}


def _read_reply(value: object, faults: list[str]) -> str | None:
    return choice("source", "mark")(value, Place(f"{ROLE}_reply", faults))


def _undecided(lines: Sequence[Line]) -> dict[IPAddress, list[Line]]:
    """The addresses that stand for lines of different next hops, each with these lines."""
    holders: dict[IPAddress, list[Line]] = {}
    for line in lines:
        for address in () if line.entry.broken else line.addresses:
            holders.setdefault(address.ip, []).append(line)
    return {
        address: held for address, held in holders.items() if len({line.next_hop(address.version) for line in held}) > 1
    }


def _refuse_undecided(undecided: dict[IPAddress, list[Line]], faults: list[str]) -> None:
    place = Place(f"{ROLE}_lines", faults)
    for address, held in undecided.items():
        names = " and ".join(shown(line.name) for line in held)
        place.fault(
            f"address {address} stands for lines {names}, which have different gateways: only with"
            f" {ROLE}_reply: mark can replies be told apart"
        )


def _refuse_indistinct(lines: Sequence[Line]) -> None:
    """Connections are given to a line by the address that they carry, or by their next hop."""
    seen: dict[tuple[Any, ...], Line] = {}
    for line in lines:
        for family in line.families:
            address = line.address(family).ip
            other = seen.setdefault((address, line.next_hop(family)), line)
            if other is not line:
                line.entry.place.fault(
                    f"has address {address} and its gateway in common with line {shown(other.name)}:"
                    f" {ROLE}_default_route: balance cannot spread over them"
                )
