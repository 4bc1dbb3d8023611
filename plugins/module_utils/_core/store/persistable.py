# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of engines whose state is stored: it can be stored for the next boot, and repaired in parts."""

from __future__ import annotations

import copy
from collections.abc import Collection, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from ..engine import Engine, PlanT, StateT
from ..entries import Form
from ..plan import Action, Model
from ..rollback import apply_or_restore

E = TypeVar("E", bound="Persistable")  # type: ignore[type-arg]  # a bound cannot have type variables


class Persistable(Engine[StateT, PlanT]):
    """Base of the engines whose state is stored. ``entry_lists`` names their lists of entries, each may be None."""

    entry_lists: tuple[str, ...] = ("desired",)
    # Own objects by list and key that are removed also without purge: those of earlier addresses of the host.
    superseded: Mapping[str, Mapping[Hashable, Model]] = MappingProxyType({})

    @property
    def as_wanted(self) -> Persistable[StateT, PlanT]:
        """The engine of the entries as they are wanted: of one that puts values of the host in, what it holds."""
        return self

    def without(self: E, keys: Collection[Hashable]) -> E:
        """Return the same engine without the entries of these keys."""
        other = copy.copy(self)
        for name in self.entry_lists:
            entries = getattr(self, name)
            setattr(other, name, entries and [entry for entry in entries if entry.object.key not in keys])
        return other

    def to_store(self: E, older: E | None, plan: PlanT) -> Form:
        """Return the options to store, lists and settings, that ``plan`` leads to.

        ``older`` is an engine of the stored options, None when there are none.
        """
        raise NotImplementedError

    def state_before(self, plan: PlanT) -> Form:
        """Return the options, lists and settings, that describe the configured state before ``plan``."""
        raise NotImplementedError

    def steps(self, plan: PlanT) -> Sequence[Action[Model]]:
        """Return the actions of a plan that the keeper carries out."""
        return plan.actions

    def repair(self, plan: PlanT, current: StateT) -> Mapping[Hashable, str]:
        """Carry out those that can be; return the reasons of the others, by their keys.

        By default all or nothing: raises ApplyFailed.
        """
        apply_or_restore(self, plan, current)
        return {}

    def withdraw(self, current: StateT) -> None:
        """Remove objects that do harm on a host as it is now, where the whole state is refused; raises ApplyFailed."""

    def rebind(self) -> bool:
        """Take in the addresses that this host has now, where entries refer to them; tell whether they are others."""
        return False

    def waiting(self) -> Mapping[str, str]:
        """Return what is not yet as desired, each with the reason."""
        return {}
