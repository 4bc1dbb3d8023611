# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a sequence of requests that changes policy rules although the kernel confuses some of them: rule_identity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .model import Rule
from .rule_identity import View, collides_on_add, matches_on_delete, view, views


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
            for other in self._met.get(view(rule), ())
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
            if not self._met.get(view(one)) and not any(matches_on_delete(one, other) for other in self._beside(one))
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
            for form in views(rule):
                self._met[form].pop(rule, None)
        self._steps.append((operation, rule))

    def _append(self, rule: Rule) -> None:
        self._beside(rule).append(rule)
        for form in views(rule):
            self._met.setdefault(form, {})[rule] = None
