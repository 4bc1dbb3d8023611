# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether replies still leave by their line: asked of the kernel now and then, from the stored routes and rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import fields
from ..errors import MultihomeError
from ..routing.engine import RoutingEngine
from ..routing.model import MAIN_TABLE, Route, Rule
from ..routing.reply_model import TAKEN, Finding, Reply
from ..routing.reply_paths import check_replies
from .recurring_check import RecurringCheck
from .report import log

# Rules and routes of other programs do not wake the keeper, so it asks by itself.
INTERVAL = 60.0
# After changes it asks soon, but not after each of many.
PAUSE = 2.0
# Of each line, so many addresses are asked for: the rules for all of them are alike.
_MOST = 8
_HOST_LENGTHS = {4: "/32", 6: "/128"}

Ask = Callable[[Sequence[Reply], Sequence[str], int], Sequence[Finding]]


class ReplyCheck(RecurringCheck[Finding]):
    """Asks for the replies. ``on_taken`` is called once for each that is taken; it must return at once."""

    def __init__(self, ask: Ask = check_replies, on_taken: Callable[[Finding], None] = lambda _finding: None) -> None:
        super().__init__(INTERVAL, PAUSE)
        self._ask, self._on_taken = ask, on_taken

    def check(self, engine: RoutingEngine, now: float) -> None:
        """Ask for the replies of the stored lists."""
        self._begin(now)
        replies, inside = replies_of(engine)
        try:
            findings = self._ask(replies, inside, engine.owner) if replies else ()
        except MultihomeError as error:
            log("warning", f"replies: {error}")
            return
        self._update({_key(finding): finding for finding in findings if finding.kind == TAKEN})

    def _came(self, one: Finding) -> None:
        log("error", one.message)
        self._on_taken(one)

    def _went(self, one: Finding) -> None:
        log("info", f"{one.reply} leave by their line again")


def _key(finding: Finding) -> tuple[object, ...]:
    rule: Mapping[str, Any] = finding.rule or {}
    route = (finding.route.get("table"), finding.route.get("destination"))
    return (finding.reply, rule.get("priority"), rule.get("owner"), *route)


def replies_of(engine: RoutingEngine) -> tuple[list[Reply], list[str]]:
    """Return the replies that the stored routes and rules are for, and the networks of interfaces that lines share."""
    routes: dict[tuple[int, int], list[Route]] = {}
    for entry in engine.routes or ():
        if entry.object.table != MAIN_TABLE and entry.object.type == "unicast":
            routes.setdefault((entry.object.table, entry.object.family), []).append(entry.object)
    sources, marks = _selectors([entry.object for entry in engine.rules or ()])
    tables_of: dict[str, set[int]] = {}
    for (table, _family), held in sources.items():
        for source in held:
            tables_of.setdefault(source, set()).add(table)
    alone = {entry.object.interface for entry in engine.groups or ()}
    replies: list[Reply] = []
    for place, own in routes.items():
        way = _way(engine, place, own)
        held = sources.get(place, [])[:_MOST]
        if way is None or not held:
            continue
        mark = marks.get(place)
        # An address of several lines tells the line by the mark only.
        for source in held:
            if len(tables_of[source]) == 1:
                replies.append(Reply(source=source, **way))
        if mark is not None:
            replies.append(Reply(source=held[0], mark=mark, **way))
    inside = [
        route.destination
        for own in routes.values()
        for route in own
        if route.gateway is None and route.interface not in alone and not fields.is_everything(route.destination)
    ]
    return replies, list(dict.fromkeys(inside))


def _way(engine: RoutingEngine, place: tuple[int, int], routes: Sequence[Route]) -> dict[str, Any] | None:
    """Return the parts of a reply that follow from a table; None for one without a default route."""
    default = next((route for route in routes if fields.is_everything(route.destination)), None)
    if default is None:
        return None
    networks = [route.destination for route in routes if route.gateway is None and route is not default]
    return {
        "line": engine.names.get(place[0], str(place[0])),
        "table": place[0],
        "gateways": () if default.gateway is None else (default.gateway,),
        "interface": default.interface,
        "networks": tuple(network for network in networks if not network.startswith("fe80:")),
    }


def _selectors(
    rules: Sequence[Rule],
) -> tuple[dict[tuple[int, int], list[str]], dict[tuple[int, int], tuple[int, int]]]:
    """Return the source addresses and the marks that lead to a table, by table and family."""
    sources: dict[tuple[int, int], list[str]] = {}
    marks: dict[tuple[int, int], tuple[int, int]] = {}
    for rule in rules:
        if rule.action != "lookup" or rule.table is None:
            continue
        place = (rule.table, rule.family)
        if rule.mark is not None and rule.source is None:
            marks.setdefault(place, rule.mark)
        elif rule.source is not None and rule.mark is None and rule.source.endswith(_HOST_LENGTHS[rule.family]):
            sources.setdefault(place, []).append(rule.source.partition("/")[0])
    return sources, marks
