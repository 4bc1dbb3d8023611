# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is wanted to what the lines allow now: one pure function, for the keeper and for the modules alike.

Files, ``before`` and ``after`` hold what is wanted; the engines get the result of effective(). So a deployment while a
line is down changes nothing and sends nothing back into that line, and check mode predicts the same.

Only the ways of what this host initiates, or its clients do without a mark, are changed: default routes of main and of
other tables that have those of several lines, and the spread of new connections. Rules, marks, translations and the
lines' own tables stay, because they serve connections that come in; a line that is declared down by mistake goes on
serving those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .. import fields
from ..engine import Allowed
from ..entries import Options
from .usable_lines import Usable

# Added to the metric of a line's default route: more than any metric that the roles give. The route stays, so that
# there is a way also while everything is down.
UNUSABLE, DEGRADED = 1 << 24, 1 << 23
_LARGEST_METRIC = 0xFFFFFFFF
_DEFAULT_METRIC = {4: 0, 6: 1024}
# The roles give main's routes metrics of which the last eight bits are the line's id.
_ID_BITS = 256
_MAIN = (254, "254", "main")

_FAMILIES = (4, 6)


class Line(Protocol):
    """The part of a line that tells which routes and shares are its own."""

    @property
    def name(self) -> str:
        """The name."""

    @property
    def id(self) -> int:
        """The number, from 1 to 250."""

    @property
    def interface(self) -> str | None:
        """The interface, where it is known."""

    @property
    def addresses(self) -> Sequence[str]:
        """The addresses of this host on the line."""

    @property
    def gateways(self) -> Sequence[str]:
        """The next hops."""

    @property
    def mark(self) -> tuple[int, int] | None:
        """The mark and its mask, where the line has one."""


@dataclass(frozen=True)
class Observed:
    """What the world allows: the host's lines, and which of them are usable, by family; one left out is not judged."""

    lines: Sequence[Line] = ()
    usable: Mapping[int, Usable] = field(default_factory=dict)


def effective(wanted: Mapping[str, Options], observed: Observed) -> dict[str, Options]:
    """Return the options of each kind of state as the engines get them; ``wanted`` holds them as they are stored.

    With every line usable that is what is wanted. Doing it twice changes nothing more.
    """
    result = dict(wanted)
    for kind, change in _CHANGES.items():
        if kind in wanted:
            result[kind] = change(wanted[kind], observed)
    return result


def _routing(options: Options, observed: Observed) -> Options:
    tables = options.get("tables")
    if not tables:
        return options
    changed = [
        {**table, "routes": _routes(table["routes"], observed)}
        if table.get("routes") and _is_shared(table, observed)
        else table
        for table in tables
    ]
    return options if changed == tables else {**options, "tables": changed}


def _is_shared(table: Options, observed: Observed) -> bool:
    """Tell whether a table is main, or another one with default routes of several lines, among which it chooses."""
    if table.get("id") in _MAIN:
        return True
    for family in observed.usable:
        defaults = [route for route in table.get("routes") or () if family_of_default(route) == family]
        lines = [line_of(route, family, observed.lines) for route in defaults]
        if len({line.name for line in lines if line is not None}) > 1:
            return True
    return False


def _routes(routes: Sequence[Options], observed: Observed) -> list[Options]:
    result = list(routes)
    for family, usable in observed.usable.items():
        defaults = {
            place: line
            for place, route in enumerate(routes)
            if family_of_default(route) == family
            for line in [line_of(route, family, observed.lines)]
            if line is not None
        }
        if not any(line.name in usable.lines for line in defaults.values()):
            continue
        good = [line for line in defaults.values() if line.name in usable.lines and line.name not in usable.degraded]
        for place, line in defaults.items():
            if line.name not in usable.lines:
                result[place] = _demoted(routes[place], family, UNUSABLE)
            elif line.name in usable.degraded and good:
                result[place] = _demoted(routes[place], family, DEGRADED)
    return result


def _demoted(route: Options, family: int, by: int) -> Options:
    metric = int(route.get("metric") or _DEFAULT_METRIC[family])
    if metric >= DEGRADED or metric + by > _LARGEST_METRIC:
        return route
    return {**route, "metric": metric + by}


def family_of_default(route: Options) -> int | None:
    """Return the family of a default route, None for a route to somewhere else."""
    destination = str(route.get("destination"))
    if destination == "0.0.0.0/0":
        return 4
    if destination == "::/0":
        return 6
    if destination != "default":
        return None
    if route.get("family"):
        return int(str(route["family"])[-1])
    given = [route.get("gateway"), route.get("source"), *(hop.get("gateway") for hop in route.get("nexthops") or ())]
    text = next((str(each) for each in given if each), "")
    return fields.family_of(text) if text else None


def line_of(route: Options, family: int, lines: Sequence[Line]) -> Line | None:
    """Return the line that a default route leads to; None when that is no line, or cannot be known.

    Several lines may have one gateway; then they differ by the source address, or by the metric.
    """
    gateway, interface, source = route.get("gateway"), route.get("interface"), route.get("source")
    if route.get("nexthops") or not (gateway or interface):
        return None

    def leads_there(line: Line) -> bool:
        gateways = [each for each in line.gateways if fields.family_of(each) == family]
        same_gateway = gateway in gateways if gateway else not gateways
        return same_gateway and (None in (interface, line.interface) or interface == line.interface)

    found = [line for line in lines if leads_there(line)]
    narrowing: tuple[Callable[[Line], bool], ...] = (
        lambda line: source in line.addresses,
        lambda line: int(route.get("metric") or 0) % _ID_BITS == line.id,
    )
    for tells in narrowing:
        if len(found) > 1:
            found = [line for line in found if tells(line)] or found
    return found[0] if len(found) == 1 else None


def _marks(options: Options, observed: Observed) -> Options:
    """Leave unusable lines out of the spread of new connections, family by family, as long as another one is left."""
    balance = options.get("balance")
    if not balance:
        return options
    result = [dict(entry) for entry in balance]
    for family in _FAMILIES:
        usable = observed.usable.get(family)
        if usable is None:
            continue
        unusable = [each for each in result if not _may_serve(each, family, observed, usable)]
        if all(each in unusable for each in result if _sources(each, family) and each.get("weight") != 0):
            continue
        for entry in unusable:
            entry["sources"] = [each for each in entry["sources"] if fields.family_of(str(each)) != family]
    result = [entry for entry in result if entry["sources"]]
    return options if result == list(balance) else {**options, "balance": result}


def _sources(entry: Options, family: int) -> list[str]:
    return [str(each) for each in entry.get("sources") or () if fields.family_of(str(each)) == family]


def _may_serve(entry: Options, family: int, observed: Observed, usable: Usable) -> bool:
    """Tell whether connections of a family may be spread to an entry; one of no known line is not judged."""
    if not _sources(entry, family):
        return True
    line = _line_of_mark(entry, observed.lines)
    return line is None or line.name in usable.lines


def _line_of_mark(entry: Options, lines: Sequence[Line]) -> Line | None:
    mark = entry.get("mark")
    for line in lines:
        if line.mark is not None and line.mark[0] == _number(mark):
            return line
    return next((line for line in lines if line.name == entry.get("name")), None)


def _number(mark: Any) -> int | None:
    try:
        return fields.mark(mark)[0]
    except ValueError:
        return None


def allowed(kind: str, wanted: Options, observed: Observed) -> Allowed | None:
    """Return what the lines allow of one kind of state; None where they have no say in it."""
    if kind not in _CHANGES:
        return None
    options = _CHANGES[kind](wanted, observed)
    return Allowed(options, _WITHDRAWN[kind](wanted, options, observed))


def _withdrawn_routes(wanted: Options, options: Options, observed: Observed) -> Options:
    """Return the lines' default routes with the metrics that they do not have now."""
    tables = []
    for table, changed in zip(wanted.get("tables") or (), options.get("tables") or ()):
        if not _is_shared(table, observed):
            continue
        routes = []
        for route, now in zip(table.get("routes") or (), changed.get("routes") or ()):
            family = family_of_default(route)
            if family is not None and line_of(route, family, observed.lines) is not None:
                forms = [route, _demoted(route, family, DEGRADED), _demoted(route, family, UNUSABLE)]
                routes += [form for place, form in enumerate(forms) if form not in (now, *forms[:place])]
        tables.append({"id": table["id"], "routes": routes})
    return {"tables": tables}


def _withdrawn_shares(wanted: Options, options: Options, _observed: Observed) -> Options:
    """Return the shares that are left out of the spread of new connections now."""
    left = [each.get("mark") for each in options.get("balance") or ()]
    return {"balance": [each for each in wanted.get("balance") or () if each.get("mark") not in left]}


_CHANGES: dict[str, Callable[[Options, Observed], Options]] = {"policy_routing": _routing, "connection_marks": _marks}
_WITHDRAWN: dict[str, Callable[[Options, Options, Observed], Options]] = {
    "policy_routing": _withdrawn_routes,
    "connection_marks": _withdrawn_shares,
}
