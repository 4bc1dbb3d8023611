# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of this host as they are stored: which addresses, mark, table, gateway and interface each has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import fields
from ..routing.engine import RoutingEngine
from ..routing.model import MAIN_TABLE, Route
from ..routing.reply_model import Reply

_HOST_LENGTHS = {4: 32, 6: 128}


@dataclass(frozen=True)
class LineWay:
    """A line in one family. ``sources`` are the addresses and networks whose packets its table is for."""

    name: str
    family: int
    table: int
    gateway: str | None = None
    interface: str | None = None
    sources: tuple[str, ...] = ()
    mark: tuple[int, int] | None = None
    networks: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The single addresses of the sources."""
        length = _HOST_LENGTHS[self.family]
        parts = (source.partition("/") for source in self.sources)
        return tuple(address for address, _slash, bits in parts if int(bits) == length)

    def reply(self, source: str, in_interface: str | None, mark: tuple[int, int] | None) -> Reply:
        """Return a reply of this line, as the check of replies takes it."""
        return Reply(
            self.name,
            self.table,
            source,
            gateways=(self.gateway,) if self.gateway else (),
            mark=mark,
            in_interface=in_interface,
            interface=self.interface,
            networks=self.networks,
        )

    def __str__(self) -> str:
        return f"line {self.name}"


def line_ways(engine: RoutingEngine | None) -> list[LineWay]:
    """Return the lines that the stored routes and rules describe, in their order."""
    if engine is None:
        return []
    places: dict[tuple[int, int], list[Route]] = {}
    for entry in engine.routes or ():
        if entry.object.table != MAIN_TABLE:
            places.setdefault((entry.object.table, entry.object.family), []).append(entry.object)
    return [_line_way(engine, place, routes) for place, routes in places.items()]


def _line_way(engine: RoutingEngine, place: tuple[int, int], routes: Sequence[Route]) -> LineWay:
    table, family = place
    default = next((route for route in routes if fields.is_everything(route.destination)), None)
    sources: dict[str, None] = {}
    mark = None
    for rule in (entry.object for entry in engine.rules or ()):
        if (rule.table, rule.family) != place or rule.action != "lookup":
            continue
        if rule.source is not None and rule.mark is None:
            sources[rule.source] = None
        elif rule.mark is not None and rule.source is None and mark is None:
            mark = rule.mark
    networks = [
        route.destination for route in routes if route.gateway is None and not fields.is_everything(route.destination)
    ]
    return LineWay(
        name=engine.names.get(table, str(table)),
        family=family,
        table=table,
        gateway=default.gateway if default else None,
        interface=default.interface if default else None,
        sources=tuple(sources),
        mark=mark,
        networks=tuple(network for network in networks if not network.startswith("fe80:")),
    )
