# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible sees the lab through inventory/lab/ and works on its hosts through the connection plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.lab.declaration import declaration
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT

FROM_ZIP = """
import sys, zipfile
with zipfile.ZipFile("/tmp/said.zip", "w") as archive:
    archive.writestr("said.py", sys.argv[1])
sys.path.insert(0, "/tmp/said.zip")
import said
print(said.WORD)
"""


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """Two lines."""
    return start_lab()


def play(
    lab: Lab, tmp_path: Path, tasks: list[dict[str, Any]], hosts: str = "web1"
) -> subprocess.CompletedProcess[str]:
    """Run tasks on hosts of the lab."""
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(json.dumps([{"hosts": hosts, "gather_facts": False, "tasks": tasks}]))
    return subprocess.run(
        ["ansible-playbook", str(playbook)], env=lab.ansible_environment(), capture_output=True, text=True, check=False
    )


def test_the_inventory_is_the_running_lab(lab: Lab) -> None:
    listed = subprocess.run(
        ["ansible-inventory", "--list"], env=lab.ansible_environment(), capture_output=True, text=True, check=True
    )
    inventory = json.loads(listed.stdout)
    assert set(inventory["_meta"]["hostvars"]) == set(lab.hosts)
    seen = inventory["_meta"]["hostvars"]["web1"]
    assert {name: seen[name] for name in seen if name.startswith("multihome_")} == declaration(lab.topology)
    assert inventory["isp_firewall"]["hosts"] == ["fw-a", "fw-b"]


def test_the_python_on_the_hosts_can_be_chosen(lab: Lab) -> None:
    script = str(CHECKOUT / "inventory" / "lab" / "hosts.py")
    environment = {**os.environ, "LAB_NAME": lab.name, "LAB_PYTHON": "/usr/bin/python3"}
    listed = subprocess.run([script], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(listed.stdout)["_meta"]["hostvars"]["web1"]["ansible_python_interpreter"] == "/usr/bin/python3"


def test_a_lab_that_is_not_up_is_an_error_and_no_empty_inventory() -> None:
    script = str(CHECKOUT / "inventory" / "lab" / "hosts.py")
    environment = {**os.environ, "LAB_NAME": "never-up"}
    listed = subprocess.run([script], env=environment, capture_output=True, text=True, check=False)
    assert listed.returncode == 1
    assert 'lab "never-up" is not up: python3 -m tests.lab up --name never-up' in listed.stderr
    # Only molecule, which asks before its playbook creates the lab, gets an empty one.
    environment["MOLECULE_SCENARIO_NAME"] = "default"
    listed = subprocess.run([script], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(listed.stdout) == {"_meta": {"hostvars": {}}}


def test_tasks_run_on_the_host_and_nowhere_else(lab: Lab, tmp_path: Path) -> None:
    content = "".join(f"line {n} of a file that is copied there and back\n" for n in range(5000))
    fetched = tmp_path / "fetched"
    result = play(
        lab,
        tmp_path,
        [
            {"ansible.builtin.copy": {"content": content, "dest": "/etc/copied", "mode": "0600"}},
            {"ansible.builtin.fetch": {"src": "/etc/copied", "dest": str(fetched), "flat": True}},
            {"ansible.builtin.command": {"cmd": "hostname"}, "register": "name"},
            {"ansible.builtin.assert": {"that": "name.stdout == 'web1'"}},
            {"ansible.builtin.command": {"cmd": "hostname"}, "register": "other", "delegate_to": "client1"},
            {"ansible.builtin.assert": {"that": "other.stdout == 'client1'"}},
            {
                "ansible.builtin.command": {"cmd": "sh -c 'echo said >&2; exit 3'"},
                "register": "c",
                "ignore_errors": True,
            },
            {"ansible.builtin.assert": {"that": ["c.rc == 3", "c.stderr == 'said'"]}},
        ],
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "changed=5" in result.stdout
    assert fetched.read_text() == content
    assert lab.exec("web1", "cat", "/etc/copied").stdout == content
    assert lab.exec("web1", "find", "/root/.ansible/tmp", "-type", "f").stdout == ""
    assert not Path("/etc/copied").exists()


def test_files_are_transferred_without_pipelining_too(lab: Lab, tmp_path: Path) -> None:
    result = play(lab, tmp_path, [{"ansible.builtin.ping": {}, "vars": {"ansible_pipelining": False}}], hosts="all")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("ok=1 ") == len(lab.hosts)


def test_a_host_that_is_gone_is_unreachable(start_lab: StartLab, tmp_path: Path) -> None:
    gone = start_lab(lines=1)
    tasks: list[dict[str, Any]] = [{"ansible.builtin.ping": {}, "vars": {"lab_host": "web7"}}]
    result = play(gone, tmp_path, tasks)
    assert result.returncode == 4
    assert f'no host "web7" in lab "{gone.name}"' in result.stdout + result.stderr


def test_a_host_that_keeps_what_it_compiled_compiles_what_is_changed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEEPS_COMPILED", "1")

    def said(source: str) -> str:
        return lab.exec("web1", sys.executable, "-c", FROM_ZIP, source).stdout.strip()

    def kept() -> set[str]:
        # Not there until something is kept, which find(1) takes for a failure.
        return set(lab.exec("web1", "find", "/var/cache/multihome-lab", "-type", "f", check=False).stdout.split())

    before = kept()
    assert said("WORD = 'one'") == "one"
    (one,) = kept() - before
    assert said("WORD = 'two'") == "two"
    (two,) = kept() - before - {one}
    # The control: what is kept is what is run.
    lab.exec("web1", "cp", two, one)
    assert said("WORD = 'one'") == "two"
    monkeypatch.delenv("LAB_KEEPS_COMPILED")
    assert said("WORD = 'one'") == "one"
