# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes of a run in one line of text, from the states before and after it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import network

_PLURALS = {"address": "addresses", "route": "routes", "rule": "rules"}
_PARTS = {"nat": "translations", "marks": "marks", "forward": "forwarding"}


def summary(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return for example ``2 addresses added, 1 route removed, translations changed, 3 files changed``."""
    texts = []
    for kind, (added, removed) in network.changes(before, after, after["scope"]["owners"]).items():
        texts += [f"{_counted(added, kind)} added"] if added else []
        texts += [f"{_counted(removed, kind)} removed"] if removed else []
    texts += [f"{name} changed" for part, name in _PARTS.items() if _filters(before, part) != _filters(after, part)]
    if before.get("groups", {}) != after.get("groups", {}):
        texts.append("interface groups changed")
    for kind, singular in (("parameters", "kernel parameter"), ("files", "file")):
        count = sum(after[kind].get(name) != value for name, value in before[kind].items())
        # A file in a directory that is recorded may be new.
        count += sum(name not in before[kind] for name in after[kind])
        texts += [f"{count} {singular}{'s' * (count != 1)} changed"] if count else []
    return ", ".join(texts) or "nothing changed"


def _filters(captured: Mapping[str, Any], part: str) -> list[Any]:
    return [form.get(part) for _table, form in sorted(captured["filters"].items())]


def _counted(count: int, kind: str) -> str:
    return f"{count} {kind if count == 1 else _PLURALS[kind]}"
