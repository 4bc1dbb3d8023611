# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that change a host for a role, one after the other: whether a step has anything to do.

A step is {name, module, options} and, where it depends on the result of an earlier one, `after`: {step, did}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Step = Mapping[str, Any]
Result = Mapping[str, Any]


def _moved(result: Result) -> bool:
    return bool(result.get("moved"))


def _removed_mark_rules(result: Result) -> bool:
    actions = result.get("actions") or ()
    return any(action["op"] == "remove" and "mark" in action["object"] for action in actions)


# What a module did, from its result: ip_aliases moved addresses to other interfaces, policy_routing removed rules by
# mark.
DEEDS: Mapping[str, Callable[[Result], bool]] = {"moved": _moved, "removed_mark_rules": _removed_mark_rules}


def is_wanted(step: Step, results: Mapping[str, Result]) -> bool:
    """Tell whether a step has to run, from the results of the steps before it, by name."""
    after = step.get("after")
    return after is None or DEEDS[after["did"]](results.get(after["step"], {}))
