# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long each task took, from its start on the controller to its result there, as one line of JSON."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_seconds
type: stdout
short_description: The seconds of each task.
description:
  - Prints an object with name, seconds, changed, failed and message for each task.
author:
  - multihome.linux contributors
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core has no types
    """Prints tasks as they end; the names of the methods are Ansible's."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "task_seconds"

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """A task begins."""
        del task, is_conditional
        self._start = time.monotonic()

    def _ended(self, result: Any, failed: bool) -> None:
        event = {
            "name": result.task.get_name(),
            "seconds": time.monotonic() - self._start,
            "changed": bool(result.result.get("changed")),
            "failed": failed,
            "message": str(result.result.get("msg", "")),
        }
        self._display.display(json.dumps(event))

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task went well."""
        self._ended(result, failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed."""
        del ignore_errors
        self._ended(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """The host could not be reached."""
        self._ended(result, failed=True)
