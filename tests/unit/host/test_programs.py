# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program of the host is given, and what comes back of it; with systemctl as one of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.host import programs
from ansible_collections.multihome.linux.plugins.module_utils._core.host.systemd import CommandFailed, systemctl

_ECHO = "import os, sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); print(os.environ['LC_ALL'], file=sys.stderr)"


def test_a_program_reads_the_text_or_nothing_and_speaks_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert programs.run(sys.executable, ["-c", _ECHO], "text\n") == (0, "text\n", "C\n")
    assert programs.run(sys.executable, ["-c", _ECHO]) == (0, "", "C\n")


@pytest.mark.parametrize(("errors", "shown"), [("replace", "\ufffd"), ("surrogateescape", "\udcff")])
def test_bytes_that_are_no_text_are_shown_as_told(errors: str, shown: str) -> None:
    output = programs.run(sys.executable, ["-c", "import sys; sys.stdout.buffer.write(b'\\xff')"], errors=errors)
    assert output == (0, shown, "")


@pytest.mark.parametrize(
    ("script", "reason"),
    [("echo 'Unit a.service not found.' >&2; exit 5", "Unit a.service not found."), ("exit 3", "exit status 3")],
)
def test_what_systemctl_refuses_names_the_command_the_reason_and_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(CommandFailed) as failed:
        systemctl("enable", "--now", "a.service", unit="a.service")
    assert str(failed.value) == f"systemctl enable --now a.service: {reason}; see journalctl -u a.service"
    program.write_text('#!/bin/sh\necho "$@"\n')
    assert systemctl("show", "a.service", unit="a.service") == "show a.service\n"
