# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of role_steps: all steps with the first item of the loop, or one by one where Ansible sends them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.multihome.linux.plugins.action import role_steps

STEPS: list[dict[str, Any]] = [
    {"name": "program", "module": "commit_confirm", "options": {"state": "present"}, "counts": False},
    {"name": "addresses", "module": "ip_aliases", "options": {"aliases": []}},
    {
        "name": "left",
        "module": "ip_aliases",
        "options": {"aliases": []},
        "after": {"step": "addresses", "did": "moved"},
    },
    {"name": "keeper", "module": "keeper", "options": {"state": "present"}},
]
CHANGED = {"changed": True}
CONFIRM = {"run": "one", "timeout": 60}


class Action(role_steps.ActionModule):
    """One item of the loop, whose modules answer so."""

    def __init__(self, step: str, at_once: dict[str, Any] | None, answers: dict[str, Any], ran: list[Any]) -> None:
        self._task: Any = SimpleNamespace(args={"steps": STEPS, "step": step, "confirm": CONFIRM})
        self._at_once, self._answers, self._ran = at_once, answers, ran

    def run_steps(self, steps: Any, modules: Any, task_vars: Any, run: str = "") -> dict[str, dict[str, Any]] | None:
        """Return the results of the engine on the host, if there is one."""
        del modules, task_vars, run
        self._ran.append([(step["name"], step["options"].get("confirm")) for step in steps])
        return self._at_once

    def send(self, module: str | None, options: dict[str, Any] | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a module that Ansible sends."""
        del options, task_vars
        self._ran.append(module)
        answer = self._answers.get(str(module).rpartition(".")[2], {})
        if isinstance(answer, Exception):
            raise answer
        return {"changed": False, **answer}


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what the base class does with a connection."""
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})


def loop(at_once: dict[str, Any] | None = None, **answers: Any) -> tuple[dict[str, dict[str, Any]], list[Any]]:
    """Run the loop as Ansible does; the result of each step, and what ran."""
    ran: list[Any] = []
    results: dict[str, dict[str, Any]] = {}
    for step in STEPS:
        try:
            results[step["name"]] = Action(step["name"], at_once, answers, ran).run(None, {})
        except AnsibleConnectionFailure as error:
            results[step["name"]] = {"unreachable": True, "msg": str(error)}
    return results, ran


def skipped(results: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, result in results.items() if result.get("skipped")]


@pytest.mark.usefixtures("plain")
def test_all_steps_run_with_the_first_item_and_each_has_its_result() -> None:
    results, ran = loop({step["name"]: {"changed": True, "of": step["name"]} for step in STEPS})
    assert len(ran) == 1
    assert {name: result["of"] for name, result in results.items()} == {step["name"]: step["name"] for step in STEPS}
    assert [result["module"] for result in results.values()] == [step["module"] for step in STEPS]
    # The program is no change of the host.
    assert [result["changed"] for result in results.values()] == [False, True, True, True]


@pytest.mark.usefixtures("plain")
def test_each_module_that_has_the_option_gets_the_name_of_the_run() -> None:
    _results, [given] = loop({step["name"]: CHANGED for step in STEPS})
    assert given == [("program", None), ("addresses", CONFIRM), ("left", CONFIRM), ("keeper", CONFIRM)]


@pytest.mark.usefixtures("plain")
def test_after_a_failure_no_step_has_run() -> None:
    results, ran = loop({"program": CHANGED, "addresses": {"failed": True, "msg": "no"}})
    assert len(ran) == 1
    assert results["addresses"]["msg"] == "no"
    assert skipped(results) == ["left", "keeper"]


@pytest.mark.usefixtures("plain")
def test_modules_that_ansible_sends_run_one_by_one() -> None:
    results, ran = loop(None, ip_aliases={**CHANGED, "moved": [1]})
    assert ran[1:] == [f"multihome.linux.{step['module']}" for step in STEPS]
    assert [result["changed"] for result in results.values()] == [False, True, True, False]
    results, ran = loop(None, ip_aliases=CHANGED)
    assert skipped(results) == ["left"]
    assert [str(name).rpartition(".")[2] for name in ran[1:]] == ["commit_confirm", "ip_aliases", "keeper"]


@pytest.mark.usefixtures("plain")
def test_none_is_sent_after_a_failure() -> None:
    results, ran = loop(None, ip_aliases={"failed": True})
    assert skipped(results) == ["left", "keeper"]
    assert len(ran) == 3


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("answer", [AnsibleConnectionFailure("gone"), {"unreachable": True, "msg": "gone"}])
def test_none_is_sent_after_a_lost_connection(answer: Any) -> None:
    results, ran = loop(None, ip_aliases=answer)
    assert [name for name, result in results.items() if result.get("unreachable")] == ["addresses"]
    assert skipped(results) == ["left", "keeper"]
    assert len(ran) == 3


@pytest.mark.usefixtures("plain")
def test_the_loop_of_another_host_begins_with_nothing() -> None:
    loop({step["name"]: CHANGED for step in STEPS})
    results, ran = loop(None, commit_confirm={"failed": True})
    assert len(ran) == 2
    assert skipped(results) == ["addresses", "left", "keeper"]


class OnHost(role_steps.ActionModule):
    """Steps in one process on a host, of which a program printed this before it ended."""

    def __init__(self, printed: str, status: int) -> None:
        self._task: Any = SimpleNamespace(check_mode=False, diff=False)
        self._done = {"rc": status, "stdout": f"Welcome\n{printed}", "stderr": "why"}

    def can_run_programs(self) -> bool:
        """Tell that the connection has pipelining."""
        return True

    def _run_with_engine(self, *_given: Any) -> dict[str, Any]:
        return self._done


PROGRAM = 'multihome begins: "program"\nmultihome ends: ["program", {"changed": true}]\n'


@pytest.mark.parametrize(
    ("printed", "status", "ended", "failed"),
    [
        # All of them ended.
        (PROGRAM + 'multihome ends: ["addresses", {}]\n', 0, ["program", "addresses"], []),
        # The engine could not be used.
        ("", 0, None, []),
        ("", 1, None, []),
        # It was killed, or broke, in a step, or between two of them.
        (PROGRAM + 'multihome begins: "addresses"\n', 137, ["program", "addresses"], ["addresses"]),
        (PROGRAM, 137, ["program", "addresses"], ["addresses"]),
        (PROGRAM + 'multihome ends: ["addresses", {"cha', 137, ["program", "addresses"], ["addresses"]),
        ('multihome begins: "program"\n', 1, ["program"], ["program"]),
        # It failed, and none began after it.
        ('multihome begins: "program"\nmultihome ends: ["program", {"failed": true}]\n', 0, ["program"], ["program"]),
    ],
)
def test_how_far_the_steps_came_is_known(printed: str, status: int, ended: list[str] | None, failed: list[str]) -> None:
    found = OnHost(printed, status).run_steps(STEPS[:2], role_steps.MODULES, {})
    assert (None if found is None else list(found)) == ended
    assert [name for name, result in (found or {}).items() if result.get("failed")] == failed
    for name in failed if status else []:
        assert (found or {})[name]["rc"] == status
        # The results of the other steps are long.
        assert (found or {})[name]["stdout"] == "Welcome"
