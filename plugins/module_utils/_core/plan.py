# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done so that the desired objects stand: the one planner, no I/O. Check mode ends here.

Ownership decides everything: an entry that stands already is satisfied whoever made it; only objects with our own
owner tag are replaced or removed; a different object of somebody else under the same key is a ForeignObject.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from .entries import Entry
from .errors import ForeignObject
from .fields import owner_name


class Model(Protocol):
    """What the planner needs of an object: identity, comparison, and its form in a module's list."""

    @property
    def key(self) -> tuple[Any, ...]:
        """The object's identity."""

    def satisfied_by(self, other: Any) -> bool:
        """Tell whether ``other``, of the same key, is what this object asks for."""

    def as_input(self) -> dict[str, Any]:
        """Return the object in a module's input form."""


M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Existing(Generic[M]):
    """An object that stands. ``owner`` is its protocol number; ``handle`` is what the executor needs to address it."""

    object: M
    owner: int
    handle: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Action(Generic[M]):
    """One step: ``op`` is add, remove or replace; ``standing`` is what a remove or replace acts on."""

    op: str
    object: M
    standing: Existing[M] | None = None

    def as_result(self) -> dict[str, Any]:
        """Return the action as modules report it."""
        return {"op": self.op, "object": self.object.as_input()}

    def __str__(self) -> str:
        return f"{self.op} {self.object}"


@dataclass(frozen=True)
class Setting:
    """One option that holds for a whole list, as a step of a plan."""

    name: str
    value: Any

    @property
    def key(self) -> tuple[Any, ...]:
        """The option."""
        return (self.name,)

    def satisfied_by(self, other: Setting) -> bool:
        """Tell whether ``other`` is the same value."""
        return self == other

    def as_input(self) -> dict[str, Any]:
        """Return the option with its value."""
        return {self.name: list(self.value) if isinstance(self.value, tuple) else self.value}

    def __str__(self) -> str:
        return f"{self.name} {self.as_input()[self.name]}"


@dataclass(frozen=True)
class Part:
    """A part of a backend that is nobody's entry: what is wrong with it, or what is there without reason."""

    what: str

    @property
    def key(self) -> tuple[Any, ...]:
        """What it is."""
        return (self.what,)

    def satisfied_by(self, other: Part) -> bool:
        """Tell whether ``other`` is the same."""
        return self == other

    def as_input(self) -> dict[str, Any]:
        """Return what it is; no entry can ask for it."""
        return {"table": self.what}

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True)
class Plan(Generic[M]):
    """``actions`` in the order to apply, additions first; ``before`` and ``after`` are what is listed or owned.

    ``others`` are the desired objects that stand already and are somebody else's.
    """

    actions: tuple[Action[M], ...]
    before: tuple[M, ...]
    after: tuple[M, ...]
    others: frozenset[M] = frozenset()

    def adding(self) -> list[Action[M]]:
        """Return the actions that make something stand."""
        return [action for action in self.actions if action.op != "remove"]

    def removing(self) -> list[Action[M]]:
        """Return the actions that take something away."""
        return [action for action in self.actions if action.op == "remove"]


def plan(desired: Sequence[Entry[M]], current: Iterable[Existing[M]], owner: int, purge: bool) -> Plan[M]:
    """Return the steps from ``current`` to a state in which every desired object stands.

    ``current`` may hold any number of foreign objects, also several under one key; none of them ever comes into an
    action. With ``purge``, objects of ``owner`` that are not desired are removed. Raises ForeignObject with every
    conflict. The result depends on the order of neither list, except that actions follow the order of ``desired``.
    """
    standing: dict[Any, list[Existing[M]]] = {}
    for existing in current:
        standing.setdefault(existing.object.key, []).append(existing)
    before: list[M] = []
    after: list[M] = []
    adding: list[Action[M]] = []
    removing: list[Action[M]] = []
    others: list[M] = []
    conflicts: dict[M, str] = {}
    for entry in desired:
        here = standing.pop(entry.object.key, [])
        if not here:
            adding.append(Action("add", entry.object))
            after.append(entry.object)
            continue
        ours = [existing for existing in here if existing.owner == owner]
        kept = next((e for e in ours + here if entry.object.satisfied_by(e.object)), None)
        foreign = [e for e in here if e.owner != owner and e is not kept]
        if kept is None and foreign:
            conflicts[entry.object] = _conflict(entry, foreign[0])
            continue
        before.extend(existing.object for existing in here if existing is kept or existing.owner == owner)
        after.append(kept.object if kept else entry.object)
        surplus = [existing for existing in ours if existing is not kept]
        if kept and kept.owner != owner:
            others.append(entry.object)
        if kept is None:
            adding.append(Action("replace", entry.object, surplus.pop(0)))
        # Two of ours under one key (a half-done run): one is kept, the others go, whether or not purge is asked for.
        removing.extend(Action("remove", existing.object, existing) for existing in surplus)
    if conflicts:
        raise ForeignObject(conflicts.values(), conflicts)
    for rest in standing.values():
        for existing in rest:
            if existing.owner == owner:
                before.append(existing.object)
                if purge:
                    removing.append(Action("remove", existing.object, existing))
                else:
                    after.append(existing.object)
    return Plan(tuple(adding + removing), _sorted(before), _sorted(after), frozenset(others))


def _sorted(items: list[M]) -> tuple[M, ...]:
    # By a total order over the key (None before values), so that before and after differ only where the host does.
    return tuple(sorted(items, key=lambda item: [(part is not None, type(part).__name__, part) for part in item.key]))


def _conflict(entry: Entry[M], standing: Existing[M]) -> str:
    return (
        f"{entry.where}: {standing.object} stands in its place and belongs to {owner_name(standing.owner)}: "
        f"{standing.object.as_input()}; remove it or change the entry, it is not overwritten"
    )
