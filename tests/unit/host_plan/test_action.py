# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of preflight: one run on the host, with the installed code where that can be used."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.multihome.linux.plugins.action import preflight
from ansible_collections.multihome.linux.plugins.module_utils import _core, _module, _preflight_spec
from ansible_collections.multihome.linux.plugins.module_utils._installed import LIBRARY
from ansible_collections.multihome.linux.plugins.plugin_utils._actions.installed import DIGESTS, KEPT, InstalledModule
from ansible_collections.multihome.linux.tests.unit.plugins import specifications

ARGUMENTS = {"role": "server", "lines": [], "probe_timeout": 0.0}
# With all defaults, as the installed code gets them.
DEFAULTS = {
    name: spec.get("default")
    for name, spec in _preflight_spec.ARGUMENT_SPEC.items()
    if name not in ("options", "faults")
}
COMPLETE = {**DEFAULTS, "options": {}, "faults": [], **ARGUMENTS}
AUTO = {"ansible_python_interpreter": "auto_silent"}


class Action(preflight.ActionModule):
    """The action on a host that has installed code or not, and whose module answers so."""

    def __init__(self, installed: bool, answer: dict[str, Any], arguments: dict[str, Any] | None = None) -> None:
        self._task: Any = SimpleNamespace(
            args=arguments or ARGUMENTS, async_val=0, delegate_to=None, environment=None, check_mode=False
        )
        self._connection: Any = SimpleNamespace(is_pipelining_enabled=lambda: False)
        self._installed, self._answer = installed, answer
        self.ran: list[tuple[str, Any]] = []

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result without the mode, which every result has."""
        result = super().run(tmp, task_vars)
        assert result.pop("check_mode") is self._task.check_mode
        return result

    def _low_level_execute_command(self, command: str, **_options: Any) -> dict[str, Any]:
        assert command.startswith("test -r /usr/lib/multihome/")
        return {"rc": 0 if self._installed else 1}

    def _execute_module(self, name: str, arguments: Any = None, **_options: Any) -> dict[str, Any]:
        self.ran.append((name.rpartition(".")[2], arguments))
        return dict(self._answer) if name.endswith("installed_preflight") else {"sent": True}


class Pipelining(Action):
    """The action on this machine, whose installation is below ``library``."""

    def __init__(self, library: Path, arguments: dict[str, Any] | None = None) -> None:
        super().__init__(True, {}, arguments)
        self._connection = SimpleNamespace(is_pipelining_enabled=lambda: True)
        self._templar = SimpleNamespace(template=lambda text: text)
        self._library = str(library)
        self.commands: list[str] = []
        self.done: list[dict[str, Any]] = []

    def _compute_environment_string(self, raw_environment_out: Any = None) -> str:
        del raw_environment_out
        return ""

    def _low_level_execute_command(self, command: str, **options: Any) -> dict[str, Any]:
        self.commands.append(command)
        command, program = (
            text.replace(LIBRARY, self._library).replace(KEPT, f"{self._library}-run")
            for text in (command, options["in_data"].decode())
        )
        done = subprocess.run(["/bin/sh", "-c", command], input=program, capture_output=True, text=True, check=False)
        # As from a shell that greets everyone.
        found = {"rc": done.returncode, "stdout": f"Welcome\n{done.stdout}Good-bye\n", "stderr": done.stderr}
        self.done.append(found)
        return found


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what the base class does with a connection."""
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """An installation, with this interpreter."""
    shutil.copytree(Path(_core.__file__).parent, tmp_path / "_core", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "multihome").write_text(f"#!{sys.executable} -I\n", encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("installed", "answer", "result", "runs"),
    [
        (True, {"used": True, "pending": []}, {"pending": []}, ["installed_preflight"]),
        (True, {"used": True, "failed": True}, {"failed": True}, ["installed_preflight"]),
        (True, {"used": False}, {"sent": True}, ["installed_preflight", "preflight"]),
        # It broke, for instance because another version of Python compiled the code.
        (True, {"failed": True, "msg": "broken"}, {"sent": True}, ["installed_preflight", "preflight"]),
        (False, {}, {"sent": True}, ["preflight"]),
    ],
)
def test_the_code_is_sent_only_where_the_installed_one_cannot_be_used(
    installed: bool, answer: dict[str, Any], result: dict[str, Any], runs: list[str]
) -> None:
    action = Action(installed, answer)
    assert action.run(None, {}) == result
    assert [name for name, _arguments in action.ran] == runs
    for name, arguments in action.ran:
        expected = {"digests": DIGESTS, "options": COMPLETE} if name == "installed_preflight" else ARGUMENTS
        assert arguments == expected
    assert "host_plan/run.py" in DIGESTS


@pytest.mark.usefixtures("plain")
def test_with_pipelining_the_installed_code_runs_without_a_module(library: Path) -> None:
    action = Pipelining(library)
    found = action.run(None, AUTO)
    assert action.ran == []
    assert (found["changed"], found["pending"], found["warnings"]) == (False, [], [])
    assert "findings" in found


@pytest.mark.usefixtures("plain")
def test_the_interpreter_of_the_inventory_is_used() -> None:
    action = Pipelining(Path("/nonexistent"))
    action.run(None, {"ansible_python_interpreter": "/opt/my python"})
    assert "exec '\"'\"'/opt/my python'\"'\"' -" in action.commands[0]


@pytest.mark.usefixtures("plain")
def test_modules_of_the_environment_are_found_and_those_of_the_directory_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a module that Ansible sends: it may need PYTHONPATH to find pyroute2."""
    for name in ("environment", "here"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sitecustomize.py").write_text(f"import sys\nsys.stderr.write('from {name}')\n")
    (tmp_path / "here" / "json.py").write_text("raise SystemExit('from here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "environment"))
    monkeypatch.chdir(tmp_path / "here")
    action = Pipelining(tmp_path / "none")
    assert "findings" in action.run(None, {"ansible_python_interpreter": sys.executable})
    assert [done["stderr"] for done in action.done] == ["", "from environment"]


def change_code(library: Path) -> None:
    (library / "_core" / "host_plan" / "added.py").touch()


def break_code(library: Path) -> None:
    (library / "multihome").write_text("#!/bin/false\n", encoding="utf-8")


def remove_code(library: Path) -> None:
    shutil.rmtree(library / "_core")


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("spoil", [change_code, break_code, remove_code])
def test_with_pipelining_too_the_code_is_sent_where_the_installed_one_cannot_be_used(library: Path, spoil: Any) -> None:
    spoil(library)
    action = Pipelining(library)
    assert action.run(None, AUTO) == {"sent": True}
    assert action.ran == [("preflight", ARGUMENTS)]


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("options", [{"role": "bridge"}, {"lines": "[]"}, {"plan": {"nat_rules": {}}}, {"colour": 1}])
def test_options_with_a_fault_are_left_to_the_module_that_reports_it(library: Path, options: dict[str, Any]) -> None:
    action = Pipelining(library, {**ARGUMENTS, **options})
    assert action.run(None, AUTO) == {"sent": True}
    assert action.ran == [("preflight", {**ARGUMENTS, **options})]


@pytest.mark.usefixtures("plain")
def test_the_options_of_a_filter_take_precedence_and_are_sent_as_the_others() -> None:
    action = Action(False, {}, {**ARGUMENTS, "options": {"lines": [{"id": 1}], "reply_taken": "warn", "faults": []}})
    assert action.run(None, {}) == {"sent": True}
    assert action.ran == [("preflight", {**ARGUMENTS, "lines": [{"id": 1}], "reply_taken": "warn"})]


@pytest.mark.usefixtures("plain")
def test_faulty_variables_are_refused_before_the_host_is_asked() -> None:
    action = Action(True, {"used": True}, {**ARGUMENTS, "options": {"faults": ["one", "two"]}})
    assert action.run(None, {}) == {"failed": True, "msg": "one\ntwo", "faults": ["one", "two"]}
    assert action.ran == []


@pytest.mark.usefixtures("plain")
def test_the_result_tells_the_keyword_check_mode() -> None:
    action = Action(True, {"used": True}, {**ARGUMENTS, "options": {"faults": ["one"]}})
    action._task.check_mode = True
    assert action.run(None, {})["failed"]


WHOLE: dict[str, Any] = {
    "ansible_python_interpreter": sys.executable,
    "ansible_run_tags": ("all",),
    "ansible_skip_tags": (),
}


def look(file: str, **plan: Any) -> dict[str, Any]:
    """The arguments of a role that wants a parameter to be in a file."""
    parameters = json.dumps([{"name": "kernel.ostype", "value": "Linux"}]) if file else "[]"
    kernel = {"parameters": parameters, "file": file or "/etc/sysctl.d/60-none.conf"}
    return {**ARGUMENTS, "options": {"plan": {"kernel_parameters": kernel}, **plan}}


PENDING = look("/etc/sysctl.d/60-pending.conf")


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("arguments", "variables", "check", "kept"),
    [
        (PENDING, {}, False, True),
        # Nothing follows, or nothing may be left on the host.
        (look(""), {}, False, False),
        (PENDING, {}, True, False),
        (PENDING, {"ansible_run_tags": ("multihome_preflight",)}, False, False),
        (PENDING, {"ansible_skip_tags": ("multihome_configure",)}, False, False),
        ({**ARGUMENTS, **PENDING["options"]}, {}, False, False),
        (look("", probe_timeout=-1.0), {}, False, False),
    ],
)
def test_the_engine_that_is_sent_stays_where_the_change_of_a_role_follows(
    tmp_path: Path,
    arguments: dict[str, Any],
    variables: dict[str, Any],
    check: bool,
    kept: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    action = Pipelining(tmp_path / "library", arguments)
    action._task.check_mode = check
    found = action.run(None, {**WHOLE, **variables})
    assert bool(found.get("pending")) == ("60-pending" in str(arguments))
    assert (tmp_path / "library-run" / "_core").is_dir() == kept
    # With the code that was compiled for the look; Python 3.9 does not tell it.
    assert any((tmp_path / "library-run").rglob("*.pyc")) == (kept and sys.version_info >= (3, 10))


@pytest.mark.usefixtures("plain")
def test_a_delegated_task_runs_with_the_interpreter_of_the_other_host(tmp_path: Path) -> None:
    others = {"outside": {"ansible_python_interpreter": "/opt/other/python"}}
    action = Pipelining(tmp_path)
    action._task.delegate_to = "outside"
    action.run(None, {**WHOLE, "ansible_delegated_vars": others})
    assert "/opt/other/python" in action.commands[0]
    assert sys.executable not in action.commands[0]
    # Where it is not known, Ansible has to look for it.
    action = Pipelining(tmp_path)
    action._task.delegate_to = "outside"
    assert action.run(None, {**WHOLE, "ansible_delegated_vars": {"outside": {}}}) == {"sent": True}


class Judged(Exception):
    """The lists whose entries only the engine checks."""


def installed_modules() -> list[str]:
    """The modules that run with the installed engine."""
    actions = {path.stem: path for path in sorted(specifications.ROOT.glob("plugins/action/[a-z]*.py"))}
    imported = {name: specifications.python_module(path).ActionModule for name, path in actions.items()}
    return [name for name, action in imported.items() if issubclass(action, InstalledModule)]


def with_lists() -> list[str]:
    """Those with lists of entries."""
    specs = {name: specifications.modules()[name].ARGUMENT_SPEC for name in installed_modules()}
    return [name for name, spec in specs.items() if any(option.get("elements") == "dict" for option in spec.values())]


@pytest.mark.parametrize("name", with_lists())
def test_only_the_engine_checks_the_entries_that_the_action_leaves_to_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(_module: Any, _spec: Any, judged: Any = (), **_rules: Any) -> None:
        raise Judged(*judged)

    monkeypatch.setattr(_module.ListModule, "__init__", begin)
    module = specifications.modules()[name]
    with pytest.raises(Judged) as caught:
        module.main()
    lists = [one for one, option in module.ARGUMENT_SPEC.items() if option.get("elements") == "dict"]
    assert sorted(caught.value.args) == sorted(lists)
