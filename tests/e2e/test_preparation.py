# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where packages are missing, a role installs them and checks the host again; check mode ends there and says so."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.playbooks import Run
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

HIDE = "mv /usr/sbin/nft /usr/sbin/nft.hidden"
LAB = {"ansible_package_use": "lab_package"}
MARK = {"multihomed_web_reply": "mark"}


def deploy(lab: Lab, host: str, *arguments: str, **variables: Any) -> Run:
    """Deploy to one host of the lab, which installs packages in the lab's way."""
    return playbooks.deploy(lab, "--limit", host, *arguments, variables={**LAB, **variables})


def statuses(run: Run, task: str) -> list[str]:
    """What became of each execution of a task."""
    return [result.status for result in run.results if result.task.split(" : ")[-1] == task]


def state(lab: Lab, host: str) -> list[str]:
    """What a run could change on a host without nft."""
    commands = (
        "ip -brief address",
        "ip rule",
        "ip -6 rule",
        "ip route show table all proto static",
        "ls -R /etc /usr/sbin",
    )
    return [lab.exec(host, *command.split()).stdout for command in commands]


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """Two lines, on which nothing is deployed yet; nft is missing on a firewall and on the server."""
    lab = start_lab(lines=2)
    for host in ("fw-a", "web1"):
        lab.exec(host, "sh", "-c", HIDE)
    return lab


def test_check_mode_ends_where_packages_are_missing(lab: Lab) -> None:
    before = state(lab, "fw-a")
    run = deploy(lab, "fw-a", "--check")
    assert "nftables is missing here" in str(run.message("Report where check mode ends"))
    # Modules for packages fail in check mode on a new host, so none runs.
    assert statuses(run, "Install missing packages") == ["skipped"]
    assert statuses(run, "Report where check mode ends") == ["changed"]
    (summary,) = run.message("Show what changed")
    assert summary.startswith("fw-a: packages changed")
    assert set(statuses(run, "Translate addresses")) <= {"skipped"}
    assert state(lab, "fw-a") == before


def test_missing_packages_are_installed_and_preflight_is_repeated(lab: Lab) -> None:
    run = deploy(lab, "fw-a")
    assert statuses(run, "Install missing packages") == ["changed"]
    assert statuses(run, "Run preflight") == ["ok", "ok"]
    assert statuses(run, "Translate addresses") == ["changed"]
    (summary,) = run.message("Show what changed")
    assert summary.startswith("fw-a: packages changed, ")
    # The control: where nothing is missing, nothing is installed, and preflight runs once.
    again = deploy(lab, "fw-a")
    assert statuses(again, "Install missing packages") == []
    assert statuses(again, "Run preflight") == ["ok"]
    assert checks.unchanged_and_short(again) == []


def test_a_package_that_a_host_does_not_need_is_not_installed(lab: Lab) -> None:
    run = deploy(lab, "web1")
    assert statuses(run, "Install missing packages") == []
    assert "installed" not in str(run.message("Show what changed"))


def test_without_preflight_a_role_reads_itself_which_packages_are_missing(lab: Lab) -> None:
    run = deploy(lab, "web1", multihomed_web_preflight=False, **MARK)
    assert statuses(run, "Read which requirements the host meets") == ["ok"]
    assert statuses(run, "Install missing packages") == ["changed"]
    assert set(statuses(run, "Run preflight")) == {"skipped"}
    assert statuses(run, "Mark each connection with its line") == ["changed"]
    lab.exec("web1", "sh", "-c", HIDE)


def test_without_leave_to_install_a_missing_package_stops_the_role(lab: Lab) -> None:
    # With backend auto, connections would be marked by iptables.
    more = {"multihomed_web_install_packages": False, "multihomed_web_backend": "nftables"}
    variables = {**playbooks.FAILOVER, **LAB, **MARK, **more}
    run = playbooks.run(lab, playbooks.DEPLOY, "--limit", "web1", variables=variables)
    assert statuses(run, "Install missing packages") == []
    assert run.code
    assert "nft" in "\n".join(run.failures)


def test_files_get_their_selinux_contexts_where_restorecon_exists(lab: Lab) -> None:
    # A program in its place: the kernel of the tests has no SELinux.
    script = '#!/bin/sh\necho "$@" >> /tmp/restored\n'
    lab.exec("fw-b", "sh", "-c", f"printf '{script}' > /usr/sbin/restorecon && chmod 755 /usr/sbin/restorecon")
    deploy(lab, "fw-b")
    restored = lab.exec("fw-b", "cat", "/tmp/restored").stdout.split()
    written = (
        "/etc/multihome/nat_rules.json",
        "/etc/sysctl.d/60-multihome.conf",
        "/usr/lib/multihome/multihome-keeper",
    )
    assert set(written) <= set(restored)
    # The control: a deployment that writes nothing restores nothing.
    lab.exec("fw-b", "rm", "/tmp/restored")
    assert checks.unchanged_and_short(deploy(lab, "fw-b")) == []
    assert lab.exec("fw-b", "cat", "/tmp/restored", check=False).returncode != 0
