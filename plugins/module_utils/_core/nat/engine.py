# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of address translation, which converge() drives, on the selected backend."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..entries import Entry, Faults, Form
from ..errors import InvalidInput, MultihomeError
from ..filters.backend import Current, Step, apply_all, restore_all
from ..filters.nftables import DEFAULT_TABLE, Nftables, table_name
from ..filters.selection import Selection, available, read_both, select, steps
from ..store.format import merged
from ..store.persistable import Persistable
from .backend import NatBackend, State
from .model import NatRule, parse_rules
from .nftables import NftablesBackend
from .plan import NatPlan, plan_rules
from .reporting import KEPT, reported

if TYPE_CHECKING:
    from .conntrack_flush import FlowFlusher
    from .foreign import Foreign


# Of which connections the entries of connection tracking are deleted.
FLOW_CHOICES = ("none", "new", "changed")


class NatEngine(Persistable[Current[State], NatPlan]):
    """Converges the translations of one table. ``rules`` are entries as in the module's option."""

    def __init__(
        self,
        rules: Sequence[object],
        table: str = DEFAULT_TABLE,
        purge: bool = False,
        backend: str = "auto",
        forget_flows: object = "none",
        selection: Selection[NatBackend] | None = None,
        flows: FlowFlusher | None = None,
    ) -> None:
        faults = Faults()
        desired = faults.take(lambda: parse_rules(rules))
        name = faults.take(lambda: table_name(table))
        which = faults.take(lambda: _flow_choice(forget_flows))
        faults.refuse()
        self.desired, self.table = desired.value, name.value
        self.selection = selection or select(backend, name.value, make_backend, "nat")
        self.purge = purge
        self._flows = flows or _flow_flusher(which.value) if which.value != "none" else None
        self._given_flows = flows
        self._not_deleted = ""
        _refuse_faults(self.desired, self.selection.backend)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> NatEngine:
        """Return the engine for the options of nat_rules; raises InvalidInput, or Unsupported without a backend."""
        names = ("rules", "table", "purge", "backend", "forget_flows")
        return cls(**{name: options[name] for name in names if name in options})

    def read(self) -> Current[State]:
        """Return the collection's own part of both backends."""
        return read_both(self.selection)

    def plan(self, current: Current[State]) -> NatPlan:
        """Return the plan, with the changes that carry it out."""
        return plan_rules(self.selection, self.desired, current, self.purge, self.superseded.get("desired", ()))

    def apply(self, plan: NatPlan, current: Current[State]) -> None:
        """Carry the plan out: the new objects exist before those of the other backend are removed."""
        if self._flows is not None:
            # A missing requirement is better found before the change than after it.
            self._flows.prepare(plan.evaluated, plan.after)
        apply_all(self._steps(plan, current))

    def restore(self, plan: NatPlan, current: Current[State]) -> list[str]:
        """Restore ``current``, counters included; return what could not be restored."""
        return restore_all(self._steps(plan, current))

    def _steps(self, plan: NatPlan, current: Current[State]) -> list[Step]:
        return steps(self.selection, current, plan.change, plan.leaving)

    def repair(self, plan: NatPlan, current: Current[State]) -> Mapping[Hashable, str]:
        """Carry the plan out, and delete the connections that began while its translations were missing.

        Also those that are translated to an earlier address of this host.
        """
        refused = super().repair(plan, current)
        try:
            which = "changed" if self.superseded.get("desired") else "new"
            flows = self._given_flows or _flow_flusher(which, is_brief=True)
            flows.flush(plan.evaluated, plan.after, check_mode=False)
            self._not_deleted = ""
        except MultihomeError as error:
            # The translations exist: that some older connections stay must not undo them.
            self._not_deleted = str(error)
        return refused

    def waiting(self) -> Mapping[str, str]:
        """Return why connections older than the restored translations could not be deleted."""
        return {"connections older than their translation": self._not_deleted} if self._not_deleted else {}

    def flush_flows(self, plan: NatPlan, check_mode: bool) -> dict[str, int]:
        """Delete the connections that the plan makes wrong from connection tracking; return their number.

        In check mode they are only counted. Raises FlowsRemain when the kernel keeps some.
        """
        if self._flows is None:
            return {}
        return {"forgotten_flows": self._flows.flush(plan.evaluated, plan.after, check_mode)}

    def taken(self, plan: NatPlan) -> list[Foreign]:
        """Return the translations of other programs that take connections of the translations after the plan."""
        return _taken(plan.after, self.selection.name, self.table)

    def before(self, plan: NatPlan) -> list[Form]:
        """Return the earlier translations as entries of ``rules``."""
        return _forms(plan.before)

    def after(self, plan: NatPlan) -> list[Form]:
        """Return the translations after the plan as entries of ``rules``, in the order they are tried."""
        return _forms(plan.after)

    def lines(self, plan: NatPlan) -> dict[str, list[str]]:
        """Return one line a translation for the diff."""
        return {"before": [*map(str, reported(plan.before))], "after": [*map(str, reported(plan.after))]}

    def state_before(self, plan: NatPlan) -> Form:
        """Return the translations before the plan as options."""
        return {"rules": self.before(plan)}

    def to_store(self, older: NatEngine | None, plan: NatPlan) -> Form:
        """Return the translations to store, in the order in which they are tried; ``older`` are those stored."""
        kept = merged(older.desired if older else [], self.desired, self.purge, lambda rule: rule.key)
        order = {rule.key: position for position, rule in enumerate(plan.after)}
        last = -1
        for entry in self.desired:
            # A listed translation that is not configured, as its interface has no address, keeps its place in the list.
            last = order.setdefault(entry.object.key, last)
        # Another one that is stored and not configured is tried last.
        kept.sort(key=lambda rule: order.get(rule.key, len(order)))
        return {"rules": _forms(kept)}


def make_backend(name: str, table: str, in_charge: bool = True) -> NatBackend:
    """Return a backend; raises InvalidInput when it cannot use the table's name."""
    if name == "nftables":
        return NftablesBackend(Nftables(table))
    # Loaded only where it is needed: modules that Ansible sends to a host are compiled there in every run.
    from .iptables import IptablesBackend  # noqa: PLC0415 - as said

    return IptablesBackend(table, in_charge=in_charge)


def _flow_choice(value: object) -> str:
    """Return none, new or changed; true and false are changed and none."""
    word = str(value).lower()
    choices = {"true": "changed", "false": "none", **{name: name for name in FLOW_CHOICES}}
    if word not in choices:
        raise InvalidInput([f'forget_flows "{value}": not one of {", ".join(FLOW_CHOICES)}'])
    return choices[word]


def _flow_flusher(which: str, is_brief: bool = False) -> FlowFlusher:
    # Loaded only where it is asked for: the code for connection tracking takes as long to load as the rest together.
    from .conntrack_flush import BRIEF, PAUSES, FlowFlusher  # noqa: PLC0415 - as said

    return FlowFlusher(which, pauses=BRIEF if is_brief else PAUSES)


def _refuse_faults(desired: Sequence[Entry[NatRule]], backend: NatBackend) -> None:
    faults = [f"{entry.where}: {fault}" for entry in desired for fault in backend.faults(entry.object)]
    if faults:
        raise InvalidInput(faults)


def read_states(table: str) -> list[State]:
    """Return the own part of every backend that this host has. Raises Unsupported when it has none."""
    return [backend.read() for backend in available(table_name(table), make_backend)]


def taken_now(table: str) -> list[Form]:
    """Return the translations of other programs that take connections of the configured ones, as results show them.

    Raises Unsupported without a backend.
    """
    found: list[Foreign] = []
    for backend in available(table_name(table), make_backend):
        rules = [rule for rule, _position in backend.read().rules()]
        found += _taken(rules, backend.name, table) if rules else []
    return [one.as_result() for one in found]


def _taken(rules: Sequence[NatRule], backend: str, table: str) -> list[Foreign]:
    # Loaded only where it is needed: most runs change nothing.
    from .taken import taken_translations  # noqa: PLC0415 - as said

    return taken_translations(rules, backend, table)


def entries(states: Sequence[State]) -> list[Form]:
    """Return the configured translations as entries of ``rules``, in the order they are tried."""
    return [form for state in states for form in _forms([rule for rule, _position in state.rules()])]


def entries_with_counters(states: Sequence[State]) -> list[Form]:
    """Return the configured translations as entries of ``rules``, in order, each with ``packets`` and ``bytes``."""
    result = []
    for state in states:
        counted = state.counters()
        for rule in reported([rule for rule, _position in state.rules()]):
            # A connection passes both hooks: one of them has counted all of them.
            keys = [rule.key] if rule.key in counted else [replace(rule, keeps=kept).key for kept in KEPT]
            packets, count = max(counted[key] for key in keys)
            result.append({**rule.as_input(), "packets": packets, "bytes": count})
    return result


def _forms(rules: Sequence[NatRule]) -> list[Form]:
    return [rule.as_input() for rule in reported(rules)]
