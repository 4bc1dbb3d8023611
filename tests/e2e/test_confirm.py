# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment that goes wrong leaves each host in its earlier state, and one that changes nothing costs nothing."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT

CHECKPOINTS = "/var/lib/multihome/checkpoints"
GATEWAY = "192.168.168.99"


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """Two lines, deployed."""
    lab = start_lab(lines=2)
    deploy(lab)
    return lab


def deploy(lab: Lab, *arguments: str) -> playbooks.Run:
    """Deploy as users do who set nothing."""
    return playbooks.deploy(lab, *arguments, variables=playbooks.PROTECTED)


def checkpoints(lab: Lab, host: str) -> str:
    """The states of all runs of a host."""
    command = f'cd {CHECKPOINTS} 2>/dev/null && grep -ho \'"state": "[a-z]*"\' */status.json'
    return lab.exec(host, "sh", "-c", command, check=False).stdout


def test_a_deployment_is_confirmed_and_the_next_one_arms_nothing(lab: Lab) -> None:
    for host in ("fw-a", "fw-b", "web1"):
        assert checkpoints(lab, host).split() == ['"state":', '"confirmed"'], host
    run = deploy(lab)
    assert checks.nothing_changed(run) == []
    assert not [result.task for result in run.results if "Protect" in result.task or "Prove" in result.task]
    for host in ("fw-a", "fw-b", "web1"):
        assert checkpoints(lab, host).count("state") == 1, host


def lost_gateway(lab: Lab) -> dict[str, Any]:
    """The declaration with an inside address of line A that nobody has."""
    lists = playbooks.declared(lab)
    line = next(line for line in lists["multihome_lines"] if line["name"] == "unicom")
    line["inside_addresses"] = [GATEWAY if "." in str(each) else each for each in line["inside_addresses"]]
    return lists


def test_a_gateway_that_does_not_exist_is_not_kept(lab: Lab) -> None:
    before = state(lab, "web1")
    variables = {**playbooks.FAILOVER, **lost_gateway(lab), "multihomed_web_preflight": False}
    # Nobody asks from outside, who would notice first.
    variables["multihome_confirm_targets"] = []
    run = playbooks.run(lab, playbooks.DEPLOY, "--limit", "web1", variables=variables)
    assert run.code
    [*_others, last] = run.failures
    assert "web1 has its earlier state again: " in last
    assert GATEWAY in last
    assert state(lab, "web1") == before
    assert checks.services_answered(lab) == []
    assert '"reverted"' in checkpoints(lab, "web1")


def test_without_a_timeout_the_change_stays(lab: Lab) -> None:
    """The control."""
    before = state(lab, "web1")
    variables = {**playbooks.FAILOVER, **lost_gateway(lab), "multihomed_web_preflight": False}
    variables["multihome_confirm_timeout"] = 0
    run = playbooks.run(lab, playbooks.DEPLOY, "--limit", "web1", variables=variables)
    assert state(lab, "web1") != before, run.failures
    deploy(lab)
    assert state(lab, "web1") == before


def test_check_mode_arms_nothing(lab: Lab) -> None:
    lab.exec("web1", "ip", "rule", "del", "priority", "23010")
    counted = checkpoints(lab, "web1").count("state")
    run = deploy(lab, "--check")
    assert run.changed["web1"]
    assert checkpoints(lab, "web1").count("state") == counted
    deploy(lab)


def changed_in_order(run: playbooks.Run) -> list[str]:
    """The hosts of the tasks that changed something, each as often as another one followed it."""
    hosts = [result.host for result in run.results if result.status == "changed"]
    return [host for host, _results in itertools.groupby(hosts)]


def lose_a_rule(lab: Lab, *hosts: str) -> None:
    """Give hosts something to change: their kernel parameters of the next boot are gone."""
    for host in hosts:
        lab.exec(host, "rm", "/etc/sysctl.d/60-multihome.conf")


def test_hosts_are_changed_one_after_the_other_firewalls_first(lab: Lab) -> None:
    lose_a_rule(lab, "web1", "fw-b", "fw-a")
    run = deploy(lab)
    assert changed_in_order(run) == ["fw-a", "fw-b", "web1"], run.results
    # A step that is skipped costs each host as much as one that is not.
    assert [result.host for result in run.results if "Keep the change" in result.task] == ["fw-a", "fw-b", "web1"]
    assert [result for result in run.results if result.task.endswith("Name this run")] == []
    assert len([result for result in run.results if result.task.endswith("outside, before the change")]) == 1
    assert [result for result in run.results if "Stop, because" in result.task] == []
    # Only hosts with something to change take part.
    lose_a_rule(lab, "web1", "fw-b")
    assert changed_in_order(deploy(lab)) == ["fw-b", "web1"]
    # The control: all together, task by task.
    lose_a_rule(lab, "fw-b", "fw-a")
    run = playbooks.deploy(lab, variables={**playbooks.PROTECTED, "multihome_serial": "100%"})
    assert len(changed_in_order(run)) > 1


def test_the_play_ends_at_the_first_failure(lab: Lab) -> None:
    lose_a_rule(lab, "web1", "fw-b", "fw-a")
    # A directory in the place of the file: preflight finds a difference, and the module fails.
    lab.exec("fw-a", "mkdir", "/etc/sysctl.d/60-multihome.conf")
    try:
        run = playbooks.run(lab, playbooks.DEPLOY, variables=playbooks.FAILOVER)
        assert run.code
        assert {failure.split(":")[0] for failure in run.failures} == {"fw-a"}
        for host in ("fw-b", "web1"):
            assert lab.exec(host, "ls", "/etc/sysctl.d").stdout.count("multihome") == 0, host
    finally:
        lab.exec("fw-a", "rmdir", "/etc/sysctl.d/60-multihome.conf")
    assert changed_in_order(deploy(lab)) == ["fw-a", "fw-b", "web1"]


def test_a_change_that_loses_a_service_is_not_kept(lab: Lab) -> None:
    """All paths and gateways are as they have to be; only packets show that the server does not listen there."""
    lists = playbooks.declared(lab)
    web = next(service for service in lists["multihome_services"] if service["name"] == "web")
    web["ports"] = [{"public": 80, "private": 8099, "protocol": "tcp"}]
    before = state(lab, "fw-a")
    run = playbooks.run(lab, playbooks.DEPLOY, variables={**playbooks.FAILOVER, **lists})
    assert run.code, [result.values for result in run.results if "services" in result.task]
    assert "fw-a has its earlier state again: " in run.failures[-1]
    assert "client1 had an answer before the change, and has none after it: web by line unicom" in run.failures[-1]
    assert state(lab, "fw-a") == before
    # The control: nobody asks from outside.
    lab_only = {**playbooks.FAILOVER, **lists, "multihome_confirm_targets": []}
    assert playbooks.run(lab, playbooks.DEPLOY, "--limit", "fw-a", variables=lab_only).code == 0
    assert state(lab, "fw-a") != before
    deploy(lab)


def test_a_service_that_its_firewall_loses_before_the_server_is_changed(lab: Lab) -> None:
    """Services of a server that is changed later are asked then, and it is known that they answered before the run."""
    lists = playbooks.declared(lab)
    web = next(service for service in lists["multihome_services"] if service["name"] == "web")
    web["ports"] = [{"public": 80, "private": 8099, "protocol": "tcp"}]
    lose_a_rule(lab, "web1")
    run = playbooks.run(lab, playbooks.DEPLOY, variables={**playbooks.FAILOVER, **lists})
    assert run.code
    assert "web1 has its earlier state again: client1 had an answer before the change" in run.failures[-1]
    deploy(lab)


def outside(directory: Path, name: str) -> tuple[str, ...]:
    """Arguments for a run in which the host outside is in the lab of this name, an expression of Ansible."""
    inventory = directory / "outside.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"client1": {"lab_name": name}}}}))
    return ("-i", str(CHECKOUT / "inventory" / "lab" / "hosts.py"), "-i", str(inventory))


def test_a_host_outside_that_cannot_be_asked_is_named(lab: Lab, tmp_path: Path) -> None:
    lose_a_rule(lab, "fw-a")
    run = deploy(lab, *outside(tmp_path, "none"))
    [confirmed] = [result for result in run.results if "Keep the change" in result.task and result.status != "skipped"]
    [text] = confirmed.values["unproven"]
    assert text.startswith("client1 could not be asked (")
    assert "web by line unicom (203.0.113.10, port 80/tcp)" in text
    assert any(text in str(warning) for warning in confirmed.values["warnings"])
    assert any(line.startswith("fw-a: ") and f"; not proven: {text}" in line for line in run.message("what changed"))
    assert "could not be asked" in lab.exec("fw-a", "sh", "-c", f"cat {CHECKPOINTS}/*/status.json").stdout
    # The control.
    lose_a_rule(lab, "fw-a")
    run = deploy(lab)
    [confirmed] = [result for result in run.results if "Keep the change" in result.task and result.status != "skipped"]
    assert confirmed.values["unproven"] == []
    assert "not proven" not in str(run.message("what changed"))


def test_a_host_outside_that_cannot_be_asked_any_more_after_the_change(lab: Lab, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    before = state(lab, "fw-a")

    def follow(event: playbooks.Event) -> None:
        if event.get("event") == "result" and str(event.get("task")).endswith("before the change"):
            gone.touch()

    lose_a_rule(lab, "fw-a")
    where = f"{{{{ ('{gone}' is file) | ternary('none', '{lab.name}') }}}}"
    variables = {**playbooks.FAILOVER, **playbooks.PROTECTED}
    run = playbooks.run(lab, playbooks.DEPLOY, *outside(tmp_path, where), variables=variables, follow=follow)
    assert run.code
    assert (
        "fw-a has its earlier state again: client1 could ask before the change, and cannot after it" in run.failures[-1]
    )
    assert state(lab, "fw-a") == before
    deploy(lab)


def test_the_last_usable_line_is_not_removed(lab: Lab) -> None:
    variables = {**playbooks.FAILOVER, **playbooks.declared(lab, ["interlink"])}
    before = state(lab, "web1")
    # The gateway of the other line answers nobody any more, and asks nobody: web1 would learn it from a question.
    chains = "\n".join(f"chain {at} {{ type filter hook {at} priority 0; policy drop; }}" for at in ("input", "output"))
    lab.exec("fw-b", "nft", f"table arp silent {{\n{chains}\n}}")
    lab.exec("web1", "ip", "neigh", "flush", "all")
    try:
        run = playbooks.run(lab, playbooks.DEPLOY, "--limit", "web1", variables=variables)
        assert run.code
        assert "table 1001, IPv4 is the last usable line; no answer from 192.168.168.12" in run.failures[-1]
        assert state(lab, "web1") == before
    finally:
        lab.exec("fw-b", "nft", "delete", "table", "arp", "silent")
    # The control: on demand, and where the other line is usable.
    allowed = {**variables, "multihome_allow_disconnect": True}
    assert playbooks.run(lab, playbooks.DEPLOY, "--check", "--limit", "web1", variables=allowed).code == 0
    run = playbooks.run(lab, playbooks.DEPLOY, "--limit", "web1", variables={**variables, **playbooks.UNPROTECTED})
    assert run.code == 0, run.failures
    deploy(lab)


def test_one_run_is_undone_on_all_hosts_that_took_part(lab: Lab) -> None:
    before = {host: state(lab, host) for host in ("fw-a", "fw-b", "web1")}
    lists = playbooks.declared(lab)
    web = next(service for service in lists["multihome_services"] if service["name"] == "web")
    web["sources"] = ["192.0.2.0/24", "203.0.113.0/24", "198.51.100.0/24"]
    name = "sources-1"
    deploy(lab, "--extra-vars", json.dumps({**lists, "multihome_run": name}))
    changed = {host: state(lab, host) for host in before}
    assert [host for host in before if changed[host] != before[host]] == ["fw-a", "fw-b"]
    # A later run of one of them.
    lose_a_rule(lab, "fw-b")
    deploy(lab, "--extra-vars", json.dumps(lists))
    undone = playbooks.run(lab, "multihome.linux.revert", variables={"multihome_undo": name})
    assert undone.code == 0, undone.failures
    said = [str(result.values.get("msg")) for result in undone.results if result.task.endswith("without the run")]
    assert f"fw-a undoes {name}" in said
    assert any(text.startswith("fw-b undoes ") and text.endswith(f", {name}") for text in said)
    assert f"web1 has no confirmed run {name}, and stays as it is" in said
    # Also what the file of kernel parameters had lacked in between.
    assert {host: state(lab, host) for host in before} == before
    # The control: a run that no host knows changes nothing.
    unknown = playbooks.run(lab, "multihome.linux.revert", variables={"multihome_undo": "nobody"})
    assert unknown.code
    assert "no host has a confirmed run nobody" in unknown.failures[-1]
    assert not any(unknown.changed.values())
    assert checks.nothing_changed(deploy(lab)) == []


def test_where_a_state_is_missing_on_one_host_none_is_changed(lab: Lab) -> None:
    lose_a_rule(lab, "fw-b")
    deploy(lab, "--extra-vars", json.dumps({"multihome_run": "only-fw-b"}))
    run = playbooks.run(lab, "multihome.linux.revert", variables={"multihome_checkpoint": "only-fw-b"})
    assert run.code
    assert any('this host has no confirmed state "only-fw-b"' in failure for failure in run.failures)
    assert not any(run.changed.values())


def test_an_earlier_state_is_restored(lab: Lab) -> None:
    before = {host: state(lab, host) for host in ("fw-a", "fw-b", "web1")}
    playbooks.deploy(lab, variables={**playbooks.PROTECTED, "multihomed_web_default_route": "none"})
    assert state(lab, "web1") != before["web1"]
    # Each host counts its own states: the second one of a firewall would be of an earlier deployment.
    run = playbooks.run(lab, "multihome.linux.revert", "--limit", "web1", variables={"multihome_checkpoint": "2"})
    assert run.code == 0, run.failures
    assert state(lab, "web1") == before["web1"]
    assert "pending" not in lab.exec("web1", "ls", CHECKPOINTS).stdout
    # On all hosts: the last confirmed state of each is the one that it has.
    again = playbooks.run(lab, "multihome.linux.revert")
    assert again.code == 0, again.failures
    assert again.changed["web1"] == 0
    assert {host: state(lab, host) for host in before} == before
    assert checks.nothing_changed(deploy(lab)) == []


def state(lab: Lab, host: str) -> str:
    """All addresses, routes, rules, tables of the packet filter, and files of this collection."""
    commands = (
        "ip -o address | sed 's/ valid_lft.*//' | sort; for f in -4 -6; do ip $f rule; "
        "ip $f route show table all | sort; done; nft --stateless list ruleset; "
        "find /etc/multihome -type f | sort | xargs -r sha256sum"
    )
    return lab.exec(host, "sh", "-c", commands).stdout


@pytest.fixture(autouse=True)
def repaired(lab: Lab) -> Iterator[None]:
    """Leave the lab as a deployment leaves it."""
    yield
    assert checks.services_answered(lab) == []
