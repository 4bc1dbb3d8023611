# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark gives back: figures, each with what it has to reach, and the measurements behind them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured number. At least ``at_least``, or at most ``at_most``, is what it has to reach; neither: told only.

    ``note`` says how it was measured, as far as the number needs that to be understood.
    """

    what: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the figure is where it has to be; None where nothing is asked of it."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most

    @property
    def reach(self) -> str:
        """What the figure has to reach, as people write it."""
        if self.at_least is not None:
            return f"≥ {number(self.at_least)}{self.unit}"
        return "" if self.at_most is None else f"≤ {number(self.at_most)}{self.unit}"

    def as_data(self) -> dict[str, Any]:
        """Return the figure as JSON holds it."""
        return {**asdict(self), "reached": self.reached}


@dataclass(frozen=True)
class Report:
    """What one benchmark found: its figures, and under ``data`` every measurement, for whoever wants to look closer.

    ``text`` is printed before the figures: a comparison that no single number holds.
    """

    figures: Sequence[Figure]
    data: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""


def number(value: float) -> str:
    """Return a number with three digits that count, and thousands set apart."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def table(figures: Sequence[Figure]) -> str:
    """Return figures as lines of text: what, how much, what it has to reach and whether it does."""
    marks = {True: "✓", False: "✗", None: ""}
    rows = [("what", "measured", "reach", "")]
    rows += [(f.what, f"{number(f.value)}{f.unit}", f.reach, marks[f.reached]) for f in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{what:{widths[0]}}  {measured:>{widths[1]}}  {reach:>{widths[2]}}  {mark}".rstrip()
        for what, measured, reach, mark in rows
    ]
    lines[1:1] = ["  ".join("─" * width for width in widths)]
    for figure, position in zip(reversed(figures), range(len(lines), 0, -1), strict=False):
        if figure.note:
            lines.insert(position, f"    {figure.note}")
    return "\n".join(lines)


def median_ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Return the median of the ratios of measurements made pair by pair, so that a drift of the machine cancels."""
    return statistics.median(one / other for one, other in zip(over, under, strict=True))
