# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight runs from the installed code only where that is the collection's own, and nobody else may change it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils import _core, _installed
from ansible_collections.multihome.linux.plugins.module_utils._preflight_spec import ARGUMENT_SPEC

CORE = Path(_core.__file__).parent
DIGESTS = _installed.digests_of(str(CORE))
DEFAULTS = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
OPTIONS: dict[str, Any] = {**DEFAULTS, "role": "server", "lines": [], "probe_timeout": 0.0, "fail_on": "never"}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation, whose modules are gone after the test."""
    place = tmp_path / "installed"
    shutil.copytree(CORE, place / "_core", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in sys.modules if name.partition(".")[0] == "_core"]:
        monkeypatch.delitem(sys.modules, name)
    return place


def answer(library: Path, **options: Any) -> dict[str, Any]:
    try:
        return _installed.answer(DIGESTS, {**OPTIONS, **options}, str(library))
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "_core"]:
            del sys.modules[name]


def test_the_installed_code_answers_as_preflight_does(library: Path) -> None:
    found = answer(library, plan={"kernel_parameters": {"parameters": "[]", "file": "/etc/sysctl.d/60-none.conf"}})
    assert found["used"] is True
    assert found["pending"] == []
    assert [forecast["module"] for forecast in found["plan"]] == ["kernel_parameters"]
    assert "findings" in found


def change(path: Path) -> None:
    path.write_text(path.read_text() + "\n")


def remove(path: Path) -> None:
    path.with_name("plan.py").unlink()


def add(path: Path) -> None:
    path.with_name("added.py").write_text("")


def open_to_all(path: Path) -> None:
    path.chmod(0o666)


def open_directory(path: Path) -> None:
    path.parent.chmod(0o777)


def open_place(path: Path) -> None:
    path.parents[2].chmod(0o777)


def open_parent(path: Path) -> None:
    path.parents[3].chmod(0o777)


def link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


@pytest.mark.parametrize("spoil", [change, add, remove, open_to_all, open_directory, open_place, open_parent, link])
def test_code_that_differs_or_that_others_may_change_is_not_run(library: Path, spoil: Callable[[Path], None]) -> None:
    spoil(library / "_core" / "host_plan" / "run.py")
    assert answer(library) == {"used": False, "reason": "the installed code is not the one of the collection"}


def test_without_an_installation_nothing_is_run(tmp_path: Path) -> None:
    assert answer(tmp_path)["used"] is False


def test_a_plan_with_a_fault_is_left_to_the_module_that_reports_it(library: Path) -> None:
    assert answer(library, plan={"nat_rules": {}}) == {"used": False, "reason": "plan: nat_rules: rules is missing"}
