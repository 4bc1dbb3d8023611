# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module line_health: its result, check mode and diff."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.multihome.linux.plugins.module_utils import _module
from ansible_collections.multihome.linux.plugins.module_utils._core.health.lines_engine import LinesEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.lock import exclusive
from ansible_collections.multihome.linux.plugins.modules import line_health

A = {"name": "a", "id": 1, "interface": "eth0"}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setattr(_module, "exclusive", functools.partial(exclusive, str(tmp_path / "run" / "lock")))
    monkeypatch.setattr(
        LinesEngine,
        "from_options",
        lambda options: LinesEngine(options["lines"], options["force"], str(tmp_path / "multihome"), {}),
    )

    def run_it(check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        modes = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": "/dev/null"}
        with patch_module_args({**options, **modes}), pytest.raises(SystemExit):
            line_health.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run_it


def test_check_mode_and_diff_say_what_a_run_does(run: Any, tmp_path: Path) -> None:
    predicted = run(check=True, diff=True, lines=[A])
    assert not (tmp_path / "multihome").exists()
    done = run(diff=True, lines=[A])
    for part in ("changed", "actions", "before", "after", "diff"):
        assert predicted[part] == done[part]
    assert done["changed"]
    assert done["actions"] == [{"op": "add", "object": A}]
    assert (done["before"], done["after"]) == ([], [A])
    assert done["diff"] == {"before": "", "after": "line a: {'name': 'a', 'id': 1, 'interface': 'eth0'}\n"}
    again = run(lines=[A])
    assert not again["changed"]
    assert "before" not in again


def test_every_fault_is_reported_with_its_place(run: Any) -> None:
    result = run(lines=[{"name": "a"}, {"name": "b", "id": 300, "health": {"targets": ["nowhere"], "quorum": 0}}])
    assert result["failed"]
    assert result["faults"] == [
        "lines[0] (a): id is missing",
        'lines[1] (b): id "300": not within 1 to 250',
        'lines[1] (b): health: quorum "0": not within 1 to 16',
        "lines[1] (b): health: targets[0] (nowhere): not an IP address",
    ]
