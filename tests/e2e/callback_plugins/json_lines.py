# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's output as one JSON object per line, for programs that follow a run (see playbooks.py)."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: json_lines
type: stdout
short_description: One JSON object per event.
description:
  - Prints an object for each task that begins, each result, and the numbers at the end.
author:
  - multihome.linux contributors
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core has no types
    """Prints events; the names of the methods are Ansible's."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "json_lines"

    def _print(self, **event: Any) -> None:
        self._display.display(json.dumps(event, default=str))

    def _result(self, result: Any, status: str) -> None:
        if result.task.action == "multihome.linux.role_steps" and result.result.get("results"):
            self._steps(result)
            return
        self._print(
            event="result",
            host=result.host.get_name(),
            task=result.task.get_name(),
            status=status,
            result=result.result,
        )

    def _steps(self, result: Any) -> None:
        """Print each step of a role as a task of its own, the first one with the warnings of all."""
        role = result.task.get_name().rpartition(" : ")[0]
        first, *others = result.result["results"]
        for step in ({**first, "warnings": result.result.get("warnings", [])}, *others):
            statuses = ("unreachable", "failed", "skipped", "changed")
            self._print(
                event="result",
                host=result.host.get_name(),
                task=f"{role} : {step['item']}",
                status=next((status for status in statuses if step.get(status)), "ok"),
                result=step,
            )

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """A task begins, on whatever hosts."""
        del is_conditional
        self._print(event="task", task=task.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task went well on one host."""
        self._result(result, "changed" if result.result.get("changed") else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed on one host."""
        self._result(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host could not be reached."""
        self._result(result, "unreachable")

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task was not for this host."""
        self._result(result, "skipped")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run is over."""
        self._print(event="stats", hosts={host: stats.summarize(host) for host in sorted(stats.processed)})
