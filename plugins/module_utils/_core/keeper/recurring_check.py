# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check that the keeper makes now and then: it remembers its findings, and logs each when it comes and goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar


class Found(Protocol):
    """A finding."""

    def as_result(self) -> dict[str, Any]:
        """Return it as the report shows it."""


F = TypeVar("F", bound=Found)


class RecurringCheck(Generic[F]):
    """What it found, and when to look next: every ``interval`` seconds, and ``pause`` seconds after the last time.

    ``next_time`` is on the keeper's clock.
    """

    def __init__(self, interval: float, pause: float) -> None:
        self._interval, self._pause = interval, pause
        self._taken: dict[Any, F] = {}
        self.next_time = self._last = float("-inf")

    def _begin(self, now: float) -> None:
        """Note that it looks now."""
        self._last, self.next_time = now, now + self._interval

    def _update(self, found: Mapping[Any, F]) -> None:
        """Remember the findings by their keys, in place of those of the last time."""
        for key, one in found.items():
            if key not in self._taken:
                self._came(one)
        for key, one in self._taken.items():
            if key not in found:
                self._went(one)
        self._taken = dict(found)

    def _came(self, one: F) -> None:
        """Log a new finding."""
        raise NotImplementedError

    def _went(self, one: F) -> None:
        """Log that a finding is gone."""
        raise NotImplementedError

    def changed(self, now: float) -> None:
        """Look soon, but not after each of many changes."""
        self.next_time = min(self.next_time, max(now, self._last + self._pause))

    def forget(self) -> None:
        """Nothing is stored any more that it is about."""
        self._taken = {}
        self.next_time = float("inf")

    def report(self) -> list[dict[str, Any]]:
        """Return the findings as the report shows them."""
        return [one.as_result() for one in self._taken.values()]
