# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs preflight on a host, with its installed code where that is the collection's own."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ..module_utils._installed import LIBRARY, digests_of
from ..module_utils._preflight_spec import ARGUMENT_SPEC, JUDGED

_HERE = Path(__file__).resolve().parents[1] / "module_utils"
# Once, where Ansible loads this plugin: all workers inherit them.
DIGESTS = digests_of(str(_HERE / "_core"))
_PROGRAM = (_HERE / "_installed.py").read_text(encoding="utf-8")
_INSTALLED = f"{LIBRARY}/_core/host_plan/run.py"
_MODULE, _WITH_INSTALLED_CODE = "multihome.linux.preflight", "multihome.linux.installed_preflight"
# The engine checks the entries of the lists.
_BARE = {name: {part: spec[part] for part in spec if part != "options"} for name, spec in ARGUMENT_SPEC.items()}
_MARK = "multihome preflight: "
_CALL = """
import gc
import json

gc.disable()
given = json.loads({given!r})
print({mark!r} + json.dumps(answer(given["digests"], given["options"])))
"""
# The interpreter that the keeper was installed with, which has what the code needs.
_INSTALLED_PYTHON = f"$(sed -n '1s/^#!//p' {LIBRARY}/multihome)"


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
        found = self._with_installed_code(options, task_vars or {})
        if found is not None:
            return {**result, **found}
        sent = self._execute_module(_MODULE, options, task_vars=task_vars, wrap_async=self._task.async_val)
        return {**result, **sent}

    def _with_installed_code(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any] | None:
        """Return the result of the installed code; None where it cannot be used."""
        if self._task.async_val or any(isinstance(options.get(name), str) for name in JUDGED):
            return None
        validated = ArgumentSpecValidator(_BARE).validate(options)
        if validated.error_messages:
            # The module reports them.
            return None
        given = {"digests": DIGESTS, "options": validated.validated_parameters}
        # A task for another host may need another interpreter.
        if self._connection.is_pipelining_enabled() and not self._task.delegate_to:
            found = self._without_module(given, task_vars)
        elif self._low_level_execute_command(f"test -r {_INSTALLED}", executable="/bin/sh").get("rc") == 0:
            found = self._execute_module(_WITH_INSTALLED_CODE, given, task_vars=task_vars)
        else:
            return None
        return found if found.pop("used", False) else None

    def _without_module(self, given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the answer of a program that the interpreter reads from its input.

        A module of Ansible first unpacks, imports and checks much that this one does not need.
        """
        chosen = str(self._templar.template(task_vars.get("ansible_python_interpreter") or "auto"))
        python = _INSTALLED_PYTHON if chosen.startswith("auto") else f"{shlex.quote(chosen)} -I"
        line = f"test -r {_INSTALLED} && exec {python} -"
        command = f"{self._compute_environment_string()} /bin/sh -c {shlex.quote(line)}".strip()
        program = _PROGRAM + _CALL.format(given=json.dumps(given), mark=_MARK)
        done = self._low_level_execute_command(command, in_data=program.encode(), executable="/bin/sh")
        texts = [line for line in done["stdout"].splitlines() if line.startswith(_MARK)] if done["rc"] == 0 else []
        found: dict[str, Any] = json.loads(texts[-1].removeprefix(_MARK)) if texts else {}
        return {"changed": False, **found}
