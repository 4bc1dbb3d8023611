# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Variables of a role that are true or false, and its time limit, also as texts.

``--extra-vars name=no`` and inventories in INI form give texts. In a condition, each text that is not empty is true.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils._core.fields import Parser, boolean, integer, shown
from .texts import plain

# A day: a longer time to confirm a change is an error of its unit.
LONGEST_TIMEOUT = 86_400
_SWITCHES = ("manage_sysctl", "manage_networkd", "allow_disconnect", "purge", "persist")
_READ: Mapping[str, Parser] = {**dict.fromkeys(_SWITCHES, boolean), "confirm_timeout": integer(0, LONGEST_TIMEOUT)}
# The variables that replace those of both roles.
_SHARED = ("allow_disconnect", "confirm_timeout")


def with_switches(variables: Mapping[str, Any], role: str) -> tuple[dict[str, Any], list[str]]:
    """The variables of a role with the values that their texts mean, and what cannot be read."""
    given: dict[str, Any] = plain(variables)
    faults = []
    for name, read in _READ.items():
        if name not in given:
            continue
        try:
            given[name] = read(given[name])
        except ValueError as error:
            either = f"multihome_{name} or " if name in _SHARED else ""
            faults.append(f"{either}{role}_{name}: {shown(given[name])}: {error}")
    return given, faults
