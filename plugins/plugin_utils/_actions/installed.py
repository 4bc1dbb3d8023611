# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Actions that run a module of the collection without Ansible's own code on the host.

The engine that is installed there is used where it is the collection's: it need not be sent, unpacked and compiled. To
other hosts the engine is sent along with the module, as one archive. Nothing of Ansible has to be put together for each
module, and imported there: that is most of what a run of a module costs.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import shlex
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from ansible import constants
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ...module_utils._core.host_plan.sequence import Step
from ...module_utils._installed import LIBRARY, digests_of

_HERE = Path(__file__).resolve().parents[2]
# Once, where Ansible loads the action: all workers inherit them.
DIGESTS = digests_of(str(_HERE / "module_utils" / "_core"))
INSTALLED = f"{LIBRARY}/_core/host_plan/run.py"
# Until the keeper is installed, or the host starts again: the engine that a module was sent with.
KEPT = f"/run/multihome/engine-{hashlib.sha256(json.dumps(DIGESTS, sort_keys=True).encode()).hexdigest()[:16]}"
# The interpreter that the keeper was installed with, which has what the code needs.
_INSTALLED_PYTHON = f"$(sed -n '1s/^#!//p' {LIBRARY}/multihome)"
_DISCOVERED = "discovered_interpreter_python"
_ANSWER, _BEGINS, _ENDS = "multihome answer: ", "multihome begins: ", "multihome ends: "


def text_of(path: str) -> str:
    """Return the text of a file of the collection, by its path below plugins/."""
    return (_HERE / path).read_text(encoding="utf-8")


def engine() -> str:
    """Return the engine as an archive, in Base64. The first worker of a run that needs it makes it."""
    kept = Path(constants.DEFAULT_LOCAL_TMP) / "multihome-engine"
    try:
        return kept.read_text(encoding="ascii")
    except OSError:
        pass
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(DIGESTS):
            archive.writestr(f"_core/{path}", text_of(f"module_utils/_core/{path}"))
    text = base64.b64encode(buffer.getvalue()).decode()
    # Where it cannot be kept, the next worker makes it too.
    with contextlib.suppress(OSError), tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False) as new:
        new.write(text)
        new.close()
        Path(new.name).replace(kept)
    return text


# The directory in which the connection begins is nobody's to import from.
_NOT_FROM_HERE = "import sys\n\nsys.path[:] = [path for path in sys.path if path]\n"
_PROGRAM = text_of("module_utils/_installed.py")
_RUNS_STEPS = text_of("module_utils/_installed_module.py")
_PREFLIGHT = f"""
import gc
import json

gc.disable()
given = json.loads({{given!r}})
keep, given["keep"] = given.get("keep"), None
library = library_for(given)
if library:
    found = look(given["options"], library)
    # For the modules that follow; a host that is refused stays as it is.
    if keep and found.get("pending") and not found.get("failed"):
        unpacked(library, keep, given["digests"])
    print("\\n{_ANSWER}" + json.dumps(found), flush=True)
"""
_STEPS = f"""
import json

given = json.loads({{given!r}})
library = library_for(given)
if library:
    run_steps(given, library, "{_BEGINS}", "{_ENDS}")
"""


class InstalledCode(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """An action that can run a program with the installed engine."""

    _supports_async = True

    def can_run_programs(self) -> bool:
        """Tell whether a program can be handed to an interpreter on the host, which needs pipelining."""
        return not self._task.async_val and self._connection.is_pipelining_enabled()

    def is_followed(self) -> bool:
        """Tell whether this is a part of a role's change, and the engine is kept on the host for the next modules.

        Other tasks, and those of a removal, leave nothing behind.
        """
        return bool(self._task.args.get("confirm"))

    def places(self) -> list[str]:
        """Return the directories on the host that an engine may be used from, where it is the collection's own."""
        return [LIBRARY, KEPT]

    def send(self, module: str | None, options: dict[str, Any] | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a module, by default that of the task, as Ansible runs it."""
        in_background = self._task.async_val and not self._connection.has_native_async
        sent: dict[str, Any] = self._execute_module(module, options, task_vars=task_vars, wrap_async=in_background)
        return sent

    def look(self, options: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the answer of preflight to complete options; None where Ansible has to send it."""
        return _answer(self._run_with_engine("", _PREFLIGHT, {"options": options}, task_vars))

    def run_steps(
        self, steps: Sequence[Step], modules: Mapping[str, ModuleType], task_vars: Mapping[str, Any], run: str = ""
    ) -> dict[str, dict[str, Any]] | None:
        """Run modules one after the other in one process on the host, and return the result of each, by step.

        The first one that fails is the last one with a result. None where nothing was run. Where ``run`` had changed
        the host before, each result has ``armed``: ssh repeats a program whose connection broke before its answer.
        """
        complete = self._validated(steps, modules)
        if complete is None:
            return None
        texts = {f"modules.{step['module']}": text_of(f"modules/{step['module']}.py") for step in steps}
        texts["module_utils._module"] = _MODULE_SIDE
        modes = {"check_mode": self._task.check_mode, "diff": self._task.diff, "verbosity": Display().verbosity}
        done = self._run_with_engine(
            _RUNS_STEPS, _STEPS, {"steps": complete, "texts": texts, "run": run, **modes}, task_vars
        )
        if not _has_begun(done):
            return None
        results: dict[str, dict[str, Any]] = {
            name: {"changed": False, **result} for name, result in _printed(done, _ENDS)
        }
        unfinished = next((step for step in steps if step["name"] not in results), None)
        if unfinished is not None and not any(result.get("failed") for result in results.values()):
            broke = {"failed": True, "msg": f"{unfinished['module']} broke: see stderr"}
            results[unfinished["name"]] = {**broke, "rc": done["rc"], "stdout": _rest(done), "stderr": done["stderr"]}
        return results

    def _validated(self, steps: Sequence[Step], modules: Mapping[str, ModuleType]) -> list[Step] | None:
        """Return the steps with all options of their modules; None where Ansible has to send the modules."""
        if not self.can_run_programs():
            return None
        complete: list[Step] = []
        for step in steps:
            options = validated(modules[step["module"]], step["options"])
            if options is None:
                return None
            complete.append({**step, "options": options})
        return complete

    def _run_with_engine(
        self, code: str, calls: str, given: Mapping[str, Any], task_vars: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return how a program ended: with the installed engine, else with one that is sent.

        ``code`` defines what ``calls`` needs beyond the search for the engine.
        """

        places = self.places()

        def run(line: str, sent: Mapping[str, Any]) -> dict[str, Any]:
            end = calls.format(given=json.dumps({**given, "places": places, "digests": DIGESTS, **sent}))
            return self._run(line, f"{_PROGRAM}{code}{end}")

        # Of a task that is delegated, those of the other host.
        of_others = task_vars.get("ansible_delegated_vars") or {}
        variables = of_others.get(self._task.delegate_to, {}) if self._task.delegate_to else task_vars
        chosen = str(self._templar.template(variables.get("ansible_python_interpreter") or "auto"))
        given_one = None if chosen.startswith("auto") else chosen
        own = given_one or variables.get("ansible_facts", {}).get(_DISCOVERED)
        # Not isolated: as for a module that Ansible sends, PYTHONPATH may lead to what it needs.
        python = shlex.quote(own) if own else None
        line = f"test -r {INSTALLED} && exec {python if given_one else _INSTALLED_PYTHON} -"
        if python:
            line += f"; test -r {KEPT}/_core && exec {python} -"
        done = run(line, {}) if places else {"rc": 1, "stdout": "", "stderr": ""}
        # A module that has begun is not run a second time.
        if python and not _has_begun(done) and _answer(done) is None:
            keep = KEPT if self.is_followed() and not self._task.check_mode else None
            done = run(f"exec {python} -", {"engine": engine(), "keep": keep})
        return done

    def _run(self, line: str, program: str) -> dict[str, Any]:
        command = f"{self._compute_environment_string()} /bin/sh -c {shlex.quote(line)}".strip()
        # Behind an import of the future, which has to be the first statement.
        text = program.replace("\nfrom __future__ import annotations\n", "\n")
        text = f"from __future__ import annotations\n{_NOT_FROM_HERE}{text}"
        done: dict[str, Any] = self._low_level_execute_command(command, in_data=text.encode())
        return done


def _printed(done: Mapping[str, Any], mark: str) -> list[Any]:
    """Return the values behind a mark in the output of a program, whatever else the host printed."""
    found = []
    for line in done["stdout"].splitlines():
        if line.startswith(mark):
            # A program that is killed may leave half a line.
            with contextlib.suppress(ValueError):
                found.append(json.loads(line.removeprefix(mark)))
    return found


def _rest(done: Mapping[str, Any]) -> str:
    """Return the output of a program without the marks: the results behind them may be long, and are known."""
    marks = (_ANSWER, _BEGINS, _ENDS)
    return "\n".join(line for line in done["stdout"].splitlines() if line and not line.startswith(marks))


def _has_begun(done: Mapping[str, Any]) -> bool:
    return any(line.startswith(_BEGINS) for line in done["stdout"].splitlines())


def _answer(done: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the answer of preflight, None where the engine could not be used."""
    found = _printed(done, _ANSWER)
    if done["rc"] or not found:
        return None
    return {"changed": False, **found[-1]} if found[-1].pop("used", False) else None


class InstalledModule(InstalledCode):
    """The action of one module: with the installed engine where that can be used, as Ansible does it otherwise."""

    module: ClassVar[ModuleType]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of the module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        name = self.module.__name__.rpartition(".")[2]
        step = {"name": name, "module": name, "options": self._task.args}
        found = self.run_steps([step], {name: self.module}, task_vars or {})
        return {**result, **(found[name] if found else self.send(None, None, task_vars or {}))}


_MODULE_SIDE = text_of("module_utils/_module.py")


def validated(module: ModuleType, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the options of a module, converted and with all defaults; None for faults, which the module reports.

    The engine checks the entries of its lists, each of which may be a JSON text.
    """
    spec: dict[str, dict[str, Any]] = module.ARGUMENT_SPEC
    lists = [name for name, option in spec.items() if option["type"] == "list" and option.get("elements") == "dict"]
    kept = {name: given[name] for name in lists if isinstance(given.get(name), (list, str))}
    bare = {
        name: {part: value for part, value in option.items() if part != "options" or name not in lists}
        for name, option in spec.items()
    }
    rules: dict[str, Any] = getattr(module, "SPEC_RULES", {})
    checked = ArgumentSpecValidator(bare, **rules).validate({**given, **{name: [] for name in kept}})
    return None if checked.error_messages else {**checked.validated_parameters, **kept}
