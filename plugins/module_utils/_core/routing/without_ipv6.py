# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of IPv6 on a host whose kernel runs without it: they are named, and the others are not affected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..entries import Entry
from ..errors import InvalidInput

_REASON = "this kernel runs without IPv6; boot without ipv6.disable=1, or remove IPv6 from the line"


def refuse_ipv6(entries: Sequence[Entry[Any]]) -> None:
    """Raise InvalidInput for the entries of IPv6, if there are any; with the objects, which the keeper lets wait."""
    found = [entry for entry in entries if entry.object.family == 6]
    if found:
        faults = [f"{entry.where}: {entry.object}: {_REASON}" for entry in found]
        raise InvalidInput(faults, {entry.object: _REASON for entry in found})
