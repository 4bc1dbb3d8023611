# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which stored objects are not configured now: the keeper's question, asked without changing anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..engine import Allowed
from ..entries import Options
from ..errors import ForeignObject, InvalidInput
from ..health.gate import allowed_by_health
from ..keeper.error_text import error_text
from ..keeper.stored_states import ENGINES, States
from ..store.persistence import DIRECTORY


@dataclass
class Pending:
    """``missing`` are objects by kind that a repair restores; ``waiting`` those that it cannot restore, and why."""

    missing: dict[str, list[str]] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many objects are missing."""
        return sum(map(len, self.missing.values()))


def limits(kind: str, options: Options) -> Allowed | None:
    """Return what the lines allow of a kind of state, by the judgement of the keeper; None is all of it.

    The default route of a dead line is not missing: it has another metric.
    """
    return allowed_by_health(kind, options)()


def pending(directory: str = DIRECTORY, engines: Mapping[str, Any] | None = None) -> Pending:
    """Return them; a stored file that is refused, or cannot be compared, is in ``waiting`` with the reason."""
    result = Pending()
    states = States(directory, ENGINES if engines is None else engines, ask_limits=limits)
    for state in states.reload():
        try:
            if states.prepare(state):
                _compare(state.engine, state.kind, result)
            elif state.fault:
                result.waiting[state.file] = state.fault
        except Exception as error:  # pylint: disable=broad-exception-caught  # as the keeper, which goes on as well
            result.waiting[state.file] = error_text(error)
    return result


def _compare(engine: Any, kind: str, result: Pending) -> None:
    engine = engine.without(())
    current = engine.read()
    while True:
        try:
            plan = engine.plan(current)
            break
        except (ForeignObject, InvalidInput) as error:
            if not error.objects:
                raise
            result.waiting.update({str(item): reason for item, reason in error.objects.items()})
            engine = engine.without({item.key for item in error.objects})
    steps = [str(action.object) for action in engine.steps(plan)]
    if steps:
        result.missing[kind] = steps
    result.waiting.update(engine.waiting())
