# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine whose entries refer to addresses that an ISP assigns: it drives the engine of the values of this moment.

Files, ``before`` and ``after`` have the references; so a deployment after a change of address changes nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any, Protocol

from ..entries import Form, Options
from ..plan import Action, Model
from ..references import (
    Learned,
    bound,
    folded,
    parse_reference,
    with_placeholders,
    without_ipv6,
    without_placeholders,
)
from ..store.persistable import Persistable
from .host_addresses import HostAddresses

# Engines of all kinds of state, their states and plans.
AnyEngine = Any
Make = Callable[[Options], AnyEngine]


class Learner(Protocol):
    """Knows what the interfaces of the host have."""

    @property
    def has_ipv6(self) -> bool:
        """Whether the kernel has IPv6 at all."""

    def now(self) -> Learned:
        """Return what they have now."""

    def earlier(self) -> Mapping[str, Sequence[Mapping[str, Sequence[str]]]]:
        """Return what they had, by name."""

    def remember(self, learned: Learned, interfaces: Collection[str]) -> None:
        """Keep what these interfaces have."""


class LearnedEngine(Persistable[Any, Any]):
    """The engine of ``options`` with the values that the host has when it is read; ``make`` returns one for options.

    Everything else that an engine can do, the engine of the values does.
    """

    def __init__(self, make: Make, options: Options, texts: set[str], learner: Learner) -> None:
        self._make, self._options, self._texts, self._learner = make, options, texts, learner
        # Of the same entries with placeholders: what is wrong with them is found at once, and they are stored.
        self._wanted: AnyEngine = make(with_placeholders(options))
        self._now: AnyEngine = None
        self._learned: Learned = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._wanted if self._now is None else self._now, name)

    @property
    def executor(self) -> Any:
        """What reads and changes the kernel; packet filters have none."""
        return self._wanted.executor

    @executor.setter
    def executor(self, executor: Any) -> None:
        self._wanted.executor = executor
        if isinstance(self._learner, HostAddresses):
            self._learner.executor = executor

    @property
    def as_wanted(self) -> Persistable[Any, Any]:
        """The engine of the same entries with placeholders."""
        wanted: Persistable[Any, Any] = self._wanted
        return wanted

    @property
    def interfaces(self) -> set[str]:
        """The interfaces whose addresses are meant."""
        return {found[0] for found in map(parse_reference, self._texts) if found}

    def rebind(self) -> bool:
        """Take in what the host has now; tell whether that is something else."""
        learned = self._learner.now()
        new = {name: learned.get(name) for name in self.interfaces}
        if self._now is not None and new == {name: self._learned.get(name) for name in self.interfaces}:
            return False
        self._learned = learned
        self._now = self._make(self._bound(learned))
        if hasattr(self._now, "executor"):
            self._now.executor = self._wanted.executor
        self._now.superseded = self._superseded()
        return True

    def _bound(self, learned: Learned) -> Form:
        values = bound(self._options, learned)
        return values if self._learner.has_ipv6 else without_ipv6(values)

    def _superseded(self) -> dict[str, dict[Hashable, Model]]:
        """Return the objects, by list and key, that earlier values led to, and those of now do not."""
        known = self._learner.earlier()
        found: dict[str, dict[Hashable, Model]] = {name: {} for name in self._now.entry_lists}
        for interface in sorted(self.interfaces):
            for state in known.get(interface, ()):
                before = self._make(self._bound({**self._learned, interface: state}))
                for name, gone in found.items():
                    gone.update((entry.object.key, entry.object) for entry in getattr(before, name) or ())
        for name, gone in found.items():
            for entry in getattr(self._now, name) or ():
                gone.pop(entry.object.key, None)
        return found

    # ---------------------------------------------------------------- what converge() and the keeper ask for
    def without(self, keys: Collection[Hashable]) -> LearnedEngine:
        """Return the same engine without the entries of these keys."""
        other = copy.copy(self)
        other._wanted = self._wanted.without(keys)
        other._now = None if self._now is None else self._now.without(keys)
        return other

    def read(self) -> Any:
        """Return the current state; the values of the host are asked for once."""
        if self._now is None:
            self.rebind()
        return self._now.read()

    def plan(self, current: Any) -> Any:
        """Return the plan for the values of now."""
        return self._now.plan(current)

    def apply(self, plan: Any, current: Any) -> None:
        """Carry the plan out."""
        self._learner.remember(self._learned, self.interfaces)
        self._now.apply(plan, current)

    def restore(self, plan: Any, current: Any) -> list[str]:
        """Restore ``current``; return what could not be restored."""
        failures: list[str] = self._now.restore(plan, current)
        return failures

    def steps(self, plan: Any) -> Sequence[Action[Model]]:
        """Return the actions that the keeper carries out."""
        actions: Sequence[Action[Model]] = self._now.steps(plan)
        return actions

    def repair(self, plan: Any, current: Any) -> Mapping[Hashable, str]:
        """Carry out the actions that can be; return the reasons of the others, by their keys."""
        self._learner.remember(self._learned, self.interfaces)
        refused: Mapping[Hashable, str] = self._now.repair(plan, current)
        return refused

    def withdraw(self, current: Any) -> None:
        """Remove objects that do harm."""
        self._now.withdraw(current)

    def waiting(self) -> Mapping[str, str]:
        """Return what is not yet as desired; interfaces without any address are a part of that."""
        bare = [name for name in sorted(self.interfaces) if not self._learned.get(name, {}).get("addresses")]
        lacking = {f"what refers to the addresses of {name}": "the interface has none" for name in bare}
        return {**lacking, **self._now.waiting()}

    # ---------------------------------------------------------------- in the form that is wanted
    def before(self, plan: Any) -> Any:
        """Return the state before the plan, with references."""
        return self._folded(self._now.before(plan), plan)

    def after(self, plan: Any) -> Any:
        """Return the state after the plan, with references."""
        return self._folded(self._now.after(plan), plan)

    def lines(self, plan: Any) -> dict[str, list[str]]:
        """Return the lines of the diff, which has the values."""
        lines: dict[str, list[str]] = self._now.lines(plan)
        return lines

    def state_before(self, plan: Any) -> Form:
        """Return the options that describe the state before the plan, as it is."""
        form: Form = self._now.state_before(plan)
        return form

    def to_store(self, older: Any, plan: Any) -> Form:
        """Return the options to store, with references; Store restores those of ``older``."""
        form: Form = self._wanted.to_store(older and older.as_wanted, plan)
        return form

    def _folded(self, shown: Any, plan: Any) -> Any:
        wanted = without_placeholders(self._wanted.to_store(None, plan), self._texts)
        if isinstance(shown, list):
            entries = [entry for name in self._now.entry_lists for entry in wanted.get(_OPTION.get(name, name), ())]
            return folded(shown, entries, self._learned)
        return {name: self._folded_list(name, listed, wanted.get(name) or ()) for name, listed in shown.items()}

    def _folded_list(self, name: str, shown: Any, wanted: Sequence[Form]) -> Any:
        if name != "tables":
            return folded(shown, wanted, self._learned)
        routes = {table["id"]: table.get("routes") or () for table in wanted}
        return [
            {**table, "routes": folded(table["routes"], routes.get(table["id"], ()), self._learned, is_route=True)}
            if table.get("routes")
            else table
            for table in shown
        ]


# The option of a list of entries where it has another name.
_OPTION = {"desired": "rules"}
