# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""What a deployment changed, in one line of text per host."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

DONE = {"add": "added", "remove": "removed", "replace": "replaced"}


def summary(hosts: Iterable[str], variables: Mapping[str, Any], registered: Mapping[str, str]) -> list[str]:
    """``web1: 3 addresses added, 8 routes and rules added`` for each host.

    ``variables`` are those of each host, ``registered`` says which of them hold a module's result, and of what.
    """
    lines = []
    for host in hosts:
        texts = [text for name, what in registered.items() for text in _counted(what, variables[host].get(name))]
        lines.append(f"{host}: {', '.join(texts) or 'unchanged'}")
    return lines


def _counted(what: str, result: object) -> list[str]:
    if not isinstance(result, Mapping) or not result.get("changed"):
        return []
    actions = result.get("actions")
    if not isinstance(actions, Sequence) or not actions:
        return [f"{what} changed"]
    # What a run stored for the next boot, or installed, is told by the objects that this is about.
    told = [action for action in actions if isinstance(action, Mapping) and list(action.get("object", ())) != ["file"]]
    if not told:
        return [f"files of {what} changed"]
    counts = Counter(action.get("op") for action in told)
    return [f"{count} {_one(what) if count == 1 else what} {DONE.get(str(op), op)}" for op, count in counts.items()]


def _one(what: str) -> str:
    """Return the singular of each word that ends in s: one of ``routes and rules`` is a ``route or rule``."""
    return re.sub(r"(?<=ss)es\b|(?<![su])s\b", "", what).replace(" and ", " or ")
