# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the modules of a role's change, in one process on the host where the engine can be used there."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ..module_utils._core.host_plan.sequence import Step, is_wanted
from ..plugin_utils._actions.installed import InstalledCode

MODULES: Mapping[str, ModuleType] = {
    name: importlib.import_module(f"..modules.{name}", __package__)
    for name in (
        "commit_confirm",
        "connection_marks",
        "forward_policy",
        "ip_aliases",
        "keeper",
        "kernel_parameters",
        "line_health",
        "nat_rules",
        "policy_routing",
    )
}
# The results of the loop, by step. Ansible runs all items of a loop in one process, which is the host's and the task's.
_done: dict[str, dict[str, Any]] = {}


class ActionModule(InstalledCode):
    """Returns the result of one step. All of them run with the first item of the loop, as far as that is possible."""

    def is_followed(self) -> bool:
        """Tell that the next modules of the role use the engine as well."""
        return True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of the step, with the name of its module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given, variables = self._task.args, task_vars or {}
        confirm = given.get("confirm")
        steps = [_protected(step, confirm) for step in given["steps"]]
        names = [step["name"] for step in steps]
        place = names.index(given["step"])
        if place == 0:
            _done.clear()
            _done.update(self.run_steps(steps, MODULES, variables, confirm["run"] if confirm else "") or {})
        step, before = steps[place], names[place - 1] if place else None
        if step["name"] not in _done:
            if before is not None and not _went_well(before):
                # It has no result, so that the next step is skipped as well.
                return {**result, "skipped": True, "skip_reason": "an earlier step failed", "module": step["module"]}
            _done[step["name"]] = self._sent(step, variables)
        found = {**result, **_done[step["name"]], "module": step["module"]}
        return found if step.get("counts", True) else {**found, "changed": False}

    def _sent(self, step: Step, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a module that Ansible sends."""
        if not is_wanted(step, _done):
            return {"skipped": True}
        return self.send(f"multihome.linux.{step['module']}", dict(step["options"]), task_vars)


def _went_well(name: str) -> bool:
    found = _done.get(name, {"failed": True})
    return not (found.get("failed") or found.get("unreachable"))


def _protected(step: Step, confirm: Mapping[str, Any] | None) -> Step:
    """Return a step with the option confirm, where its module has it."""
    if confirm is None or "confirm" not in MODULES[step["module"]].ARGUMENT_SPEC:
        return step
    return {**step, "options": {**step["options"], "confirm": confirm}}
