# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one planner: which steps lead from the current objects to the desired ones. No I/O; check mode ends here.

Ownership decides everything: an entry whose object exists is satisfied, by any owner; only objects with our own
owner tag are replaced or removed; a different object of another owner under the same key is a ForeignObject.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from .entries import Entry, Form
from .errors import ForeignObject
from .fields import owner_name


class Model(Protocol):
    """The part of an object that the planner needs: identity, comparison, and its form in a module's list."""

    @property
    def key(self) -> tuple[object, ...]:
        """The object's identity."""

    def satisfied_by(self, other: Any) -> bool:
        """Tell whether ``other``, of the same key, is what this object asks for."""

    def as_input(self) -> Form:
        """Return the object in a module's input form."""


M = TypeVar("M", bound=Model)
M_co = TypeVar("M_co", bound=Model, covariant=True)


@dataclass(frozen=True)
class Existing(Generic[M_co]):
    """An object that exists. ``owner`` is its protocol number; ``handle`` is what the executor needs to address it."""

    object: M_co
    owner: int
    handle: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Action(Generic[M_co]):
    """One step: ``op`` is add, remove or replace; ``existing`` is what a remove or replace acts on."""

    op: str
    object: M_co
    existing: Existing[M_co] | None = None
    # The entry that asks for it, as messages name it; empty where no entry does.
    where: str = field(default="", compare=False)

    def as_result(self) -> Form:
        """Return the action as modules report it."""
        return {"op": self.op, "object": self.object.as_input()}

    def __str__(self) -> str:
        return f"{self.op} {self.object}"


@dataclass(frozen=True)
class Setting:
    """One option that holds for a whole list, as a step of a plan."""

    name: str
    value: object

    @property
    def key(self) -> tuple[object, ...]:
        """The option."""
        return (self.name,)

    def satisfied_by(self, other: Setting) -> bool:
        """Tell whether ``other`` is the same value."""
        return self == other

    def as_input(self) -> Form:
        """Return the option with its value."""
        return {self.name: list(self.value) if isinstance(self.value, tuple) else self.value}

    def __str__(self) -> str:
        return f"{self.name} {self.as_input()[self.name]}"


@dataclass(frozen=True)
class Part:
    """A part of a backend that belongs to no entry: ``what`` names the fault, or a part that is not needed."""

    what: str

    @property
    def key(self) -> tuple[object, ...]:
        """Its description."""
        return (self.what,)

    def satisfied_by(self, other: Part) -> bool:
        """Tell whether ``other`` is the same."""
        return self == other

    def as_input(self) -> Form:
        """Return its description; no entry can ask for it."""
        return {"table": self.what}

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True)
class Plan(Generic[M_co]):
    """``actions`` in the order to apply, additions first; ``before`` and ``after`` are the listed or owned objects.

    ``others`` are the desired objects that exist already and belong to another owner.
    """

    actions: tuple[Action[M_co], ...]
    before: tuple[M_co, ...]
    after: tuple[M_co, ...]
    others: frozenset[M_co] = frozenset()

    def adding(self) -> list[Action[M_co]]:
        """Return the actions that add or replace something."""
        return [action for action in self.actions if action.op != "remove"]

    def removing(self) -> list[Action[M_co]]:
        """Return the actions that remove something."""
        return [action for action in self.actions if action.op == "remove"]


def plan(
    desired: Sequence[Entry[M]],
    current: Iterable[Existing[M]],
    owner: int,
    purge: bool,
    withdrawn: Collection[Hashable] = (),
) -> Plan[M]:
    """Return the steps from ``current`` to a state in which every desired object exists.

    ``current`` may hold any number of foreign objects, also several under one key; none of them is ever part of an
    action. With ``purge``, objects of ``owner`` that are not desired are removed; those whose key is ``withdrawn`` also
    without it. Raises ForeignObject with every conflict. The result depends on the order of neither list, except that
    actions follow the order of ``desired``.
    """
    unlisted: dict[tuple[object, ...], list[Existing[M]]] = {}
    for existing in current:
        unlisted.setdefault(existing.object.key, []).append(existing)
    steps: _Steps[M] = _Steps(owner)
    for entry in desired:
        steps.plan_entry(entry, unlisted.pop(entry.object.key, []))
    if steps.conflicts:
        raise ForeignObject(steps.conflicts.values(), dict(steps.conflicts))
    for key, rest in unlisted.items():
        steps.plan_unlisted([existing for existing in rest if existing.owner == owner], purge or key in withdrawn)
    return Plan(
        tuple(steps.adding + steps.removing), in_order(steps.before), in_order(steps.after), frozenset(steps.others)
    )


class _Steps(Generic[M]):
    """A plan while it grows, entry by entry."""

    def __init__(self, owner: int) -> None:
        self._owner = owner
        self.before: list[M] = []
        self.after: list[M] = []
        self.adding: list[Action[M]] = []
        self.removing: list[Action[M]] = []
        self.others: list[M] = []
        self.conflicts: dict[M, str] = {}

    def plan_entry(self, entry: Entry[M], here: Sequence[Existing[M]]) -> None:
        """Plan one entry; ``here`` are the objects that exist under its key."""
        if not here:
            self._add(entry)
            return
        ours = [existing for existing in here if existing.owner == self._owner]
        satisfying = next((one for one in (*ours, *here) if entry.object.satisfied_by(one.object)), None)
        if satisfying is not None:
            self._keep(entry, satisfying, here)
        elif len(ours) < len(here):
            foreign = next(existing for existing in here if existing.owner != self._owner)
            self.conflicts[entry.object] = _conflict(entry, foreign)
        else:
            self._replace(entry, ours)

    def plan_unlisted(self, ours: Sequence[Existing[M]], purge: bool) -> None:
        """Plan our own objects that no entry asks for."""
        self.before.extend(existing.object for existing in ours)
        if purge:
            self._remove(ours)
        else:
            self.after.extend(existing.object for existing in ours)

    def _add(self, entry: Entry[M]) -> None:
        self.adding.append(Action("add", entry.object, where=entry.where))
        self.after.append(entry.object)

    def _keep(self, entry: Entry[M], satisfying: Existing[M], here: Sequence[Existing[M]]) -> None:
        self.before.extend(one.object for one in here if one is satisfying or one.owner == self._owner)
        self.after.append(satisfying.object)
        if satisfying.owner != self._owner:
            self.others.append(entry.object)
        self._remove([one for one in here if one.owner == self._owner and one is not satisfying])

    def _replace(self, entry: Entry[M], ours: Sequence[Existing[M]]) -> None:
        self.before.extend(existing.object for existing in ours)
        self.after.append(entry.object)
        self.adding.append(Action("replace", entry.object, ours[0], entry.where))
        self._remove(ours[1:])

    def _remove(self, ours: Sequence[Existing[M]]) -> None:
        # Also without purge: of two under one key (after a half-done run), one is kept and the others are removed.
        self.removing.extend(Action("remove", existing.object, existing) for existing in ours)


def in_order(items: Iterable[M]) -> tuple[M, ...]:
    """Return objects in the order of ``before`` and ``after``."""
    # By a total order over the key (None before values), so that before and after differ only where the host does.
    return tuple(sorted(items, key=lambda item: [(part is not None, type(part).__name__, part) for part in item.key]))


def _conflict(entry: Entry[M], foreign: Existing[M]) -> str:
    return (
        f"{entry.where}: {foreign.object} is in its place and belongs to {owner_name(foreign.owner)}: "
        f"{foreign.object.as_input()}; remove it or change the entry, it is not overwritten"
    )
