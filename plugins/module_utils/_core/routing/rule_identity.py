# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which policy rules the kernel mistakes for one another. No I/O.

Linux net/core/fib_rules.c: a new rule "exists" already when another one differs only in a source, destination or type
of service that the new one does not have, or in being inverted (rule_exists). A removal takes the first rule that has
all fields of the request, even if it has more (rule_find). The owner tag counts in both, so this concerns only our own
rules.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import fields

from ..entries import Entry
from .model import Rule

# A form of a rule under which the kernel would take a new one for the same: see view().
View = tuple[object, ...]
_SELECTORS = (
    "source",
    "destination",
    "in_interface",
    "out_interface",
    "mark",
    "ip_protocol",
    "source_port",
    "destination_port",
    "tos",
    "uid_range",
    "suppress_prefix_length",
    "suppress_interface_group",
)
# All fields of a rule that the kernel always compares; called thousands of times in a run.
_rest = operator.attrgetter(*(f.name for f in fields(Rule) if f.name not in ("source", "destination", "tos", "invert")))


def collides_on_add(new: Rule, existing: Rule) -> bool:
    """Tell whether the kernel refuses ``new`` because it mistakes ``existing`` for the same."""
    # Called for each pair of one priority: the cheapest and most selective comparison is first.
    if new.source not in (None, existing.source) or new.destination not in (None, existing.destination):
        return False
    if new.tos not in (None, existing.tos):
        return False
    return bool(_rest(new) == _rest(existing))


def matches_on_delete(asked: Rule, existing: Rule) -> bool:
    """Tell whether the kernel, asked to remove ``asked``, would remove ``existing`` if that is in front."""
    same_place = (asked.family, asked.priority, asked.action) == (existing.family, existing.priority, existing.action)
    return (
        same_place
        and asked.table in (None, existing.table)
        and all(getattr(asked, name) in (None, getattr(existing, name)) for name in _SELECTORS)
    )


def indistinct(entries: Sequence[Entry[Rule]]) -> list[str]:
    """Return a fault for each entry that the kernel would refuse beside another one of the list."""
    first_two: dict[View, list[Entry[Rule]]] = {}
    for entry in entries:
        for form in views(entry.object):
            others = first_two.setdefault(form, [])
            if len(others) < 2:
                others.append(entry)
    faults = []
    for entry in entries:
        others = first_two[view(entry.object)]
        if len(others) > 1:
            other = others[1] if others[0] is entry else others[0]
            faults.append(
                f"{entry.where}: the kernel cannot tell it from {other.where}, which differs only in source, "
                "destination, tos or invert; give it another priority"
            )
    return faults


def inverse_to_what_stays(entries: Sequence[Entry[Rule]], after: Iterable[Rule]) -> list[str]:
    """Return a fault for each entry that differs only in ``invert`` from one of our own rules that stays, unlisted.

    ``after`` are our own rules after the plan. The kernel mistakes each of the two for the other, in either order.
    """
    listed = {entry.object for entry in entries}
    staying = {view(rule): rule for rule in after if rule not in listed}
    return [
        f"{entry.where}: the kernel cannot tell it from the existing {other}, which differs only in invert; "
        "give it another priority, or purge"
        for entry in entries
        if (other := staying.get(view(entry.object)))
    ]


def view(rule: Rule) -> View:
    """Return the form under which the kernel compares a new rule with others."""
    return (rule.source, rule.destination, rule.tos, _rest(rule))


def views(rule: Rule) -> Iterable[View]:
    # Every form under which the kernel may mistake a new rule for this one.
    rest = _rest(rule)
    return {
        (source, destination, tos, rest)
        for source in (rule.source, None)
        for destination in (rule.destination, None)
        for tos in (rule.tos, None)
    }
