# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of every run: read, plan, (check mode ends here) apply, read again. All modules run through it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Generic, TypeVar

from .engine import Engine, Planned, PlanT, StateT
from .entries import Form
from .errors import MultihomeError, ReadFailed, StoreFailed, VerifyFailed
from .fields import shown
from .host import file_contexts
from .rollback import apply_or_restore, restored

if TYPE_CHECKING:
    from .store.change import Change
    from .store.persistence import Store

PlanT_co = TypeVar("PlanT_co", bound=Planned, covariant=True)


@dataclass(frozen=True)
class Outcome(Generic[PlanT_co]):
    """The result of a run, in check mode a forecast; ``stored`` is the change of the stored state."""

    plan: PlanT_co
    stored: Change | None = None

    @property
    def changed(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.plan.actions) or self.stored is not None

    def actions(self) -> list[Form]:
        """Return the actions as modules report them."""
        stored = [self.stored.as_result()] if self.stored else []
        return [action.as_result() for action in self.plan.actions] + stored


def converge(
    engine: Engine[StateT, PlanT],
    check_mode: bool,
    lock: Callable[[], AbstractContextManager[object]],
    store: Store[PlanT] | None = None,
    before_write: Callable[[StateT], None] | None = None,
) -> Outcome[PlanT]:
    """Bring the host to the engine's desired state, keep that in ``store``, and return what was done.

    ``before_write`` is called with the state that was read, under the lock, before the first change of a run that has
    something to do; when it raises, nothing is changed.

    A run with nothing to do sends nothing. Raises ForeignObject, ReadFailed, ApplyFailed, VerifyFailed, StoreFailed,
    Unsupported or Busy; after each of them the host is as it was, unless the error says otherwise.
    """
    if check_mode:
        _current, plan = _read_and_plan(engine)
        return Outcome(plan, store.change(plan) if store else None)
    # One lock for both, so that the keeper never finds one changed and the other not yet.
    with lock():
        current, plan = _read_and_plan(engine)
        change = store.change(plan) if store else None
        if before_write and (plan.actions or change):
            before_write(current)
        try:
            _keep(engine, plan, current, change)
        finally:
            file_contexts.restore()
        return Outcome(plan, change)


def _keep(engine: Engine[StateT, PlanT], plan: PlanT, current: StateT, change: Change | None) -> None:
    """Carry the plan out, and store its result."""
    if change is None:
        _carry_out(engine, plan, current)
        return
    change.stage()
    try:
        _carry_out(engine, plan, current)
        _commit(change, engine, plan, current)
    finally:
        change.discard()


def _read_and_plan(engine: Engine[StateT, PlanT]) -> tuple[StateT, PlanT]:
    """Return the current state and the plan from it; raises ReadFailed where the state is not understood.

    Programs and kernels of the future print and answer things that nobody has seen yet.
    """
    try:
        current = engine.read()
        return current, engine.plan(current)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        text = f"the current state is not understood ({type(error).__name__}: {shown(str(error))}); nothing was changed"
        raise ReadFailed(f"{text}; report this with the output of multihome_info") from error


def _carry_out(engine: Engine[StateT, PlanT], plan: PlanT, current: StateT) -> None:
    if not plan.actions:
        return
    apply_or_restore(engine, plan, current)
    differences = _differences(engine)
    if differences:
        not_restored = restored(engine, plan, current)
        raise VerifyFailed(differences + not_restored, not not_restored)


def _commit(change: Change, engine: Engine[StateT, PlanT], plan: PlanT, current: StateT) -> None:
    try:
        change.commit()
    except StoreFailed as failed:
        not_restored = restored(engine, plan, current) if plan.actions else []
        raise StoreFailed(failed.path, failed.error, not_restored) from failed


def _differences(engine: Engine[StateT, PlanT]) -> list[str]:
    try:
        return [f"still to do: {action}" for action in _read_and_plan(engine)[1].actions]
    except MultihomeError as error:
        # Another program changed the host meanwhile, or it cannot be read: either way the desired state is not there.
        return str(error).splitlines()
