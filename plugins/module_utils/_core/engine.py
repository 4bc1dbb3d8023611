# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface of an engine: one kind of state on a host, which converge.py brings to the desired one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional, Protocol, TypeVar

from .entries import Options
from .plan import Action, Model


class Planned(Protocol):
    """The part of an engine's plan that a run needs; the rest is the engine's own."""

    @property
    def actions(self) -> Sequence[Action[Model]]:
        """The steps in the order in which they are applied."""


@dataclass(frozen=True)
class Allowed:
    """What a host allows of the wanted options of one kind of state, see health/effective.py.

    ``options`` are those to configure now. ``withdrawn`` has entries that must not exist meanwhile, by option: an
    engine removes its own. Files, ``before`` and ``after`` keep what is wanted.
    """

    options: Options
    withdrawn: Options


# Asked when the host is read, as it may change until then; None where everything is allowed.
AskAllowed = Callable[[], Optional[Allowed]]

StateT = TypeVar("StateT")
PlanT = TypeVar("PlanT", bound=Planned)
StateT_contra = TypeVar("StateT_contra", contravariant=True)
PlanT_contra = TypeVar("PlanT_contra", contravariant=True)


class Restorable(Protocol[StateT_contra, PlanT_contra]):
    """The part of an engine that changes the host: see rollback.py."""

    def apply(self, plan: PlanT_contra, current: StateT_contra) -> None:
        """Carry the plan out; raises StepFailed once anything was changed."""

    def restore(self, plan: PlanT_contra, current: StateT_contra) -> list[str]:
        """Restore ``current``; return what could not be restored, one line each."""


class Engine(Protocol[StateT, PlanT]):
    """One kind of state on a host. Its constructor takes the parsed input; each step is a method.

    ``read`` and ``plan`` never write.
    ``before`` and ``after`` return the state before and after the plan in the module's own input form.
    """

    def read(self) -> StateT:
        """Return the current state from one dump."""

    def plan(self, current: StateT) -> PlanT:
        """Return the plan from ``current`` to the desired state."""

    def apply(self, plan: PlanT, current: StateT) -> None:
        """Carry the plan out, as Restorable does."""

    def restore(self, plan: PlanT, current: StateT) -> list[str]:
        """Restore ``current``, as Restorable does."""

    def before(self, plan: PlanT) -> object:
        """Return the listed or owned objects, in input form."""

    def after(self, plan: PlanT) -> object:
        """Return the listed or owned objects after the plan, in input form."""

    def lines(self, plan: PlanT) -> dict[str, list[str]]:
        """Return ``{"before": [...], "after": [...]}``, one readable line an object, for the diff."""
