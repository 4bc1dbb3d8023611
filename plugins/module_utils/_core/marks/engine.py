# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of connection marks, which converge() drives, on the selected backend."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..engine import AskAllowed
from ..entries import Entry, Faults, Form, objects
from ..errors import InvalidInput
from ..filters import selection as filter_selection
from ..filters.backend import Current as FilterState
from ..filters.backend import Step, apply_all, restore_all
from ..filters.selection import Selection
from ..plan import Action, Existing, M, Model, Part, Plan, Setting, plan
from ..routing.model import Neighbour
from ..routing.neighbours import Gateway, Resolution, resolve
from ..store.format import merged
from ..store.persistable import Persistable
from .backend import MarkBackend, State
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
from .nftables import NftablesMarks

# The collection owns everything in its own table or chains; the planner needs a number for that.
_OWN = 0
# The settings that come with a list.
_OF_BALANCE = ("balance_from", "balance_exclude", "balance_networks")
_OF_MARKS = ("keep_networks",)
SETTINGS = (*_OF_BALANCE, *_OF_MARKS)


@dataclass(frozen=True)
class MarkPlan:
    """The steps in order, and all marks before and after them."""

    actions: tuple[Action[Model], ...]
    before: Marks
    after: Marks


@dataclass(frozen=True)
class Current:
    """The marks in both backends, and the neighbours of the listed gateways."""

    filters: FilterState[State]
    found: Resolution

    @property
    def marks(self) -> Marks:
        """The marks in the backend in use; when it has none, those of the other one."""
        elsewhere = self.filters.elsewhere
        return self.filters.here.marks or (elsewhere.marks if elsewhere else self.filters.here.marks)


class MarkEngine(Persistable[Current, MarkPlan]):
    """Converges the marks of a host. ``marks`` and ``balance`` are entries as in the module's options.

    A list that is None is left alone: nothing of its kind is added or removed. ``ask_allowed`` says over which lines
    new connections may be spread now.
    """

    entry_lists = ("marks", "balance")

    def __init__(
        self,
        selection: Selection[MarkBackend],
        marks: Sequence[object] | None = None,
        balance: Sequence[object] | None = None,
        mask: object = DEFAULT_MASK,
        balance_from: Sequence[object] = (),
        balance_exclude: Sequence[object] = (),
        balance_networks: Sequence[object] = (),
        keep_networks: Sequence[object] = (),
        purge: bool = False,
        find: Callable[[Iterable[Gateway]], Resolution] = resolve,
        ask_allowed: AskAllowed | None = None,
    ) -> None:
        parsed = Faults()
        listed_part = parsed.take(lambda: parse_marks(marks or ()))
        shares_part = parsed.take(lambda: parse_balance(balance or ()))
        mask_part = parsed.take(lambda: parse_mask(mask))
        from_part = parsed.take(lambda: parse_addresses(balance_from or ()))
        exclude_part = parsed.take(lambda: parse_prefixes(balance_exclude or ()))
        networks_part = parsed.take(lambda: parse_prefixes(balance_networks or (), "balance_networks"))
        keep_part = parsed.take(lambda: parse_prefixes(keep_networks or (), "keep_networks"))
        parsed.refuse()
        listed, shares, self.mask = listed_part.value, shares_part.value, mask_part.value
        self.balance_from, self.balance_exclude = from_part.value, exclude_part.value
        self.balance_networks, self.keep_networks = networks_part.value, keep_part.value
        faults = outside_mask([*listed, *shares], self.mask)
        if shares and not (self.balance_from or self.balance_networks):
            faults.append("balance_from is missing: from which source addresses are connections spread?")
        if faults:
            raise InvalidInput(faults)
        self.marks: list[Entry[ConnectionMark]] | None = None if marks is None else listed
        self.balance: list[Entry[BalanceLine]] | None = None if balance is None else shares
        self.selection = selection
        self.purge = purge
        self._find = find
        self._ask_allowed = ask_allowed
        self._written = self.balance
        # The keys of shares that the lines do not allow now, and the others as they are allowed.
        self._withdrawn: frozenset[object] = frozenset()
        self._narrowed: dict[object, BalanceLine] = {}
        self._found: Resolution | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any], **more: Any) -> MarkEngine:
        """Return the engine for the options of connection_marks; raises InvalidInput, or Unsupported."""
        names = ("marks", "balance", "mask", *SETTINGS, "purge")
        given = {name: options[name] for name in names if name in options}
        return cls(select(options["backend"], options["table"]), **given, **more)

    def read(self) -> Current:
        """Return the marks; the listed gateways are looked up once in a run, and the lines are asked once."""
        self._limit()
        filters = read_both(self.selection)
        if self._found is None:
            self._found = self._find(entry.object.key for entry in self.marks or () if entry.object.gateway)
        return Current(filters, self._found)

    def plan(self, current: Current) -> MarkPlan:
        """Return the plan; raises InvalidInput when gateways of different marks are one and the same neighbour."""
        located, gone = self._located(current.marks, current.found), self.superseded.get("marks", ())
        marks = _planned(located, current.marks.marks, self.purge, gone)
        withdrawn = {*self._withdrawn, *self.superseded.get("balance", ())}
        balance = _planned(self.balance, current.marks.balance, self.purge, withdrawn)
        before = replace(current.marks, marks=marks.before, balance=balance.before)
        after = replace(before, mask=self.mask, marks=marks.after, balance=balance.after)
        for listed, left, names in ((self.balance, after.balance, _OF_BALANCE), (self.marks, after.marks, _OF_MARKS)):
            settings: dict[str, Any] = {name: getattr(self, name) for name in names} if listed is not None else {}
            after = replace(after, **(settings if left else dict.fromkeys(names, ())))
        self._refuse(after)
        changed = self._settings(before, after)
        faults = self._faults(current) if after or self.purge else []
        parts: list[Action[Model]] = [Action("replace" if after else "remove", Part(fault)) for fault in faults]
        adding: list[Action[Model]] = [*marks.adding(), *balance.adding()]
        removing: list[Action[Model]] = [*balance.removing(), *marks.removing()]
        return MarkPlan((*changed, *parts, *adding, *removing), before, after)

    def apply(self, plan: MarkPlan, current: Current) -> None:
        """Carry the plan out; marks that move exist here before they are removed from the other backend."""
        apply_all(self._steps(plan, current))

    def restore(self, plan: MarkPlan, current: Current) -> list[str]:
        """Restore the marks of ``current``; return what could not be restored."""
        return restore_all(self._steps(plan, current))

    def _steps(self, plan: MarkPlan, current: Current) -> list[Step]:
        here, elsewhere, other = current.filters.here, current.filters.elsewhere, self.selection.other
        leaving = other.change(elsewhere, Marks()) if other and elsewhere else None
        change = self.selection.backend.change(here, plan.after)
        return filter_selection.steps(self.selection, current.filters, change, leaving)

    def _faults(self, current: Current) -> list[str]:
        left = current.filters.elsewhere
        other = self.selection.other
        return [*current.filters.here.faults, *([f"marks kept by {other.name}"] if other and left else [])]

    def waiting(self) -> dict[str, str]:
        """Return the listed gateways that do not answer."""
        reasons = self._found.reasons if self._found else {}
        listed = [entry.object for entry in self.marks or ()]
        return {mark.match_text(): reasons[mark.key] for mark in listed if mark.key in reasons}

    def before(self, plan: MarkPlan) -> list[Form]:
        """Return the earlier marks as entries of ``marks``."""
        return [mark.as_input() for mark in plan.before.marks]

    def after(self, plan: MarkPlan) -> list[Form]:
        """Return the marks after the plan as entries of ``marks``."""
        return [mark.as_input() for mark in plan.after.marks]

    def lines(self, plan: MarkPlan) -> dict[str, list[str]]:
        """Return one line a mark, a share or a setting for the diff."""
        return {"before": _lines(self._as_wanted(plan.before)), "after": _lines(self._as_wanted(plan.after))}

    def state_before(self, plan: MarkPlan) -> Form:
        """Return the marks before the plan as options."""
        return plan.before.as_input()

    def to_store(self, older: MarkEngine | None, _plan: MarkPlan) -> Form:
        """Return the marks to store; a list that is not given stays as ``older`` has it."""
        form: Form = {"mask": f"0x{self.mask:x}"}
        for name in ("marks", "_written"):
            listed, before = getattr(self, name), getattr(older, name) if older else None
            if listed is not None:
                before = merged(before or [], listed, self.purge, lambda item: item.key)
            elif before is not None:
                before = [entry.object for entry in before]
            if before is not None:
                form["balance" if name == "_written" else name] = [item.as_input() for item in before]
        for given, names in ((self.balance, _OF_BALANCE), (self.marks, _OF_MARKS)):
            source = older if given is None and older else self
            form.update({name: list(getattr(source, name)) for name in names})
        return form

    def remarks(self, plan: MarkPlan) -> Form:
        """Return the rest of the result: the backend, gateways without an answer, and the shares."""
        reasons = self._found.reasons if self._found else {}
        unresolved = [
            {**entry.object.as_input(), "reason": reasons[entry.object.key]}
            for entry in self.marks or ()
            if entry.object.key in reasons
        ]
        shown: Form = {"backend": self.selection.name, "backend_reason": self.selection.reason}
        shown["unresolved"] = unresolved
        if self.balance is not None and plan.actions:
            for name, marks in (("balance_before", plan.before), ("balance_after", plan.after)):
                shown[name] = [line.as_input() for line in self._as_wanted(marks).balance]
        return shown

    def _limit(self) -> None:
        """Leave out the shares that the lines do not allow now; asked once, before the first reading."""
        allowed = self._ask_allowed() if self._ask_allowed and self.balance is not None else None
        self._ask_allowed = None
        if allowed is None or not self._written:
            return
        self._withdrawn = frozenset(share.key for share in objects(parse_balance(allowed.withdrawn["balance"])))
        now = {share.key: share for share in objects(parse_balance(allowed.options["balance"]))}
        self._narrowed = {
            entry.object.key: now[entry.object.key]
            for entry in self._written
            if entry.object.key in now and now[entry.object.key] != entry.object
        }
        self.balance = [
            Entry(self._narrowed.get(entry.object.key, entry.object), entry.where)
            for entry in self.balance or ()
            if entry.object.key not in self._withdrawn
        ]

    def _as_wanted(self, marks: Marks) -> Marks:
        """Return marks with the shares in the form that is wanted, where the lines allow others now."""
        if not self._withdrawn and not self._narrowed:
            return marks
        wanted = {entry.object.key: entry.object for entry in self._written or ()}
        shares = [wanted[share.key] if self._narrowed.get(share.key) == share else share for share in marks.balance]
        existing = {share.key for share in shares}
        shares += [share for key, share in wanted.items() if key in self._withdrawn and key not in existing]
        return replace(marks, balance=tuple(sorted(shares, key=lambda share: share.key)))

    def _located(self, before: Marks, found: Resolution) -> list[Entry[ConnectionMark]] | None:
        """Return the listed marks with their neighbours; a gateway that does not answer keeps its earlier one."""
        if self.marks is None:
            return None
        known = {mark.key: mark.neighbour for mark in before.marks}

        def located(mark: ConnectionMark) -> ConnectionMark:
            return replace(mark, neighbour=found.neighbours.get(mark.key) or known.get(mark.key))

        return [Entry(located(entry.object), entry.where) for entry in self.marks]

    def _settings(self, before: Marks, after: Marks) -> list[Action[Model]]:
        """Return a step for each changed setting of existing marks; new marks bring their settings along."""
        names = ["mask"] if before and after else []
        if before.balance and after.balance:
            names += _OF_BALANCE
        if before.marks and after.marks:
            names += _OF_MARKS
        return [
            Action("replace", Setting(name, getattr(after, name)))
            for name in names
            if getattr(before, name) != getattr(after, name)
        ]

    def _refuse(self, after: Marks) -> None:
        listed = [*(self.marks or ()), *(self.balance or ())]
        places = {entry.object.key: entry.where for entry in listed}
        configured: list[ConnectionMark | BalanceLine] = [*after.marks, *after.balance]
        faults = [
            f"{entry} exists, is not listed, and has bits outside the mask 0x{after.mask:x}; list it, or purge"
            for entry in configured
            if entry.mark & ~after.mask
        ]
        first: dict[Neighbour, ConnectionMark] = {}
        for mark in after.marks:
            other = first.setdefault(mark.neighbour, mark) if mark.neighbour else mark
            if other.mark != mark.mark:
                faults.append(
                    f"{places.get(other.key, other)} and {places.get(mark.key, mark)}: both gateways are "
                    f"{mark.neighbour.address if mark.neighbour else ''}, so their connections look the same; "
                    "give the lines interfaces, or gateways, of their own"
                )
        for outer, inner in nested_sources(after.marks):
            faults.append(
                f"{places.get(outer.key, outer)} and {places.get(inner.key, inner)}: {inner.match_text()} is within "
                f"{outer.match_text()}; list prefixes that do not overlap"
            )
        if faults:
            raise InvalidInput(faults)


def _planned(
    desired: list[Entry[M]] | None, configured: Iterable[M], purge: bool, withdrawn: Collection[object] = ()
) -> Plan[M]:
    existing = [Existing(item, _OWN) for item in configured]
    return plan(desired or [], existing, _OWN, purge and desired is not None, withdrawn)


def _lines(marks: Marks) -> list[str]:
    settings = [f"mask 0x{marks.mask:x}"] if marks else []
    for name in SETTINGS:
        if getattr(marks, name):
            settings.append(f"{name} {', '.join(getattr(marks, name))}")
    return [*settings, *map(str, marks.marks), *map(str, marks.balance)]


def make_backend(name: str, table: str, _in_charge: bool = True) -> MarkBackend:
    """Return a backend; raises InvalidInput when it cannot use the table's name."""
    if name == "nftables":
        return NftablesMarks(table)
    # Loaded only where it is needed: modules that Ansible sends to a host are compiled there in every run.
    from .iptables import IptablesMarks  # noqa: PLC0415 - as said

    return IptablesMarks(table)


def select(wanted: str, table: str) -> Selection[MarkBackend]:
    """Return the selection for the options ``backend`` and ``table``; raises Unsupported or InvalidInput."""
    return filter_selection.select(wanted, table, make_backend, "mangle")


def read_both(selection: Selection[MarkBackend]) -> FilterState[State]:
    """Return the marks in both backends; where the other one cannot be read, no marks were written to it."""
    return filter_selection.read_both(selection, unreadable=State(Marks()))


def configured(table: str) -> Marks:
    """Return the marks of this host; raises Unsupported without nft and iptables."""
    return Current(read_both(select("auto", table)), Resolution({}, {})).marks
