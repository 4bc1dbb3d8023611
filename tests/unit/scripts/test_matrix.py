# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix finds the Pythons of a machine, those of a version manager too."""

from __future__ import annotations

from pathlib import Path

import pytest

import matrix


def program(path: Path, text: str) -> None:
    """Write a program that ends with a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A version manager whose shims alone are in PATH; none of them runs, because no version is selected."""
    program(tmp_path / "shims" / "python3.13", "echo not selected >&2; exit 127")
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    return tmp_path


def test_the_version_behind_a_shim_is_used(manager: Path) -> None:
    # The control: nothing is behind it.
    assert matrix.python_for((3, 12)) is None
    program(manager / "versions" / "3.13.0" / "bin" / "python3.13", "echo 3 13")
    assert matrix.python_for((3, 12)) == str(manager / "versions" / "3.13.0" / "bin" / "python3.13")
    assert matrix.python_for((3, 14)) is None


def test_a_python_in_path_comes_first(manager: Path) -> None:
    program(manager / "versions" / "3.13.0" / "bin" / "python3.13", "echo 3 13")
    program(manager / "shims" / "python3.13", "echo 3 13")
    assert matrix.python_for((3, 12)) == str(manager / "shims" / "python3.13")
