# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs line_check on a host, with the installed engine where that is the collection's own."""

from __future__ import annotations

from types import ModuleType
from typing import ClassVar

from ..modules import line_check
from ..plugin_utils._actions.installed import InstalledModule


class ActionModule(InstalledModule):
    """Runs line_check."""

    module: ClassVar[ModuleType] = line_check
