# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""README, word for word: its declaration deploys a service that answers from outside, and its commands run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.multihome.linux.tests.e2e import playbooks
from ansible_collections.multihome.linux.tests.e2e.test_examples import listening
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT

FIREWALLS = ("fw-a", "fw-b")


def blocks(language: str) -> list[str]:
    """The blocks of README in a language."""
    return re.findall(rf"```{language}\n(.*?)```", (CHECKOUT / "README.md").read_text("utf-8"), re.DOTALL)


def commands(word: str) -> list[str]:
    """The commands of README that begin with a word."""
    found = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith(f"$ {word} ")]
    assert found
    return found


def declared() -> dict[str, Any]:
    """The variables of README's inventory."""
    (block,) = (block for block in blocks("yaml") if block.startswith("# inventory/group_vars/all/multihome.yml"))
    variables: dict[str, Any] = yaml.safe_load(block)
    return variables


@pytest.fixture
def lab(start_lab: StartLab) -> Lab:
    """The two lines of README. Nobody has configured a default route on the firewalls."""
    lab = start_lab(lines=2)
    for host in FIREWALLS:
        for family in ("-4", "-6"):
            lab.exec(host, "ip", family, "route", "del", "default")
    return lab


def test_it_answers_from_outside_and_without_its_gateways_the_firewalls_refuse_it(lab: Lab) -> None:
    variables = declared()
    for line in variables["multihome_lines"]:
        del line["gateway"]
    run = playbooks.run(lab, playbooks.DEPLOY, variables=variables)
    assert run.code
    assert "no-way-out" in "\n".join(run.failures)
    assert [run.changed[host] for host in FIREWALLS] == [0, 0]
    # The declaration as it is then works, and is asked from outside.
    run = playbooks.run(lab, playbooks.DEPLOY, variables=declared())
    assert run.code == 0, run.failures
    for service in (variables := declared())["multihome_services"]:
        # The web server of the lab listens on one of README's ports.
        service["verify_ports"] = ["80/tcp"]
    run = playbooks.run(lab, playbooks.VERIFY, variables=variables)
    assert run.code == 0, run.failures
    assert run.message("Show line, service, family and answer")[-1] == "4 of 4 as expected"


def inventory(directory: Path, lab: Lab) -> None:
    """Write the files of README, and beside them how Ansible reaches the hosts, and a host outside."""
    for block in blocks("yaml"):
        if found := re.match(r"# (inventory/\S+)\n", block):
            path = directory / found[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block)
    reached = {"ansible_connection": "lab", "ansible_python_interpreter": sys.executable, "lab_name": lab.name}
    more = {"all": {"vars": reached}, "multihome_vantage": {"hosts": {"client1": {}}}}
    (directory / "inventory" / "lab.yml").write_text(json.dumps(more))


def run(lab: Lab, directory: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of README in the user's directory."""
    environment = {**lab.ansible_environment(), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(
        shlex.split(command), cwd=directory, env=environment, capture_output=True, text=True, check=False
    )


def test_every_command_runs(start_lab: StartLab, tmp_path: Path) -> None:
    lab = start_lab(lines=2)
    inventory(tmp_path, lab)
    with listening(lab, "web1", "tcp:443"):
        for command in (checked := commands("ansible-playbook")):
            done = run(lab, tmp_path, command)
            assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
        assert checked[-1].endswith("multihome.linux.verify")
        found = re.search(r"(\d+) of (\d+) as expected", done.stdout)
        assert found, done.stdout
        assert found[1] == found[2] != "0"
        # The server by the modules alone: it does not answer without, which is the control, and it does with them.
        removed = run(lab, tmp_path, "ansible-playbook -i inventory multihome.linux.remove --limit web1")
        assert removed.returncode == 0, removed.stdout
        assert run(lab, tmp_path, checked[-1]).returncode != 0
        (part,) = (block for block in blocks("yaml") if "multihome.linux.ip_aliases" in block)
        (tmp_path / "part.yml").write_text(part)
        done = run(lab, tmp_path, "ansible-playbook -i inventory part.yml")
        assert done.returncode == 0, done.stdout + done.stderr
        for public in ("203.0.113.10", "198.51.100.20"):
            assert ask(lab, "client1", [f"http://{public}/"], timeout=10), public
    for command in re.findall(r"^\| `(multihome [^`]+)` \|", (CHECKOUT / "README.md").read_text("utf-8"), re.MULTILINE):
        done = lab.exec("fw-a", *shlex.split(command), check=False)
        # Without a service manager no keeper runs here, which some of them report by their exit status.
        assert "--help" not in done.stderr, f"{command}: {done.stderr}"
    # The control: a command that does not exist.
    assert "see multihome --help" in lab.exec("fw-a", "multihome", "mend", check=False).stderr
