# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines in service as DNS needs them, from the file that the keeper writes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..dns.effective import Lines
from . import state
from .gate import are_lines_stored
from .line_state import UNKNOWN

# A verdict takes little more than a second with the usual settings.
FIRST_JUDGEMENT = 5.0


def lines_in_service(directory: str = state.DIRECTORY, now: float | None = None) -> dict[int, Lines]:
    """Return the lines by family as the keeper judged them last; empty when that is too old to say anything."""
    known = state.read(directory)
    _resumed, passed = state.resumable(known, time.monotonic() if now is None else now, state.boot_id())
    lines = known.get("lines")
    if not passed or not isinstance(lines, Mapping):
        return {}
    return {family: _lines(lines, family) for family in (4, 6)}


class LinesInService:
    """The same for a program that asks often: the file is read again only when it was written."""

    def __init__(
        self,
        directory: str = state.DIRECTORY,
        are_stored: Callable[[], bool] = are_lines_stored,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory, self._are_stored, self._clock = directory, are_stored, clock
        self._signature: tuple[int, int] | None = None
        self._known: dict[int, Lines] = {}
        self._is_judged = False
        self._waits_until: float | None = clock() + FIRST_JUDGEMENT

    def __call__(self) -> dict[int, Lines] | None:
        """Return the lines by family as they were judged last; a judgement that ends changes nothing.

        None for the first seconds, while lines are stored and not judged yet: a dead one would be published again.
        """
        known = self._read()
        if self._waits_until is not None:
            if self._clock() < self._waits_until and self._are_stored() and not self._is_judged:
                return None
            self._waits_until = None
        return known

    def _read(self) -> dict[int, Lines]:
        try:
            found = os.stat(os.path.join(self._directory, state.NAME))
        except OSError:
            return self._known
        signature = (found.st_ino, found.st_mtime_ns)
        if signature != self._signature:
            self._signature = signature
            self._known = lines_in_service(self._directory) or self._known
            self._is_judged = bool(self._known) and not _awaited(state.read(self._directory))
        return self._known


def _awaited(known: Mapping[str, Any]) -> bool:
    """Tell whether a line is unknown, and not because it cannot be judged."""
    lines = known.get("lines")
    return any(
        shown.get("state") == UNKNOWN and not shown.get("alarm")
        for families in (lines.values() if isinstance(lines, Mapping) else ())
        for shown in (families.values() if isinstance(families, Mapping) else ())
        if isinstance(shown, Mapping)
    )


def _lines(lines: Mapping[str, Any], family: int) -> Lines:
    found = {
        name: bool(shown.get("usable"))
        for name, families in lines.items()
        if isinstance(families, Mapping) and isinstance(shown := families.get(f"ipv{family}"), Mapping)
    }
    usable = frozenset(name for name, serves in found.items() if serves)
    return Lines(frozenset(found), usable, alarm=bool(found) and not usable)
