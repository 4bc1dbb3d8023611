# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of connection marks: what converge() drives, over whichever backend keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..entries import Entry, Faults
from ..errors import InvalidInput
from ..plan import Action, Existing, M, Part, Plan, Setting, plan
from ..routing.neighbours import Gateway, Resolution, resolve
from ..store.format import merged
from ..store.persistable import Persistable
from .backend import Backend, Standing
from .model import (
    DEFAULT_MASK,
    BalanceLine,
    ConnectionMark,
    Marks,
    nested_sources,
    outside_mask,
    parse_addresses,
    parse_balance,
    parse_marks,
    parse_mask,
    parse_prefixes,
)
from .selection import choose

# Everything in our own table or chains is ours; the planner wants a number for it.
_OURS = 0


@dataclass(frozen=True)
class MarkPlan:
    """The steps in order, and all marks before and after them."""

    actions: tuple[Action[Any], ...]
    before: Marks
    after: Marks


@dataclass(frozen=True)
class Current:
    """What one read found: what stands, and where the listed gateways are."""

    standing: Any
    found: Resolution


class MarkEngine(Persistable[Current, MarkPlan]):
    """Converges the marks of a host. ``marks`` and ``balance`` are entries as in the module's options.

    ``backend`` comes with the reason why it is this one. A list that is None is left alone: nothing of its kind is
    added or removed.
    """

    entry_lists = ("marks", "balance")

    def __init__(
        self,
        backend: tuple[Backend, str],
        marks: Sequence[Any] | None = None,
        balance: Sequence[Any] | None = None,
        mask: Any = DEFAULT_MASK,
        balance_from: Sequence[Any] = (),
        balance_exclude: Sequence[Any] = (),
        purge: bool = False,
        find: Callable[[Iterable[Gateway]], Resolution] = resolve,
    ) -> None:
        parsed = Faults()
        listed_part = parsed.take(lambda: parse_marks(marks or ()))
        shares_part = parsed.take(lambda: parse_balance(balance or ()))
        mask_part = parsed.take(lambda: parse_mask(mask))
        from_part = parsed.take(lambda: parse_addresses(balance_from))
        exclude_part = parsed.take(lambda: parse_prefixes(balance_exclude))
        parsed.refuse()
        listed, shares, self.mask = listed_part.value, shares_part.value, mask_part.value
        self.balance_from, self.balance_exclude = from_part.value, exclude_part.value
        faults = outside_mask([*listed, *shares], self.mask)
        if shares and not self.balance_from:
            faults.append("balance_from is missing: from which source addresses are connections spread?")
        if faults:
            raise InvalidInput(faults)
        self.marks: list[Entry[ConnectionMark]] | None = None if marks is None else listed
        self.balance: list[Entry[BalanceLine]] | None = None if balance is None else shares
        self.backend, self.backend_reason = backend
        self.purge = purge
        self._find = find
        self._found: Resolution | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any], **more: Any) -> MarkEngine:
        """Return the engine for the options of connection_marks; raises InvalidInput, or Unsupported."""
        names = ("marks", "balance", "mask", "balance_from", "balance_exclude", "purge")
        return cls(choose(options["backend"], options["table"]), **{name: options[name] for name in names}, **more)

    def read(self) -> Current:
        """Return what stands; the listed gateways are looked for once in a run."""
        standing = self.backend.read()
        if self._found is None:
            self._found = self._find(entry.object.key for entry in self.marks or () if entry.object.gateway)
        return Current(standing, self._found)

    def plan(self, current: Current) -> MarkPlan:
        """Return the plan; raises InvalidInput when gateways of different marks are one and the same neighbour."""
        standing: Standing = current.standing
        marks = _planned(self._located(standing.marks, current.found), standing.marks.marks, self.purge)
        balance = _planned(self.balance, standing.marks.balance, self.purge)
        before = replace(standing.marks, marks=marks.before, balance=balance.before)
        after = replace(before, mask=self.mask, marks=marks.after, balance=balance.after)
        if self.balance is not None:
            after = replace(after, balance_from=self.balance_from, balance_exclude=self.balance_exclude)
        if not after.balance:
            after = replace(after, balance_from=(), balance_exclude=())
        self._refuse(after)
        settings = self._settings(before, after)
        strays = standing.faults if after or self.purge else ()
        parts: list[Action[Any]] = [Action("replace" if after else "remove", Part(fault)) for fault in strays]
        adding: list[Action[Any]] = [*marks.adding(), *balance.adding()]
        removing: list[Action[Any]] = [*balance.removing(), *marks.removing()]
        return MarkPlan((*settings, *parts, *adding, *removing), before, after)

    def apply(self, plan: MarkPlan, current: Current) -> None:
        """Carry the plan out in one transaction."""
        self.backend.write(current.standing, plan.after)

    def restore(self, _plan: MarkPlan, current: Current) -> list[str]:
        """Restore the marks of ``current``; return what could not be restored."""
        return self.backend.undo(current.standing)

    def waiting(self) -> dict[str, str]:
        """Return the listed gateways that did not answer."""
        reasons = self._found.reasons if self._found else {}
        listed = [entry.object for entry in self.marks or ()]
        return {mark.match_text(): reasons[mark.key] for mark in listed if mark.key in reasons}

    def before(self, plan: MarkPlan) -> list[dict[str, Any]]:
        """Return the marks that stood, as entries of ``marks``."""
        return [mark.as_input() for mark in plan.before.marks]

    def after(self, plan: MarkPlan) -> list[dict[str, Any]]:
        """Return the marks that stand after the plan, as entries of ``marks``."""
        return [mark.as_input() for mark in plan.after.marks]

    def lines(self, plan: MarkPlan) -> dict[str, list[str]]:
        """Return one line a mark, a share or a setting for the diff."""
        return {"before": _lines(plan.before), "after": _lines(plan.after)}

    def to_store(self, older: MarkEngine | None, _plan: MarkPlan) -> dict[str, Any]:
        """Return the marks to store; of a list that is not given, what ``older`` has stays."""
        form: dict[str, Any] = {"mask": f"0x{self.mask:x}"}
        for name in ("marks", "balance"):
            listed, before = getattr(self, name), getattr(older, name) if older else None
            if listed is not None:
                before = merged(before or [], listed, self.purge, lambda item: item.key)
            elif before is not None:
                before = [entry.object for entry in before]
            if before is not None:
                form[name] = [item.as_input() for item in before]
        spread = older if self.balance is None and older else self
        names = ("balance_from", "balance_exclude")
        return {**form, **{name: list(getattr(spread, name)) for name in names}}

    def remarks(self, plan: MarkPlan) -> dict[str, Any]:
        """Return what the result says besides: the backend, gateways without an answer, and the shares."""
        reasons = self._found.reasons if self._found else {}
        unresolved = [
            {**entry.object.as_input(), "reason": reasons[entry.object.key]}
            for entry in self.marks or ()
            if entry.object.key in reasons
        ]
        shown: dict[str, Any] = {"backend": self.backend.name, "backend_reason": self.backend_reason}
        shown["unresolved"] = unresolved
        if self.balance is not None and plan.actions:
            for name, marks in (("balance_before", plan.before), ("balance_after", plan.after)):
                shown[name] = [line.as_input() for line in marks.balance]
        return shown

    def _located(self, before: Marks, found: Resolution) -> list[Entry[ConnectionMark]] | None:
        """Return the listed marks with their neighbours; what does not answer now is where it was before."""
        if self.marks is None:
            return None
        known = {mark.key: mark.neighbour for mark in before.marks}

        def located(mark: ConnectionMark) -> ConnectionMark:
            return replace(mark, neighbour=found.neighbours.get(mark.key) or known.get(mark.key))

        return [Entry(located(entry.object), entry.where) for entry in self.marks]

    def _settings(self, before: Marks, after: Marks) -> list[Action[Any]]:
        """Return a step for each setting that changes of marks that stand; those of new ones come with them."""
        names = ["mask"] if before and after else []
        if before.balance and after.balance:
            names += ["balance_from", "balance_exclude"]
        return [
            Action("replace", Setting(name, getattr(after, name)))
            for name in names
            if getattr(before, name) != getattr(after, name)
        ]

    def _refuse(self, after: Marks) -> None:
        listed = [*(self.marks or ()), *(self.balance or ())]
        places = {entry.object.key: entry.where for entry in listed}
        standing: list[ConnectionMark | BalanceLine] = [*after.marks, *after.balance]
        faults = [
            f"{entry} stands, is not listed, and has bits outside the mask 0x{after.mask:x}; list it, or purge"
            for entry in standing
            if entry.mark & ~after.mask
        ]
        first: dict[Any, ConnectionMark] = {}
        for mark in after.marks:
            other = first.setdefault(mark.neighbour, mark) if mark.neighbour else mark
            if other.mark != mark.mark:
                faults.append(
                    f"{places.get(other.key, other)} and {places.get(mark.key, mark)}: both gateways are "
                    f"{mark.neighbour.address if mark.neighbour else ''}, so their connections cannot be told apart; "
                    "give the lines interfaces, or gateways, of their own"
                )
        for outer, inner in nested_sources(after.marks):
            faults.append(
                f"{places.get(outer.key, outer)} and {places.get(inner.key, inner)}: {inner.match_text()} is within "
                f"{outer.match_text()}; list prefixes that hold nothing of each other"
            )
        if faults:
            raise InvalidInput(faults)


def _planned(desired: list[Entry[M]] | None, standing: Iterable[M], purge: bool) -> Plan[M]:
    existing = [Existing(item, _OURS) for item in standing]
    return plan(desired or [], existing, _OURS, purge and desired is not None)


def _lines(marks: Marks) -> list[str]:
    settings = [f"mask 0x{marks.mask:x}"] if marks else []
    for name in ("balance_from", "balance_exclude"):
        if getattr(marks, name):
            settings.append(f"{name} {', '.join(getattr(marks, name))}")
    return [*settings, *map(str, marks.marks), *map(str, marks.balance)]
