# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of hypothesis for all unit tests."""

from __future__ import annotations

from pathlib import Path

from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

ROOT = Path(__file__).resolve().parents[2]

settings.register_profile(
    "checkout",
    # What failed once is tried again first.
    database=DirectoryBasedExampleDatabase(ROOT / ".cache" / "hypothesis"),
    # Two phases may share a slow machine: time says nothing about being right.
    deadline=None,
    print_blob=True,
)
settings.load_profile("checkout")
