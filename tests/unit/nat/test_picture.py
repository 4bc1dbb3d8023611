# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of docs/nat.md shows what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.multihome.linux.tests.benchmark.nat import picture

SVG = "{http://www.w3.org/2000/svg}"
# The second round met a machine that was half as fast, the third one disturbed one measurement.
CURVE = {
    "counts": [1, 100, 10_000],
    "ours": {1: [1000.0, 500.0, 800.0], 100: [1000.0, 500.0, 80.0], 10_000: [900.0, 450.0, 720.0]},
    "linear": {1: [1000.0, 500.0, 800.0], 100: [800.0, 400.0, 640.0], 10_000: [200.0, 100.0, 160.0]},
}


def heights(drawn: str, kind: str) -> list[float]:
    """Where the points of a series stand, as ratios read off the labelled grid."""
    root = ElementTree.fromstring(drawn)
    labels = {
        float(text.text or ""): float(text.get("y", 0)) - 4 for text in root.iter(f"{SVG}text") if _is_scale(text)
    }
    per_unit = labels[0.0] - labels[1.0]
    points = [circle for circle in root.iter(f"{SVG}circle") if circle.get("class") == kind]
    return [round((labels[0.0] - float(point.get("cy", 0))) / per_unit, 2) for point in points]


def _is_scale(text: ElementTree.Element) -> bool:
    return text.get("text-anchor") == "end"


def test_points_stand_where_the_medians_of_the_rounds_are() -> None:
    drawn = picture.draw(json.loads(json.dumps(CURVE)))
    assert heights(drawn, "ours") == [1.0, 1.0, 0.9]
    assert heights(drawn, "linear") == [1.0, 0.8, 0.2]


def test_the_picture_is_drawn_from_the_report_and_from_nothing_else(tmp_path: Path) -> None:
    report, drawn = tmp_path / "report.json", tmp_path / "curve.svg"
    with pytest.raises(SystemExit, match="make bench BENCH=nat"):
        picture.main(report, drawn)
    report.write_text(json.dumps({"data": {"curve": CURVE}}))
    picture.main(report, drawn)
    assert heights(drawn.read_text(), "linear") == [1.0, 0.8, 0.2]
    assert "10,000: 0.90" in drawn.read_text()
