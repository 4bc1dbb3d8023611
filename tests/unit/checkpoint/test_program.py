# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that reverts stands alone; its timer, the unit for the boot, and the processes of a run."""

from __future__ import annotations

import ast
import contextlib
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core import confirm
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint import (
    file_records,
    host_state,
    process,
    timer,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.archive import archive
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.directory import Directory
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.model import Scope
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.timer import Timer
from ansible_collections.multihome.linux.plugins.module_utils._core.confirm import Refused
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.host import programs
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation.host import own_code
from ansible_collections.multihome.linux.tests.unit.plugins import specifications


def test_the_program_needs_nothing_of_this_collection(tmp_path: Path) -> None:
    program = tmp_path / "revert.pyz"
    program.write_bytes(archive(own_code()))
    command = [sys.executable, "-I", str(program)]
    empty = subprocess.run([*command, "boot", str(tmp_path)], capture_output=True, text=True, check=False, cwd="/")
    assert (empty.returncode, empty.stderr) == (0, "")
    usage = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (usage.returncode, usage.stderr.startswith("usage: ")) == (2, True)


@pytest.mark.parametrize("missing", ["checkpoint/main.py", "routing/restore.py", "errors.py"])
def test_a_program_that_cannot_be_loaded_does_not_arm(tmp_path: Path, missing: str) -> None:
    code = own_code()
    directory = Directory(str(tmp_path / "checkpoints"))
    directory.make("a")
    directory.write("a", "revert.pyz", archive({path: text for path, text in code.items() if path != missing}))
    with pytest.raises(Refused, match=r"cannot start .*revert.pyz: exit status 1; nothing was changed"):
        Timer(directory, str(tmp_path)).start("a", 60)
    # The control: the whole program starts, and ends at once, as there is no such checkpoint.
    directory.write("a", "revert.pyz", archive(code))
    Timer(directory, str(tmp_path)).start("a", 60)


@pytest.mark.parametrize("name", ["commit_confirm", "keeper", "preflight"])
def test_ansible_sends_the_whole_engine_with_the_modules_that_install_it(name: str) -> None:
    """Ansible sends what a module imports, wherever that is written: whoever installs the engine installs the same."""
    sent = imported(specifications.ROOT / "plugins" / "modules" / f"{name}.py")
    engine = specifications.ROOT / "plugins" / "module_utils" / "_core"
    assert {path for path in engine.rglob("*.py") if path.name != "__init__.py"} <= sent
    # The control: another module is sent with a part of it.
    other = imported(specifications.ROOT / "plugins" / "modules" / "ip_aliases.py")
    assert engine / "checkpoint" / "main.py" not in other


def test_nothing_that_the_program_imports_is_left_out(tmp_path: Path) -> None:
    """Also in functions that its tests may not call."""
    program = tmp_path / "revert.pyz"
    program.write_bytes(archive(own_code()))
    engine = specifications.ROOT / "plugins" / "module_utils" / "_core"
    with zipfile.ZipFile(program) as file:
        there = {engine.parent / name for name in file.namelist()}
    needed = imported(engine / "checkpoint" / "main.py")
    assert needed - there == set()
    # The control: a part of the engine is left out.
    assert engine / "keeper" / "main.py" not in there


def test_all_that_the_program_loads_is_compiled(tmp_path: Path) -> None:
    program = tmp_path / "revert.pyz"
    program.write_bytes(archive(own_code()))
    with zipfile.ZipFile(program) as file:
        compiled = {name.removesuffix("c") for name in file.namelist() if name.endswith(".pyc")}
    code = "import sys; sys.path.insert(0, sys.argv[1]); import _core.checkpoint.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code, program], capture_output=True, text=True, check=True)
    loaded = [name.replace(".", "/") for name in done.stdout.split() if name.startswith("_core.")]
    assert "_core/checkpoint/main" in loaded
    assert [name for name in loaded if not {f"{name}.py", f"{name}/__init__.py"} & compiled] == []


def imported(path: Path) -> set[Path]:
    """All files that a file imports relatively, at any depth."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        one = waiting.pop()
        for node in ast.walk(ast.parse(one.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = one.parents[node.level - 1] / Path(*(node.module or "").split("."))
                candidates = {base.with_suffix(".py"), *(base / f"{alias.name}.py" for alias in node.names)}
                new = {candidate for candidate in candidates if candidate.is_file()} - found
                found |= new
                waiting += new
    return found


class Systemd:
    """A host with systemd below ``root``, whose programs are noted."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (root / "run/systemd/system").mkdir(parents=True)
        self.root, self.calls, self.status = root, list[list[str]](), 0
        monkeypatch.setattr(timer, "tool", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(programs, "run", self.run)
        self.checks: list[list[str]] = []
        monkeypatch.setattr(Timer, "_run", lambda _timer, command: self.checks.append(command))
        self.timer = Timer(Directory("/var/lib/multihome/checkpoints"), str(root))

    def run(self, path: str, arguments: Any) -> tuple[int, str, str]:
        """Note a call."""
        self.calls.append([path, *arguments])
        return self.status, "", "Unit is already loaded" if self.status else ""


def test_systemd_starts_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Systemd(tmp_path, monkeypatch)
    host.timer.start("a", 60)
    [call] = host.calls
    [check] = host.checks
    assert check[-2] == "check"
    assert call[0] == "/usr/bin/systemd-run"
    assert "--on-active=59.0" in call
    assert "--timer-property=AccuracySec=100ms" in call
    assert call[-6:-2] == [sys.executable, "-I", "/var/lib/multihome/checkpoints/a/revert.pyz", "sleep"]
    # A run may be called "x.mount", which systemd would take for the kind of a unit.
    assert "--unit=multihome-revert-a.service" in call
    # A program that the kernel or somebody kills is started again; one that has failed has tried often enough.
    assert "--property=Restart=on-abnormal" in call
    host.timer.stop("a")
    assert host.calls[1] == ["/usr/bin/systemctl", "stop", "multihome-revert-a.timer"]
    host.status = 1
    with pytest.raises(Refused, match="already loaded; nothing was changed"):
        host.timer.start("a", 60)


def test_the_timer_of_a_run_that_was_killed_while_it_armed_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Systemd(tmp_path, monkeypatch)

    def run(path: str, arguments: Any) -> tuple[int, str, str]:
        # Until the old one is stopped.
        host.status = int("/usr/bin/systemctl" not in [path, *(call[0] for call in host.calls)])
        return host.run(path, arguments)

    monkeypatch.setattr(programs, "run", run)
    host.timer.start("a", 60)
    assert [Path(call[0]).name for call in host.calls] == ["systemd-run", "systemctl", "systemd-run"]


def test_the_unit_for_the_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Systemd(tmp_path, monkeypatch)
    host.timer.install_boot_unit()
    host.timer.install_boot_unit()
    text = (tmp_path / "etc/systemd/system/multihome-pending.service").read_text()
    assert "Before=systemd-sysctl.service network-pre.target multihome-keeper.service" in text
    assert "After=local-fs.target" in text
    link = tmp_path / "etc/systemd/system/sysinit.target.wants/multihome-pending.service"
    assert str(link.readlink()) == "/etc/systemd/system/multihome-pending.service"
    assert host.calls == []
    host.timer.remove_boot_unit()
    assert not list(tmp_path.rglob("multihome-pending*"))


@pytest.mark.parametrize(("runs", "verb"), [(True, "start"), (False, "stop")])
def test_at_boot_systemd_learns_of_the_restored_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: bool, verb: str
) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    unit = tmp_path / "etc/systemd/system/multihome-keeper.service"
    unit.write_text("old")
    files = ("/etc/systemd/system/multihome-keeper.service",)
    captured = {
        "scope": Scope(files=files).as_json(),
        "files": file_records.capture(files, str(tmp_path)),
        "keeper": {"running": runs},
    }
    calls: list[str] = []
    monkeypatch.setattr(host_state, "systemctl", lambda *words, **_unit: calls.append(" ".join(words)))
    state = host_state.HostState(str(tmp_path))
    assert state.restore_at_boot(captured) == []
    # The control: a unit that is as it was needs nothing.
    assert calls == []
    unit.write_text("new")
    assert state.restore_at_boot(captured) == []
    assert unit.read_text() == "old"
    assert sorted(calls) == ["daemon-reload", f"{verb} --no-block multihome-keeper.service"]
    assert calls.index("daemon-reload") == (0 if runs else 1)


def test_without_systemd_there_is_no_unit(tmp_path: Path) -> None:
    Timer(Directory(str(tmp_path)), str(tmp_path)).install_boot_unit()
    assert list(tmp_path.rglob("*")) == []


def test_a_stopped_process_is_killed_and_another_one_of_its_number_is_not() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        os.kill(child.pid, signal.SIGSTOP)
        number, start = confirm.process(child.pid)
        process.kill((number, start + 1))
        assert child.poll() is None
        process.kill((number, start))
        assert child.wait(5) == -signal.SIGKILL
    process.kill((number, start))
    process.kill(confirm.process(os.getpid()))


def test_the_clock_goes_on_while_the_host_sleeps_and_nobody_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert abs(process.now() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1


def test_who(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ada")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    assert process.who() == "ada from 192.0.2.1"


class Engine:
    """An engine with or without something to do."""

    def __init__(self, busy: bool) -> None:
        self.actions = ["step"] if busy else []
        self.applied = 0

    def read(self) -> str:
        """Return a state."""
        return "read"

    def plan(self, _current: str) -> Any:
        """Return itself as the plan; once applied, nothing is left to do."""
        return self if not self.applied else Engine(False)

    def apply(self, _plan: Any, _current: str) -> None:
        """Note it."""
        self.applied += 1

    def restore(self, _plan: Any, _current: str) -> list[str]:
        """Do nothing."""
        return []


@pytest.mark.parametrize(("busy", "check", "calls"), [(True, False, ["read"]), (False, False, []), (True, True, [])])
def test_a_run_calls_the_guard_only_before_its_first_change(busy: bool, check: bool, calls: list[str]) -> None:
    called: list[str] = []
    engine: Any = Engine(busy)
    converge(engine, check, contextlib.nullcontext, None, called.append)
    assert called == calls
    assert engine.applied == len(calls)


def test_a_guard_that_refuses_prevents_the_change() -> None:
    def refuse(_current: str) -> None:
        raise Refused("no")

    engine: Any = Engine(True)
    with pytest.raises(Refused):
        converge(engine, False, contextlib.nullcontext, None, refuse)
    assert engine.applied == 0
