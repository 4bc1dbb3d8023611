# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stored file of the lines: check mode, files of other versions, and the last usable line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed, InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.health.lines_engine import LinesEngine

A: dict[str, Any] = {"name": "a", "id": 1, "interface": "eth0", "addresses": ["192.0.2.10"]}
B: dict[str, Any] = {"name": "b", "id": 2, "interface": "eth1"}
BOTH_USABLE = {"lines": {name: {"ipv4": {"usable": True}} for name in ("a", "b")}}
ONLY_A_USABLE = {"lines": {name: {"ipv4": {"usable": name == "a"}} for name in ("a", "b")}}


def run(
    directory: Path,
    *lines: dict[str, Any],
    check: bool = False,
    force: bool = False,
    known: Mapping[str, Any] | None = None,
) -> tuple[LinesEngine, Outcome[Any]]:
    engine = LinesEngine(lines, force, str(directory), known or {})
    return engine, converge(engine, check, contextlib.nullcontext)


def test_check_mode_predicts_what_a_run_does_and_a_second_run_does_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "multihome"
    predicted, forecast = run(directory, A, B, check=True)
    assert not directory.exists()
    engine, outcome = run(directory, A, B)
    assert outcome.actions() == forecast.actions()
    assert [(each["op"], each["object"]["name"]) for each in outcome.actions()] == [("add", "a"), ("add", "b")]
    assert engine.after(outcome.plan) == predicted.after(forecast.plan) == [A, B]
    assert json.loads((directory / "lines.json").read_text()) == {"version": 1, "kind": "lines", "lines": [A, B]}
    assert not run(directory, A, B)[1].changed
    assert not run(directory, {**A, "addresses": ["192.0.2.10/24"]}, B)[1].changed


def test_only_root_can_read_and_write_it(tmp_path: Path) -> None:
    run(tmp_path / "multihome", A)
    assert (tmp_path / "multihome").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "multihome" / "lines.json").stat().st_mode & 0o777 == 0o600


def test_a_changed_and_a_removed_line(tmp_path: Path) -> None:
    run(tmp_path, A, B)
    engine, outcome = run(tmp_path, {**A, "flows": "keep"})
    assert [(each["op"], each["object"]["name"]) for each in outcome.actions()] == [("replace", "a"), ("remove", "b")]
    assert (engine.before(outcome.plan), engine.after(outcome.plan)) == ([A, B], [{**A, "flows": "keep"}])
    assert engine.lines(outcome.plan)["before"][1] == "line b: {'name': 'b', 'id': 2, 'interface': 'eth1'}"


def test_an_empty_list_leaves_no_file(tmp_path: Path) -> None:
    run(tmp_path, A)
    assert run(tmp_path)[1].changed
    assert list(tmp_path.iterdir()) == []
    assert not run(tmp_path)[1].changed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is not JSON"),
        ('{"version": 2, "kind": "lines", "lines": []}', "it is of version 2"),
        ('{"version": 1, "kind": "lines", "lines": [{"name": "a"}]}', "lines[0] (a): id is missing"),
        ('{"version": 1, "kind": "drained", "drained": []}', "the file name should be drained.json"),
    ],
)
def test_a_file_of_another_version_is_refused_and_not_overwritten(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "lines.json").write_text(text)
    with pytest.raises(InvalidInput) as error:
        run(tmp_path, A)
    assert said in str(error.value)
    assert (tmp_path / "lines.json").read_text() == text


def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    run(tmp_path, A)
    (tmp_path / "lines.json").chmod(0o666)
    with pytest.raises(InvalidInput, match="others than root may write to it"):
        run(tmp_path, A)


def test_a_write_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, A)
    text = (tmp_path / "lines.json").read_text()

    def full(_file: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ApplyFailed, match="No space left on device"):
        run(tmp_path, A, B)
    assert (tmp_path / "lines.json").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["lines.json"]


def test_the_last_usable_line_is_drained_only_by_force(tmp_path: Path) -> None:
    run(tmp_path, A, B)
    drained = {**A, "drained": True}
    with pytest.raises(InvalidInput) as error:
        run(tmp_path, drained, B, known=ONLY_A_USABLE, check=True)
    assert str(error.value) == "lines[0] (a): a is the last usable line for IPv4; force: true drains it all the same"
    assert run(tmp_path, drained, B, known=BOTH_USABLE, check=True)[1].changed
    assert run(tmp_path, drained, B, known=ONLY_A_USABLE, force=True)[1].changed
    # It is drained already: that the other line is dead now is no reason to fail.
    assert not run(tmp_path, drained, B, known=ONLY_A_USABLE)[1].changed


def test_lines_that_leave_together_may_not_leave_none(tmp_path: Path) -> None:
    run(tmp_path, A, B)
    with pytest.raises(InvalidInput) as error:
        run(tmp_path, {**A, "drained": True}, {**B, "drained": True}, known=BOTH_USABLE)
    assert len(error.value.faults) == 2


def test_a_host_whose_keeper_knows_nothing_yet_may_drain(tmp_path: Path) -> None:
    assert run(tmp_path, {**A, "drained": True}, B)[1].changed
