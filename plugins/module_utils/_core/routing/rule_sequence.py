# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the kernel tells policy rules apart, which is not by their whole selector, and how to change them all the same.

Linux net/core/fib_rules.c: a new rule "exists" already when one stands that differs only in a source or destination
which the new one does not have, or in being inverted (rule_exists). A removal takes the first rule that has all that
the request names, whatever more it selects by (rule_find). The owner tag counts in both, so all of this is among our
own rules.
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
    "suppress_prefix_length",
)
# All of a rule but what the kernel does not always look at; asked for thousands of times in a run.
_rest = operator.attrgetter(*(f.name for f in fields(Rule) if f.name not in ("source", "destination", "invert")))


def collides_on_add(new: Rule, standing: Rule) -> bool:
    """Tell whether the kernel refuses ``new`` because it takes ``standing`` for the same."""
    # Asked for each pair of one priority: what is cheap and tells most comes first.
    if new.source not in (None, standing.source) or new.destination not in (None, standing.destination):
        return False
    return bool(_rest(new) == _rest(standing))


def matches_on_delete(asked: Rule, standing: Rule) -> bool:
    """Tell whether the kernel, asked to remove ``asked``, would remove ``standing`` if it came to it first."""
    same_place = (asked.family, asked.priority, asked.action) == (standing.family, standing.priority, standing.action)
    return (
        same_place
        and asked.table in (None, standing.table)
        and all(getattr(asked, name) in (None, getattr(standing, name)) for name in _SELECTORS)
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
                "destination or invert; give it another priority"
            )
    return faults


def inverse_to_what_stays(entries: Sequence[Entry[Rule]], after: Iterable[Rule]) -> list[str]:
    """Return a fault for each entry that differs only in ``invert`` from one of ours that stays, unlisted.

    ``after`` are our own rules as they are to be. The kernel takes each of the two for the other, in either order.
    """
    listed = {entry.object for entry in entries}
    staying = {_view(rule): rule for rule in after if rule not in listed}
    return [
        f"{entry.where}: the kernel cannot tell it from {other} of ours, which stands and differs only in invert; "
        "give it another priority, or purge"
        for entry in entries
        if (other := staying.get(_view(entry.object)))
    ]


def _view(rule: Rule) -> View:
    """Return what a new rule meets others by."""
    return (rule.source, rule.destination, _rest(rule))


def _views(rule: Rule) -> Iterable[View]:
    # Every form, more general by what collides_on_add() does not look at, under which a new rule would meet this one.
    rest = _rest(rule)
    return {(source, destination, rest) for source in (rule.source, None) for destination in (rule.destination, None)}


class RuleSequence:
    """Turns actions on policy rules into single steps that the kernel cannot misunderstand.

    ``standing`` are our own rules in the kernel's order, ``doomed`` those of them that the plan removes.
    """

    def __init__(self, standing: Iterable[Rule], doomed: Iterable[Rule]) -> None:
        self._order: dict[tuple[int, int], list[Rule]] = {}
        # For each form of a new rule what it would meet, in the kernel's order: a dict for its order.
        self._met: dict[View, dict[Rule, None]] = {}
        for rule in standing:
            self._stands(rule)
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

    def behind(self, rule: Rule) -> list[tuple[str, Rule]]:
        """Return the steps ``(operation, rule)`` that make a standing rule the last one of its priority."""
        self._steps = []
        stand_ins = self._put_in_front([rule])
        self._remove(rule)
        self._add(rule)
        self._remove_all(stand_ins)
        return self._steps

    def _beside(self, rule: Rule) -> list[Rule]:
        return self._order.setdefault((rule.family, rule.priority), [])

    def _in_the_way(self, rule: Rule) -> list[Rule]:
        """Return what has to go before the kernel takes ``rule``, in the kernel's order."""
        return [
            other
            for other in self._met.get(_view(rule), ())
            # Of two that are taken for each other, one has to be gone for good.
            if other in self._doomed or not collides_on_add(other, rule)
        ]

    def _add(self, rule: Rule) -> None:
        in_the_way = self._in_the_way(rule)
        stand_ins = self._put_in_front(in_the_way)
        self._remove_all(in_the_way)
        self._take("add", rule)
        # What is to stay stands behind: more particular than the new one, it is not taken for that.
        for other in in_the_way:
            if other not in self._doomed:
                self._take("add", other)
        self._remove_all(stand_ins)

    def _put_in_front(self, leaving: Iterable[Rule]) -> list[Rule]:
        """Add and return stand-ins: nobody is without a rule while it is away.

        There is none where it would be mistaken for a rule of its own priority, when it comes or when it goes: that one
        would lose its place for good.
        """
        stand_ins = [replace(rule, priority=rule.priority - 1) for rule in leaving if rule.priority]
        stand_ins = [
            one
            for one in stand_ins
            if not self._met.get(_view(one)) and not any(matches_on_delete(one, other) for other in self._beside(one))
        ]
        for one in stand_ins:
            self._take("add", one)
        return stand_ins

    def _remove_all(self, rules: Iterable[Rule]) -> None:
        for rule in rules:
            self._remove(rule)

    def _remove(self, rule: Rule) -> None:
        beside = self._beside(rule)
        if rule not in beside:
            return  # it was in the way of another one, and is gone already
        for other in beside[: beside.index(rule)]:
            if matches_on_delete(rule, other):
                # It would be removed instead: put it behind. The more general one does its work meanwhile.
                self._remove(other)
                self._add(other)
        self._take("remove", rule)

    def _take(self, operation: str, rule: Rule) -> None:
        if operation == "add":
            self._stands(rule)
        else:
            self._beside(rule).remove(rule)
            for view in _views(rule):
                self._met[view].pop(rule, None)
        self._steps.append((operation, rule))

    def _stands(self, rule: Rule) -> None:
        self._beside(rule).append(rule)
        for view in _views(rule):
            self._met.setdefault(view, {})[rule] = None
