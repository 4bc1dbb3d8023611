# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of the forward policy, which converge() drives, on all places where a packet filter decides.

The policy ``drop`` needs an own chain that drops everything else, in the selected backend. Besides, with either policy,
an own chain of iptables exists where other rules of iptables would drop traffic that is to pass: an accept before them
helps, while in nftables every chain has to accept. Only forwarded traffic is ever dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..entries import Faults, Form
from ..errors import InvalidInput, Unsupported
from ..fields import shown
from ..filters.backend import Step, apply_all, restore_all, step
from ..filters.iptables import Iptables
from ..filters.nftables import DEFAULT_TABLE, Nftables, table_name
from ..filters.selection import Selection, select
from ..plan import Action, Existing, Model, Part, Setting, plan
from ..store.format import merged
from ..store.persistable import Persistable
from .backend import ForwardBackend, State
from .iptables import IptablesForward
from .model import DROP, LEAVE, POLICIES, Forwarding, parse_accept
from .nftables import NftablesForward

# The collection owns everything in its own chains; the planner needs a number for that.
_OWN = 0


@dataclass(frozen=True)
class ForwardPlan:
    """The steps in order, the forwarded traffic before and after them, and the desired state of each changed place."""

    actions: tuple[Action[Model], ...]
    before: Forwarding
    after: Forwarding
    changed: Mapping[str, Forwarding | None]


class ForwardEngine(Persistable[Mapping[str, State], ForwardPlan]):
    """Converges the forwarded traffic. ``accept`` are entries as in the module's option."""

    def __init__(
        self,
        policy: str,
        accept: Sequence[object],
        table: str = DEFAULT_TABLE,
        purge: bool = False,
        backend: str = "auto",
        selection: Selection[list[ForwardBackend]] | None = None,
    ) -> None:
        faults = Faults()
        desired = faults.take(lambda: parse_accept(accept))
        name = faults.take(lambda: table_name(table))
        parsed_policy = faults.take(lambda: _parse_policy(policy))
        faults.refuse()
        self.desired, self.policy = desired.value, parsed_policy.value
        self.selection = selection or select(backend, name.value, make_backends, "filter")
        self.purge = purge
        # All of them may hold, or need, an own chain; nftables comes first in results.
        backends = [*self.selection.backend, *(self.selection.other or [])]
        self.backends = sorted(backends, key=lambda one: one.name == "iptables")

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> ForwardEngine:
        """Return the engine for the options of forward_policy; raises InvalidInput, or Unsupported."""
        return cls(**{name: options[name] for name in ("policy", "accept", "table", "purge", "backend")})

    def read(self) -> dict[str, State]:
        """Return the state of each place. Raises Unsupported where that of the selected backend cannot be read."""
        found: dict[str, State] = {}
        for backend in self.backends:
            try:
                found[backend.place] = backend.read()
            except Unsupported:
                # A table that iptables cannot handle holds no own chain; preflight reports what it drops.
                if self.policy == DROP and backend.name == self.selection.name:
                    raise
                if backend.name == "nftables" and self.selection.hides_table():
                    raise
        return found

    def plan(self, current: Mapping[str, State]) -> ForwardPlan:
        """Return the plan; raises InvalidInput for traffic that a needed place cannot express."""
        here = [state.forwarding for state in current.values() if state.forwarding is not None]
        policy = DROP if any(found.policy == DROP for found in here) else LEAVE
        before = Forwarding.of(policy, (passage for found in here for passage in found.passages))
        planned = plan(self.desired, [Existing(passage, _OWN) for passage in before.passages], _OWN, self.purge)
        wanted = Forwarding.of(self.policy, planned.after)
        backends = [backend for backend in self.backends if backend.place in current]
        desired = {backend.place: self._desired_at(backend, current[backend.place], wanted) for backend in backends}
        faults = [fault for backend in backends for fault in backend.faults(desired[backend.place] or Forwarding())]
        if faults:
            raise InvalidInput(faults)
        # Traffic that nothing would drop needs no passage, and gets none.
        after = Forwarding.of(self.policy, (p for found in desired.values() if found for p in found.passages))
        changed = {place: found for place, found in desired.items() if _differs(current[place], found)}
        return ForwardPlan(tuple(_actions(before, after, current, changed)), before, after, changed)

    def _desired_at(self, backend: ForwardBackend, current: State, wanted: Forwarding) -> Forwarding | None:
        """Return the desired forwarding of a place, None for no chain."""
        own = wanted if len(backend.families) > 1 else wanted.of_family(backend.families[0])
        if self.policy == DROP and backend.name == self.selection.name:
            return own
        return Forwarding(LEAVE, own.passages) if current.drops(own) else None

    def apply(self, plan: ForwardPlan, current: Mapping[str, State]) -> None:
        """Carry the plan out, places that accept before those that drop; raises ApplyFailed or StepFailed."""
        apply_all(self._steps(plan, current))

    def restore(self, plan: ForwardPlan, current: Mapping[str, State]) -> list[str]:
        """Restore ``current``; return what could not be restored."""
        return restore_all(self._steps(plan, current))

    def _steps(self, plan: ForwardPlan, current: Mapping[str, State]) -> list[Step]:
        found: list[Step] = []
        changing = [backend for backend in self.backends if backend.place in plan.changed]
        for backend in sorted(changing, key=lambda one: _policy(plan.changed[one.place]) == DROP):
            state = current[backend.place]
            found += step(backend, backend.change(state, plan.changed[backend.place]), state)
        return found

    def before(self, plan: ForwardPlan) -> Form:
        """Return ``policy`` and ``accept`` before the plan."""
        return _form(plan.before)

    def after(self, plan: ForwardPlan) -> Form:
        """Return ``policy`` and ``accept`` after the plan."""
        return _form(plan.after)

    def lines(self, plan: ForwardPlan) -> dict[str, list[str]]:
        """Return the policy and one line a passage for the diff."""
        return {"before": _lines(plan.before), "after": _lines(plan.after)}

    def state_before(self, plan: ForwardPlan) -> Form:
        """Return the forwarded traffic before the plan as options."""
        return self.before(plan)

    def to_store(self, older: ForwardEngine | None, _plan: ForwardPlan) -> Form:
        """Return the policy and all passages, needed now or not; ``older`` is the stored engine."""
        kept = merged(older.desired if older else [], self.desired, self.purge, lambda passage: passage.key)
        return {"policy": self.policy, "accept": [passage.as_input() for passage in kept]}


def configured(table: str) -> Form:
    """Return the configured ``policy`` and ``accept``; raises Unsupported without nft and iptables."""
    engine = ForwardEngine(LEAVE, [], table)
    return engine.before(engine.plan(engine.read()))


def make_backends(name: str, table: str, in_charge: bool) -> list[ForwardBackend]:
    """Return the places of a backend; raises InvalidInput when it cannot use the table's name."""
    if name == "nftables":
        return [NftablesForward(Nftables(table))]
    iptables = Iptables()
    return [IptablesForward(table, family, iptables, in_charge) for family in iptables.families()]


def _parse_policy(policy: object) -> str:
    if policy not in POLICIES:
        raise InvalidInput([f"policy {shown(policy)}: not one of {', '.join(POLICIES)}"])
    return str(policy)


def _policy(forwarding: Forwarding | None) -> str:
    return forwarding.policy if forwarding else LEAVE


def _differs(current: State, desired: Forwarding | None) -> bool:
    return current.forwarding != desired or bool(current.faults)


def _actions(
    before: Forwarding, after: Forwarding, current: Mapping[str, State], changed: Mapping[str, Forwarding | None]
) -> list[Action[Model]]:
    """Return the steps as results show them: new places, the policy, passages, and removed places."""
    adding: list[Action[Model]] = []
    removing: list[Action[Model]] = []
    for place, desired in changed.items():
        state = current[place]
        if desired is None:
            removing.append(Action("remove", Part(place)))
        elif state.forwarding is None:
            adding.append(Action("add", Part(place)))
        elif state.faults or before == after:
            adding.append(Action("replace", Part(place)))
    if before.policy != after.policy:
        adding.append(Action("replace", Setting("policy", after.policy)))
    adding += [Action("add", passage) for passage in after.passages if passage not in before.passages]
    gone = [Action("remove", passage) for passage in before.passages if passage not in after.passages]
    return adding + gone + removing


def _form(forwarding: Forwarding) -> Form:
    return {"policy": forwarding.policy, "accept": [passage.as_input() for passage in forwarding.passages]}


def _lines(forwarding: Forwarding) -> list[str]:
    return [f"policy {forwarding.policy}", *map(str, forwarding.passages)]
