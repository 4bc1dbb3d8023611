# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of the engine import only packages below them, and the check that says so can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ENGINE = ROOT / "plugins" / "module_utils" / "_core"


def check(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "import_layers.py"), str(directory)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the engine that a test may break."""
    shutil.copytree(ENGINE, tmp_path / "_core", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_engine_keeps_its_layers(copy: Path) -> None:
    done = check(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "import_"),
    [
        ("netlink/rtnetlink.py", "from ..routing import model"),
        ("routing/model.py", "from ..nat import model"),
        ("nat/model.py", "from ..marks import model"),
        ("marks/model.py", "from ..forwarding import model"),
        ("keeper/main.py", "from ..keeper_installation import unit"),
        ("health/line_state.py", "from ..keeper import backoff"),
        ("plan.py", "from .routing import model"),
    ],
)
def test_an_import_of_a_package_above_is_found(copy: Path, module: str, import_: str) -> None:
    path = copy / "_core" / module
    path.write_text(path.read_text().replace("from __future__ import annotations\n", f"{import_}\n", 1))
    done = check(copy)
    assert done.returncode != 0
    assert "BROKEN" in done.stdout


def test_a_package_that_the_contract_does_not_name_is_found(copy: Path) -> None:
    (copy / "_core" / "misc").mkdir()
    (copy / "_core" / "misc" / "__init__.py").write_text("")
    (copy / "_core" / "misc" / "things.py").write_text("from ..errors import InvalidInput\n")
    assert check(copy).returncode != 0
