# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# This is a private module utility: use the modules, not this. It may change in any release.
"""Runs a module of the collection with the engine that is installed on a host, without Ansible's own code there.

The action plugins send the text of this file to the host, behind that of _installed.py. The module is the one of the
collection, its options are checked already, and a small class takes the place of AnsibleModule.
"""

from __future__ import annotations

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

    # One module runs in a process.
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


def run_module(name: str, texts: dict[str, str], given: dict[str, Any], library: str) -> dict[str, Any]:
    """Return the result of a module. ``texts`` are those of it, and of what it needs beside the engine, in order."""
    PlainModule.given, PlainModule.warnings = given, []
    _provide("ansible.module_utils.basic", AnsibleModule=PlainModule)
    _provide("ansible.module_utils.common.warnings", warn=PlainModule.warnings.append)
    for package, path in (("", []), (".modules", []), (".module_utils", [library])):
        _provide(f"{_PACKAGE}{package}", __path__=path)
    for module, text in texts.items():
        made = _provide(f"{_PACKAGE}.{module}", __package__=f"{_PACKAGE}.{module.rpartition('.')[0]}")
        exec(compile(text, f"<{module}>", "exec", dont_inherit=True), made.__dict__)
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
