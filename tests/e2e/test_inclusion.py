# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles and playbooks under each way of inclusion and each strategy, and with tags that leave out steps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import playbooks
from ansible_collections.multihome.linux.tests.e2e.playbooks import Run
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT

SERVER, FIREWALL = "multihome.linux.multihomed_web", "multihome.linux.isp_firewall"
# The server of shape C, by hand.
SERVER_LINES = [
    {
        "name": "unicom",
        "id": 1,
        "interface": "wan0",
        "addresses": ["203.0.113.10/24", "2001:db8:a::10/64"],
        "gateways": ["203.0.113.1", "2001:db8:a::1"],
    },
    {
        "name": "interlink",
        "id": 2,
        "interface": "wan1",
        "addresses": ["198.51.100.20/24", "2001:db8:b::20/64"],
        "gateways": ["198.51.100.1", "2001:db8:b::1"],
    },
]
# Each way to use a role, with the tag `edge` of the user.
WAYS: dict[str, dict[str, Any]] = {
    "roles": {"roles": [{"role": SERVER, "tags": ["edge"]}]},
    "import_role": {"tasks": [{"name": "Import", "ansible.builtin.import_role": {"name": SERVER}, "tags": ["edge"]}]},
    "include_role": {
        "tasks": [
            {
                "name": "Include",
                "ansible.builtin.include_role": {"name": SERVER, "apply": {"tags": ["edge"]}},
                "tags": ["always"],
            }
        ]
    },
}
WITHOUT_APPLY = {"tasks": [{"name": "Include", "ansible.builtin.include_role": {"name": SERVER}, "tags": ["edge"]}]}
REPORT = "Report the steps that tags leave out"
CHANGED = {"kernel_parameters", "ip_aliases", "policy_routing", "keeper"}


def play(directory: Path, content: Mapping[str, Any], hosts: str = "web1", **keywords: Any) -> str:
    """Write a playbook of one play, and return its path."""
    path = directory / "playbook.yml"
    path.write_text(json.dumps([{"hosts": hosts, "gather_facts": False, **keywords, **content}]))
    return str(path)


def changes(run: Run) -> int:
    """The number of tasks that changed something, or would."""
    assert run.code == 0, run.failures
    return run.changes


@pytest.fixture(scope="module")
def server(start_lab: StartLab) -> Lab:
    """Two lines that end on the server itself, with nothing deployed."""
    return start_lab(lines=2, shape="C")


def check_server(lab: Lab, tmp_path: Path, content: Mapping[str, Any], *arguments: str, **variables: Any) -> Run:
    """Run the role on the server in check mode."""
    path = play(tmp_path, content, vars={"multihomed_web_lines": SERVER_LINES})
    return playbooks.run(lab, path, "--check", *arguments, variables=variables)


@pytest.mark.parametrize("way", WAYS)
def test_tags_do_the_same_under_each_way_of_inclusion(server: Lab, tmp_path: Path, way: str) -> None:
    for tag in ("edge", "multihome_configure"):
        assert changes(check_server(server, tmp_path, WAYS[way], "--tags", tag)) == len(CHANGED), tag
    looked = check_server(server, tmp_path, WAYS[way], "--tags", "multihome_preflight")
    assert changes(looked) == 0
    expected = "only checked: --tags multihome_preflight leaves out the changes of "
    assert expected + "kernel_parameters, ip_aliases, policy_routing and keeper" in looked.message(REPORT)
    # The control: tags of others run nothing of it, and are no reason for a message.
    other = check_server(server, tmp_path, WAYS[way], "--tags", "other")
    assert changes(other) == 0
    assert {result.status for result in other.results if result.task.endswith(REPORT)} == {"skipped"}
    assert not any(result.task.endswith("Run preflight") for result in other.results)


def test_tags_that_are_skipped_are_reported(server: Lab, tmp_path: Path) -> None:
    roles = WAYS["roles"]
    skipped = check_server(server, tmp_path, roles, "--skip-tags", "multihome_configure")
    assert changes(skipped) == 0
    assert "neither checked nor changed: --skip-tags multihome_configure" in skipped.message(REPORT)
    unchecked = check_server(server, tmp_path, roles, "--skip-tags", "multihome_preflight")
    assert unchecked.code
    assert "To change the host without it, set multihomed_web_preflight: false" in "\n".join(unchecked.failures)
    wanted = check_server(server, tmp_path, roles, "--skip-tags", "multihome_preflight", multihomed_web_preflight=False)
    assert changes(wanted) > 0


def test_tags_that_select_an_include_and_nothing_inside_are_refused(server: Lab, tmp_path: Path) -> None:
    run = check_server(server, tmp_path, WITHOUT_APPLY, "--tags", "edge")
    assert run.code
    assert "Add apply: {tags: [edge]} to include_role, or use import_role" in "\n".join(run.failures)
    # The control: without tags the same play changes the host.
    assert changes(check_server(server, tmp_path, WITHOUT_APPLY)) == len(CHANGED)


@pytest.fixture(scope="module")
def firewalls(start_lab: StartLab) -> Lab:
    """A firewall for each of two lines, and a server."""
    return start_lab(lines=2)


def summaries(lab: Lab, *arguments: str, settings: Mapping[str, str] | None = None) -> list[list[str]]:
    """The summaries that deploy shows in check mode."""
    variables = {**playbooks.FAILOVER, **playbooks.UNPROTECTED}
    run = playbooks.run(lab, playbooks.DEPLOY, "--check", *arguments, variables=variables, settings=settings)
    assert run.code == 0, run.failures
    return [result.values["msg"] for result in run.results if result.task.endswith("Show what changed")]


@pytest.mark.parametrize("strategy", ["linear", "free", "host_pinned"])
def test_there_is_one_summary_under_every_strategy(firewalls: Lab, strategy: str) -> None:
    (shown,) = summaries(firewalls, settings={"ANSIBLE_STRATEGY": strategy})
    assert [line.split(":")[0] for line in shown] == ["fw-a", "fw-b", "web1"]
    assert not any("unchanged" in line for line in shown)


def test_the_summary_names_what_tags_leave_out(firewalls: Lab) -> None:
    (shown,) = summaries(firewalls, "--tags", "multihome_preflight")
    assert all("only checked: the tags leave out the changes of " in line for line in shown), shown
    (shown,) = summaries(firewalls, "--tags", "multihome_dns")
    assert all("not checked: the tags leave it out" in line for line in shown), shown
    (shown,) = summaries(firewalls, "--tags", "multihome_configure")
    assert all("changed" in line or "added" in line for line in shown), shown


def batches(lab: Lab, *arguments: str) -> int:
    """The number of times that deploy begins to change firewalls."""
    begun: Counter[str] = Counter()

    def follow(event: playbooks.Event) -> None:
        begun[str(event.get("task"))] += event["event"] == "task"

    variables = {**playbooks.FAILOVER, "multihome_confirm_timeout": 0}
    run = playbooks.run(lab, playbooks.DEPLOY, "--check", *arguments, variables=variables, follow=follow)
    assert run.code == 0, run.failures
    return begun["Configure the firewalls"]


def test_the_number_of_hosts_at_once_may_be_in_the_inventory(firewalls: Lab, tmp_path: Path) -> None:
    hosts = ["-i", str(CHECKOUT / "inventory" / "lab" / "hosts.py")]
    assert batches(firewalls, *hosts, "--limit", "isp_firewall") == 2
    more = tmp_path / "more.yml"
    more.write_text(json.dumps({"isp_firewall": {"vars": {"multihome_serial": "100%"}}}))
    assert batches(firewalls, *hosts, "-i", str(more), "--limit", "isp_firewall") == 1


def by_hand(strategy: str, tmp_path: Path, **keywords: Any) -> str:
    """A play that uses the role on both firewalls."""
    lines = {
        "fw-a": [{"name": "unicom", "id": 1, "interface": "wan0", "public_addresses": ["203.0.113.10/24"]}],
        "fw-b": [{"name": "interlink", "id": 2, "interface": "wan0", "public_addresses": ["198.51.100.20/24"]}],
    }
    forward = {"name": "web", "line": "{{ isp_firewall_lines[0].name }}", "protocol": "tcp", "port": 80}
    variables = {
        "lines_of": lines,
        "isp_firewall_lines": "{{ lines_of[inventory_hostname] }}",
        "isp_firewall_forwards": [{**forward, "to_address": "192.168.168.1"}],
    }
    return play(tmp_path, {"roles": [FIREWALL]}, "isp_firewall", strategy=strategy, vars=variables, **keywords)


def translates(lab: Lab, host: str) -> bool:
    """Whether the table of the collection exists."""
    return lab.exec(host, "nft", "list", "table", "inet", "multihome", check=False).returncode == 0


@pytest.mark.parametrize("strategy", ["linear", "free", "host_pinned"])
def test_a_host_that_fails_has_its_earlier_state_under_every_strategy(
    start_lab: StartLab, tmp_path: Path, strategy: str
) -> None:
    lab = start_lab(lines=2)
    # The kernel parameters cannot be written, after the translations were.
    lab.exec("fw-a", "sh", "-c", "mv /etc/sysctl.d /etc/sysctl.kept; touch /etc/sysctl.d")
    run = playbooks.run(lab, by_hand(strategy, tmp_path, any_errors_fatal=True))
    assert run.code
    assert "fw-a has its earlier state again" in "\n".join(run.failures)
    assert not translates(lab, "fw-a")
    if strategy == "linear":
        # Only this strategy knows any_errors_fatal: it ends the change of the other host too.
        assert "fw-b has its earlier state again: another host failed" in "\n".join(run.failures)
        assert not translates(lab, "fw-b")
    # The control: where nothing fails, both are changed, one after the other or not, and only once.
    lab.exec("fw-a", "sh", "-c", "rm /etc/sysctl.d; mv /etc/sysctl.kept /etc/sysctl.d")
    run = playbooks.run(lab, by_hand(strategy, tmp_path, any_errors_fatal=True, serial=1))
    assert run.code == 0, run.failures
    assert translates(lab, "fw-a")
    assert translates(lab, "fw-b")
    if strategy == "free":
        assert changes(playbooks.run(lab, by_hand(strategy, tmp_path))) == 0
