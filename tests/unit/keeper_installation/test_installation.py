# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper is installed, restarted only for a reason, and taken away whole; with systemd in memory, files real."""

from __future__ import annotations

import contextlib
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
    assert not any(name.startswith("keeper_installation/") for name in code)
    assert not any("__pycache__" in name or name.startswith(os.sep) for name in code)
    assert "ansible" not in "\n".join(line for text in code.values() for line in text.splitlines() if "import" in line)


def test_an_installation_loads_nothing_of_what_it_installs() -> None:
    """Python compiles all that a module loads, at each run; the control is what the service loads."""

    def loaded(import_: str) -> set[str]:
        shown = "import sys; print(*(name for name in sys.modules if '._core.keeper.' in name))"
        done = subprocess.run([sys.executable, "-c", f"{import_}; {shown}"], capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    assert loaded(f"import {keeper_engine.__name__}") == set()
    assert keeper_engine.service().__module__ in loaded(f"from {keeper_engine.__name__} import service; service()")
