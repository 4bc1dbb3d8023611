# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of docs/routing.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs" / "routing.md").read_text(encoding="utf-8"))


def test_each_named_test_exists() -> None:
    assert len(NAMED) > 20
    missing = [name for file, name in NAMED if f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8")]
    assert missing == []
