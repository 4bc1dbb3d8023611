# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at one stored state: read, plan, put back what is missing. What cannot be now is left out and said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from ..errors import ForeignObject, InvalidInput
from ..plan import Action

TooEarly = Callable[[list[Any], Any], Mapping[Any, str]]
# So many objects that are missing at once are spoken of, and damped, as one.
MANY = 20
_DONE = {"add": "put back", "replace": "set right", "remove": "removed what stood twice:"}


@dataclass
class Look:
    """What a look found: what was put back (in words), and what waits, each with the reason."""

    repaired: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)


def look(
    engine: Any,
    kind: str,
    is_due: Callable[[str], bool],
    too_early: TooEarly = lambda _items, _current: {},
    remembering: Callable[[Any], Any] = lambda current: current,
) -> Look:
    """Put back what of the engine's desired state is missing, as far as that can be and ``is_due`` of its name.

    ``too_early`` tells which objects wait for somebody else's, each with the reason; ``remembering`` adds to what was
    read what is known of the look before. Raises MultihomeError when nothing of it can be read or, for packet filters,
    written.
    """
    found = Look()
    # What an engine learns in one look, such as where gateways are, may be otherwise in the next.
    engine = engine.without(())
    current = remembering(engine.read())
    engine, plan = _possible(engine, current, found.waiting)
    steps = engine.steps(plan)
    early = too_early([action.object for action in steps if action.op == "add"], current)
    found.waiting.update({str(item): reason for item, reason in early.items()})
    names = _names(kind, steps)
    held = {key for key, name in names.items() if not is_due(name)}
    left_out = held.union(item.key for item in early)
    if left_out:
        found.held = sorted({names[key] for key in held})
        engine = engine.without(left_out)
        plan = engine.plan(current)
        if any(action.object.key in left_out for action in engine.steps(plan)):
            # What cannot be left out by itself: all of this state waits with it.
            return found
    steps = engine.steps(plan)
    if steps:
        refused = engine.repair(plan, current)
        for action in steps:
            name = names.get(action.object.key, str(action.object))
            if action.object.key in refused:
                found.waiting[str(action.object)] = refused[action.object.key]
            else:
                found.repaired[name] = _DONE[action.op]
    found.waiting.update(engine.waiting())
    return found


def _possible(engine: Any, current: Any, waiting: dict[str, str]) -> tuple[Any, Any]:
    """Return the engine without what cannot stand now, and its plan; what was left out is added to ``waiting``."""
    while True:
        try:
            return engine, engine.plan(current)
        except (ForeignObject, InvalidInput) as error:
            if not error.objects:
                raise
            waiting.update({str(item): reason for item, reason in error.objects.items()})
            engine = engine.without({item.key for item in error.objects})


def _names(kind: str, actions: Sequence[Action[Any]]) -> dict[Any, str]:
    """Return the name by which each missing object is known, by its key."""
    if len(actions) > MANY:
        return {action.object.key: f"{kind}: {MANY} objects or more" for action in actions}
    return {action.object.key: str(action.object) for action in actions}
