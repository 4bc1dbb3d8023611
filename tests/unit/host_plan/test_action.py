# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of preflight: one module run on the host, with the installed code where that can be used."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.multihome.linux.plugins.action import preflight

ARGUMENTS = {"role": "server", "lines": []}


class Action(preflight.ActionModule):
    """The action on a host that has installed code or not, and whose module answers so."""

    def __init__(self, installed: bool, answer: dict[str, Any], arguments: dict[str, Any] | None = None) -> None:
        self._task: Any = SimpleNamespace(args=arguments or ARGUMENTS, async_val=0, diff=False, check_mode=False)
        self._installed, self._answer = installed, answer
        self.ran: list[tuple[str, Any]] = []

    def _low_level_execute_command(self, command: str, **_options: Any) -> dict[str, Any]:
        assert command.startswith("test -r /usr/lib/multihome/")
        return {"rc": 0 if self._installed else 1}

    def _execute_module(self, name: str, arguments: Any = None, **_options: Any) -> dict[str, Any]:
        self.ran.append((name.rpartition(".")[2], arguments))
        return dict(self._answer) if name.endswith("installed_preflight") else {"sent": True}


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what the base class does with a connection."""
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})


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
        expected = {"digests": preflight.DIGESTS, "options": ARGUMENTS} if name == "installed_preflight" else ARGUMENTS
        assert arguments == expected
    assert "host_plan/run.py" in preflight.DIGESTS


@pytest.mark.usefixtures("plain")
def test_the_options_of_a_filter_take_precedence_and_are_sent_as_the_others() -> None:
    action = Action(False, {}, {**ARGUMENTS, "options": {"lines": [{"id": 1}], "reply_taken": "warn", "faults": []}})
    assert action.run(None, {}) == {"sent": True}
    assert action.ran == [("preflight", {"role": "server", "lines": [{"id": 1}], "reply_taken": "warn"})]


@pytest.mark.usefixtures("plain")
def test_faulty_variables_are_refused_before_the_host_is_asked() -> None:
    action = Action(True, {"used": True}, {**ARGUMENTS, "options": {"faults": ["one", "two"]}})
    assert action.run(None, {}) == {"failed": True, "msg": "one\ntwo", "faults": ["one", "two"]}
    assert action.ran == []
