# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of forwarding: what converge() drives, over the places where packet filters decide.

A chain of ours that drops everything else is asked for by ``drop``, and stands in the chosen backend. Apart from that,
whatever the policy, a chain of iptables stands where other people's rules of iptables would drop what is to pass: an
accept in front of them helps, while in nftables every chain has to accept. Only what is forwarded is ever dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..entries import Faults
from ..errors import ApplyFailed, InvalidInput, MultihomeError, StepFailed, Unsupported
from ..filters.iptables import Iptables
from ..filters.nftables import DEFAULT_TABLE, Nftables, table_name
from ..filters.selection import iptables_has, missing, pick
from ..plan import Action, Existing, Part, Setting, plan
from ..store.format import merged
from ..store.persistable import Persistable
from .backend import ForwardPart, Standing
from .iptables import IptablesForward
from .model import DROP, LEAVE, POLICIES, Forwarding, parse_accept
from .nftables import NftForward

# Everything in our own chains is ours; the planner wants a number for it.
_OURS = 0


@dataclass(frozen=True)
class ForwardPlan:
    """The steps in order, what is forwarded before and after them, and what has to stand where (None: nothing)."""

    actions: tuple[Action[Any], ...]
    before: Forwarding
    after: Forwarding
    writes: Mapping[str, Forwarding | None]


class ForwardEngine(Persistable[Mapping[str, Any], ForwardPlan]):
    """Converges what is forwarded. ``accept`` are entries as in the module's option, ``parts`` places for tests."""

    def __init__(
        self,
        policy: str,
        accept: Sequence[Any],
        table: str = DEFAULT_TABLE,
        purge: bool = False,
        backend: str = "auto",
        parts: Sequence[Any] | None = None,
    ) -> None:
        faults = Faults()
        desired = faults.take(lambda: parse_accept(accept))
        name = faults.take(lambda: table_name(table))
        parsed_policy = faults.take(lambda: _parse_policy(policy))
        faults.refuse()
        self.desired, self.policy = desired.value, parsed_policy.value
        self.backend_name, self.backend_reason = pick(backend)
        self.purge = purge
        self.parts: list[Any] = list(parts) if parts is not None else parts_here(name.value, self.backend_name)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> ForwardEngine:
        """Return the engine for the options of forward_policy; raises InvalidInput, or Unsupported."""
        return cls(**{name: options[name] for name in ("policy", "accept", "table", "purge", "backend")})

    def read(self) -> dict[str, Any]:
        """Return what stands, by the name of the place. Raises Unsupported where the chosen one cannot be read."""
        found = {}
        for part in self.parts:
            try:
                found[part.name] = part.read()
            except Unsupported:
                # A table that iptables is not in charge of holds nothing of ours; preflight tells what it drops.
                if self.policy == DROP and part.backend == self.backend_name:
                    raise
        return found

    def plan(self, current: Mapping[str, Any]) -> ForwardPlan:
        """Return the plan; raises InvalidInput for what a place that is needed cannot say."""
        here = [standing.forwarding for standing in current.values() if standing.forwarding is not None]
        policy = DROP if any(found.policy == DROP for found in here) else LEAVE
        before = Forwarding.of(policy, (passage for found in here for passage in found.passages))
        planned = plan(self.desired, [Existing(passage, _OURS) for passage in before.passages], _OURS, self.purge)
        wanted = Forwarding.of(self.policy, planned.after)
        parts = [part for part in self.parts if part.name in current]
        writes = {part.name: self._wanted(part, current[part.name], wanted) for part in parts}
        faults = [fault for part in parts for fault in part.faults(writes[part.name] or Forwarding())]
        if faults:
            raise InvalidInput(faults)
        # What nothing would drop needs no passage, and stands nowhere.
        after = Forwarding.of(self.policy, (p for found in writes.values() if found for p in found.passages))
        changed = {name: found for name, found in writes.items() if _differs(current[name], found)}
        return ForwardPlan(tuple(_actions(before, after, current, changed)), before, after, changed)

    def _wanted(self, part: ForwardPart, standing: Standing, wanted: Forwarding) -> Forwarding | None:
        """Return what has to stand in a place, None for nothing."""
        own = wanted if len(part.families) > 1 else wanted.of_family(part.families[0])
        if self.policy == DROP and part.backend == self.backend_name:
            return own
        return Forwarding(LEAVE, own.passages) if standing.drops(own) else None

    def apply(self, plan: ForwardPlan, current: Mapping[str, Any]) -> None:
        """Carry the plan out, what accepts before what drops; raises ApplyFailed, or StepFailed for a later part."""
        done: list[str] = []
        writing = [part for part in self.parts if part.name in plan.writes]
        for part in sorted(writing, key=lambda part: _policy(plan.writes[part.name]) == DROP):
            try:
                part.write(current[part.name], plan.writes[part.name])
            except ApplyFailed as error:
                if not done:
                    raise
                raise StepFailed(error.failed, error.reason, done) from error
            done.append(part.name)

    def restore(self, plan: ForwardPlan, current: Mapping[str, Any]) -> list[str]:
        """Restore ``current``; return what could not be restored."""
        return _restored([part for part in self.parts if part.name in plan.writes], current)

    def before(self, plan: ForwardPlan) -> dict[str, Any]:
        """Return ``policy`` and ``accept`` as they stood."""
        return _form(plan.before)

    def after(self, plan: ForwardPlan) -> dict[str, Any]:
        """Return ``policy`` and ``accept`` as they stand after the plan."""
        return _form(plan.after)

    def lines(self, plan: ForwardPlan) -> dict[str, list[str]]:
        """Return the policy and one line a passage for the diff."""
        return {"before": _lines(plan.before), "after": _lines(plan.after)}

    def to_store(self, older: ForwardEngine | None, _plan: ForwardPlan) -> dict[str, Any]:
        """Return the policy and what passes, whether or not anything drops it now; ``older`` is what was stored."""
        kept = merged(older.desired if older else [], self.desired, self.purge, lambda passage: passage.key)
        return {"policy": self.policy, "accept": [passage.as_input() for passage in kept]}


def standing(table: str) -> dict[str, Any]:
    """Return ``policy`` and ``accept`` as they stand; raises Unsupported without nft and iptables."""
    engine = ForwardEngine(LEAVE, [], table)
    return engine.before(engine.plan(engine.read()))


def parts_here(table: str, backend: str) -> list[Any]:
    """Return the places of this host in which something of ours may stand, or may have to.

    Raises InvalidInput when the chosen backend cannot write the table's name.
    """
    parts: list[Any] = []
    has_nft = missing("nftables") is None
    if has_nft:
        parts.append(NftForward(Nftables(table)))
    is_chosen = backend == "iptables"
    if is_chosen or (missing("iptables") is None and (not has_nft or iptables_has("filter", Nftables(table)))):
        iptables = Iptables()
        try:
            parts += [IptablesForward(table, family, iptables, is_chosen) for family in iptables.families()]
        except InvalidInput:
            # A name that iptables cannot write: nothing of ours can stand there.
            if is_chosen:
                raise
    return parts


def _parse_policy(policy: Any) -> str:
    if policy not in POLICIES:
        raise InvalidInput([f'policy "{policy}": not one of {", ".join(POLICIES)}'])
    return str(policy)


def _policy(forwarding: Forwarding | None) -> str:
    return forwarding.policy if forwarding else LEAVE


def _differs(standing: Standing, wanted: Forwarding | None) -> bool:
    return standing.forwarding != wanted or bool(standing.faults)


def _actions(
    before: Forwarding, after: Forwarding, current: Mapping[str, Any], changed: Mapping[str, Forwarding | None]
) -> list[Action[Any]]:
    """Return the steps as they are told: places that come, the policy, passages, and places that go."""
    adding: list[Action[Any]] = []
    removing: list[Action[Any]] = []
    for name, wanted in changed.items():
        standing = current[name]
        if wanted is None:
            removing.append(Action("remove", Part(name)))
        elif standing.forwarding is None:
            adding.append(Action("add", Part(name)))
        elif standing.faults or before == after:
            adding.append(Action("replace", Part(name)))
    if before.policy != after.policy:
        adding.append(Action("replace", Setting("policy", after.policy)))
    adding += [Action("add", passage) for passage in after.passages if passage not in before.passages]
    gone = [Action[Any]("remove", passage) for passage in before.passages if passage not in after.passages]
    return adding + gone + removing


def _restored(parts: Sequence[Any], current: Mapping[str, Any]) -> list[str]:
    left: list[str] = []
    for part in parts:
        try:
            now, before = part.read(), current[part.name]
            if (now.forwarding, now.faults) == (before.forwarding, before.faults):
                continue
            part.write(now, before.forwarding)
        except MultihomeError as error:
            left += str(error).splitlines()
        left += [f"was not whole before: {fault}" for fault in current[part.name].faults]
    return left


def _form(forwarding: Forwarding) -> dict[str, Any]:
    return {"policy": forwarding.policy, "accept": [passage.as_input() for passage in forwarding.passages]}


def _lines(forwarding: Forwarding) -> list[str]:
    return [f"policy {forwarding.policy}", *map(str, forwarding.passages)]
