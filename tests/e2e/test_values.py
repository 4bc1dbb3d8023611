# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values, keywords and groups as users give them, who include the roles and playbooks in a network of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import playbooks
from ansible_collections.multihome.linux.tests.e2e.playbooks import Run
from ansible_collections.multihome.linux.tests.e2e.test_inclusion import SERVER, SERVER_LINES, play
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT

ROLE = {"roles": [SERVER], "vars": {"multihomed_web_lines": SERVER_LINES}}


@pytest.fixture(scope="module")
def server(start_lab: StartLab) -> Lab:
    """Two lines that end on the server itself, with nothing deployed."""
    return start_lab(lines=2, shape="C")


def use(lab: Lab, tmp_path: Path, *texts: str, arguments: tuple[str, ...] = ("--check",), **keywords: Any) -> Run:
    """Run the role with ``--extra-vars name=value``, whose values are texts, and with keywords of the play."""
    given = [part for text in texts for part in ("--extra-vars", text)]
    return playbooks.run(lab, play(tmp_path, ROLE, **keywords), *arguments, *given)


def changing(run: Run) -> set[str]:
    """The modules that changed something, or would, by the last words of their tasks."""
    assert run.code == 0, run.failures
    return {result.task.rsplit(" : ", 1)[-1] for result in run.results if result.status == "changed"}


KERNEL, KEEPER = (
    "Set kernel parameters for the lines",
    "Restore the configuration after reboots and whenever it is removed",
)
MODULES = {KERNEL, KEEPER, "Configure an address for each line", "Route each packet by its line"}


def test_texts_of_the_command_line_are_true_or_false(server: Lab, tmp_path: Path) -> None:
    # The control: all of it is done without these, and with the words for true.
    assert changing(use(server, tmp_path)) == MODULES
    assert changing(use(server, tmp_path, "multihomed_web_manage_sysctl=yes", "multihomed_web_persist=on")) == MODULES
    without = use(server, tmp_path, "multihomed_web_manage_sysctl=no", "multihomed_web_persist=false")
    assert changing(without) == MODULES - {KERNEL, KEEPER}
    unchecked = use(server, tmp_path, "multihomed_web_preflight=no", "multihomed_web_install_packages=no")
    assert changing(unchecked) == MODULES
    assert {result.status for result in unchecked.results if result.task.endswith("Run preflight")} == {"skipped"}


@pytest.mark.parametrize("preflight", ["multihomed_web_preflight=yes", "multihomed_web_preflight=no"])
def test_a_time_that_is_no_number_does_not_switch_off_the_protection(
    server: Lab, tmp_path: Path, preflight: str
) -> None:
    run = use(server, tmp_path, preflight, "multihome_confirm_timeout=1m", "multihome_allow_disconnect=perhaps")
    assert run.code
    said = "\n".join(run.failures)
    assert 'multihome_confirm_timeout or multihomed_web_confirm_timeout: "1m": not a whole number' in said
    assert 'multihome_allow_disconnect or multihomed_web_allow_disconnect: "perhaps": neither true nor false' in said


def test_the_keyword_check_mode_is_as_the_option(server: Lab, tmp_path: Path) -> None:
    by_keyword = use(server, tmp_path, arguments=(), check_mode=True)
    assert changing(by_keyword) == changing(use(server, tmp_path)) == MODULES
    # Nothing was written or configured.
    assert server.exec("web1", "test", "-e", "/etc/multihome", check=False).returncode != 0
    assert "203.0.113.10" not in server.exec("web1", "ip", "rule").stdout


def test_start_at_task_behind_preflight_is_refused(server: Lab, tmp_path: Path) -> None:
    change = "multihome.linux.multihomed_web : Change the host, and keep the change if it is proven"
    run = use(server, tmp_path, arguments=("--check", "--start-at-task", change))
    assert run.code
    assert "preflight has not checked web1, and the changes depend on it" in "\n".join(run.failures)
    # The controls: from the beginning, and without preflight.
    first = "multihome.linux.multihomed_web : Read the facts that the lists depend on"
    assert changing(use(server, tmp_path, arguments=("--check", "--start-at-task", first))) == MODULES
    without = ("--check", "--start-at-task", change, "-e", '{"multihomed_web_preflight": false}')
    assert changing(use(server, tmp_path, arguments=without)) == MODULES


def test_without_tags_no_task_reports_them(server: Lab, tmp_path: Path) -> None:
    run = use(server, tmp_path)
    assert changing(run) == MODULES
    reports = [result for result in run.results if result.task.endswith("Report the steps that tags leave out")]
    # Ansible skipped it, by its condition.
    assert all("false_condition" in result.values for result in reports)
    assert reports


@pytest.fixture(scope="module")
def firewalls(start_lab: StartLab) -> Lab:
    """A firewall for each of two lines, and a server."""
    return start_lab(lines=2)


def inventory(lab: Lab, directory: Path, firewalls: str, servers: str, **variables: Any) -> str:
    """Write an inventory with the groups of a user, and return its path."""
    environment = CHECKOUT / ".venv" / "bin" / "python"
    reached: Mapping[str, Any] = {"ansible_connection": "lab", "lab_name": lab.name}
    common = {**reached, "ansible_python_interpreter": str(environment), **playbooks.UNPROTECTED}
    groups = {
        "all": {"vars": {**common, **playbooks.declared(lab), **variables}},
        firewalls: {"hosts": {"fw-a": {}, "fw-b": {}}},
        servers: {"hosts": {"web1": {}}},
    }
    path = directory / "hosts.json"
    path.write_text(json.dumps(groups))
    return str(path)


OWN = {"multihome_firewall_group": "edge", "multihome_server_group": "www"}


@pytest.mark.parametrize("playbook", ["deploy", "verify", "dns", "revert", "remove"])
def test_groups_without_hosts_are_an_error(firewalls: Lab, tmp_path: Path, playbook: str) -> None:
    hosts = inventory(firewalls, tmp_path, "edge", "www")
    run = playbooks.run(firewalls, f"multihome.linux.{playbook}", "-i", hosts, "--check")
    assert run.code
    (said,) = run.failures
    assert "no host is in group isp_firewall or multihomed_web" in said
    assert "name your own in multihome_firewall_group and multihome_server_group" in said


def test_groups_of_the_user_in_each_place(firewalls: Lab, tmp_path: Path) -> None:
    # The control: in the inventory, and on the command line.
    for in_inventory, on_command_line in ((OWN, {}), ({}, OWN)):
        hosts = inventory(firewalls, tmp_path, "edge", "www", **in_inventory)
        run = playbooks.run(firewalls, playbooks.DEPLOY, "-i", hosts, "--check", variables=on_command_line)
        assert run.code == 0, run.failures
        assert set(run.changed) == {"fw-a", "fw-b", "web1"}
    # Variables of import_playbook do not select hosts.
    imported = tmp_path / "site.yml"
    imported.write_text(json.dumps([{"import_playbook": playbooks.DEPLOY, "vars": OWN}]))
    run = playbooks.run(firewalls, str(imported), "-i", hosts, "--check")
    assert run.code
    assert 'multihome_firewall_group is "edge" in the play and "isp_firewall" in the inventory' in run.failures[0]
    listed = inventory(firewalls, tmp_path, "edge", "www", **{**OWN, "multihome_firewall_group": ["edge"]})
    run = playbooks.run(firewalls, playbooks.DEPLOY, "-i", listed, "--check")
    assert run.code
    assert 'multihome_firewall_group must be the name of one group, not ["edge"]' in run.failures[0]
