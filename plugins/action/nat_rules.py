# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs nat_rules on a host, with the installed engine where that is the collection's own."""

from __future__ import annotations

from types import ModuleType
from typing import ClassVar

from ..modules import nat_rules
from ..plugin_utils._actions.installed import InstalledModule


class ActionModule(InstalledModule):
    """Runs nat_rules."""

    module: ClassVar[ModuleType] = nat_rules
