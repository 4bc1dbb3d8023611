# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role over ssh whose change cuts the connection by which it is made: the play ends with the reason."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..dns.servers import program
from .lab import STOPPING, Server, server
from .ssh import MANAGEMENT, Controller, Task, controller

# The controller is behind the gateway: the server answers it by its default route.
FAR = "10.9.9.9"
# Ansible's own: the connection is kept, and nobody asks whether it is alive.
KEPT = "-C -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no"
TIMEOUT = 30
GATEWAY = "192.168.168.11"
TOLD = "server has its earlier state again: the connection was lost while the host was changed: "
# The host outside, and a run that no host knows.
OUTSIDE: Task = {"name": "outside", "ansible.builtin.group_by": {"key": "multihome_vantage"}}
PROVE = {
    "common_confirm": True,
    "common_prove": False,
    "common_replies": {},
    "common_reply_taken": "fail",
    "__common_run": "elsewhere",
}
EMPTY: Task = {"name": "empty", "multihome.linux.policy_routing": {"tables": [], "rules": [], "purge": True}}


@pytest.fixture(scope="module")
def host() -> Iterator[Server]:
    """A server without any configuration of this collection, besides its address and its default route."""
    with server(deployed=False) as made:
        made.gateway.run("ip", "address", "add", f"{FAR}/32", "dev", "lo")
        made.host.run("ip", "route", "add", "default", "via", "192.168.168.11")
        yield made


@pytest.fixture(scope="module")
def ssh(host: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """Its controller."""
    with controller(host, host.gateway, tmp_path_factory.mktemp("ssh")) as made:
        yield made


def role(gateway: str, **variables: Any) -> tuple[Task, dict[str, Any]]:
    """The role with one line by a gateway, and the variables of the server."""
    line = {"name": "line", "id": 1, "interface": "eth0", "addresses": [f"{MANAGEMENT}/24"], "gateways": [gateway]}
    given = {
        "multihomed_web_lines": [line],
        "multihomed_web_preflight": False,
        "multihomed_web_install_packages": False,
        "multihomed_web_manage_sysctl": False,
        "multihomed_web_persist": False,
        "multihome_confirm_timeout": TIMEOUT,
        "ansible_ssh_extra_args": f"-b {FAR}",
        **variables,
    }
    return {"name": "role", "ansible.builtin.include_role": {"name": "multihome.linux.multihomed_web"}}, given


def run(ssh: Controller, gateway: str, **variables: Any) -> tuple[int, list[dict[str, Any]], str]:
    """Run the role; exit status, results, and the message of the last failure."""
    task, given = role(gateway, **variables)
    code, results = ssh.run(task, **given)
    failed = [each["result"].get("msg", "") for each in results if each["status"] in ("failed", "unreachable")]
    return code, results, failed[-1] if failed else ""


def test_a_connection_that_is_cut_by_the_change_is_told_in_one_sentence(host: Server, ssh: Controller) -> None:
    before = host.state()
    code, results, message = run(ssh, "192.168.168.99")
    assert code == 2, message
    assert message.startswith(TOLD)
    # Nobody knows how far the steps came, which run in one process: the first one says so, and none was tried again.
    [lost] = [each["task"] for each in results if each["result"].get("unreachable") and "Wait" not in each["task"]]
    assert lost.endswith("Install the program that restores the earlier state")
    assert host.state() == before
    assert not host.pending()


def test_also_where_the_connection_outlives_the_change(host: Server, ssh: Controller) -> None:
    """The answer of the module comes when the host has its earlier state: later tasks hear that it was reverted."""
    before = host.state()
    code, _results, message = run(ssh, "192.168.168.99", ansible_ssh_args=KEPT)
    assert code == 2, message
    assert message.startswith("server has its earlier state again: ")
    assert host.state() == before
    assert not host.pending()


def test_control_a_good_gateway_is_kept_and_without_a_timeout_the_host_is_lost(host: Server, ssh: Controller) -> None:
    before = host.state()
    code, _results, message = run(ssh, GATEWAY, multihome_confirm_timeout=60)
    assert code == 0, message
    assert host.state() != before
    code, results = ssh.run(EMPTY)
    assert code == 0, results[-1]["result"].get("msg")
    assert host.state() == before
    code, _results, message = run(ssh, "192.168.168.99", multihome_confirm_timeout=0)
    assert code == 2
    assert message.startswith("the connection was lost while the host was changed: ")
    assert host.state() != before
    code, results = ssh.run(EMPTY)
    assert code == 0, results[-1]["result"].get("msg")


def cut_once(host: Server, ssh: Controller, **variables: Any) -> tuple[int, list[dict[str, Any]], str]:
    """Run the role, and cut its connection when it has begun to change the host; as run()."""
    task, given = role(GATEWAY, multihome_confirm_timeout=60, **variables)
    process = ssh.start(task, **given)
    cut: list[int] = []

    def cut_it() -> None:
        end = time.monotonic() + 60
        while not any(cut) and time.monotonic() < end:
            if host.pending():
                cut.append(ssh.cut())

    thread = threading.Thread(target=cut_it)
    thread.start()
    output, errors = process.communicate(timeout=150)
    thread.join()
    assert any(cut), errors
    results = [each for each in map(json.loads, output.splitlines()) if each["event"] == "result"]
    failed = [each["result"]["msg"] for each in results if each["status"] == "failed"]
    return process.returncode, results, failed[-1] if failed else errors


def test_a_connection_that_is_cut_while_the_module_changes_the_host(host: Server, ssh: Controller) -> None:
    """Nothing is wrong with the change, but nobody knows how far it came: it is not kept."""
    before = host.state()
    code, _results, message = cut_once(host, ssh)
    assert code == 2, message
    assert message.startswith(TOLD)
    assert host.state() == before
    assert not host.pending()


def test_steps_that_ssh_repeats_after_a_cut_are_confirmed(host: Server, ssh: Controller) -> None:
    """The second time they have nothing left to do, or little: the run waits for its confirmation all the same."""
    before = host.state()
    code, results, message = cut_once(host, ssh, ansible_ssh_retries=2)
    assert code == 0, message
    assert [each for each in results if each["result"].get("armed")] != []
    assert any("Keep the change" in each["task"] and each["status"] == "ok" for each in results)
    assert host.state() != before
    assert not host.pending()
    code, results = ssh.run(EMPTY)
    assert code == 0, results[-1]["result"].get("msg")
    assert host.state() == before


def test_a_module_that_is_ended_at_the_deadline_is_named(host: Server, ssh: Controller, tmp_path: Path) -> None:
    """It hangs after it has armed. Ansible itself only says that it has no result."""
    before = host.state()
    log = tmp_path / "log"
    stop = {"PYTHONPATH": str(STOPPING), "STOP_AT": "1", "STOP_BY": "SIGSTOP", "STOP_LOG": str(log)}
    task, given = role(GATEWAY, multihome_confirm_timeout=20)
    task["ansible.builtin.include_role"]["apply"] = {"environment": {**stop, "STOP_AFTER_ARMING": "1"}}
    code, results = ssh.run(task, **given)
    failed = [each["result"]["msg"] for each in results if each["status"] == "failed"]
    assert log.exists(), failed
    assert code == 2, failed
    name = "Route each packet by its line"
    ended = f'task "{name}" had not ended when the time to confirm was over'
    assert failed[-1] == f"server has its earlier state again: {ended}"
    assert host.state() == before
    assert not host.pending()


def test_the_rule_and_the_route_of_the_connection_are_not_removed(host: Server, ssh: Controller) -> None:
    bare = host.state()
    code, _results, message = run(ssh, GATEWAY, multihome_confirm_timeout=60)
    assert code == 0, message
    # From now on only the line leads to the controller.
    host.host.run("ip", "route", "del", "default")
    before = host.state()
    code, _results, message = run(ssh, "192.168.168.99")
    assert code == 2
    assert f"is the route by which {FAR} is connected, and is not removed" in message
    other = [{"name": "line", "id": 1, "interface": "eth0", "addresses": ["192.168.168.7/24"], "gateways": [GATEWAY]}]
    code, _results, message = run(ssh, GATEWAY, multihomed_web_lines=other)
    assert code == 2
    assert f"is the policy rule by which {FAR} is connected, and is not removed" in message
    assert host.state() == before
    # The control: on demand it is removed, and nobody can confirm it.
    code, _results, message = run(ssh, GATEWAY, multihomed_web_lines=other, multihome_allow_disconnect=True)
    assert code == 2
    assert message.startswith(TOLD)
    assert host.state() == before
    host.host.run("ip", "route", "add", "default", "via", GATEWAY)
    # With the same way in table main, the rule may go.
    code, results = ssh.run(EMPTY, ansible_ssh_extra_args=f"-b {FAR}")
    assert code == 0, results[-1]["result"].get("msg")
    assert host.state() == bare


def test_another_host_cannot_confirm(host: Server, ssh: Controller) -> None:
    """It says that it has nothing to confirm, which is not what the role has to hear."""
    prove: Task = {
        "name": "prove",
        "ansible.builtin.include_role": {"name": "multihome.linux.common", "tasks_from": "prove"},
        "vars": PROVE,
    }
    code, results = ssh.run(prove)
    assert code == 2
    assert "a host without run elsewhere answers at the address of server" in results[-1]["result"]["msg"]
    assert not host.pending()


def test_the_host_outside_gets_a_second_connection(ssh: Controller, tmp_path: Path) -> None:
    """Its first connection fails, as where an overloaded sshd refuses one."""
    refused = tmp_path / "refused"
    failing = tmp_path / "ssh"
    # The task before it looks for a connection to end ("-O check"), and opens none.
    once = f'case " $* " in *" -O "*) ;; *) [ -e {refused} ] || {{ touch {refused}; exit 255; }} ;; esac'
    failing.write_text(f'#!/bin/sh\n{once}\nexec {program("ssh")} "$@"\n')
    failing.chmod(0o755)
    targets = [{"line": "line", "address": MANAGEMENT, "port": 22, "protocol": "tcp"}]

    def asked(part: str, **variables: Any) -> dict[str, Any]:
        """The result of the question before or after a change."""
        refused.unlink(missing_ok=True)
        role: Task = {
            "name": "ask",
            "ansible.builtin.include_role": {"name": "multihome.linux.common", "tasks_from": part},
            "vars": {**PROVE, "common_targets": targets, "multihome_confirm_targets": targets},
        }
        _code, results = ssh.run(OUTSIDE, role, ansible_ssh_executable=str(failing), **variables)
        [found] = [each["result"] for each in results if "Ask the services" in each["task"]]
        assert refused.exists()
        return dict(found)

    for part in ("ask", "prove"):
        assert [row["ok"] for row in asked(part).get("rows", [])] == [True], part
    # The control: the variable of the host says that there is no second one.
    assert "rows" not in asked("ask", ansible_ssh_retries=0)


def test_a_role_without_the_playbook_asks_before_and_after_its_change(host: Server, ssh: Controller) -> None:
    before = host.state()
    targets = [{"line": "line", "address": MANAGEMENT, "port": 22, "protocol": "tcp", "timeout": 30}]
    task, given = role(GATEWAY, multihome_confirm_timeout=120, multihome_confirm_targets=targets)
    code, results = ssh.run(OUTSIDE, task, **given)
    assert code == 0, results[-1]["result"].get("msg")
    asked = [each["result"]["rows"] for each in results if "rows" in each["result"]]
    assert [[row["ok"] for row in rows] for rows in asked] == [[True], [True]]
    code, results = ssh.run(EMPTY)
    assert code == 0, results[-1]["result"].get("msg")
    # The control: without a host outside nobody asks.
    code, results = ssh.run(task, **given)
    assert code == 0, results[-1]["result"].get("msg")
    assert [each["task"] for each in results if "rows" in each["result"]] == []
    code, results = ssh.run(EMPTY)
    assert code == 0, results[-1]["result"].get("msg")
    assert host.state() == before
