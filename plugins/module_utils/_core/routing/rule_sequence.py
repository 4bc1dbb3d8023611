# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a sequence of requests that changes policy rules although the kernel confuses some of them.

Linux net/core/fib_rules.c: a new rule "exists" already when another one differs only in a source, destination or type
of service that the new one does not have, or in being inverted (rule_exists). A removal takes the first rule that has
all fields of the request, even if it has more (rule_find). The owner tag counts in both, so this concerns only our own
rules.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

from ..entries import Entry
from .model import Rule

# A form of a rule under which the kernel would take a new one for the same: see _view().
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
        for view in _views(entry.object):
            others = first_two.setdefault(view, [])
            if len(others) < 2:
                others.append(entry)
    faults = []
    for entry in entries:
        others = first_two[_view(entry.object)]
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
    staying = {_view(rule): rule for rule in after if rule not in listed}
    return [
        f"{entry.where}: the kernel cannot tell it from the existing {other}, which differs only in invert; "
        "give it another priority, or purge"
        for entry in entries
        if (other := staying.get(_view(entry.object)))
    ]


def _view(rule: Rule) -> View:
    """Return the form under which the kernel compares a new rule with others."""
    return (rule.source, rule.destination, rule.tos, _rest(rule))


def _views(rule: Rule) -> Iterable[View]:
    # Every form under which the kernel may mistake a new rule for this one.
    rest = _rest(rule)
    return {
        (source, destination, tos, rest)
        for source in (rule.source, None)
        for destination in (rule.destination, None)
        for tos in (rule.tos, None)
    }


class RuleSequence:
    """Turns actions on policy rules into single steps that the kernel cannot misunderstand.

    ``existing`` are our own rules in the kernel's order, ``doomed`` those of them that the plan removes.
    """

    def __init__(self, existing: Iterable[Rule], doomed: Iterable[Rule]) -> None:
        self._order: dict[tuple[int, int], list[Rule]] = {}
        # The existing rules by each form under which they may be mistaken, in the kernel's order: a dict for its order.
        self._met: dict[View, dict[Rule, None]] = {}
        for rule in existing:
            self._append(rule)
        self._doomed = frozenset(doomed)
        self._steps: list[tuple[str, Rule]] = []

    def of(self, operation: str, rule: Rule, replaced: Rule | None = None) -> list[tuple[str, Rule]]:
        """Return the steps ``(operation, rule)`` of one action of a plan; call it in the order of the plan."""
        self._steps = []
        if operation == "remove":
            self._remove(rule)
            return self._steps
        self._add(rule)
        if replaced is not None:
            self._remove(replaced)
        return self._steps

    def to_end(self, rule: Rule) -> list[tuple[str, Rule]]:
        """Return the steps ``(operation, rule)`` that make an existing rule the last one of its priority."""
        self._steps = []
        placeholders = self._put_in_front([rule])
        self._remove(rule)
        self._add(rule)
        self._remove_all(placeholders)
        return self._steps

    def _beside(self, rule: Rule) -> list[Rule]:
        return self._order.setdefault((rule.family, rule.priority), [])

    def _in_the_way(self, rule: Rule) -> list[Rule]:
        """Return the rules to remove before the kernel accepts ``rule``, in the kernel's order."""
        return [
            other
            for other in self._met.get(_view(rule), ())
            # Of two rules that are mistaken for each other, only one can remain.
            if other in self._doomed or not collides_on_add(other, rule)
        ]

    def _add(self, rule: Rule) -> None:
        in_the_way = self._in_the_way(rule)
        placeholders = self._put_in_front(in_the_way)
        self._remove_all(in_the_way)
        self._step("add", rule)
        # The rules to keep come behind: they are more particular than the new one, so they do not collide with it.
        for other in in_the_way:
            if other not in self._doomed:
                self._step("add", other)
        self._remove_all(placeholders)

    def _put_in_front(self, leaving: Iterable[Rule]) -> list[Rule]:
        """Add and return placeholders for rules that are removed for a moment, with the next smaller priority.

        There is none if the kernel would mistake it for a rule of that priority, when adding or removing it: that rule
        would lose its place for good.
        """
        placeholders = [replace(rule, priority=rule.priority - 1) for rule in leaving if rule.priority]
        placeholders = [
            one
            for one in placeholders
            if not self._met.get(_view(one)) and not any(matches_on_delete(one, other) for other in self._beside(one))
        ]
        for one in placeholders:
            self._step("add", one)
        return placeholders

    def _remove_all(self, rules: Iterable[Rule]) -> None:
        for rule in rules:
            self._remove(rule)

    def _remove(self, rule: Rule) -> None:
        beside = self._beside(rule)
        if rule not in beside:
            return  # it was in the way of another one, and is removed already
        for other in beside[: beside.index(rule)]:
            if matches_on_delete(rule, other):
                # The kernel would remove it instead: move it behind. The more general one replaces it meanwhile.
                self._remove(other)
                self._add(other)
        self._step("remove", rule)

    def _step(self, operation: str, rule: Rule) -> None:
        if operation == "add":
            self._append(rule)
        else:
            self._beside(rule).remove(rule)
            for view in _views(rule):
                self._met[view].pop(rule, None)
        self._steps.append((operation, rule))

    def _append(self, rule: Rule) -> None:
        self._beside(rule).append(rule)
        for view in _views(rule):
            self._met.setdefault(view, {})[rule] = None
