# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of an explanation: first each case with its faults, then the ways step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..terminal import Page, age
from . import walk
from .kernel import Answer, Kernel, refusal
from .ways import IN, Explained, Fault, Way, title

_TABLES = {253: "default", 254: "main", 255: "local"}
_STYLES = {walk.TAKEN: "good", walk.REFUSED: "bad"}
_WIDTHS = (9, 5)


def render(
    found: Sequence[Explained], kernel: Kernel, page: Page, names: Mapping[int, str], brief: bool, every: bool
) -> None:
    """Write the text. ``names`` are those of the tables; with ``every`` also rules that do not match are shown."""
    for one in found:
        faults = one.all_faults
        page.row(("PROBLEM" if faults else "ok", title(one.case)), (7,), ("bad" if faults else "good", "bold"))
        if one.health is not None:
            state = one.health
            page.add(f"the line is {state['state']} since {age(state['seconds'])}: {state['reason']}", 9)
        for fault in faults:
            _fault(fault, page)
    for note in dict.fromkeys(kernel.notes):
        page.add(f"note: {note}", 0, 6)
    if brief:
        return
    for one in found:
        page.add()
        page.add(title(one.case), style="bold")
        for way in one.ways:
            _way(way, kernel, page, {**_TABLES, **names}, every)


def _fault(fault: Fault, page: Page) -> None:
    page.add(f"- {fault.text}", 9, 11, "bad")
    if fault.remedy:
        page.add(f"remedy: {fault.remedy}", 11)


def _way(way: Way, kernel: Kernel, page: Page, names: Mapping[int, str], every: bool) -> None:
    page.row(("in" if way.direction == IN else "out", way.packet), (4,), ("bold", "bold"), 2)
    for name, text in way.before:
        page.field(name, text, _WIDTHS[0], 4)
    _rules(way.answer, kernel, page, names, every)
    page.field("result", _result(way.answer, names), _WIDTHS[0], 4, "good" if not way.faults else "bad")
    for name, text in way.after:
        page.field(name, text, _WIDTHS[0], 4)
    for fault in way.faults:
        page.field("PROBLEM", fault.text, _WIDTHS[0], 4, "bad")


def _rules(answer: Answer, kernel: Kernel, page: Page, names: Mapping[int, str], every: bool) -> None:
    skipped: list[walk.Looked] = []
    for looked in answer.looked:
        if looked.outcome == walk.NO_MATCH and not every:
            skipped.append(looked)
            continue
        _skipped(skipped, page)
        skipped = []
        text = f"{_selector(looked, names)}: {_outcome(looked, kernel)}"
        cells = ("rule", str(looked.listed.priority), text)
        page.row(cells, _WIDTHS, ("", "", _STYLES.get(looked.outcome, "")), 4)
    _skipped(skipped, page)


def _skipped(skipped: Sequence[walk.Looked], page: Page) -> None:
    if not skipped:
        return
    first, last = skipped[0].listed.priority, skipped[-1].listed.priority
    if len(skipped) == 1:
        page.row(("rule", str(first), f"does not match ({skipped[0].reason})"), _WIDTHS, ("dim",) * 3, 4)
    else:
        text = f"to {last}: {len(skipped)} rules do not match"
        page.row(("rules", str(first), text), _WIDTHS, ("dim",) * 3, 4)


def _selector(looked: walk.Looked, names: Mapping[int, str]) -> str:
    rule = looked.listed.rule
    if rule is None:
        return str(looked.listed)
    owner = f" [{walk.short_owner(looked.listed.owner)}]" if looked.listed.owner not in (0, 2, 109) else ""
    table = f", table {names.get(rule.table, rule.table)}" if rule.table else ""
    return f"{walk.selector_text(rule)}{table}{owner}"


def _outcome(looked: walk.Looked, kernel: Kernel) -> str:
    route = "" if looked.route is None else walk.route_text(looked.route, kernel.names)
    if looked.outcome == walk.TAKEN:
        return route
    if looked.outcome == walk.NO_ROUTE:
        return "no route"
    if looked.outcome == walk.PASSED_OVER:
        return f"{route}, passed over ({looked.reason})"
    return looked.reason


def _result(answer: Answer, names: Mapping[int, str]) -> str:
    decided = answer.looked[-1] if answer.looked else None
    if answer.kind == "local":
        text = "for this host itself"
    elif answer.leaves:
        by = f"by {answer.interface}" if answer.interface else ""
        text = f"leaves {by} via {answer.gateway}" if answer.gateway else f"leaves {by}, directly"
    else:
        text = f"goes nowhere: {refusal(answer.error) if answer.error else answer.kind}"
    table = answer.table
    guessed = None if decided is None or decided.outcome != walk.TAKEN or decided.route is None else decided
    if guessed is not None and guessed.route is not None and answer.leaves:
        table_of = guessed.route.get("RTA_TABLE", guessed.route.header["table"])
        if table_of != table:
            text += f" (the kernel says: table {names.get(table or 0, str(table))})"
    return text
