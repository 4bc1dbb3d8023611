# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs commit_confirm on a host, with the installed engine where that is the collection's own."""

from __future__ import annotations

from types import ModuleType
from typing import ClassVar

from ..modules import commit_confirm
from ..plugin_utils._actions.installed import InstalledModule


class ActionModule(InstalledModule):
    """Runs commit_confirm."""

    module: ClassVar[ModuleType] = commit_confirm

    def is_followed(self) -> bool:
        """The program is installed, or a run armed, before the changes of a role."""
        return self._task.args.get("state") in ("present", "armed")

    def places(self) -> list[str]:
        """Return none for a revert: the run may have installed the engine, which is removed meanwhile."""
        return [] if self._task.args.get("state") in ("reverted", "restored") else super().places()
