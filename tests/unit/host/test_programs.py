# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the host: their input, output, and time limit; systemctl is one of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.host import programs, requirements, systemd
from ansible_collections.multihome.linux.plugins.module_utils._core.host.systemd import CommandFailed, systemctl
from ansible_collections.multihome.linux.plugins.module_utils._core.rollback import apply_or_restore

_ECHO = "import os, sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); print(os.environ['LC_ALL'], file=sys.stderr)"


def test_a_program_reads_the_text_or_nothing_and_speaks_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert programs.run(sys.executable, ["-c", _ECHO], "text\n") == (0, "text\n", "C\n")
    assert programs.run(sys.executable, ["-c", _ECHO]) == (0, "", "C\n")


@pytest.mark.parametrize(("errors", "shown"), [("replace", "\ufffd"), ("surrogateescape", "\udcff")])
def test_bytes_that_are_not_text_are_decoded_as_asked(errors: str, shown: str) -> None:
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


def test_a_program_that_hangs_is_killed_with_its_children_and_named(tmp_path: Path) -> None:
    program = tmp_path / "nft"
    program.write_text("#!/bin/sh\nsleep 987 &\nsleep 987\n")
    program.chmod(0o755)
    begin = time.monotonic()
    with pytest.raises(
        programs.ProgramHangs, match=r"nft list tables: did not end within 0\.2 s and was killed; run it"
    ):
        programs.run(str(program), ["list", "tables"], timeout=0.2)
    assert time.monotonic() - begin < 5
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 987" not in running


def test_a_program_that_hung_is_not_waited_for_again_at_once(tmp_path: Path) -> None:
    program = tmp_path / "nft"
    program.write_text(f"#!/bin/sh\necho started >> {tmp_path}/log\nexec sleep 60\n")
    program.chmod(0o755)
    with programs.limited(0.3):
        for _attempt in range(3):
            with pytest.raises(programs.ProgramHangs):
                programs.run(str(program), ["-f", "-"], "text")
        assert (tmp_path / "log").read_text() == "started\n"
        time.sleep(0.4)
        program.write_text("#!/bin/sh\necho well\n")
        assert programs.run(str(program), ["-f", "-"], "text") == (0, "well\n", "")


def test_a_hanging_systemctl_is_a_failed_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "systemctl"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(systemd, "_TIMEOUT", 0.2)
    with pytest.raises(CommandFailed, match=r"did not end within 0\.2 s.*journalctl -u a.service"):
        systemctl("restart", "a.service", unit="a.service")


def test_requirements_name_a_program_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nft"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(requirements, "_CACHE", {})
    with programs.limited(0.2):
        row = requirements.report()["nft"]
    assert (row["ok"], row["found"]) == (False, f"{program}, which hangs")


def test_a_program_that_hangs_while_it_changes_the_host_is_rolled_back() -> None:
    class Engine:
        """Changes something by a program that hangs."""

        restored = 0

        def apply(self, _plan: None, _current: None) -> None:
            """Hang."""
            programs.run("/bin/sleep", ["60"], timeout=0.1)

        def restore(self, _plan: None, _current: None) -> list[str]:
            """Count."""
            self.restored += 1
            return []

    engine = Engine()
    with pytest.raises(ApplyFailed, match=r"sleep 60: did not end within 0\.1 s[^\n]*\nthe host is as it was before"):
        apply_or_restore(engine, None, None)
    assert engine.restored == 1
