# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of routes, policy rules and interface groups: joins the planner and the executor for converge()."""

from __future__ import annotations

import functools
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..engine import AskAllowed
from ..entries import Entry, Faults, Form, Options
from ..errors import ApplyFailed, ForeignObject, InvalidInput, StepFailed
from ..plan import Action, Existing, M, Model, Plan, in_order, plan
from ..store.format import merged
from ..store.persistable import Persistable
from .executor import Executor
from .interface_availability import NOT_THERE, Skipped, available_routes, named_interfaces, renamed, resolved
from .interface_groups import InterfaceGroup, plan_groups
from .interface_names import is_too_long
from .iproute_names import ETC, Name, plan_names, texts_after
from .lists import RoutingLists, tables_form
from .local_rule import local_rule_behind, local_rule_first
from .model import MAIN_TABLE, Route, Rule
from .owner_tag import parse_owner
from .route_dump import read_routes
from .rule_identity import inverse_to_what_stays
from .snapshot import Snapshot

# Entries of ``tables`` and of ``rules``.
RoutingForm = dict[str, list[Form]]


@dataclass(frozen=True)
class RoutingPlan:
    """The plans of routes, policy rules and groups, each None when the module was not given that list, and of names.

    ``remarks`` tells which names and groups cannot be given, and why. ``skipped`` are the routes that wait for their
    interface.
    """

    routes: Plan[Route] | None
    rules: Plan[Rule] | None
    names: Plan[Name] | None = None
    groups: Plan[InterfaceGroup] | None = None
    remarks: tuple[str, ...] = ()
    skipped: Skipped = field(default_factory=Skipped)

    @property
    def actions(self) -> list[Action[Model]]:
        """The steps in order; names, which only help people to read, are last."""
        return [*self.kernel_actions, *(self.names.actions if self.names else ())]

    @property
    def kernel_actions(self) -> list[Action[Model]]:
        """The kernel's part: groups and routes are added before the rules that use them, and removed after them."""
        parts: list[Plan[InterfaceGroup] | Plan[Route] | Plan[Rule]] = []
        parts += [part for part in (self.groups, self.routes, self.rules) if part]
        adding: list[Action[Model]] = [action for part in parts for action in part.adding()]
        return adding + [action for part in reversed(parts) for action in part.removing()]


class RoutingEngine(Persistable[Snapshot, RoutingPlan]):
    """Converges routing tables, policy rules and interface groups, whose entries are as in the module's options.

    A list that is None is left alone: nothing of its kind is read, planned or purged. With ``skip_unavailable`` routes
    by an interface that is down or missing are left out and said; without it they are errors. ``ask_allowed`` says
    which tables the lines allow now, instead of those that are wanted.
    """

    entry_lists = ("routes", "rules", "groups")
    # The keeper, which never purges or names tables, reads neither our routes in other tables nor their names.
    desired_tables_only = False

    def __init__(
        self,
        tables: Sequence[object] | None = None,
        rules: Sequence[object] | None = None,
        owner: int = 109,
        purge: bool = False,
        executor: Executor | None = None,
        interface_groups: Sequence[object] | None = None,
        skip_unavailable: bool = False,
        ask_allowed: AskAllowed | None = None,
    ) -> None:
        faults = Faults()
        parsed = faults.take(lambda: RoutingLists.parse(tables, rules, interface_groups))
        tag = faults.take(lambda: parse_owner(owner))
        faults.refuse()
        lists, self.owner = parsed.value, tag.value
        self.routes, self.rules, self.groups = lists.routes, lists.rules, lists.groups
        self.names, self.table_names = lists.names, lists.table_names
        self.purge, self.skip_unavailable, self.warn_skipped = purge, skip_unavailable, True
        # Whether the last line may go, unless all disconnecting plans are allowed.
        self.allow_disconnect, self.keeps_last_line = True, False
        self.executor = executor or Executor()
        self._written = (self.routes, self.rules, self.groups)
        self._alternative_names: Mapping[str, str] = {}
        self._waiting: dict[str, str] = {}
        self._ask_allowed = ask_allowed
        # The keys of routes that the lines do not allow now, and those that they do in the form that is wanted.
        self._withdrawn: frozenset[Hashable] = frozenset()
        self._wanted_forms: Mapping[Hashable, Route] = {}

    @classmethod
    def from_options(
        cls, options: Options, desired_tables_only: bool = False, ask_allowed: AskAllowed | None = None
    ) -> RoutingEngine:
        """Return the engine for the options of policy_routing; raises InvalidInput."""
        engine = cls(
            options["tables"],
            options["rules"],
            options["protocol"],
            options["purge"],
            interface_groups=options.get("interface_groups"),
            # Stored options do not say it: the keeper always waits for interfaces.
            skip_unavailable=options.get("skip_unavailable", True),
            ask_allowed=ask_allowed,
        )
        engine.warn_skipped = options.get("warn_skipped", True)
        # The keeper never purges.
        engine.allow_disconnect = options.get("allow_disconnect", True)
        # With purge there may be routes to remove in any table.
        engine.desired_tables_only = desired_tables_only and not engine.purge
        return engine

    def read(self) -> Snapshot:
        """Return the routes, policy rules and groups of this host, as far as they are declared.

        From then on the entries have each interface under its own name, and the routes are those that the lines allow.
        Raises InvalidInput for entries that are one.
        """
        self._limit()
        kinds = [kind for kind, desired in (("route", self.routes), ("rule", self.rules)) if desired is not None]
        if self.groups is not None or (self.skip_unavailable and self.routes):
            kinds.append("link")
        unnamed = self.routes is None or self.desired_tables_only
        names_given = None if unnamed else self.executor.names.read(self.owner)
        routes = functools.partial(
            read_routes,
            desired=[*(entry.object for entry in self.routes or ()), *self._superseded_routes.values()],
            owner=self.owner,
            desired_tables_only=self.desired_tables_only,
        )
        read = self.executor.read(*kinds, routes=routes)
        current = self.executor.with_alternative_names(read, self._named_interfaces())
        if not self._alternative_names:
            self._alternative_names = names = current.alternative_names
            self.routes = self.routes and resolved(self.routes, names)
            self.rules = self.rules and resolved(self.rules, names)
            self.groups = self.groups and resolved(self.groups, names)
        return replace(current, names_given=names_given)

    @property
    def _superseded_routes(self) -> dict[Hashable, Route]:
        gone = self.superseded.get("routes", {})
        return {key: route for key, route in gone.items() if isinstance(route, Route)}

    def plan(self, current: Snapshot) -> RoutingPlan:
        """Return the plan; raises InvalidInput for an interface that does not exist, ForeignObject on conflict.

        Raises WouldDisconnect for the removal of the way to the controller or the last line, unless it is allowed.
        """
        conflicts: dict[object, str] = {}
        if not self.executor.has_ipv6:
            # Only hosts without it pay for the code.
            from .without_ipv6 import refuse_ipv6  # noqa: PLC0415 - as said

            refuse_ipv6([*(self.routes or ()), *(self.rules or ())])
        available, skipped = self._available(current)
        routes = rules = None
        if available is not None:
            withdrawn = self._withdrawn | self._superseded_routes.keys()
            routes = self._planned(available, current.routes(), conflicts, withdrawn)
        if self.rules is not None:
            rules = self._planned(self.rules, current.rules(), conflicts, self.superseded.get("rules", ()))
        if conflicts:
            raise ForeignObject(conflicts.values(), conflicts)
        self._refuse_rules(current, rules)
        names, remarks = self._plan_names(current)
        groups, reasons = self._plan_groups(current)
        # An interface that is named because of its routes is not named twice.
        remarks += [reason for group, reason in reasons.items() if group.interface not in skipped.places]
        result = RoutingPlan(routes, rules, names, groups, tuple(remarks), skipped)
        current.missing_interfaces(result.actions, {entry.object: entry.where for entry in available or ()})
        self._refuse_disconnection(result, current)
        self._waiting = {**skipped.waiting(), **{str(group): reason for group, reason in reasons.items()}}
        return result

    def _planned(
        self,
        desired: list[Entry[M]],
        existing: list[Existing[M]],
        conflicts: dict[object, str],
        withdrawn: Collection[Hashable] = (),
    ) -> Plan[M] | None:
        """Return the plan of one list; None where there are conflicts, which are added to ``conflicts``."""
        try:
            return plan(desired, existing, self.owner, self.purge, withdrawn)
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
        """Return what was listed or owned as entries of the options, by option; routes in the form that is wanted."""
        return self._form(self._as_wanted(plan), "before")

    def after(self, plan: RoutingPlan) -> RoutingForm:
        """Return the same for what is listed or owned after the plan."""
        return self._form(self._as_wanted(plan), "after")

    def lines(self, plan: RoutingPlan) -> dict[str, list[str]]:
        """Return one line a group, route, rule or name for the diff."""
        plan = self._as_wanted(plan)
        parts: list[Plan[InterfaceGroup] | Plan[Route] | Plan[Rule] | Plan[Name]] = []
        parts += [part for part in (plan.groups, plan.routes, plan.rules, plan.names) if part]
        return {
            "before": [_line(item) for part in parts for item in part.before],
            "after": [_line(item) for part in parts for item in part.after],
        }

    def state_before(self, plan: RoutingPlan) -> Form:
        """Return the routes, rules and groups before the plan as options, as they are."""
        return dict(self._form(plan, "before"))

    def to_store(self, older: RoutingEngine | None, plan: RoutingPlan) -> Form:
        """Return the tables and rules to store; for a list that is not given, those of ``older``.

        Objects of another owner are left to that owner: at boot they would be ours if we came first.
        """

        def kept(listed: list[Entry[M]] | None, before: list[Entry[M]] | None, done: Plan[M] | None) -> list[M] | None:
            if listed is None:
                return None if before is None else [entry.object for entry in before]
            own = functools.partial(renamed, names=self._alternative_names)
            found = merged(before or [], listed, self.purge, lambda item: own(item).key)
            return [item for item in found if done is None or own(item) not in done.others]

        before = older._written if older else (None, None, None)
        routes = kept(self._written[0], before[0], plan.routes)
        rules = kept(self._written[1], before[1], plan.rules)
        groups = kept(self._written[2], before[2], plan.groups)
        names = {**(older.names if older else {}), **self.names}
        form: Form = {} if routes is None else {"tables": tables_form(routes, names)}
        if rules is not None:
            form["rules"] = [rule.as_input() for rule in rules]
        if groups is not None:
            form["interface_groups"] = [group.as_input() for group in groups]
        return form

    def remarks(self, plan: RoutingPlan) -> Form:
        """Return what a result says besides: what was ``skipped``, and ``warnings`` of that, of names and of groups."""
        warnings = [*plan.remarks, *(plan.skipped.warnings() if self.warn_skipped else ())]
        found: Form = {"warnings": warnings} if warnings else {}
        return {**found, "skipped": plan.skipped.as_result()} if plan.skipped.places else found

    def withdraw(self, current: Snapshot) -> None:
        """Remove our rules that look up main first, where the rule ``lookup local`` does not come before them.

        The host would not be reachable at its own addresses otherwise; our other rules do not select what comes in.
        """
        if self.rules is None:
            return
        ours = [(item.object, "") for item in current.rules() if item.owner == self.owner]
        families = dict(local_rule_behind(current.messages["rule"], ours))
        doing_harm = [
            Action("remove", item.object, item)
            for item in current.rules()
            if item.owner == self.owner and item.object.table == MAIN_TABLE and item.object.family in families
        ]
        refused = self.executor.repair(doing_harm, current, self.owner) if doing_harm else {}
        if refused:
            raise ApplyFailed("cannot remove our rules that look up main", "; ".join(refused.values()))

    def waiting(self) -> dict[str, str]:
        """Return the routes and groups that wait for their interface, each with the reason."""
        return self._waiting

    def _refuse_rules(self, current: Snapshot, done: Plan[Rule] | None) -> None:
        """Raise InvalidInput for rules that the kernel mistakes for others, or that would cut the host off."""
        if self.rules is None or done is None:
            return
        # A rule may wait for its interface, but only under a name that the interface can have.
        unknown = {
            entry.object: entry.where
            for entry in self.rules
            if (entry.object.in_interface or entry.object.out_interface)
            and any(map(is_too_long, named_interfaces(entry.object)))
        }
        if unknown:
            reason = f"an interface of this name {NOT_THERE}"
            raise InvalidInput([f"{where}: {reason}" for where in unknown.values()], dict.fromkeys(unknown, reason))
        ours = [entry for entry in self.rules if entry.object not in done.others]
        faults = inverse_to_what_stays(ours, [rule for rule in done.after if rule not in done.others])
        faults += local_rule_first(current.messages["rule"], ((entry.object, entry.where) for entry in self.rules))
        if faults:
            raise InvalidInput(faults)

    def _refuse_disconnection(self, plan: RoutingPlan, current: Snapshot) -> None:
        """Raise WouldDisconnect for the removal of the way to the controller or of the last line, unless allowed."""
        parts = [part for part in (plan.routes, plan.rules) if part]
        if self.allow_disconnect or all(action.op == "add" for part in parts for action in part.actions):
            return
        # Only a run that removes something needs them.
        from .disconnection import refuse_routes  # noqa: PLC0415 - as said
        from .way_back import Steps, refuse_way_back  # noqa: PLC0415 - as said

        steps = Steps(
            self.owner,
            plan.routes.actions if plan.routes else (),
            plan.rules.actions if plan.rules else (),
            plan.groups.actions if plan.groups else (),
            plan.routes.after if plan.routes else (),
        )
        refuse_way_back(steps)
        refuse_routes(steps, functools.partial(_all_routes, current) if self.keeps_last_line else None)

    def _limit(self) -> None:
        """Replace the wanted routes by those that the lines allow now; asked once, before the first reading."""
        allowed = self._ask_allowed() if self._ask_allowed and self.routes is not None else None
        self._ask_allowed = None
        wanted = self._written[0]
        if allowed is None or not wanted:
            return
        self._withdrawn = frozenset(
            entry.object.key for entry in RoutingLists.parse(allowed.withdrawn["tables"], None).routes or ()
        )
        changed = RoutingLists.parse(allowed.options["tables"], None).routes or []
        self._wanted_forms = {
            now.object.key: entry.object for entry, now in zip(wanted, changed) if entry.object != now.object
        }
        if self._wanted_forms:
            left = {entry.object.key for entry in self.routes or ()}
            self.routes = [now for entry, now in zip(wanted, changed) if entry.object.key in left]

    def _as_wanted(self, plan: RoutingPlan) -> RoutingPlan:
        """Return the plan with routes in the form that is wanted, where the lines allow another one now."""
        if plan.routes is None or not self._wanted_forms:
            return plan
        forms = self._wanted_forms

        def wanted(routes: Sequence[Route]) -> tuple[Route, ...]:
            return in_order(
                replace(route, metric=forms[route.key].metric) if route.key in forms else route for route in routes
            )

        routes = replace(plan.routes, before=wanted(plan.routes.before), after=wanted(plan.routes.after))
        return replace(plan, routes=routes)

    def _named_interfaces(self) -> set[str]:
        listed = [*(self.routes or []), *(self.rules or []), *(self.groups or [])]
        return {name for entry in listed for name in named_interfaces(entry.object)}

    def _available(self, current: Snapshot) -> tuple[list[Entry[Route]] | None, Skipped]:
        skipped = Skipped()
        if not self.routes or not self.skip_unavailable:
            return self.routes, skipped
        down = frozenset(link.name for link in current.links if not link.up)
        return available_routes(self.routes, current.interfaces, down, skipped), skipped

    def _plan_groups(self, current: Snapshot) -> tuple[Plan[InterfaceGroup] | None, dict[InterfaceGroup, str]]:
        if self.groups is None:
            return None, {}
        groups = {link.name: link.group for link in current.links}
        return plan_groups(self.groups, groups, self.owner, self.purge)

    def _plan_names(self, current: Snapshot) -> tuple[Plan[Name] | None, list[str]]:
        if self.routes is None or current.names_given is None:
            return None, []
        return plan_names(self.table_names, current.names_given, self.owner, self.purge)

    def _form(self, plan: RoutingPlan, side: str) -> RoutingForm:
        form: RoutingForm = {}
        if plan.routes is not None:
            in_files = {entry.object.number for entry in self.table_names}
            names = {number: name for number, name in self.names.items() if number not in in_files}
            given = getattr(plan.names, side) if plan.names else ()
            form["tables"] = tables_form(getattr(plan.routes, side), names, given)
        parts: tuple[tuple[str, Plan[Rule] | Plan[InterfaceGroup] | None], ...] = (
            ("rules", plan.rules),
            ("interface_groups", plan.groups),
        )
        for name, part in parts:
            if part is not None:
                form[name] = [item.as_input() for item in getattr(part, side)]
        return form


def _all_routes(current: Snapshot) -> list[Route]:
    return [item.object for item in current.routes()]


def _line(item: Route | Rule | Name | InterfaceGroup) -> str:
    if not isinstance(item, Route):
        return str(item)
    shown = item.as_input()
    way = {name: value for name, value in shown.items() if name not in ("table", "destination", "metric")}
    return f"{item}: " + ", ".join(f"{name} {value}" for name, value in way.items())
