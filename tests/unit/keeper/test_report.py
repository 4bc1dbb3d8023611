# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper's report, and whether a keeper runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import Busy
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper import report
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.report import Report


def test_what_is_written_is_read_and_tells_whether_one_runs(tmp_path: Path) -> None:
    directory = str(tmp_path / "multihome")
    assert report.read(directory) == {"running": False}
    said = Report(directory)
    with said.running():
        said.write({"repairs": 3})
        assert report.read(directory) == {"running": True, "repairs": 3}
        with pytest.raises(Busy, match="runs on this host already"), Report(directory).running():
            pass
    assert report.read(directory) == {"running": False, "repairs": 3}
    assert oct((tmp_path / "multihome" / "keeper.json").stat().st_mode & 0o777) == "0o600"


def test_an_unchanged_report_is_not_written_again(tmp_path: Path) -> None:
    said = Report(str(tmp_path))
    said.write({"repairs": 3})
    before = (tmp_path / "keeper.json").stat()
    said.write({"repairs": 3})
    assert (tmp_path / "keeper.json").stat() == before
    said.write({"repairs": 4})
    assert (tmp_path / "keeper.json").stat() != before


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"version": 2, "repairs": 3})])
def test_what_another_version_wrote_is_not_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "keeper.json").write_text(text)
    assert report.read(str(tmp_path)) == {"running": False}


def test_parts_that_make_no_sense_are_left_out(tmp_path: Path) -> None:
    odd = {"taken": [7], "waiting": 3.5, "refused": {}, "last_error": "x", "repairs": "y", "damped": [{}], "more": 1}
    (tmp_path / "keeper.json").write_text(json.dumps({"version": 1, **odd, "last_repair": None}))
    assert report.read(str(tmp_path)) == {"running": False, "damped": [{}], "more": 1, "last_repair": None}
    (tmp_path / "keeper.json").write_text("[" * 100000)
    assert report.read(str(tmp_path)) == {"running": False}


@pytest.mark.parametrize(("environment", "prefix"), [({"JOURNAL_STREAM": "8:1"}, "<4>"), ({}, "multihome-keeper: ")])
def test_each_line_has_its_priority_where_the_journal_reads_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environment: dict[str, str], prefix: str
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    for name, value in environment.items():
        monkeypatch.setitem(os.environ, name, value)
    report.log("warning", "one\ntwo")
    assert capsys.readouterr().err == f"{prefix}one\n{prefix}two\n"
