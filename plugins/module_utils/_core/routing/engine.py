# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of routes and policy rules: joins the planner and the executor for converge()."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from ..entries import Entry, Faults, Form, Options
from ..errors import ForeignObject, InvalidInput, StepFailed
from ..plan import Action, Existing, M, Model, Plan, plan
from ..store.format import merged
from ..store.persistable import Persistable
from .executor import Executor
from .iproute_names import ETC, Name, plan_names, texts_after
from .lists import RoutingLists, tables_form
from .model import Route, Rule
from .owner import parse_owner
from .rule_sequence import inverse_to_what_stays
from .snapshot import Snapshot

# Entries of ``tables`` and of ``rules``.
RoutingForm = dict[str, list[Form]]


@dataclass(frozen=True)
class RoutingPlan:
    """The plans of routes and of policy rules, each None when the module was not given that list, and of names.

    ``remarks`` tells which names cannot be given, and why.
    """

    routes: Plan[Route] | None
    rules: Plan[Rule] | None
    names: Plan[Name] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def actions(self) -> list[Action[Model]]:
        """The steps in order; names, which only help people to read, are last."""
        return [*self.kernel_actions, *(self.names.actions if self.names else ())]

    @property
    def kernel_actions(self) -> list[Action[Model]]:
        """The kernel's part: routes are added before the rules that use them, and removed after them."""
        routes, rules = self.routes, self.rules
        adding: list[Action[Model]] = [*(routes.adding() if routes else ()), *(rules.adding() if rules else ())]
        removing: list[Action[Model]] = [*(rules.removing() if rules else ()), *(routes.removing() if routes else ())]
        return adding + removing


class RoutingEngine(Persistable[Snapshot, RoutingPlan]):
    """Converges routing tables and policy rules. ``tables`` and ``rules`` are entries as in the module's options.

    A list that is None is left alone: nothing of its kind is read, planned or purged.
    """

    entry_lists = ("routes", "rules")

    def __init__(
        self,
        tables: Sequence[object] | None = None,
        rules: Sequence[object] | None = None,
        owner: int = 109,
        purge: bool = False,
        executor: Executor | None = None,
    ) -> None:
        faults = Faults()
        parsed = faults.take(lambda: RoutingLists.parse(tables, rules))
        tag = faults.take(lambda: parse_owner(owner))
        faults.refuse()
        lists, self.owner = parsed.value, tag.value
        self.routes, self.rules = lists.routes, lists.rules
        self.names, self.table_names = lists.names, lists.table_names
        self.purge = purge
        self.executor = executor or Executor()

    @classmethod
    def from_options(cls, options: Options) -> RoutingEngine:
        """Return the engine for the options of policy_routing; raises InvalidInput."""
        return cls(options["tables"], options["rules"], options["protocol"], options["purge"])

    def read(self) -> Snapshot:
        """Return the routes and policy rules of this host, as far as they are declared."""
        kinds = [kind for kind, desired in (("route", self.routes), ("rule", self.rules)) if desired is not None]
        names_given = None if self.routes is None else self.executor.names.read(self.owner)
        return replace(self.executor.read(*kinds), names_given=names_given)

    def plan(self, current: Snapshot) -> RoutingPlan:
        """Return the plan; raises InvalidInput for an interface that does not exist, ForeignObject on conflict."""
        conflicts: dict[object, str] = {}
        routes = rules = None
        if self.routes is not None:
            routes = self._planned(self.routes, current.routes(), conflicts)
        if self.rules is not None:
            rules = self._planned(self.rules, current.rules(), conflicts)
        if conflicts:
            raise ForeignObject(conflicts.values(), conflicts)
        _refuse_inverse_rules(self.rules, rules)
        names, remarks = self._plan_names(current)
        result = RoutingPlan(routes, rules, names, tuple(remarks))
        current.missing_interfaces(result.actions, {entry.object: entry.where for entry in self.routes or ()})
        return result

    def _planned(
        self, desired: list[Entry[M]], existing: list[Existing[M]], conflicts: dict[object, str]
    ) -> Plan[M] | None:
        """Return the plan of one list; None where there are conflicts, which are added to ``conflicts``."""
        try:
            return plan(desired, existing, self.owner, self.purge)
        except ForeignObject as error:
            conflicts.update(error.objects)
            return None

    def apply(self, plan: RoutingPlan, current: Snapshot) -> None:
        """Carry the plan out; raises StepFailed once anything was changed."""
        if plan.kernel_actions:
            self.executor.apply(plan.kernel_actions, current, self.owner)
        if plan.names and plan.names.actions and current.names_given:
            try:
                self.executor.names.write(texts_after(plan.names, current.names_given), self.owner)
            except OSError as error:
                raise StepFailed(f"cannot write names to {ETC}", str(error), plan.kernel_actions) from error

    def restore(self, plan: RoutingPlan, current: Snapshot) -> list[str]:
        """Restore the routes, the rules and the names of ``current``; return what could not be restored."""
        failures = self.executor.restore(plan.kernel_actions, current, self.owner)
        if plan.names and plan.names.actions and current.names_given:
            try:
                changed = texts_after(plan.names, current.names_given)
                self.executor.names.restore({kind: current.names_given.texts[kind] for kind in changed}, self.owner)
            except OSError as error:
                failures.append(f"names in {ETC}: {error}")
        return failures

    def steps(self, plan: RoutingPlan) -> list[Action[Model]]:
        """Return the kernel's part of a plan: the names are files, and need no keeper."""
        return plan.kernel_actions

    def repair(self, plan: RoutingPlan, current: Snapshot) -> dict[Hashable, str]:
        """Carry out each action of the kernel's part that can be; return the reasons of the others, by their keys."""
        return self.executor.repair(plan.kernel_actions, current, self.owner)

    def before(self, plan: RoutingPlan) -> RoutingForm:
        """Return ``{"tables": [...], "rules": [...]}`` as entries of the options, of the listed or owned objects."""
        routes, rules = plan.routes.before if plan.routes else None, plan.rules.before if plan.rules else None
        return self._form(routes, rules, plan.names.before if plan.names else ())

    def after(self, plan: RoutingPlan) -> RoutingForm:
        """Return the same for the listed or owned objects after the plan."""
        routes, rules = plan.routes.after if plan.routes else None, plan.rules.after if plan.rules else None
        return self._form(routes, rules, plan.names.after if plan.names else ())

    def lines(self, plan: RoutingPlan) -> dict[str, list[str]]:
        """Return one line a route, rule or name for the diff."""
        plans: tuple[Plan[Route | Rule | Name] | None, ...] = (plan.routes, plan.rules, plan.names)
        parts = [part for part in plans if part]
        return {
            "before": [_line(item) for part in parts for item in part.before],
            "after": [_line(item) for part in parts for item in part.after],
        }

    def to_store(self, older: RoutingEngine | None, plan: RoutingPlan) -> Form:
        """Return the tables and rules to store; for a list that is not given, those of ``older``.

        Objects of another owner are left to that owner: at boot they would be ours if we came first.
        """

        def kept(listed: list[Entry[M]] | None, before: list[Entry[M]] | None, done: Plan[M] | None) -> list[M] | None:
            if listed is None:
                return None if before is None else [entry.object for entry in before]
            kept_or_listed = merged(before or [], listed, self.purge, lambda item: item.key)
            return [item for item in kept_or_listed if done is None or item not in done.others]

        routes = kept(self.routes, older.routes if older else None, plan.routes)
        rules = kept(self.rules, older.rules if older else None, plan.rules)
        names = {**(older.names if older else {}), **self.names}
        form: Form = {} if routes is None else {"tables": tables_form(routes, names)}
        return form if rules is None else {**form, "rules": [rule.as_input() for rule in rules]}

    def remarks(self, plan: RoutingPlan) -> dict[str, list[str]]:
        """Return additional results: ``warnings`` of names that cannot be given."""
        return {"warnings": list(plan.remarks)} if plan.remarks else {}

    def _plan_names(self, current: Snapshot) -> tuple[Plan[Name] | None, list[str]]:
        if self.routes is None or current.names_given is None:
            return None, []
        return plan_names(self.table_names, current.names_given, self.owner, self.purge)

    def _form(self, routes: Sequence[Route] | None, rules: Sequence[Rule] | None, given: Sequence[Name]) -> RoutingForm:
        form: RoutingForm = {}
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
