# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs preflight on a host, with its installed code where that is the collection's own."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._preflight_spec import ARGUMENT_SPEC, JUDGED
from ..plugin_utils._actions.installed import DIGESTS, INSTALLED, InstalledCode

_MODULE, _WITH_INSTALLED_CODE = "multihome.linux.preflight", "multihome.linux.installed_preflight"
# The engine checks the entries of the lists.
_BARE = {name: {part: spec[part] for part in spec if part != "options"} for name, spec in ARGUMENT_SPEC.items()}


class ActionModule(InstalledCode):
    """Runs preflight with the code on the host where that is the collection's own, and sends the code otherwise.

    The installed code need not be sent, unpacked and compiled, which is most of what a run costs.
    """

    def is_followed(self) -> bool:
        """Tell whether this is the look of a role, and no tags leave out the change after it."""
        return self._is_of_whole_role

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of the module."""
        # The variable ansible_check_mode says nothing about the keyword of a play or task.
        checking = {"check_mode": bool(self._task.check_mode)}
        result: dict[str, Any] = {**super().run(tmp, task_vars), **checking}
        # Those of the filter take precedence over what is given beside them.
        options = {**self._task.args, **(self._task.args.get("options") or {})}
        tags = [list((task_vars or {}).get(f"ansible_{kind}_tags", ())) for kind in ("run", "skip")]
        self._is_of_whole_role = "options" in self._task.args and tags == [["all"], []]
        faults = options.pop("faults", None)
        if faults:
            return {**result, "failed": True, "msg": "\n".join(faults), "faults": faults}
        options.pop("options", None)
        found = self._with_installed_code(options, task_vars or {})
        if found is not None:
            return {**result, **found}
        return {**result, **self.send(_MODULE, options, task_vars or {})}

    def _with_installed_code(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any] | None:
        """Return the result of the installed code; None where it cannot be used."""
        if self._task.async_val or any(isinstance(options.get(name), str) for name in JUDGED):
            return None
        validated = ArgumentSpecValidator(_BARE).validate(options)
        if validated.error_messages:
            # The module reports them.
            return None
        if self.can_run_programs():
            return self.look(validated.validated_parameters, task_vars)
        if self._low_level_execute_command(f"test -r {INSTALLED}", executable="/bin/sh").get("rc") != 0:
            return None
        given = {"digests": DIGESTS, "options": validated.validated_parameters}
        found: dict[str, Any] = self._execute_module(_WITH_INSTALLED_CODE, given, task_vars=task_vars)
        return found if found.pop("used", False) else None
