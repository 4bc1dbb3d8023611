# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a whole host: which modules of a role would change anything, from one look at the host.

Each kind is forecast as its module does it in check mode, by the same engine. Nothing is written. What the engines read
is shared: each kind of kernel object is read once, and each program runs once for equal arguments.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..converge import converge
from ..entries import Form, Options
from ..errors import InvalidInput, MultihomeError, WouldDisconnect
from ..host import programs
from ..routing.executor import Executor, RouteReader
from ..routing.snapshot import Snapshot
from ..store.format import KINDS as STORED
from ..store.persistence import DIRECTORY, Store
from .kinds import KINDS, AnyEngine

# A first deployment may add ten thousand translations: so many actions of each kind are in the result.
_SHOWN = 20


@dataclass(frozen=True)
class Forecast:
    """What ``module`` would do. ``error`` is the reason why it would fail; ``disturbed`` names an earlier kind."""

    module: str
    actions: tuple[Form, ...] = ()
    count: int = 0
    error: str = ""
    disturbed: str = ""

    @property
    def pending(self) -> bool:
        """Whether the module has to run."""
        return bool(self.count or self.error or self.disturbed)

    def as_result(self) -> Form:
        """Return the forecast as results have it."""
        reasons = {"error": self.error, "disturbed_by": self.disturbed}
        given = {name: text for name, text in reasons.items() if text}
        return {
            "module": self.module,
            "pending": self.pending,
            "count": self.count,
            "actions": list(self.actions),
            **given,
        }


class OneLook(Executor):
    """An executor that reads each kind once; of routes it always returns all."""

    def __init__(self) -> None:
        super().__init__()
        self._read = Snapshot({}, {})

    def read(self, *kinds: str, routes: RouteReader | None = None) -> Snapshot:  # noqa: ARG002 - all of them are read
        """Return a snapshot of the kinds, from the kernel only for those that were not read before."""
        new = [kind for kind in kinds if kind not in self._read.messages]
        if new or not self._read.interfaces:
            now = super().read(*new)
            self._read = Snapshot(now.interfaces, {**self._read.messages, **now.messages})
        return Snapshot(self._read.interfaces, {kind: self._read.messages[kind] for kind in kinds})


def parse_plan(plan: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the options of each kind in the plan, in the order of KINDS; raises InvalidInput with every fault.

    A kind without options (None) is not in the plan.
    """
    unknown = [str(name) for name in plan if name not in KINDS]
    faults = [f"plan: {name}: not one of {', '.join(KINDS)}" for name in unknown]
    parsed: dict[str, dict[str, Any]] = {}
    for name, kind in KINDS.items():
        if plan.get(name) is None:
            continue
        try:
            parsed[name] = kind.options(name, plan[name])
        except InvalidInput as error:
            faults += error.faults
    if faults:
        raise InvalidInput(faults)
    return parsed


def forecast(plan: Mapping[str, Options], executor: Executor) -> list[Forecast]:
    """Return what each module of a parsed plan would do; raises WouldDisconnect."""
    found: list[Forecast] = []
    for name, options in plan.items():
        one = _forecast_of(name, options, executor)
        if not one.pending:
            disturbing = (other.module for other in found if other.pending and name in KINDS[other.module].disturbs)
            one = Forecast(name, disturbed=next(disturbing, ""))
        found.append(one)
    return found


def _forecast_of(name: str, options: Options, executor: Executor) -> Forecast:
    make: Callable[[Options], AnyEngine] = KINDS[name].make
    try:
        engine = make(options)
        if hasattr(engine, "executor"):
            engine.executor = executor
        stored = name in STORED and options["persist"]
        store: Store[Any] | None = Store(engine, name, options, make, DIRECTORY) if stored else None
        outcome = converge(engine, True, _no_lock, store)
    except WouldDisconnect:
        # Before the modules of the role that come earlier change anything.
        raise
    except MultihomeError as error:
        # The module reports it, when its turn comes: an earlier one may remove the cause.
        return Forecast(name, error=str(error))
    steps = [action.as_result() for action in outcome.plan.actions[:_SHOWN]]
    steps += [outcome.stored.as_result()] if outcome.stored else []
    return Forecast(name, tuple(steps), len(outcome.plan.actions) + bool(outcome.stored))


@contextlib.contextmanager
def _no_lock() -> Iterator[None]:
    yield


@contextlib.contextmanager
def one_look() -> Iterator[OneLook]:
    """Read the host only once in this context, in which nothing may be written."""
    with programs.remembered():
        yield OneLook()
