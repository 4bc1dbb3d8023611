# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way every run goes: read, plan, (check mode ends here) apply, read back. Modules and services all take it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Callable, Protocol

from .errors import MultihomeError, StoreFailed, VerifyFailed
from .plan import Action
from .store.persistence import Change, Store


class Planned(Protocol):
    """What a run needs to know of an engine's plan; the rest is the engine's own."""

    @property
    def actions(self) -> Sequence[Action[Any]]:
        """The steps in the order in which they are applied."""


class Engine(Protocol):
    """One kind of state on a host: parsed input is given to its constructor; each step is a method.

    ``read`` and ``plan`` never write. ``apply`` is all or nothing: it raises ApplyFailed after having undone what it
    had done. ``undo`` takes a whole applied plan back, and returns what could not be put back.
    ``before`` and ``after`` give what the plan saw and foresees, in the module's own input form.
    """

    def read(self) -> Any:
        """Return the current state from one dump."""

    def plan(self, current: Any) -> Planned:
        """Return the plan from ``current`` to the desired state."""

    def apply(self, plan: Any, current: Any) -> None:
        """Carry the plan out."""

    def undo(self, plan: Any, current: Any) -> list[str]:
        """Put back ``current`` after ``plan`` was applied."""

    def before(self, plan: Any) -> Any:
        """Return what was listed or owned, in input form."""

    def after(self, plan: Any) -> Any:
        """Return what is listed or owned once the plan is applied, in input form."""

    def lines(self, plan: Any) -> dict[str, list[str]]:
        """Return ``{"before": [...], "after": [...]}``, one readable line an object, for the diff."""


@dataclass(frozen=True)
class Outcome:
    """What a run did, or in check mode would do; ``stored`` is the change of what stands again after a boot."""

    plan: Any
    stored: Change | None = None

    @property
    def changed(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.plan.actions) or self.stored is not None

    def actions(self) -> list[dict[str, Any]]:
        """Return the actions as modules report them."""
        stored = [self.stored.as_result()] if self.stored else []
        return [action.as_result() for action in self.plan.actions] + stored


def converge(
    engine: Engine,
    check_mode: bool,
    lock: Callable[[], AbstractContextManager[None]],
    store: Store | None = None,
) -> Outcome:
    """Bring the host to what ``engine`` desires, keep that in ``store``, and return what was done.

    A run with nothing to do sends nothing. Raises ForeignObject, ReadFailed, ApplyFailed, VerifyFailed, StoreFailed,
    Unsupported or Busy; after each of them the host is as it was, unless the error says otherwise.
    """
    if check_mode:
        plan = engine.plan(engine.read())
        return Outcome(plan, store.change(engine, plan) if store else None)
    # Over both, so that the keeper never finds the one changed and the other not yet.
    with lock():
        current = engine.read()
        plan = engine.plan(current)
        change = store.change(engine, plan) if store else None
        if change is None:
            _carry_out(engine, plan, current)
            return Outcome(plan)
        change.stage()
        try:
            _carry_out(engine, plan, current)
            _commit(change, engine, plan, current)
        finally:
            change.discard()
        return Outcome(plan, change)


def _carry_out(engine: Engine, plan: Any, current: Any) -> None:
    if not plan.actions:
        return
    engine.apply(plan, current)
    differences = _differences(engine)
    if differences:
        not_undone = engine.undo(plan, current)
        raise VerifyFailed(differences + not_undone, not not_undone)


def _commit(change: Change, engine: Engine, plan: Any, current: Any) -> None:
    try:
        change.commit()
    except StoreFailed as failed:
        not_undone = engine.undo(plan, current) if plan.actions else []
        raise StoreFailed(failed.path, failed.error, not_undone) from failed


def _differences(engine: Engine) -> list[str]:
    try:
        return [f"still to do: {action}" for action in engine.plan(engine.read()).actions]
    except MultihomeError as error:
        # Somebody else changed the host meanwhile, or it cannot be read: what was meant does not stand either way.
        return str(error).splitlines()
