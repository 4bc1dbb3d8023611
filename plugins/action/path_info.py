# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs path_info on a host, with the installed engine where that is the collection's own."""

from __future__ import annotations

from types import ModuleType
from typing import ClassVar

from ..modules import path_info
from ..plugin_utils._actions.installed import InstalledModule


class ActionModule(InstalledModule):
    """Runs path_info."""

    module: ClassVar[ModuleType] = path_info
