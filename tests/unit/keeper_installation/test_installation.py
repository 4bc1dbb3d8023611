# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper is installed, restarted only for a reason, and taken away whole; with systemd in memory, files real."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.host.systemd import CommandFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation import engine as keeper_engine
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation import unit as keeper_unit
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation.engine import KeeperEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation.host import KeeperHost, own_code

CODE = {"__init__.py": "", "keeper/__init__.py": "", "keeper/main.py": "def main(): return 0\n"}
SERVICE = {"service": keeper_unit.NAME}


class FakeHost(KeeperHost):
    """Files below a directory, and a systemd that notes what it was told; ``broken`` is a service that fails."""

    def __init__(self, root: Path, systemd: bool = True) -> None:
        super().__init__(str(root))
        if systemd:
            (root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        self.told: list[str] = []
        self.running = False
        self.broken = False

    def is_running(self) -> bool:
        """Tell whether the service runs."""
        return self.running

    def _systemctl(self, *arguments: str) -> str:
        self.told.append(arguments[0])
        if arguments[0] == "restart":
            if self.broken:
                raise CommandFailed("systemctl restart: it failed")
            self.running = True
        elif arguments[0] == "disable":
            self.running = False
        return ""

    def all_files(self) -> list[str]:
        """Every file, but for compiled ones."""
        root = Path(self.files.root)
        return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and p.suffix != ".pyc")


def run(
    host: FakeHost, state: str = "present", code: dict[str, str] | None = None, check: bool = False
) -> Outcome[Any]:
    """Run the module's engine."""
    return converge(KeeperEngine(state, CODE if code is None else code, host), check, contextlib.nullcontext)


def test_it_is_installed_started_and_then_left_alone(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    foretold = run(host, check=True)
    assert (host.all_files(), host.told) == ([], [])
    done = run(host)
    assert done.actions() == foretold.actions()
    assert done.actions()[-1] == {"op": "add", "object": SERVICE}
    assert host.told == ["daemon-reload", "enable", "restart"]
    unit = (tmp_path / "etc/systemd/system/multihome-keeper.service").read_text()
    assert "-I /usr/lib/multihome/multihome-keeper" in unit
    host.told.clear()
    assert not run(host).changed
    assert host.told == []


def test_changed_code_restarts_it_and_stale_code_goes(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    run(host)
    host.told.clear()
    done = run(
        host, code={**{name: text for name, text in CODE.items() if name != "keeper/main.py"}, "new.py": "x = 1\n"}
    )
    files = {action["object"].get("file", "").rpartition("_core/")[2]: action["op"] for action in done.actions()}
    assert (files["new.py"], files["keeper/main.py"]) == ("add", "remove")
    assert done.actions()[-1] == {"op": "replace", "object": SERVICE}
    assert host.told == ["daemon-reload", "enable", "restart"]
    assert not (tmp_path / "usr/lib/multihome/_core/keeper/main.py").exists()


def test_one_that_was_stopped_by_hand_is_started_again(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    run(host)
    host.running = False
    assert run(host).actions() == [{"op": "add", "object": SERVICE}]
    assert host.running


def test_one_that_does_not_start_leaves_no_file(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    host.broken = True
    with pytest.raises(
        ApplyFailed, match="cannot install the keeper: systemctl restart: it failed\nthe host is as it was"
    ):
        run(host)
    assert host.all_files() == []
    assert not (tmp_path / "usr/lib/multihome").exists()


def test_a_new_version_that_does_not_start_leaves_the_old_one(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    run(host)
    before = host.installed()
    host.broken = True
    with pytest.raises(ApplyFailed, match="it failed"):
        run(host, code={**CODE, "keeper/main.py": "raise SystemExit(1)\n"})
    assert host.installed() == before


def test_without_systemd_the_code_is_there_and_nothing_is_started(tmp_path: Path) -> None:
    host = FakeHost(tmp_path, systemd=False)
    run(host)
    assert host.told == []
    assert "usr/lib/multihome/multihome-keeper" in host.all_files()
    assert not any("systemd" in file for file in host.all_files())
    assert not run(host).changed


@pytest.mark.parametrize(("state", "is_installed"), [("present", False), ("absent", True), ("absent", False)])
def test_engines_that_modules_were_sent_with_are_removed(tmp_path: Path, state: str, is_installed: bool) -> None:
    """Also those of a deployment that failed before the keeper was installed."""
    host = FakeHost(tmp_path)
    if is_installed:
        run(host)
    for name in ("engine-0123/_core", "other"):
        (tmp_path / "run/multihome" / name).mkdir(parents=True)
    assert run(host, state, check=True).changed
    assert (tmp_path / "run/multihome/engine-0123").is_dir()
    assert run(host, state).changed
    assert [path.name for path in (tmp_path / "run/multihome").iterdir()] == ["other"]
    assert not run(host, state).changed


@pytest.mark.parametrize("systemd", [True, False])
def test_it_is_taken_away_whole_and_what_is_stored_stays(tmp_path: Path, systemd: bool) -> None:
    host = FakeHost(tmp_path, systemd)
    run(host)
    for directory, file in (("etc/multihome", "nat_rules.json"), ("run/multihome", "keeper.json")):
        (tmp_path / directory).mkdir(parents=True)
        (tmp_path / directory / file).write_text("{}")
    host.told.clear()
    foretold, done = run(host, "absent", check=True), run(host, "absent")
    assert done.actions() == foretold.actions()
    assert host.all_files() == ["etc/multihome/nat_rules.json"]
    assert host.told == (["disable", "daemon-reload", "reset-failed"] if systemd else [])
    assert not (tmp_path / "usr/lib/multihome").exists()
    assert not run(host, "absent").changed
    (tmp_path / "etc/multihome/nat_rules.json").unlink()
    assert run(host, "absent").changed
    assert not (tmp_path / "etc/multihome").exists()
    assert not run(host, "absent").changed


def test_what_is_copied_is_the_package_itself() -> None:
    code = own_code()
    assert {"keeper/main.py", "routing/engine.py", "__init__.py"} <= code.keys()
    # Whether it is in an archive or in a directory: check mode shows the files in this order too.
    assert list(code) == sorted(code)
    assert not any("__pycache__" in name or name.startswith(os.sep) for name in code)
    assert "ansible" not in "\n".join(line for text in code.values() for line in text.splitlines() if "import" in line)


def test_an_installation_loads_nothing_of_what_it_installs() -> None:
    """Python compiles all that a module loads, at each run; the control is what the service loads."""

    def loaded(import_: str) -> set[str]:
        shown = "import sys; print(*(name for name in sys.modules if '._core.keeper.' in name or '.command.' in name))"
        done = subprocess.run([sys.executable, "-c", f"{import_}; {shown}"], capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    assert loaded(f"import {keeper_engine.__name__}") == set()
    modules = {program.__module__ for program in keeper_engine.programs()}
    assert modules <= loaded(f"from {keeper_engine.__name__} import programs; programs()")


COMMAND = "usr/local/sbin/multihome"


@pytest.mark.parametrize("systemd", [True, False])
def test_the_command_is_installed_for_root_to_run_and_removed_again(tmp_path: Path, systemd: bool) -> None:
    host = FakeHost(tmp_path, systemd)
    run(host)
    command = tmp_path / COMMAND
    assert command.read_text().splitlines()[0] == f"#!{host.python()} -I"
    assert command.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "usr/lib/multihome/multihome").read_text() == command.read_text()
    run(host, "absent")
    assert not command.exists()
    # The directory is the host's own, also when nothing else is in it.
    assert command.parent.is_dir()


def test_a_changed_command_is_restored(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    run(host)
    command = tmp_path / COMMAND
    before = command.read_text()
    command.write_text(before + "# changed\n")
    assert run(host).changed
    assert command.read_text() == before


@pytest.mark.parametrize("kind", ["file", "link", "directory", "binary"])
def test_a_file_of_another_program_in_the_place_of_the_command_stays(tmp_path: Path, kind: str) -> None:
    host = FakeHost(tmp_path)
    command = tmp_path / COMMAND
    command.parent.mkdir(parents=True)
    (tmp_path / "other").write_text("#!/bin/sh\n")
    if kind == "directory":
        command.mkdir()
    elif kind == "link":
        command.symlink_to(tmp_path / "other")
    else:
        command.write_bytes(b"\x7fELF\xff\n" if kind == "binary" else b"#!/bin/sh\necho other\n")
    before = command.lstat()
    engine = KeeperEngine("present", CODE, host)
    converge(engine, False, contextlib.nullcontext)
    assert engine.foreign_command
    assert (tmp_path / "usr/lib/multihome/multihome").exists()
    assert host.running
    assert not run(host).changed
    run(host, "absent")
    after = command.lstat()
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (before.st_ino, before.st_mtime_ns, before.st_mode)
    # The control: without the foreign file the command is installed.
    if kind == "file":
        command.unlink()
        run(host)
        assert "_core.command.main" in command.read_text()


def test_only_a_keeper_with_targets_may_send_packets_and_only_to_these(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    run(host)
    unit = tmp_path / keeper_unit.PATH.lstrip("/")
    assert "CapabilityBoundingSet=CAP_NET_ADMIN\n" in unit.read_text()
    assert "IPAddressDeny=any" in unit.read_text()
    (tmp_path / "etc/multihome").mkdir(parents=True)
    lines = tmp_path / "etc/multihome/lines.json"
    lines.write_text(json.dumps({"lines": [{"health": {"targets": ["192.0.2.1", {"dns": "2001:db8::53"}]}}]}))
    watching = FakeHost(tmp_path)
    watching.running = True
    assert run(watching).changed
    assert "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW\n" in unit.read_text()
    assert "IPAddressDeny=any\nIPAddressAllow=192.0.2.1 2001:db8::53\n" in unit.read_text()
    silent, sending = _settings(keeper_unit.unit_text("python")), _settings(unit.read_text())
    # Nothing of the sandbox is gone, and the capability is the only one that is added.
    assert set(silent) <= set(sending)
    changed = {name: words - silent.get(name, set()) for name, words in sending.items()}
    del changed["ExecStart"]
    assert {name: words for name, words in changed.items() if words} == {
        "CapabilityBoundingSet": {"CAP_NET_RAW"},
        "IPAddressAllow": {"192.0.2.1", "2001:db8::53"},
        "LimitNOFILE": {"8192"},
        "RestrictAddressFamilies": {"AF_INET6"},
    }
    # Other targets are another unit.
    lines.write_text(json.dumps({"lines": [{"health": {"targets": ["192.0.2.2"]}}]}))
    again = FakeHost(tmp_path)
    again.running = True
    assert run(again).changed
    assert "IPAddressAllow=192.0.2.2\n" in unit.read_text()


def _settings(text: str) -> dict[str, set[str]]:
    """The words of each setting of a unit."""
    found: dict[str, set[str]] = {}
    for row in text.splitlines():
        name, equals, words = row.partition("=")
        if equals and not row.startswith("#"):
            found.setdefault(name, set()).update(words.split())
    return found
