# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Default routes of other programs in the table main that are preferred to those of the lines, as by DHCP."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .. import fields
from ..netlink.rtnetlink import RouteFilter, dump
from ..plan import Existing
from .executor import Executor
from .model import MAIN_TABLE, Route
from .rtnetlink_mapping import AF

# More than the metric of any line's route, also while the line is dead or degraded.
LARGE_ENOUGH = 40000000
_DEFAULT = frozenset(((b"", 0),))


@dataclass(frozen=True)
class ForeignDefault:
    """One such route. ``always`` says that it comes before the best of the lines, else only before some of them."""

    family: int
    gateway: str
    interface: str
    metric: int
    owner: int
    always: bool

    @property
    def text(self) -> str:
        """The route in words."""
        way = [f"via {self.gateway}"] if self.gateway else []
        way += [f"on {self.interface}"] if self.interface else []
        return f"IPv{self.family} default route {' '.join(way)} metric {self.metric} of {fields.owner_name(self.owner)}"

    @property
    def message(self) -> str:
        """The finding in one line."""
        if self.always:
            return f"the {self.text} is preferred to those of the lines: this host's own connections leave by it"
        return f"the {self.text} is preferred to those of some lines: while the others are dead, it is used"

    @property
    def remedy(self) -> str:
        """The remedy."""
        return f"give it a metric above {LARGE_ENOUGH} where it is configured, or remove it there"

    def as_result(self) -> dict[str, Any]:
        """Return the finding as the keeper's report shows it."""
        return {
            "family": f"ipv{self.family}",
            "gateway": self.gateway or None,
            "interface": self.interface,
            "metric": self.metric,
            "owner": fields.owner_name(self.owner),
            "always": self.always,
            "message": self.message,
            "remedy": self.remedy,
        }


def is_default_in_main(route: Route) -> bool:
    """Tell whether a route is one that connections without a rule of their own leave by."""
    return (route.table, route.type) == (MAIN_TABLE, "unicast") and fields.is_everything(route.destination)


def foreign_defaults(existing: Iterable[Existing[Route]], own: Iterable[Route], owner: int) -> list[ForeignDefault]:
    """Return the routes of other owners that come before ``own`` ones: those that are configured for the lines.

    One with an ``own`` route's metric is not one of them: it is a conflict that the run itself reports.
    """
    metrics: dict[int, list[int]] = {}
    keys = set()
    for route in own:
        if is_default_in_main(route):
            metrics.setdefault(route.family, []).append(route.metric)
            keys.add(route.key)
    found = []
    for item in existing:
        route = item.object
        known = metrics.get(route.family)
        if not known or item.owner == owner or route.key in keys or not is_default_in_main(route):
            continue
        if route.metric < max(known):
            found += [
                ForeignDefault(
                    route.family,
                    hop.gateway or "",
                    hop.interface or "",
                    route.metric,
                    item.owner,
                    route.metric < min(known),
                )
                for hop in route.nexthops or (route,)
            ]
    return found


def read_defaults(executor: Executor) -> list[Existing[Route]]:
    """Return the default routes of the table main."""
    filters = [RouteFilter(MAIN_TABLE, None, family, _DEFAULT) for family in AF.values()]
    return list(executor.read("route", routes=lambda socket, _names: dump(socket, "route", filters)).routes())
