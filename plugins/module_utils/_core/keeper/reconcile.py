# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconciles one stored state: read, plan, restore what is missing. Objects that cannot be restored now wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from ..errors import ForeignObject, InvalidInput
from ..plan import Action

# Engines, their states, plans and objects have no common base class; Engine and Persistable describe them.
Engine = Any
Current = Any
Object = Any

Delayed = Callable[[list[Object], Current], Mapping[Object, str]]
# More missing objects than this are reported, and backed off from, as one.
MANY = 20
_REPAIRED = {"add": "restored", "replace": "corrected", "remove": "removed a duplicate:"}
# Where the addresses of the host, or the lines in service, are others than before.
_FOLLOWED = {"add": "added", "replace": "changed", "remove": "removed"}


@dataclass(frozen=True)
class Policy:
    """The decisions of the keeper about one state; by default everything is restored at once.

    ``is_due`` says by name whether an object may be restored now. ``delayed`` returns the objects that have to wait for
    other programs, each with the reason; ``complete`` adds knowledge of the last check to the state read. ``follows``
    says that the host's addresses or the lines in service are others now, so that nothing was missing.
    """

    is_due: Callable[[str], bool] = lambda _name: True
    delayed: Delayed = lambda _objects, _current: {}
    complete: Callable[[Current], Current] = lambda current: current
    follows: bool = False


@dataclass
class Result:
    """What a reconciliation did: the repaired objects with a verb, and the waiting ones with the reason."""

    repaired: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)


def reconcile(engine: Engine, kind: str, policy: Policy) -> Result:
    """Restore the missing objects of the engine's desired state, as far as possible and as ``policy`` allows.

    Raises MultihomeError when the state cannot be read or, for packet filters, written.
    """
    result = Result()
    # What an engine finds out in one check, such as the places of gateways, may have changed at the next.
    engine = engine.without(())
    current = policy.complete(engine.read())
    engine, plan = _possible(engine, current, result.waiting)
    steps = engine.steps(plan)
    early = policy.delayed([action.object for action in steps if action.op == "add"], current)
    result.waiting.update({str(item): reason for item, reason in early.items()})
    names = _names(kind, steps)
    left_out = {key for key, name in names.items() if not policy.is_due(name)}.union(item.key for item in early)
    if left_out:
        engine = engine.without(left_out)
        plan = engine.plan(current)
        if any(action.object.key in left_out for action in engine.steps(plan)):
            # An object that cannot be left out alone: the whole state waits with it.
            return result
    steps = engine.steps(plan)
    if steps:
        done = _FOLLOWED if policy.follows else _REPAIRED
        refused = engine.repair(plan, current)
        for action in steps:
            if action.object.key in refused:
                result.waiting[str(action.object)] = refused[action.object.key]
            else:
                result.repaired[names.get(action.object.key, str(action.object))] = done[action.op]
    result.waiting.update(engine.waiting())
    return result


def _possible(engine: Engine, current: Current, waiting: dict[str, str]) -> tuple[Engine, Any]:
    """Return the engine without the objects that cannot be restored now, and its plan; add those to ``waiting``."""
    while True:
        try:
            return engine, engine.plan(current)
        except (ForeignObject, InvalidInput) as error:
            if not error.objects:
                engine.withdraw(current)
                raise
            waiting.update({str(item): reason for item, reason in error.objects.items()})
            engine = engine.without({item.key for item in error.objects})


def _names(kind: str, actions: Sequence[Action[Object]]) -> dict[object, str]:
    """Return the name of each missing object by its key."""
    if len(actions) > MANY:
        return {action.object.key: f"{kind}: {MANY} objects or more" for action in actions}
    return {action.object.key: str(action.object) for action in actions}
