# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.benchmark.nat.picture`: draw docs/nat-curve.svg from what `make bench BENCH=nat` measured last."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

from ...lab.state import CHECKOUT
from ..run import REPORTS
from .packets import LINEAR, OURS

REPORT = REPORTS / "benchmark-nat.json"
PICTURE = CHECKOUT / "docs" / "nat-curve.svg"
_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 540, 40, 340  # the axes
_MOST = 1.5  # where the vertical axis ends
_NAMES = {OURS: "multihome.linux", LINEAR: "iptables, one rule each"}
# Colours that the colour-blind tell apart too, for paper, writing, grid, ours and linear.
_LIGHT = ("#ffffff", "#1f2328", "#d1d9e0", "#0b5fb0", "#b35900")
_DARK = ("#0d1117", "#e6edf3", "#3d444d", "#6cb6ff", "#f0a35e")


def _colours(paper: str, ink: str, grid: str, ours: str, linear: str) -> str:
    series = "".join(
        f".{kind} {{ stroke: {colour}; fill: {colour}; }}\n" for kind, colour in ((OURS, ours), (LINEAR, linear))
    )
    return f".paper {{ fill: {paper}; }}\ntext {{ fill: {ink}; }}\n.grid {{ stroke: {grid}; }}\n{series}"


_STYLE = f"""
text {{ font: 13px sans-serif; }}
{_colours(*_LIGHT)}path {{ stroke-width: 2; }}
path.line {{ fill: none; }}
path.line.{LINEAR} {{ stroke-dasharray: 6 3; }}
path.grid, path.spread {{ stroke-width: 1; }}
text.{OURS}, text.{LINEAR} {{ stroke: none; font-weight: bold; }}
@media (prefers-color-scheme: dark) {{
{_colours(*_DARK)}}}
"""


def spreads(curve: Mapping[str, Any], kind: str) -> list[tuple[int, list[float]]]:
    """Return for each number of mappings the quartiles, three, of the ratios to the first number, round by round.

    ``curve`` is what packets.curve() returns, as JSON gives it back: its rates are under text, not numbers.
    """
    counts: Sequence[int] = curve["counts"]
    rates = {int(count): values for count, values in curve[kind].items()}
    result = []
    for count in counts:
        ratios = [one / first for one, first in zip(rates[count], rates[counts[0]], strict=True)]
        result.append((count, quantiles(ratios, n=4, method="inclusive")))
    return result


def draw(curve: Mapping[str, Any]) -> str:
    """Return the picture as SVG."""
    kinds = {kind: spreads(curve, kind) for kind in (OURS, LINEAR)}
    parts = [*_axes(curve["counts"])]
    for kind, points in kinds.items():
        parts += _series(kind, points, curve["counts"])
    told = "; ".join(
        f"{_NAMES[kind]}: " + ", ".join(f"{count:,}: {middle:.2f}" for count, (_low, middle, _high) in points)
        for kind, points in kinds.items()
    )
    return "\n".join(
        [
            # REUSE-IgnoreStart
            "<!-- SPDX-FileCopyrightText: 2026 multihome.linux contributors",
            "     SPDX-License-Identifier: GPL-3.0-or-later -->",
            # REUSE-IgnoreEnd
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
            "<title>Requests per second by the number of mappings, to those with one mapping</title>",
            f"<desc>{told}</desc>",
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" width="{_WIDTH}" height="{_HEIGHT}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _x(count: int, counts: Sequence[int]) -> float:
    first, last = math.log(counts[0]), math.log(counts[-1])
    return _LEFT + 25 + (math.log(count) - first) / (last - first) * (_RIGHT - _LEFT - 50)


def _y(ratio: float) -> float:
    return _BOTTOM - min(ratio, _MOST) / _MOST * (_BOTTOM - _TOP)


def _axes(counts: Sequence[int]) -> list[str]:
    parts = []
    for step in range(int(_MOST * 4) + 1):
        y = _y(step / 4)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{step / 4:.2f}</text>')
    parts += [
        f'<text x="{_x(count, counts):.1f}" y="{_BOTTOM + 20}" text-anchor="middle">{count:,}</text>'
        for count in counts
    ]
    below = "mappings, the last one asked for; bars: the middle half of the rounds"
    above = "requests per second, a new connection each; with one mapping: 1"
    parts.append(f'<text x="{(_LEFT + _RIGHT) / 2}" y="{_BOTTOM + 44}" text-anchor="middle">{below}</text>')
    parts.append(f'<text x="{_LEFT - 50}" y="{_TOP - 16}">{above}</text>')
    return parts


def _series(kind: str, points: Sequence[tuple[int, list[float]]], counts: Sequence[int]) -> list[str]:
    """Return a line through the medians, and at each a bar from the lower to the upper quartile."""
    # Side by side, so that no bar hides the other's.
    places = [(_x(count, counts) + (-3 if kind == OURS else 3), spread) for count, spread in points]
    line = "L".join(f"{x:.1f} {_y(middle):.1f}" for x, (_low, middle, _high) in places)
    parts = [f'<path class="line {kind}" d="M{line}"/>']
    for x, (low, middle, high) in places:
        parts.append(f'<path class="spread {kind}" d="M{x:.1f} {_y(low):.1f}V{_y(high):.1f}"/>')
        parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{_y(middle):.1f}" r="3"/>')
    last = places[-1][1][1]
    parts.append(f'<text class="{kind}" x="{_RIGHT + 2}" y="{_y(last) + 4:.1f}">{_NAMES[kind]}</text>')
    return parts


def main(report: Path = REPORT, picture: Path = PICTURE) -> None:
    """Draw; SystemExit when nothing was measured yet."""
    if not report.exists():
        raise SystemExit(f"{report} is not there: run make bench BENCH=nat first")
    picture.write_text(draw(json.loads(report.read_text(encoding="utf-8"))["data"]["curve"]), encoding="utf-8")


if __name__ == "__main__":
    main()
