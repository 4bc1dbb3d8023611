# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# This is a private module utility: use the modules, not this. It may change in any release.
"""Runs modules of the collection with the engine that is installed on a host, without Ansible's own code there.

The action plugins send the text of this file to the host, behind that of _installed.py. The modules are those of the
collection, their options are checked already, and a small class takes the place of AnsibleModule.
"""

from __future__ import annotations

import importlib
import json
import sys
from types import ModuleType
from typing import Any, NoReturn

_PACKAGE = "multihome_sent"


class Ended(SystemExit):
    """The module has its result."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


class PlainModule:
    """What the modules of the collection use of AnsibleModule, for options that were checked before."""

    # One module runs at a time.
    given: dict[str, Any]
    warnings: list[str]

    def __init__(self, **_specification: Any) -> None:
        self.check_mode, self._diff = self.given["check_mode"], self.given["diff"]
        self._verbosity = self.given["verbosity"]
        self.params: dict[str, Any] = {}
        self._load_params()

    def _load_params(self) -> None:
        self.params = dict(self.given["options"])

    def warn(self, warning: str) -> None:
        """Add a warning to the result."""
        PlainModule.warnings.append(warning)

    def exit_json(self, **result: Any) -> NoReturn:
        """End with a result."""
        raise Ended({"changed": False, **result})

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        """End with a failure."""
        raise Ended({"changed": False, **result, "failed": True, "msg": msg})


def run_steps(given: dict[str, Any], library: str, begins: str, ends: str) -> None:
    """Run modules one after the other, up to the first that fails, and print when each begins, and its result.

    The lines are ``begins`` or ``ends`` and a JSON text: the name of the step, or a list of it and the result. They say
    how far a process came that was ended. An empty line is before each: a file that the shell reads first, such as
    .bashrc, may print a text without an end of line, for instance the title of a terminal.
    """
    _prepare(library)
    sequence = importlib.import_module(f"{_PACKAGE}.module_utils._core.host_plan.sequence")
    results: dict[str, dict[str, Any]] = {}
    armed = {"armed": True} if given["run"] and _is_armed(given["run"]) else {}
    for step in given["steps"]:
        name = step["name"]
        if sequence.is_wanted(step, results):
            _say(f"{begins}{json.dumps(name)}")
            results[name] = {**_run_module(step["module"], {**given, "options": step["options"]}), **armed}
        else:
            results[name] = {"skipped": True}
        _say(f"{ends}{json.dumps([name, results[name]], default=plain)}")
        if results[name].get("failed"):
            break


def _is_armed(run: str) -> bool:
    return bool(importlib.import_module(f"{_PACKAGE}.module_utils._core.confirm").is_armed(run))


def _say(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")
    sys.stdout.flush()


def _prepare(library: str) -> None:
    """Let modules import the engine, and find what is theirs of Ansible."""
    _provide("ansible.module_utils.basic", AnsibleModule=PlainModule)
    _provide("ansible.module_utils.common.warnings", warn=_warn)
    for package, path in (("", []), (".modules", []), (".module_utils", [library])):
        _provide(f"{_PACKAGE}{package}", __path__=path)


def _warn(warning: str) -> None:
    PlainModule.warnings.append(warning)


def _run_module(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a module. The texts in ``given`` are those of all modules, and of what they share."""
    PlainModule.given, PlainModule.warnings = given, []
    for module in ("module_utils._module", f"modules.{name}"):
        if f"{_PACKAGE}.{module}" not in sys.modules:
            made = _provide(f"{_PACKAGE}.{module}", __package__=f"{_PACKAGE}.{module.rpartition('.')[0]}")
            exec(compile(given["texts"][module], f"<{module}>", "exec", dont_inherit=True), made.__dict__)
    try:
        sys.modules[f"{_PACKAGE}.modules.{name}"].main()
    except Ended as ended:
        warnings = [*ended.result.pop("warnings", ()), *PlainModule.warnings]
        return {**ended.result, **({"warnings": warnings} if warnings else {})}
    raise RuntimeError(f"{name} ended without a result")


def _provide(name: str, **content: Any) -> ModuleType:
    """Let a module be imported, and return it."""
    module = ModuleType(name)
    module.__dict__.update(content)
    sys.modules[name] = module
    parent, _dot, own = name.rpartition(".")
    if parent:
        above = sys.modules.get(parent) or _provide(parent, __path__=[])
        setattr(above, own, module)
    return module


def plain(value: object) -> object:
    """Return what JSON has in place of a value that it does not know."""
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} in a result")
