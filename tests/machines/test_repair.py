# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleted objects are restored; repairs in a loop back off; a dead keeper does no harm."""

from __future__ import annotations

import json
import signal
import time

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks
from ansible_collections.multihome.linux.tests.machines.deployed import KEEPER, Deployed

COMMAND = "/usr/local/sbin/multihome"
_DROP_IN = f"/etc/systemd/system/{KEEPER}.d/test.conf"


def test_each_deleted_object_is_restored(design: Deployed) -> None:
    for machine in design.bed.machines:
        before = design.report(machine)["repairs"]
        ours = [each for each in design.ours(machine) if each.deletion]
        kinds = {each.kind.split()[0] for each in ours}
        assert kinds >= ({"address", "route", "rule"} if machine is design.bed.server else {"table", "map", "rule"})
        for each in ours:
            # A chain's rules are known by handles, and those of a table made anew are others.
            (now,) = (found for found in design.ours(machine) if str(found) == str(each))
            design.run(machine, *now.deletion)
            assert checks.eventually(design.differences, seconds=5) == [], str(each)
        assert design.report(machine)["repairs"] >= before + len(ours)


def test_the_command_shows_the_state_and_the_journal(design: Deployed) -> None:
    for machine in design.bed.machines:
        rule = next(each for each in design.ours(machine) if each.deletion)
        design.run(machine, *rule.deletion)
        assert design.mended() == []
        shown = json.loads(design.run(machine, COMMAND, "status", "--json"))
        assert (shown["status"], shown["keeper"]["running"]) == ("ok", True)
        assert shown["keeper"]["last_repair"]["object"] in design.run(machine, COMMAND, "log", "--json")
        assert "Nothing is missing." in design.run(machine, COMMAND, "repair")
        # node_exporter is not root.
        anybody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        assert "multihome_keeper_repairs_total" in design.run(machine, *anybody, "cat", "/run/multihome/keeper.prom")
        assert design.run(machine, *anybody, "cat", "/run/multihome/keeper.json", check=False) == ""
    design.run(design.bed.server, "systemctl", "stop", KEEPER)
    done = design.lab.exec(design.bed.server.name, COMMAND, "status", check=False)
    design.run(design.bed.server, "systemctl", "start", KEEPER)
    assert (done.returncode, done.stdout.split()[0]) == (3, "UNKNOWN")


def test_foreign_objects_are_not_restored(design: Deployed) -> None:
    """The control of all the others: the keeper keeps what is stored, and nothing else."""
    server = design.bed.server
    design.run(server, "ip", "rule", "del", "priority", "30077")
    time.sleep(1)
    assert len(design.differences()) == 1
    design.run(server, "systemctl", "restart", "foreign.service")


def test_repairs_of_a_rule_deleted_in_a_loop_back_off_and_name_it(design: Deployed) -> None:
    server = design.bed.server
    rule = next(
        each for each in design.ours(server) if each.kind == "rule -4" and '"src": "192.168.168.1"' in each.text
    )
    loop = f"while :; do {' '.join(rule.deletion)} 2>/dev/null; sleep 0.1; done"
    before = design.report(server)["repairs"]
    with design.lab.popen(server.name, "sh", "-c", loop) as program:
        found = checks.eventually(lambda: [] if design.report(server)["damped"] else ["nothing is damped"], 30)
        known = design.report(server)["repairs"]
        time.sleep(4)
        later = design.report(server)["repairs"]
        program.kill()
    assert found == []
    assert known - before >= 5
    # Undamped it would have been forty times more.
    assert later - known <= 4
    (damped,) = design.keeper(server)["damped"]
    assert "192.168.168.1" in damped["object"]
    assert damped["object"] in design.journal(server)
    # Who deletes it gave up: it comes back by itself, and the keeper is as before after a restart.
    assert design.mended(30) == []
    design.run(server, "systemctl", "restart", KEEPER)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_keeper_that_is_killed_leaves_all_as_it_is_and_comes_back(design: Deployed, number: signal.Signals) -> None:
    for machine in design.bed.machines:
        process = design.process(machine)
        design.run(machine, "kill", f"-{int(number)}", str(process))
        assert design.differences() == []
        assert checks.services_answered(design.lab) == []
        rule = next(each for each in design.ours(machine) if each.deletion)
        design.run(machine, *rule.deletion)
        assert design.mended() == []
        assert design.process(machine) not in (0, process)


def test_a_keeper_that_hangs_is_started_again_by_the_watchdog(design: Deployed) -> None:
    server = design.bed.server
    # As long as the unit says nobody wants to wait here.
    server.write({_DROP_IN: "[Service]\nWatchdogSec=2\n"})
    design.run(server, "systemctl", "daemon-reload")
    design.run(server, "systemctl", "restart", KEEPER)
    try:
        process = design.process(server)
        design.run(server, "kill", "-STOP", str(process))
        assert design.differences() == []
        assert checks.services_answered(design.lab) == []
        rule = next(each for each in design.ours(server) if each.kind == "rule -4")
        design.run(server, *rule.deletion)
        assert design.mended(20) == []
        assert design.process(server) not in (0, process)
        assert "watchdog" in design.run(server, "journalctl", "--boot", f"--unit={KEEPER}").lower()
    finally:
        server.write({_DROP_IN: None})
        design.run(server, "systemctl", "daemon-reload")
        design.run(server, "systemctl", "restart", KEEPER)


def test_a_disk_that_is_full_while_a_state_is_stored_changes_nothing(design: Deployed) -> None:
    server = design.bed.server
    stored = "/etc/multihome"
    before = {name: design.run(server, "cat", f"{stored}/{name}") for name in design.run(server, "ls", stored).split()}
    entry = {"address": "192.168.168.99/24", "interface": "eth0"}
    design.run(server, "cp", "-a", stored, "/root/stored")
    design.run(server, "mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", stored)
    try:
        design.run(server, "cp", "-a", "/root/stored/.", stored)
        design.run(server, "dd", "if=/dev/zero", f"of={stored}/filler", "bs=1k", "count=100", check=False)
        done = design.module(server, "multihome.linux.ip_aliases", aliases=[entry], persist=True)
        assert "No space left on device" in done["msg"]
        after = {name: design.run(server, "cat", f"{stored}/{name}") for name in before}
        assert after == before
        assert sorted([*before, "filler"]) == design.run(server, "ls", "-A", stored).split()
        assert design.differences() == []
    finally:
        design.run(server, "umount", "--lazy", stored)
        design.run(server, "rm", "-r", "/root/stored")
