# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of routes and policy rules: what converge() drives, over the one planner and the one executor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..entries import Entry, collect
from ..errors import ApplyFailed, ForeignObject, InvalidInput
from ..plan import Action, M, Plan, plan
from ..store.format import merged
from ..store.persistable import Keepable
from .executor import Kernel
from .iproute_names import ETC, Name, plan_names, texts_after
from .lists import RoutingLists, tables_form
from .model import Route, Rule
from .owner import parse_owner
from .rule_sequence import inverse_to_what_stays
from .snapshot import Snapshot


@dataclass(frozen=True)
class RoutingPlan:
    """The plans of routes and of policy rules, each None when the module was not given that list, and of names.

    ``remarks`` says which names cannot be given, and why.
    """

    routes: Plan[Route] | None
    rules: Plan[Rule] | None
    names: Plan[Name] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def actions(self) -> list[Action[Any]]:
        """The steps in order; names, which only help people to read, come last."""
        return [*self.kernel_actions, *(self.names.actions if self.names else ())]

    @property
    def kernel_actions(self) -> list[Action[Any]]:
        """The kernel's part: routes come before the rules that use them, and go after them."""
        routes, rules = self.routes, self.rules
        adding = [*(routes.adding() if routes else ()), *(rules.adding() if rules else ())]
        removing = [*(rules.removing() if rules else ()), *(routes.removing() if routes else ())]
        return adding + removing


class RoutingEngine(Keepable):
    """Converges routing tables and policy rules. ``tables`` and ``rules`` are entries as in the module's options.

    A list that is None is left alone: nothing of its kind is read, planned or purged.
    """

    entry_lists = ("routes", "rules")

    def __init__(
        self,
        tables: Sequence[Any] | None = None,
        rules: Sequence[Any] | None = None,
        owner: int = 109,
        purge: bool = False,
        kernel: Kernel | None = None,
    ) -> None:
        parts: list[Any] = [lambda: RoutingLists.parse(tables, rules), lambda: parse_owner(owner)]
        lists, self.owner = collect(*parts)
        self.routes: list[Entry[Route]] | None = lists.routes
        self.rules: list[Entry[Rule]] | None = lists.rules
        self.names: dict[int, str] = lists.names
        self.table_names: list[Entry[Name]] = lists.table_names
        self.purge = purge
        self.kernel = kernel or Kernel()

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> RoutingEngine:
        """Return the engine for the options of policy_routing; raises InvalidInput."""
        return cls(options["tables"], options["rules"], options["protocol"], options["purge"])

    def read(self) -> Snapshot:
        """Return the routes and policy rules of this host, as far as they are declared."""
        kinds = [kind for kind, wanted in (("route", self.routes), ("rule", self.rules)) if wanted is not None]
        names_given = None if self.routes is None else self.kernel.names.read(self.owner)
        return replace(self.kernel.read(*kinds), names_given=names_given)

    def plan(self, current: Snapshot) -> RoutingPlan:
        """Return the plan; raises InvalidInput for an interface that does not exist, ForeignObject on conflict."""
        plans: dict[str, Any] = {"route": None, "rule": None}
        conflicts: dict[Any, str] = {}
        lists: tuple[tuple[str, list[Entry[Any]] | None], ...] = (("route", self.routes), ("rule", self.rules))
        for kind, desired in lists:
            if desired is None:
                continue
            try:
                plans[kind] = plan(desired, current.existing(kind), self.owner, self.purge)
            except ForeignObject as error:
                conflicts.update(error.objects)
        if conflicts:
            raise ForeignObject(conflicts.values(), conflicts)
        _refuse_inverse_rules(self.rules, plans["rule"])
        names, remarks = self._plan_names(current)
        result = RoutingPlan(plans["route"], plans["rule"], names, tuple(remarks))
        current.missing_interfaces(result.actions, {entry.object: entry.where for entry in self.routes or ()})
        return result

    def apply(self, plan: RoutingPlan, current: Snapshot) -> None:
        """Carry the plan out, all or nothing."""
        if plan.kernel_actions:
            self.kernel.apply(plan.kernel_actions, current, self.owner)
        if plan.names and plan.names.actions and current.names_given:
            try:
                self.kernel.names.write(texts_after(plan.names, current.names_given), self.owner)
            except OSError as error:
                done = [str(action) for action in plan.kernel_actions]
                raise ApplyFailed(f"cannot write names to {ETC}", str(error), done, self.undo(plan, current)) from error

    def undo(self, plan: RoutingPlan, current: Snapshot) -> list[str]:
        """Put back the routes, the rules and the names of ``current``."""
        failures = self.kernel.undo(current, self.owner)
        if plan.names and plan.names.actions and current.names_given:
            try:
                changed = texts_after(plan.names, current.names_given)
                self.kernel.names.write({kind: current.names_given.texts[kind] for kind in changed}, self.owner)
            except OSError as error:
                failures.append(f"names in {ETC}: {error}")
        return failures

    def steps(self, plan: RoutingPlan) -> list[Action[Any]]:
        """Return the kernel's part of a plan: the names are files, and stay by themselves."""
        return plan.kernel_actions

    def repair(self, plan: RoutingPlan, current: Snapshot) -> dict[Any, str]:
        """Carry out what can be of the kernel's part of the plan; return why not, by the keys of the others."""
        return self.kernel.repair(plan.kernel_actions, current, self.owner)

    def before(self, plan: RoutingPlan) -> dict[str, list[dict[str, Any]]]:
        """Return ``{"tables": [...], "rules": [...]}`` as entries of the options, with what was listed or owned."""
        routes, rules = plan.routes.before if plan.routes else None, plan.rules.before if plan.rules else None
        return self._form(routes, rules, plan.names.before if plan.names else ())

    def after(self, plan: RoutingPlan) -> dict[str, list[dict[str, Any]]]:
        """Return the same for what is listed or owned after the plan."""
        routes, rules = plan.routes.after if plan.routes else None, plan.rules.after if plan.rules else None
        return self._form(routes, rules, plan.names.after if plan.names else ())

    def lines(self, plan: RoutingPlan) -> dict[str, list[str]]:
        """Return one line a route, rule or name for the diff."""
        parts: list[Plan[Any]] = [part for part in (plan.routes, plan.rules, plan.names) if part]
        return {
            "before": [_line(item) for part in parts for item in part.before],
            "after": [_line(item) for part in parts for item in part.after],
        }

    def to_store(self, older: RoutingEngine | None, plan: RoutingPlan) -> dict[str, Any]:
        """Return the tables and rules to store; of a list that is not given, what ``older`` has stays.

        What somebody else has put here is theirs to put back: at boot it would be ours if we came first.
        """

        def kept(listed: list[Entry[M]] | None, before: list[Entry[M]] | None, done: Plan[M] | None) -> list[M] | None:
            if listed is None:
                return None if before is None else [entry.object for entry in before]
            found = merged(before or [], listed, self.purge, lambda item: item.key)
            return [item for item in found if done is None or item not in done.others]

        routes = kept(self.routes, older.routes if older else None, plan.routes)
        rules = kept(self.rules, older.rules if older else None, plan.rules)
        names = {**(older.names if older else {}), **self.names}
        form: dict[str, Any] = {} if routes is None else {"tables": tables_form(routes, names)}
        return form if rules is None else {**form, "rules": [rule.as_input() for rule in rules]}

    def remarks(self, plan: RoutingPlan) -> dict[str, list[str]]:
        """Return what a result says besides: ``warnings`` of names that cannot be given."""
        return {"warnings": list(plan.remarks)} if plan.remarks else {}

    def _plan_names(self, current: Snapshot) -> tuple[Plan[Name] | None, list[str]]:
        if self.routes is None or current.names_given is None:
            return None, []
        return plan_names(self.table_names, current.names_given, self.owner, self.purge)

    def _form(
        self, routes: Sequence[Route] | None, rules: Sequence[Rule] | None, given: Sequence[Name]
    ) -> dict[str, list[dict[str, Any]]]:
        form: dict[str, list[dict[str, Any]]] = {}
        if routes is not None:
            in_files = {entry.object.number for entry in self.table_names}
            names = {number: name for number, name in self.names.items() if number not in in_files}
            form["tables"] = tables_form(routes, names, given)
        if rules is not None:
            form["rules"] = [rule.as_input() for rule in rules]
        return form


def _refuse_inverse_rules(rules: list[Entry[Rule]] | None, done: Plan[Rule] | None) -> None:
    if rules is None or done is None:
        return
    ours = [entry for entry in rules if entry.object not in done.others]
    faults = inverse_to_what_stays(ours, [rule for rule in done.after if rule not in done.others])
    if faults:
        raise InvalidInput(faults)


def _line(item: Route | Rule | Name) -> str:
    if not isinstance(item, Route):
        return str(item)
    shown = item.as_input()
    way = {name: value for name, value in shown.items() if name not in ("table", "destination", "metric")}
    return f"{item}: " + ", ".join(f"{name} {value}" for name, value in way.items())
