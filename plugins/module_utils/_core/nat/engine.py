# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of address translation: what converge() drives, on the chosen backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..entries import Entry, Faults
from ..errors import ApplyFailed, InvalidInput, StepFailed
from ..filters.nftables import DEFAULT_TABLE, table_name
from ..store.format import merged
from ..store.persistable import Persistable
from .backend import Current, Standing
from .model import NatRule, parse_rules
from .plan import NatPlan, plan_rules
from .selection import Choice, available, choose

if TYPE_CHECKING:
    from .conntrack_flush import FlowForgetter


class NatEngine(Persistable[Current, NatPlan]):
    """Converges the translations of one table. ``rules`` are entries as in the module's option."""

    def __init__(
        self,
        rules: Sequence[Any],
        table: str = DEFAULT_TABLE,
        purge: bool = False,
        backend: str = "auto",
        forget_flows: bool = False,
        choice: Choice | None = None,
        flows: FlowForgetter | None = None,
    ) -> None:
        faults = Faults()
        desired = faults.take(lambda: parse_rules(rules))
        name = faults.take(lambda: table_name(table))
        faults.refuse()
        self.desired = desired.value
        self.choice = choice or choose(backend, name.value)
        self.backend = self.choice.backend
        self.purge = purge
        self._flows = flows or _flow_forgetter() if forget_flows else None
        _refuse_faults(self.desired, self.choice)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> NatEngine:
        """Return the engine for the options of nat_rules; raises InvalidInput, or Unsupported without a backend."""
        names = ("rules", "table", "purge", "backend", "forget_flows")
        return cls(**{name: options[name] for name in names if name in options})

    def read(self) -> Current:
        """Return what stands in our part of either backend."""
        other = self.choice.other
        return Current(self.backend.read(), other.read() if other else None)

    def plan(self, current: Current) -> NatPlan:
        """Return the plan, with what carries it out."""
        return plan_rules(self.backend, self.desired, current, self.purge, self.choice.other)

    def apply(self, plan: NatPlan, current: Current) -> None:
        """Carry the plan out: what is new stands before the other backend's objects go."""
        if self._flows is not None:
            # What would be missing afterwards is better missed now.
            self._flows.prepare(plan.evaluated, plan.after)
        if plan.change is not None:
            self.backend.apply(plan.change, current.here)
        if plan.leaving is None or self.choice.other is None:
            return
        try:
            self.choice.other.apply(plan.leaving, current.elsewhere)
        except (ApplyFailed, StepFailed) as error:
            raise StepFailed(error.failed, error.reason, [self.backend.place]) from error

    def restore(self, plan: NatPlan, current: Current) -> list[str]:
        """Restore ``current``, counters included; return what could not be restored."""
        left = []
        if plan.leaving is not None and self.choice.other is not None:
            left += self.choice.other.put_back(current.elsewhere)
        return left + self.backend.put_back(current.here)

    def forget(self, plan: NatPlan, check_mode: bool) -> dict[str, int]:
        """Forget the connections of translations that left or changed, once the plan is carried out; say how many.

        In check mode tell how many there are. Raises FlowsRemain when the kernel keeps some.
        """
        if self._flows is None:
            return {}
        return {"forgotten_flows": self._flows.forget(plan.evaluated, plan.after, check_mode)}

    def before(self, plan: NatPlan) -> list[dict[str, Any]]:
        """Return the translations that stood, as entries of ``rules``."""
        return [rule.as_input() for rule in plan.before]

    def after(self, plan: NatPlan) -> list[dict[str, Any]]:
        """Return the translations that stand after the plan, as entries of ``rules``, in the order they are tried."""
        return [rule.as_input() for rule in plan.after]

    def lines(self, plan: NatPlan) -> dict[str, list[str]]:
        """Return one line a translation for the diff."""
        return {"before": [str(rule) for rule in plan.before], "after": [str(rule) for rule in plan.after]}

    def to_store(self, older: NatEngine | None, plan: NatPlan) -> dict[str, Any]:
        """Return the translations to store, in the order in which they are tried; ``older`` are those stored."""
        kept = merged(older.desired if older else [], self.desired, self.purge, lambda rule: rule.key)
        order = {rule.key: position for position, rule in enumerate(plan.after)}
        # What is stored and does not stand is tried last.
        kept.sort(key=lambda rule: order.get(rule.key, len(order)))
        return {"rules": [rule.as_input() for rule in kept]}


def _flow_forgetter() -> FlowForgetter:
    # Loaded only where it is asked for: what speaks to connection tracking takes as long to load as the rest together.
    from .conntrack_flush import FlowForgetter  # noqa: PLC0415 - as said

    return FlowForgetter()


def _refuse_faults(desired: Sequence[Entry[NatRule]], choice: Choice) -> None:
    faults = [f"{entry.where}: {fault}" for entry in desired for fault in choice.backend.faults(entry.object)]
    if faults:
        raise InvalidInput(faults)


def standing(table: str) -> list[Standing]:
    """Return what of ours stands, in every backend that this host has. Raises Unsupported when it has none."""
    return [backend.read() for backend in available(table_name(table))]


def form(found: Sequence[Standing]) -> list[dict[str, Any]]:
    """Return what stands as entries of ``rules``, in the order they are tried."""
    return [rule.as_input() for part in found for rule, _position in part.rules()]


def entries_with_counters(found: Sequence[Standing]) -> list[dict[str, Any]]:
    """Return what stands as entries of ``rules`` in the order they are tried, each with ``packets``, ``bytes``."""
    result = []
    for part in found:
        counted = part.counters()
        for rule, _position in part.rules():
            packets, count = counted[rule.key]
            result.append({**rule.as_input(), "packets": packets, "bytes": count})
    return result
