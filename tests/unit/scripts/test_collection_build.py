# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as users get it: built, installed elsewhere, and complete there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

import sources
from environment import ROOT

# What is for users, and what Ansible adds.
FOLDERS = {"LICENSES", "changelogs", "docs", "inventory", "meta", "playbooks", "plugins", "roles"}
FILES = {"CHANGELOG.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "REUSE.toml"}


def run(*command: str, directory: Path, collections: Path | None = None) -> str:
    """Run a command of Ansible, which finds collections only in the given place; return its output."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(collections or directory)
    return subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive that `ansible-galaxy collection build` makes of the checkout's own files."""
    checkout = tmp_path_factory.mktemp("build") / "checkout"
    sources.copy_to(checkout)
    # A hidden folder that galaxy.yml does not name, as tools create them.
    (checkout / ".tool").mkdir()
    (checkout / ".tool" / "state").touch()
    run("ansible-galaxy", "collection", "build", directory=checkout)
    return checkout / "multihome-linux-0.1.0.tar.gz"


@pytest.fixture(scope="module")
def installed(archive: Path) -> Path:
    """Where the archive was installed."""
    collections = archive.parent.parent / "collections"
    run("ansible-galaxy", "collection", "install", str(archive), "-p", str(collections), directory=archive.parent)
    return collections


def test_the_archive_holds_what_users_need_and_nothing_else(archive: Path) -> None:
    with tarfile.open(archive) as opened:
        held = {Path(member.name) for member in opened if not member.isdir()}
    needed = {path for path in sources.files() if path.parts[0] in FOLDERS}
    # The lab is for molecule scenarios of users; its tests are not.
    lab = {path for path in sources.files() if path.parts[:2] == ("tests", "lab") and len(path.parts) == 3}
    not_shipped = {"conftest.py", "fixtures.py"}
    needed |= {path for path in lab if path.name not in not_shipped and not path.name.startswith("test_")}
    needed.add(Path("tests/lab/connection_plugins/lab.py"))
    assert needed - held == set()
    assert {str(path) for path in held - needed} <= FILES


def test_an_execution_environment_gets_what_the_controller_needs(archive: Path, installed: Path) -> None:
    told = run("ansible-builder", "introspect", str(installed), directory=archive.parent)
    assert re.search(r"netaddr .*# from collection multihome\.linux", told), told


def test_the_installed_collection_documents_every_module(archive: Path, installed: Path) -> None:
    listed = run("ansible-doc", "--list", "--json", "multihome.linux", directory=archive.parent, collections=installed)
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    names = {f"multihome.linux.{name}" for name in runtime["action_groups"]["multihome"]}
    assert set(json.loads(listed)) == names
    text = run("ansible-doc", "--json", *sorted(names), directory=archive.parent, collections=installed)
    for name, documented in json.loads(text).items():
        assert documented["doc"]["filename"].startswith(str(installed)), name


@pytest.mark.parametrize("playbook", ["deploy", "verify"])
def test_the_installed_playbooks_run_on_the_example(archive: Path, installed: Path, playbook: str) -> None:
    example = installed / "ansible_collections" / "multihome" / "linux" / "inventory" / "example"
    command = ["ansible-playbook", "-i", str(example), f"multihome.linux.{playbook}", "--syntax-check"]
    assert playbook in run(*command, directory=archive.parent, collections=installed)


def test_the_installed_filters_find_their_packages(archive: Path, installed: Path) -> None:
    message = "{{ {'lines': [], 'servers': [], 'services': 'x'} | multihome.linux.declaration_faults }}"
    command = ("ansible", "localhost", "-c", "local", "-m", "ansible.builtin.debug", "-a", json.dumps({"msg": message}))
    output = run(*command, directory=archive.parent, collections=installed)
    assert 'multihome_services: must be a list, not \\"x\\"' in output


def test_control_nothing_is_found_where_nothing_is_installed(archive: Path, tmp_path: Path) -> None:
    command = ("ansible-doc", "--list", "--json", "multihome.linux")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run(*command, directory=archive.parent, collections=tmp_path)
    assert "unable to locate collection multihome.linux" in failed.value.stderr
