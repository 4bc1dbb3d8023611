# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How references to addresses that an ISP assigns are written. Pure: no I/O.

All that a module needs that has none: references.py has the rest, which is loaded where there are some.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_START = "auto:"
_REFERENCE = re.compile(r"auto:([^/:%\s]{1,15}):ipv([46])")


def reference(interface: str, family: int) -> str:
    """Return the reference to what an interface has of one family."""
    return f"{_START}{interface}:ipv{family}"


def parse_reference(value: object) -> tuple[str, int] | None:
    """Return interface and family of a reference; None for anything else."""
    if not isinstance(value, str) or not value.startswith(_START):
        return None
    match = _REFERENCE.fullmatch(value)
    return (match[1], int(match[2])) if match else None


def references(value: Any) -> set[str]:
    """Return all references in lists, dictionaries and texts."""
    if isinstance(value, str):
        return {value} if parse_reference(value) else set()
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return set()
    # Most values of most lists are other texts.
    return {
        found for each in value if not isinstance(each, str) or each.startswith(_START) for found in references(each)
    }
