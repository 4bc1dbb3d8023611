# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# This is a private module utility: use the modules, not this. It may change in any release.
"""The Ansible side of all modules: shared options, running the engine, result, diff and failure."""

from __future__ import annotations

import contextlib
import gc
import traceback
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Callable, NoReturn, TypeVar

from ansible.module_utils.basic import AnsibleModule

from ._core.confirm_gate import DEFAULT_TIMEOUT, Guard, guard_of
from ._core.converge import Outcome, converge
from ._core.engine import Engine, PlanT, StateT
from ._core.entries import Options, json_list
from ._core.errors import ForeignObject, InvalidInput, MultihomeError, Unsupported
from ._core.lock import exclusive
from ._core.store.persistable import Persistable
from ._core.store.persistence import DIRECTORY as STORE
from ._core.store.persistence import Store

if TYPE_CHECKING:
    from ._core.confirm import Scope

DEFAULT_OWNER = 109
PERSIST_OPTION: dict[str, dict[str, Any]] = {"persist": {"type": "bool", "default": False}}
CONFIRM_OPTION: dict[str, dict[str, Any]] = {
    "confirm": {
        "type": "dict",
        "options": {
            "run": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": DEFAULT_TIMEOUT},
        },
    }
}
E = TypeVar("E", bound=Persistable[Any, Any])
Extra = Callable[[E, Outcome[Any], bool], Mapping[str, Any]]

OWNER_OPTIONS: dict[str, dict[str, Any]] = {
    "purge": {"type": "bool", "default": False},
    "protocol": {"type": "int", "default": DEFAULT_OWNER},
    **CONFIRM_OPTION,
}


def run_engine(
    argument_spec: Mapping[str, Any],
    make_engine: Callable[[Options], E],
    rules: Mapping[str, Any] | None = None,
    extra: Extra[E] = lambda _engine, _outcome, _check_mode: {},
    judged: Collection[str] = (),
    *,
    stored_as: str,
) -> None:
    """Run a list-converging module: ``make_engine`` turns the options into an engine (InvalidInput on bad input).

    ``extra`` returns additional results, from the engine, the outcome of its run, and whether it was in check mode.
    ``judged`` names the lists whose entries only the engine checks: Ansible's own check of 10,000 entries costs more
    than the whole run. ``stored_as`` is the kind of state that ``persist: true`` stores.
    """
    with _no_garbage_collection():
        module = ListModule(argument_spec, judged, **dict(rules or {}))
        with_errors_reported(module, lambda: _converge(module, make_engine, extra, stored_as))


def run_reader(
    argument_spec: Mapping[str, Any],
    read: Callable[[dict[str, Any]], dict[str, Any]],
    judged: Collection[str] = (),
) -> None:
    """Run a module that only reads: ``read`` returns the result for the options. ``judged`` as in run_engine.

    With ``failed`` in it, the module fails, and ``msg`` says why.
    """
    module = ListModule(argument_spec, judged)

    def work() -> None:
        answer = read(module.params)
        end = module.fail_json if answer.pop("failed", False) else module.exit_json
        end(changed=False, **answer)

    with_errors_reported(module, work)


class ListModule(AnsibleModule):  # type: ignore[misc]  # ansible-core has no types
    """A module whose ``judged`` lists only the engine checks; each of them may be the JSON text of a list.

    Ansible would copy and check each entry before the engine does, which takes longer than the whole run.
    """

    def __init__(self, argument_spec: Mapping[str, Any], judged: Collection[str] = (), **rules: Any) -> None:
        self._judged, self._given = judged, dict[str, Any]()
        spec = _without_entries(argument_spec, judged)
        super().__init__(argument_spec=spec, supports_check_mode=True, **rules)
        for name, given in self._given.items():
            try:
                self.params[name] = json_list(given, name)
            except InvalidInput as error:
                fail(self, error)

    def _load_params(self) -> None:
        super()._load_params()
        for name in self._judged:
            if isinstance(self.params.get(name), (list, str)):
                self._given[name], self.params[name] = self.params[name], []


def _without_entries(argument_spec: Mapping[str, Any], judged: Collection[str]) -> dict[str, Any]:
    """Return the spec for Ansible: the options of entries in the judged lists are for the documentation only."""
    return {
        name: {part: value for part, value in option.items() if part != "options" or name not in judged}
        for name, option in argument_spec.items()
    }


def with_errors_reported(module: AnsibleModule, work: Callable[[], None]) -> None:
    """Do the work of a module; every error of the engine becomes a clear failure."""
    try:
        work()
    except MultihomeError as error:
        fail(module, error)


def fail(module: AnsibleModule, error: MultihomeError) -> NoReturn:
    """Fail with the error's text, and with ``faults`` and ``conflicts`` as lists."""
    details: dict[str, Any] = {}
    if isinstance(error, InvalidInput):
        details["faults"] = list(error.faults)
    elif isinstance(error, ForeignObject):
        details["conflicts"] = list(error.conflicts)
    elif isinstance(error, Unsupported):
        details.update(needed=error.needed, found=error.found)
        if error.__cause__ is not None:
            details["exception"] = "".join(traceback.format_exception(None, error, error.__traceback__))
    module.fail_json(msg=str(error), **details)
    raise AssertionError("fail_json returned")


def _converge(
    module: AnsibleModule,
    make_engine: Callable[[Options], E],
    extra: Extra[E],
    stored_as: str,
) -> None:
    engine = make_engine(module.params)
    store = Store(engine, stored_as, module.params, make_engine, STORE)
    persist = module.params["persist"]
    guard = guard_of(module.params.get("confirm"), lambda _current: _scope(module.params))
    outcome = guarded(engine, module, guard, store if persist else None)
    contradicted = None if persist else store.contradicted(outcome.plan)
    if contradicted:
        module.warn(contradicted)
    answer = {**result(engine, outcome, bool(module._diff)), **extra(engine, outcome, module.check_mode)}
    module.exit_json(**answer, **invocation(module))


def guarded(
    engine: Engine[StateT, PlanT],
    module: AnsibleModule,
    guard: Guard,
    store: Store[PlanT] | None = None,
    lock: Callable[[], AbstractContextManager[object]] | None = None,
) -> Outcome[PlanT]:
    """Converge for a module with the option ``confirm``: ``guard`` takes a checkpoint before the first change.

    ``lock`` is another one than the host's.
    """
    if not module.check_mode:
        guard.begin()
    return converge(engine, module.check_mode, lock or (lambda: guard.holding(exclusive)), store, guard.before_write)


def _scope(options: Options) -> Scope:
    """Return the owner and the table of a module's options."""
    return {"owners": [options["protocol"]], "tables": [str(options["table"])] if "table" in options else []}


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Switch garbage collection off: the process ends soon, and each search would walk 10,000 entries."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def invocation(module: AnsibleModule) -> dict[str, Any]:
    """Return the arguments of the module, lists and dictionaries only at -vvv, when they are shown: they are long."""
    if module._verbosity >= 3:
        return {}
    return {"invocation": {"module_args": {k: v for k, v in module.params.items() if not isinstance(v, (list, dict))}}}


def result(engine: Engine[Any, Any], outcome: Outcome[Any], diff: bool) -> dict[str, Any]:
    """Return a module's result. An unchanged run without diff mode carries no lists: they may hold 10,000 entries."""
    answer: dict[str, Any] = {"changed": outcome.changed, "actions": outcome.actions()}
    if outcome.changed or diff:
        answer["before"] = engine.before(outcome.plan)
        answer["after"] = engine.after(outcome.plan)
    if diff:
        parts = [engine.lines(outcome.plan), *([outcome.stored.lines()] if outcome.stored else [])]
        answer["diff"] = {side: "".join(_text(part[side]) for part in parts) for side in ("before", "after")}
    return answer


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
