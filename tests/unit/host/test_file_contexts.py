# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a run wrote get the context that the host's SELinux policy demands, where restorecon exists."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.host import file_contexts
from ansible_collections.multihome.linux.plugins.module_utils._core.host.files import Files


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a program in the place of restorecon writes its arguments, one a line."""
    program, calls = tmp_path / "restorecon", tmp_path / "calls"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {calls}\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setattr(file_contexts, "RESTORECON", (str(tmp_path / "none"), str(program)))
    file_contexts.restore()
    calls.unlink(missing_ok=True)
    return calls


def test_files_and_new_directories_are_restored_once(tmp_path: Path, called: Path) -> None:
    files = Files(str(tmp_path / "root"))
    for name in ("a", "b"):
        files.save(f"/etc/multihome/{name}", "text\n", 0o600)
    files.save("/etc/multihome/b", None, 0o600)
    file_contexts.restore()
    below = tmp_path / "root" / "etc"
    assert called.read_text().split() == [
        "-i",
        *map(str, (below.parent, below, below / "multihome", below / "multihome/a")),
    ]
    # The control: a run that writes nothing starts nothing.
    called.unlink()
    file_contexts.restore()
    assert not called.exists()


def test_many_files_are_split(tmp_path: Path, called: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_contexts, "_AT_ONCE", 2)
    for name in "abc":
        file_contexts.note(str(tmp_path / name))
        (tmp_path / name).touch()
    file_contexts.restore()
    assert called.read_text().split().count("-i") == 2


def test_a_host_without_restorecon_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_contexts, "RESTORECON", (str(tmp_path / "none"),))
    Files(str(tmp_path)).save("/a", "text\n", 0o600)
    file_contexts.restore()
