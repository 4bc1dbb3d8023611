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
from .clamp_backends import IptablesClamps, NftablesClamps
from .clamps import OFF, Clamp, parse_clamps
from .iptables import IptablesForward
from .model import DROP, LEAVE, POLICIES, Forwarding, Passage, parse_accept
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
        mss: Sequence[object] | None = None,
    ) -> None:
        faults = Faults()
        desired = faults.take(lambda: parse_accept(accept))
        clamps = faults.take(lambda: parse_clamps(mss))
        name = faults.take(lambda: table_name(table))
        parsed_policy = faults.take(lambda: _parse_policy(policy))
        faults.refuse()
        self.desired, self.policy = desired.value, parsed_policy.value
        self.clamps = [entry for entry in clamps.value if entry.object.mss != OFF]
        self._without_clamp = {entry.object.interface for entry in clamps.value if entry.object.mss == OFF}
        self.selection = selection or select(backend, name.value, make_backends, "filter", "mangle")
        self.purge = purge
        # All of them may hold, or need, an own chain; nftables comes first in results.
        backends = [*self.selection.backend, *(self.selection.other or [])]
        self.backends = sorted(backends, key=lambda one: one.name == "iptables")

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> ForwardEngine:
        """Return the engine for the options of forward_policy; raises InvalidInput, or Unsupported."""
        names = ("policy", "accept", "table", "purge", "backend", "mss")
        return cls(**{name: options[name] for name in names if name in options})

    def read(self) -> dict[str, State]:
        """Return the state of each place. Raises Unsupported where that of the selected backend cannot be read."""
        found: dict[str, State] = {}
        for backend in self.backends:
            try:
                found[backend.place] = backend.read()
            except Unsupported:
                # A table that iptables cannot handle holds no own chain; preflight reports what it drops.
                is_needed = bool(self.clamps) if backend.clamps else self.policy == DROP
                if is_needed and backend.name == self.selection.name:
                    raise
                if backend.name == "nftables" and self.selection.hides_table():
                    raise
        return found

    def plan(self, current: Mapping[str, State]) -> ForwardPlan:
        """Return the plan; raises InvalidInput for traffic that a needed place cannot express."""
        here = [state.forwarding for state in current.values() if state.forwarding is not None]
        policy = DROP if any(found.policy == DROP for found in here) else LEAVE
        before = Forwarding.of(policy, *_parts(here))
        planned = plan(self.desired, [Existing(passage, _OWN) for passage in before.passages], _OWN, self.purge)
        clamps = plan(self.clamps, [Existing(clamp, _OWN) for clamp in before.clamps], _OWN, self.purge).after
        limits = [clamp for clamp in clamps if clamp.interface not in self._without_clamp]
        wanted = Forwarding.of(self.policy, planned.after, limits)
        backends = [backend for backend in self.backends if backend.place in current]
        desired = {backend.place: self._desired_at(backend, current[backend.place], wanted) for backend in backends}
        faults = [fault for backend in backends for fault in backend.faults(desired[backend.place] or Forwarding())]
        if faults:
            raise InvalidInput(faults)
        # Traffic that nothing would drop needs no passage, and gets none.
        after = Forwarding.of(self.policy, *_parts([found for found in desired.values() if found]))
        changed = {place: found for place, found in desired.items() if _differs(current[place], found)}
        return ForwardPlan(tuple(_actions(before, after, current, changed)), before, after, changed)

    def _desired_at(self, backend: ForwardBackend, current: State, wanted: Forwarding) -> Forwarding | None:
        """Return the desired forwarding of a place, None for no chain."""
        if backend.clamps:
            is_here = bool(wanted.clamps) and backend.name == self.selection.name
            return Forwarding(LEAVE, (), wanted.clamps) if is_here else None
        passages = Forwarding(wanted.policy, wanted.passages)
        own = passages if len(backend.families) > 1 else passages.of_family(backend.families[0])
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
        clamps = merged(older.clamps if older else [], self.clamps, self.purge, lambda clamp: clamp.key)
        limits = [clamp for clamp in clamps if clamp.interface not in self._without_clamp]
        return _form(Forwarding(self.policy, tuple(kept), tuple(limits)))


def configured(table: str) -> Form:
    """Return the configured ``policy`` and ``accept``; raises Unsupported without nft and iptables."""
    engine = ForwardEngine(LEAVE, [], table)
    return engine.before(engine.plan(engine.read()))


def make_backends(name: str, table: str, in_charge: bool) -> list[ForwardBackend]:
    """Return the places of a backend; raises InvalidInput when it cannot use the table's name."""
    if name == "nftables":
        return [NftablesForward(Nftables(table)), NftablesClamps(Nftables(table))]
    iptables = Iptables()
    made: list[ForwardBackend] = []
    for family in iptables.families():
        made.append(IptablesForward(table, family, iptables, in_charge))
        made.append(IptablesClamps(table, family, iptables, in_charge))
    return made


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
    gone: list[Action[Model]] = [Action("remove", one) for one in before.passages if one not in after.passages]
    limited = {clamp.interface for clamp in before.clamps}
    for clamp in after.clamps:
        if clamp not in before.clamps:
            adding.append(Action("replace" if clamp.interface in limited else "add", clamp))
    limited = {clamp.interface for clamp in after.clamps}
    gone += [Action("remove", clamp) for clamp in before.clamps if clamp.interface not in limited]
    return adding + gone + removing


def _parts(found: Sequence[Forwarding]) -> tuple[list[Passage], list[Clamp]]:
    """Return all passages and limits of several places."""
    return [one for each in found for one in each.passages], [one for each in found for one in each.clamps]


def _form(forwarding: Forwarding) -> Form:
    limits = {"mss": [clamp.as_input() for clamp in forwarding.clamps]} if forwarding.clamps else {}
    return {"policy": forwarding.policy, "accept": [passage.as_input() for passage in forwarding.passages], **limits}


def _lines(forwarding: Forwarding) -> list[str]:
    return [f"policy {forwarding.policy}", *map(str, forwarding.passages), *map(str, forwarding.clamps)]
