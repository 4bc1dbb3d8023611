# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Over ssh: whatever happens to the connection or to the controller, the server has its earlier state again."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .lab import ALIASES, BAD_ALIASES, CHECKPOINTS, MARKS, NAT, ROUTING, STOPPING, Server, in_any_order, server
from .ssh import ALIAS, CONTROLLER, MANAGEMENT, Controller, Task, controller

PRESENT: Task = {"name": "present", "multihome.linux.commit_confirm": {"state": "present"}}
# The way back to the controller is closed.
CLOSED = {"priority": 100, "destination": CONTROLLER, "action": "unreachable"}
# Seconds until a host reverts by itself: where nothing else happens until then, where a new connection has to fail
# until then, and where a test confirms or reverts, which takes long on a busy machine.
SHORT, MEDIUM, LONG = 8, 20, 120


@pytest.fixture(scope="module")
def host() -> Iterator[Server]:
    """A deployed server."""
    with server() as made:
        yield made


@pytest.fixture(scope="module")
def ssh(host: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """Its controller."""
    with controller(host, host.gateway, tmp_path_factory.mktemp("ssh")) as made:
        yield made


def change(module: str, run: str, *, within: int = LONG, **options: Any) -> Task:
    """A task that changes the server, named after its module."""
    confirm = {"run": run, "timeout": within}
    return {"name": module, f"multihome.linux.{module}": {**options, "persist": True, "confirm": confirm}}


def commit(state: str, run: str) -> Task:
    """A task of commit_confirm."""
    return {"name": state, "multihome.linux.commit_confirm": {"state": state, "run": run}}


def reverted(host: Server, run: str) -> None:
    """Wait until the run is reverted."""
    host.ended(run, 120)
    host.eventually(lambda: not host.pending(), 10)


def test_a_change_over_ssh_is_confirmed_over_a_new_connection(host: Server, ssh: Controller) -> None:
    again: Task = {"name": "again", "ansible.builtin.meta": "reset_connection"}
    added = change("ip_aliases", "good", aliases=BAD_ALIASES)
    code, results = ssh.run(PRESENT, added, again, commit("confirmed", "good"))
    assert code == 0, results[-1]["result"].get("msg")
    status = host.status("good")
    assert status["state"] == "confirmed"
    # The host knows who it was, and from where.
    assert status["who"].endswith(f"from {CONTROLLER}")
    code, results = ssh.run(
        change("ip_aliases", "removed", aliases=ALIASES, purge=True), commit("confirmed", "removed")
    )
    assert code == 0, results[-1]["result"].get("msg")


def test_a_change_that_cuts_its_own_connection_is_undone(host: Server, ssh: Controller) -> None:
    before = host.state()
    assert ssh.reaches()
    code, results = ssh.run(change("policy_routing", "cut", within=SHORT, rules=[CLOSED]), commit("confirmed", "cut"))
    assert code == 4, results[-1]["result"].get("msg")
    assert results[-1]["status"] == "unreachable"
    # The control: it was the change that did it.
    assert not ssh.reaches() or host.status("cut")["state"] == "reverted"
    reverted(host, "cut")
    assert ssh.reaches()
    assert host.state() == before
    # The connection works again, and nothing more of the run is applied.
    code, results = ssh.run(change("ip_aliases", "cut", aliases=BAD_ALIASES))
    assert code == 2
    assert "run cut were reverted at" in results[-1]["result"]["msg"]


def test_the_controller_is_killed_after_each_task(host: Server, ssh: Controller) -> None:
    before = host.state()

    def tasks(run: str) -> list[Task]:
        worse = {"tables": [{"id": 1001, "routes": [{"destination": "default", "gateway": "192.168.168.99"}]}]}
        return [
            change("ip_aliases", run, within=MEDIUM, aliases=BAD_ALIASES),
            change("nat_rules", run, within=MEDIUM, rules=[], purge=True),
            change("connection_marks", run, within=MEDIUM, marks=MARKS[:1], purge=True),
            change("policy_routing", run, within=MEDIUM, **worse),
            {"name": "sleep", "ansible.builtin.wait_for": {"timeout": 60}},
        ]

    names = [task["name"] for task in tasks("x")][:4]
    for number, name in enumerate(names):
        run = f"killed{number}"
        process = ssh.start(*tasks(run))
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "result" and event["task"] == name:
                assert event["status"] == "changed", event["result"].get("msg")
                break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert in_any_order(host.state()) != in_any_order(before)
        reverted(host, run)
        assert in_any_order(host.state()) == in_any_order(before), name


def test_a_local_lookup_that_somebody_moves_within_the_window(host: Server, ssh: Controller) -> None:
    """Rules of main before table local make the server deaf; without the collection's rule it answers again."""
    before = host.state()
    rule = {"priority": 20000, "family": "ipv4", "table": 254, "suppress_prefix_length": 0}
    move = "ip rule add pref 32765 table local; ip rule del pref 0"
    moved: Task = {"name": "move", "ansible.builtin.shell": {"cmd": move}}
    code, results = ssh.run(
        change("policy_routing", "moved", within=MEDIUM, rules=[rule]), moved, commit("confirmed", "moved")
    )
    assert code == 4, results[-1]["result"].get("msg")
    reverted(host, "moved")
    assert ssh.reaches()
    # The other program's rule is its own business.
    host.host.run("sh", "-c", "ip rule add pref 0 table local; ip rule del pref 32765")
    assert host.state() == before


def test_two_deployments_at_once(host: Server, ssh: Controller) -> None:
    before = host.state()
    code, results = ssh.run(change("ip_aliases", "first", aliases=BAD_ALIASES))
    assert code == 0, results[-1]["result"].get("msg")
    code, results = ssh.run(change("nat_rules", "second", rules=[], purge=True))
    assert code == 2
    assert (
        f"run first of {host.status('first')['who']} waits for its confirmation since" in results[-1]["result"]["msg"]
    )
    code, results = ssh.run(commit("reverted", "first"))
    assert code == 0, results[-1]["result"].get("msg")
    assert host.state() == before


@pytest.mark.parametrize("become", [False, True])
def test_the_address_of_the_connection_is_not_removed(host: Server, ssh: Controller, become: bool) -> None:
    before = host.state()
    # As sudo does, su hides the variables of ssh.
    rights = {"ansible_become": become, "ansible_become_method": "ansible.builtin.su"}
    left = [alias for alias in ALIASES if not str(alias["address"]).startswith(f"{ALIAS}/")]
    run = f"gone{become}"
    task = change("ip_aliases", run, aliases=left, purge=True)
    code, results = ssh.run(task, address=ALIAS, **rights)
    assert code == 2, results[-1]["result"].get("msg")
    refused = results[-1]["result"]["msg"]
    assert f"{ALIAS}/24" in refused
    assert f"by which {CONTROLLER} is connected" in refused
    assert "allow_disconnect" in refused
    assert host.state() == before
    assert host.status(run) == {}
    # The control: by another address it may be removed.
    code, results = ssh.run(task, commit("reverted", run), address=MANAGEMENT, **rights)
    assert code == 0, results[-1]["result"].get("msg")
    assert host.state() == before


def test_the_address_of_the_connection_is_removed_on_demand(host: Server, ssh: Controller) -> None:
    before = host.state()
    task = change("ip_aliases", "allowed", within=MEDIUM, aliases=[], purge=True)
    task["multihome.linux.ip_aliases"]["allow_disconnect"] = True
    code, results = ssh.run(task, commit("confirmed", "allowed"), address=ALIAS)
    assert code == 4, results[-1]["result"].get("msg")
    reverted(host, "allowed")
    assert host.state() == before


def test_the_route_of_the_connection_is_not_removed(host: Server, ssh: Controller) -> None:
    # Replies from this address leave by the line's default route, also to its gateway.
    before = host.state()
    task = change("policy_routing", "route", tables=[], rules=ROUTING["rules"], purge=True)
    code, results = ssh.run(task, address=ALIAS)
    assert code == 2, results[-1]["result"].get("msg")
    assert f"is the route by which {CONTROLLER} is connected" in results[-1]["result"]["msg"]
    assert host.state() == before
    # The control.
    code, results = ssh.run(task, commit("reverted", "route"), address=MANAGEMENT)
    assert code == 0, results[-1]["result"].get("msg")
    assert host.state() == before


def test_the_rule_of_the_connection_is_not_removed(host: Server, ssh: Controller) -> None:
    before = host.state()
    task = change("policy_routing", "rule", rules=[], tables=ROUTING["tables"], purge=True)
    code, results = ssh.run(task, address=ALIAS)
    assert code == 2, results[-1]["result"].get("msg")
    assert f"is the policy rule by which {CONTROLLER} is connected" in results[-1]["result"]["msg"]
    assert host.state() == before
    assert host.status("rule") == {}
    # The controls: by another address, and on demand.
    code, results = ssh.run(task, commit("reverted", "rule"), address=MANAGEMENT)
    assert code == 0, results[-1]["result"].get("msg")
    task = change("policy_routing", "demanded", rules=[], tables=ROUTING["tables"], purge=True, allow_disconnect=True)
    code, results = ssh.run(task, commit("reverted", "demanded"), address=ALIAS)
    assert code == 0, results[-1]["result"].get("msg")
    assert host.state() == before


def test_a_module_that_is_stopped_with_the_lock_held(host: Server, ssh: Controller, tmp_path: Path) -> None:
    before = host.state()
    stop = {"PYTHONPATH": str(STOPPING), "STOP_AT": "3", "STOP_BY": "SIGSTOP", "STOP_LOG": str(tmp_path / "log")}
    hung = {**change("nat_rules", "hung", within=MEDIUM, rules=[], purge=True), "environment": stop}
    code, results = ssh.run(
        change("ip_aliases", "hung", within=MEDIUM, aliases=BAD_ALIASES), hung, commit("confirmed", "hung")
    )
    assert (tmp_path / "log").exists(), results[-1]["result"].get("msg")
    assert code == 2, results[-1]["result"].get("msg")
    assert [each["task"] for each in results if each["status"] == "changed"] == ["ip_aliases"]
    reverted(host, "hung")
    assert in_any_order(host.state()) == in_any_order(before)
    # Nobody holds the lock any more, and nothing more of the run is applied.
    code, results = ssh.run(change("nat_rules", "hung", rules=[], purge=True))
    assert code == 2
    assert "run hung were reverted at" in results[-1]["result"]["msg"]


def test_a_translation_that_takes_the_port_of_ssh(host: Server, ssh: Controller) -> None:
    """The connection goes on; only a new one shows it."""
    before = host.state()
    taken = {"type": "dnat", "protocol": "tcp", "destination": MANAGEMENT, "destination_port": "22"}
    rules = [*NAT, {**taken, "to_address": "10.0.0.1"}]
    code, results = ssh.run(change("nat_rules", "port", within=MEDIUM, rules=rules), commit("confirmed", "port"))
    assert code == 4, results[-1]["result"].get("msg")
    assert [each["status"] for each in results] == ["changed", "unreachable"]
    reverted(host, "port")
    assert in_any_order(host.state()) == in_any_order(before)
    # The control: another port is confirmed.
    rules = [*NAT, {**taken, "destination_port": "2222", "to_address": "10.0.0.1"}]
    code, results = ssh.run(change("nat_rules", "port2", rules=rules), commit("confirmed", "port2"))
    assert code == 0, results[-1]["result"].get("msg")
    code, results = ssh.run(change("nat_rules", "port3", rules=NAT, purge=True), commit("confirmed", "port3"))
    assert code == 0, results[-1]["result"].get("msg")


def test_a_full_disk(host: Server, ssh: Controller) -> None:
    before = host.state()
    host.host.run("mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", CHECKPOINTS)
    code, results = ssh.run(change("ip_aliases", "full", aliases=BAD_ALIASES), commit("confirmed", "full"))
    assert code == 2
    assert "No space left on device" in results[-1]["result"]["msg"]
    assert "nothing was changed" in results[-1]["result"]["msg"]
    assert host.state() == before
    assert not host.pending()
    # The control.
    host.host.run("umount", CHECKPOINTS)
    code, results = ssh.run(change("ip_aliases", "full", aliases=BAD_ALIASES), commit("reverted", "full"))
    assert code == 0, results[-1]["result"].get("msg")
    assert host.state() == before


def test_two_controllers_at_once(host: Server, ssh: Controller, tmp_path: Path) -> None:
    before = host.state()
    other = ssh.beside(tmp_path)
    # Each of them has something to do.
    added = {run: [{"address": f"192.168.168.{70 + len(run)}/24", "interface": "eth0"}] for run in ("left", "right")}
    tasks = {run: (change("ip_aliases", run, aliases=each), commit("reverted", run)) for run, each in added.items()}
    pause: Task = {"name": "pause", "ansible.builtin.wait_for": {"timeout": 20}}
    with ThreadPoolExecutor() as pool:
        ends = list(
            pool.map(lambda one, run: one.run(tasks[run][0], pause, tasks[run][1]), (ssh, other), ("left", "right"))
        )
    codes = sorted(code for code, _results in ends)
    assert codes == [0, 2], ends
    [refused] = [results[-1]["result"]["msg"] for code, results in ends if code]
    assert "waits for its confirmation since" in refused
    assert host.state() == before


def test_a_revert_that_fails_half_way_is_repaired(host: Server, ssh: Controller) -> None:
    before = host.state()
    code, results = ssh.run(change("ip_aliases", "half", aliases=BAD_ALIASES, purge=True))
    assert code == 0, results[-1]["result"].get("msg")
    # Files cannot be written, the kernel's objects can.
    host.host.run("mount", "--bind", "-o", "ro", "/etc/multihome", "/etc/multihome")
    host.host.run("mount", "-o", "remount,bind,ro", "/etc/multihome")
    code, results = ssh.run(commit("reverted", "half"))
    assert code == 2
    assert "could not be reverted" in results[-1]["result"]["msg"]
    assert "/etc/multihome" in results[-1]["result"]["msg"]
    # Until it is repaired nothing else is changed.
    code, results = ssh.run(change("nat_rules", "other", rules=[], purge=True))
    assert code == 2
    assert "run half could not be reverted" in results[-1]["result"]["msg"]
    host.host.run("umount", "/etc/multihome")
    code, results = ssh.run(commit("reverted", "half"))
    assert code == 0, results[-1]["result"].get("msg")
    assert host.state() == before
