# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The play of docs/confirm.md, as Ansible runs it, with all that Ansible sends to a host and nothing more."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .lab import BAD_ALIASES, Server, server

DOCUMENT = Path(__file__).parents[3] / "docs" / "confirm.md"
CHANGE = {"multihome.linux.ip_aliases": {"aliases": BAD_ALIASES, "purge": True, "persist": True}}


@pytest.fixture
def host() -> Iterator[Server]:
    """A deployed server."""
    with server() as made:
        yield made


def play(host: Server, directory: Path, name: str, *more: object) -> tuple[int, str]:
    """Run the document's play with a change, and return exit status and output."""
    [text] = [
        block for block in re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL) if "change_name" in block
    ]
    [document] = yaml.safe_load(text)
    document |= {"hosts": "all", "gather_facts": False}
    (directory / "play.yml").write_text(json.dumps([document]))
    (directory / "change.yml").write_text(json.dumps([CHANGE, *more]))
    temporary = {"ANSIBLE_LOCAL_TEMP": str(directory), "ANSIBLE_REMOTE_TEMP": str(directory)}
    environment = [f"{key}={value}" for key, value in {**os.environ, **temporary}.items()]
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-c", "local"]
    options = ["-e", f"change_name={name}", "-e", f"ansible_python_interpreter={sys.executable}"]
    done = host.host.run("env", *environment, *command, *options, str(directory / "play.yml"), check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_a_good_change_is_confirmed(host: Server, tmp_path: Path) -> None:
    status, output = play(host, tmp_path, "good")
    assert status == 0, output
    assert host.status("good")["state"] == "confirmed"
    assert "192.168.168.7" in host.state()["address"]
    # A second one has nothing to do.
    status, output = play(host, tmp_path, "again")
    assert status == 0, output
    assert host.status("again") == {}


def test_a_task_that_fails_reverts_the_change(host: Server, tmp_path: Path) -> None:
    before = host.state()
    status, output = play(host, tmp_path, "bad", {"ansible.builtin.fail": {"msg": "no good"}})
    assert status == 2, output
    assert "localhost has its earlier state again: no good" in output
    assert host.status("bad")["state"] == "reverted"
    assert host.state() == before
