# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The changes of a deployment, in one line of text per host."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

_CONFIRMED = "__common_confirmed_found"
DONE = {"add": "added", "remove": "removed", "replace": "replaced"}


def summary(
    hosts: Iterable[str],
    variables: Mapping[str, Mapping[str, object]],
    registered: Mapping[str, str | Mapping[str, str]],
    checks: Mapping[str, str] | None = None,
) -> list[str]:
    """``web1: 3 addresses added, 8 routes and rules added`` for each host.

    ``variables`` has the variables of each host. ``registered`` has the names of those that hold a module's result,
    and the subject of each, in the plural; of those that hold the results of several, the subject of each module.
    ``checks`` has the names of those that hold a result of preflight, and of those that a change sets: tags of the run
    can leave out either. What was confirmed without a proof is named.
    """
    lines = []
    for host in hosts:
        results = [each for name, subject in registered.items() for each in _each(subject, variables[host].get(name))]
        texts = [text for subject, result in results for text in _counted(subject, result)]
        text = ", ".join(texts) or _without_change(variables[host], checks or {})
        lines.append(f"{host}: {text}{_unproven(variables[host].get(_CONFIRMED))}")
    return lines


def _without_change(variables: Mapping[str, object], checks: Mapping[str, str]) -> str:
    """What the summary says about a host without any change."""
    found = [name for name in checks if isinstance(variables.get(name), Mapping)]
    if checks and not found:
        return "not checked: the tags leave it out"
    for name in found:
        result = variables[name]
        pending = result.get("pending") if isinstance(result, Mapping) else None
        if isinstance(pending, Sequence) and pending and checks[name] not in variables:
            return f"only checked: the tags leave out the changes of {', '.join(map(str, pending))}"
    return "unchanged"


def _unproven(confirmed: object) -> str:
    texts = confirmed.get("unproven") if isinstance(confirmed, Mapping) else None
    return f"; not proven: {'; '.join(map(str, texts))}" if isinstance(texts, Sequence) and texts else ""


def _each(subject: str | Mapping[str, str], result: object) -> list[tuple[str, object]]:
    """The results with their subjects."""
    if isinstance(subject, str):
        return [(subject, result)]
    steps = result.get("results") if isinstance(result, Mapping) else None
    known = [step for step in steps if isinstance(step, Mapping)] if isinstance(steps, Sequence) else []
    return [(subject[str(step.get("module"))], step) for step in known if step.get("module") in subject]


def _counted(subject: str, result: object) -> list[str]:
    if not isinstance(result, Mapping) or not result.get("changed"):
        return []
    actions = result.get("actions")
    if not isinstance(actions, Sequence) or not actions:
        return [f"{subject} changed"]
    # Files that a run wrote, for the next boot for instance, count only where nothing else changed.
    objects = [
        action for action in actions if isinstance(action, Mapping) and list(action.get("object", ())) != ["file"]
    ]
    if not objects:
        return [f"files of {subject} changed"]
    counts = Counter(str(action.get("op")) for action in objects)
    return [
        f"{count} {_singular(subject) if count == 1 else subject} {DONE.get(operation, operation)}"
        for operation, count in counts.items()
    ]


def _singular(subject: str) -> str:
    """The singular of each word that ends in s: one of ``routes and rules`` is a ``route or rule``."""
    return re.sub(r"(?<=ss)es\b|(?<![su])s\b", "", subject).replace(" and ", " or ")
