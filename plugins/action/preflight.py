# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs preflight on a host, with its installed code where that is the collection's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils._digest import digests_of

_HERE = Path(__file__).resolve().parents[1]
# Once, where Ansible loads this plugin: all workers inherit it.
DIGESTS = digests_of(str(_HERE / "module_utils" / "_core"))
_INSTALLED = "/usr/lib/multihome/_core/host_plan/run.py"
_MODULE, _WITH_INSTALLED_CODE = "multihome.linux.preflight", "multihome.linux.installed_preflight"


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """Runs preflight with the code on the host where that is the collection's own, and sends the code otherwise.

    The installed code need not be sent, unpacked and compiled, which is most of what a run costs.
    """

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of the module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        # Those of the filter take precedence over what is given beside them.
        options = {**self._task.args, **(self._task.args.get("options") or {})}
        faults = options.pop("faults", None)
        if faults:
            return {**result, "failed": True, "msg": "\n".join(faults), "faults": faults}
        options.pop("options", None)
        if not self._task.async_val:
            found = self._with_installed_code(options, task_vars)
            if found is not None:
                return {**result, **found}
        sent = self._execute_module(_MODULE, options, task_vars=task_vars, wrap_async=self._task.async_val)
        return {**result, **sent}

    def _with_installed_code(self, options: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return the result of the installed code; None where it cannot be used."""
        exists = self._low_level_execute_command(f"test -r {_INSTALLED}", executable="/bin/sh")
        if exists.get("rc") != 0:
            return None
        arguments = {"digests": DIGESTS, "options": options}
        found: dict[str, Any] = self._execute_module(_WITH_INSTALLED_CODE, arguments, task_vars=task_vars)
        return found if found.pop("used", False) else None
