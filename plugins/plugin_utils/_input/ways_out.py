# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""How the clients of a network leave: by all lines in one of two ways, or by some lines in order."""

from __future__ import annotations

from collections.abc import Sequence

from ...module_utils._core.fields import shown
from .faults import Place
from .reading import list_of, read_line_name

FAILOVER, BALANCE = "failover", "balance"

# A word, or the names of lines, the preferred one first.
WayOut = str | tuple[str, ...]


def read_way_out(value: object, place: Place) -> WayOut | None:
    """``failover``, ``balance``, or a list of lines."""
    if isinstance(value, str) and value in (FAILOVER, BALANCE):
        return value
    if not isinstance(value, Sequence):
        place.fault(f"must be {FAILOVER}, {BALANCE} or a list of lines, not {shown(value)}")
        return None
    return list_of(read_line_name, least=1, distinct=True)(value, place)
