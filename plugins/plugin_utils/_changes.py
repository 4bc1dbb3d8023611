# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""What a deployment changed, in one line of text per host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

DONE = {"add": "added", "remove": "removed", "replace": "replaced"}


def summary(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """``{host: {what: result of a module}}`` as ``web1: 2 addresses added, 6 rules and routes added``."""
    return [f"{host}: {', '.join(_changes(of_host)) or 'unchanged'}" for host, of_host in sorted(results.items())]


def _changes(of_host: Mapping[str, Any]) -> list[str]:
    return [text for what, result in of_host.items() for text in _counted(what, result)]


def _counted(what: str, result: object) -> list[str]:
    if not isinstance(result, Mapping) or not result.get("changed"):
        return []
    actions = result.get("actions")
    if not isinstance(actions, Sequence) or not actions:
        return [f"{what} changed"]
    counts = Counter(action.get("op") for action in actions if isinstance(action, Mapping))
    return [f"{count} {what} {DONE.get(str(op), op)}" for op, count in counts.items()]
