# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/testing.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def missing(page: str) -> list[str]:
    """The names of tests on a page that are in no file; `::NAME` belongs to the file named before it in the row."""
    found = []
    for row in page.splitlines():
        text = ""
        for file, name in re.findall(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`", row):
            if file:
                path = ROOT / file
                text = path.read_text() if path.is_file() else ""
                found += [] if text else [file]
            if name and f"def {name}(" not in text:
                found.append(name)
    return found


def test_all_named_tests_exist() -> None:
    assert missing((ROOT / "docs" / "testing.md").read_text()) == []


def test_control_a_test_that_is_renamed_is_missing() -> None:
    row = (
        "| N | `tests/unit/scripts/test_testing_page.py::test_all`, `::test_all_named_tests_exist`, `tests/unit/x.py` |"
    )
    assert missing(row) == ["test_all", "tests/unit/x.py"]
