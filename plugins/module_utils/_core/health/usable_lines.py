# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines may carry what this host initiates, in which order. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Judged(Protocol):
    """The part of a line's health, in one family, that decides whether it may carry traffic."""

    @property
    def line(self) -> str:
        """The line's name."""

    @property
    def family(self) -> int:
        """The family: 4 or 6."""

    @property
    def degraded(self) -> bool:
        """Whether loss or latency make it the second choice."""

    @property
    def drained(self) -> bool:
        """Whether it was taken out of service."""

    @property
    def is_usable(self) -> bool:
        """Whether it may carry traffic."""


@dataclass(frozen=True)
class Usable:
    """The usable lines of a family, the better ones first; ``alarm`` says when they are not chosen by their health."""

    lines: tuple[str, ...]
    degraded: frozenset[str] = frozenset()
    alarm: str = ""


def usable(states: Iterable[Judged], before: Sequence[str] = ()) -> Usable:
    """Return the lines that are up or unknown and not drained, those that are not degraded first.

    When there is none, everything stays as it was ``before``: the last usable line is never removed. Lines that are
    drained or not configured any more are left out of that as long as another one remains.
    """
    known = list(states)
    good = [each for each in known if each.is_usable]
    degraded = frozenset(each.line for each in good if each.degraded)
    if good:
        ordered = [each.line for each in good if not each.degraded] + [each.line for each in good if each.degraded]
        return Usable(tuple(ordered), degraded)
    configured = {each.line: each for each in known}
    kept = [name for name in before if name in configured] or list(configured)
    undrained = [name for name in kept if not configured[name].drained]
    return Usable(tuple(undrained or kept), alarm="no line is usable; nothing is changed" if known else "")


def drain_fault(line: str, states: Iterable[Judged]) -> str:
    """Return why a line may not be drained, empty where it may: the last usable line of a family stays in service."""
    known = list(states)
    if line not in {each.line for each in known}:
        return f'no line is called "{line}"'
    for family in sorted({each.family for each in known if each.line == line and each.is_usable}):
        if not any(each.is_usable for each in known if each.family == family and each.line != line):
            return f"{line} is the last usable line for IPv{family}; --force drains it all the same"
    return ""
