# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports the steps of a role that the tags of a run leave out. It runs on the controller alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils._roles.selected_steps import CHECK, Around, Tags, left_out


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """Compares the tags of the run with those of the task, which are those of the role and of what is around it."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the message, as a failure where the run must not go on."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _valid, options = self.validate_argument_spec(
            argument_spec={
                "role": {"type": "str", "required": True},
                "preflight": {"type": "bool", "default": True},
                "pending": {"type": "list", "elements": "str", "default": []},
            }
        )
        tags = Tags(list(variables["ansible_run_tags"]), list(variables["ansible_skip_tags"]))
        around = Around(set(self._task.tags) - CHECK - {"always"}, list(_dynamic_includes(self._task)))
        said = left_out(options["role"], tags, around, options["preflight"], options["pending"])
        if said is None:
            return {**result, "skipped": True}
        text = f"{variables['inventory_hostname']}: {said.text}"
        # The message is the purpose of the task: shown without -v, as debug does.
        return {**result, "msg": text, "failed": said.fault, "_ansible_verbose_always": True}


def _dynamic_includes(task: Any) -> Iterator[list[str]]:
    """The tags of each include around a task whose tasks do not have them."""
    parent = task._parent  # Ansible has no public name for it
    while parent is not None:
        if getattr(parent, "statically_loaded", True) is False:
            yield list(parent.tags)
        parent = parent._parent
