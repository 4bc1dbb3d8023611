# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the playbook touches: nothing in check mode, the second time, or for a faulty declaration."""

from __future__ import annotations

import json

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.dumps import Dump, differences, dump
from ansible_collections.multihome.linux.tests.e2e.playbooks import Run, deploy
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

MANAGED = ["fw-a", "fw-b", "web1"]


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """Two lines, on which nothing is deployed yet; the tests of this file build on each other in their order."""
    return start_lab(lines=2)


@pytest.fixture(scope="module")
def fresh(lab: Lab) -> Dump:
    """What stood before anything was deployed."""
    return dump(lab)


@pytest.fixture(scope="module")
def foretold(lab: Lab, fresh: Dump) -> Run:
    """A run in check mode, with differences, on the fresh lab."""
    assert fresh
    return deploy(lab, "--check", "--diff")


@pytest.fixture(scope="module")
def deployed(lab: Lab, foretold: Run) -> Run:
    """The deployment proper."""
    assert foretold
    return deploy(lab, "--diff")


def test_a_faulty_declaration_is_refused_with_all_its_faults_before_any_host_is_touched(lab: Lab, fresh: Dump) -> None:
    lists = playbooks.declared(lab)
    lists["multihome_services"][0]["lines"] = ["unicon"]
    lists["multihome_services"][1]["ports"] = ["5000-70000/tcp"]
    lists["multihome_lines"][1]["id"] = 1
    lists["multihome_servers"][0]["addresses"]["interlink"] = ["192.168.168.300/24"]
    run = playbooks.run(lab, playbooks.DEPLOY, variables=lists)
    assert run.code
    said = "\n".join(run.failures)
    assert 'multihome_services[0] (web): line "unicon" is not in multihome_lines' in said
    assert "multihome_services[1] (echo)" in said
    assert "multihome_lines[1] (interlink)" in said
    assert "multihome_servers[0] (web1)" in said
    assert differences(fresh, dump(lab)) == []


def test_check_mode_foretells_and_touches_nothing(lab: Lab, fresh: Dump, foretold: Run) -> None:
    assert differences(fresh, dump(lab)) == []
    assert sorted(foretold.changed) == MANAGED
    assert all(foretold.changed.values())


def test_check_mode_foretells_what_then_is_done(foretold: Run, deployed: Run) -> None:
    assert deployed.changed == foretold.changed
    told, done = (
        {
            (r.host, r.task): (r.values["actions"], r.values.get("after"))
            for r in run.results
            if r.values.get("actions") is not None
        }
        for run in (foretold, deployed)
    )
    # Only a change that was made is proven and confirmed.
    assert told == {place: result for place, result in done.items() if place in told}
    assert not any(actions for place, (actions, _after) in done.items() if place not in told)
    assert sum(bool(actions) for actions, _object in told.values()) == foretold.changes > 10


def test_differences_are_shown_where_there_are_any(foretold: Run) -> None:
    shown = {(r.host, r.task.split(" : ")[-1]): r.values["diff"] for r in foretold.results if r.values.get("diff")}
    differing = {place: str(diff) for place, diff in shown.items() if diff["before"] != diff["after"]}
    assert len(differing) == foretold.changes
    assert "192.168.168.2/24" in differing["web1", "Configure an address for each line"]
    assert "198.51.100.20" in differing["fw-b", "Translate addresses"]


@pytest.mark.parametrize("arguments", [(), ("--check", "--diff")], ids=" ".join)
def test_once_deployed_nothing_changes(lab: Lab, deployed: Run, arguments: tuple[str, ...]) -> None:
    assert checks.nothing_changed(deployed) != []  # the control
    before = dump(lab)
    run = deploy(lab, *arguments)
    assert checks.unchanged_and_short(run) == []
    assert sorted(run.changed) == MANAGED
    assert differences(before, dump(lab)) == []


def test_once_deployed_one_module_runs_on_each_host(lab: Lab, deployed: Run) -> None:
    assert len(checks.modules_of(deployed)["web1"]) > 3  # the control
    assert checks.modules_of(deploy(lab)) == {key: ["Run preflight"] for key in MANAGED}


def test_only_modules_with_something_to_do_run(lab: Lab, deployed: Run) -> None:
    assert deployed
    lab.exec("fw-a", "nft", "delete", "table", "inet", "multihome")
    lab.exec("web1", "ip", "rule", "del", "pref", "23010")
    run = deploy(lab)
    assert checks.modules_of(run) == {
        "fw-a": ["Run preflight", "Translate addresses"],
        "fw-b": ["Run preflight"],
        "web1": ["Run preflight", "Route each packet by its line"],
    }
    assert run.changed == {"fw-a": 1, "fw-b": 0, "web1": 1}
    assert checks.modules_of(deploy(lab)) == {key: ["Run preflight"] for key in MANAGED}


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("addresses", ["ip", "address", "add", "192.168.168.77/24", "dev", "lan0"]),
        ("links", ["ip", "link", "set", "dev", "lan0", "mtu", "1400"]),
        ("rules, IPv4", ["ip", "rule", "add", "from", "192.168.168.77", "lookup", "77"]),
        ("rules, IPv6", ["ip", "-6", "rule", "add", "from", "fd00:168::77", "lookup", "77"]),
        ("routes, IPv4", ["ip", "route", "add", "192.0.2.0/24", "via", "192.168.168.201"]),
        ("routes, IPv6", ["ip", "-6", "route", "add", "2001:db8:77::/64", "via", "fd00:168::201"]),
        ("nft", ["nft", "add", "table", "inet", "somebody"]),
        ("settings", ["sysctl", "-w", "net.ipv4.conf.lan0.log_martians=1"]),
        ("files", ["touch", "/etc/hosts"]),
    ],
)
def test_a_dump_shows_every_kind_of_change(lab: Lab, deployed: Run, kind: str, command: list[str]) -> None:
    assert deployed
    before = dump(lab)
    lab.exec("fw-b", *command)
    assert any(line.startswith(f"fw-b: {kind}: ") for line in differences(before, dump(lab)))


def test_a_dump_shows_an_object_made_anew(lab: Lab, deployed: Run) -> None:
    assert deployed
    before = dump(lab)
    table = lab.exec("fw-a", "nft", "list", "table", "inet", "multihome").stdout
    lab.exec("fw-a", "nft", "-f", "-", stdin="delete table inet multihome\n" + table)
    assert any("handle" in line for line in differences(before, dump(lab)))


COMMAND = "/usr/local/sbin/multihome"


def test_the_role_installs_the_command_which_explains_the_deployment(lab: Lab, deployed: Run) -> None:
    assert deployed
    for host in MANAGED:
        assert lab.exec(host, "stat", "-c", "%a %U", COMMAND).stdout.split() == ["755", "root"]
        # No systemd runs the keeper in the lab, so nothing is watched.
        shown = lab.exec(host, COMMAND, "status", "--json", check=False)
        assert (shown.returncode, json.loads(shown.stdout)["status"]) == (3, "unknown")
    for host, target in (("fw-a", "web"), ("fw-b", "web"), ("web1", "192.168.168.1")):
        done = lab.exec(host, COMMAND, "explain", target, check=False)
        assert (done.returncode, "PROBLEM" in done.stdout) == (0, False), done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 80
    # The control: a line that is broken is explained, on its own firewall only.
    lab.break_line("interlink", "carrier")
    try:
        done = lab.exec("fw-b", COMMAND, "explain", "web", check=False)
        assert done.returncode == 1
        assert "wan0" in done.stdout
        assert lab.exec("fw-a", COMMAND, "explain", "web", check=False).returncode == 0
    finally:
        lab.heal_line("interlink")


def test_remove_leaves_the_hosts_as_they_were_and_what_others_put_there(lab: Lab, fresh: Dump, deployed: Run) -> None:
    assert deployed
    assert _of_the_collection(fresh, dump(lab)) != []  # the control
    foretold, done, again = (playbooks.run(lab, playbooks.REMOVE, *arguments) for arguments in (["--check"], [], []))
    assert (foretold.failures, done.failures, again.failures) == ([], [], [])
    assert checks.nothing_changed(done) != []
    assert done.changed == foretold.changed
    assert checks.nothing_changed(again) == []
    assert _of_the_collection(fresh, dump(lab)) == []
    # What the tests above put on this firewall is somebody else's.
    foreign = {"address": "192.168.168.77/24", "rule": "192.168.168.77", "-6 route": "2001:db8:77::/64"}
    for kind, text in foreign.items():
        assert text in lab.exec("fw-b", "ip", *kind.split(), "show").stdout
    assert "table inet somebody" in lab.exec("fw-b", "nft", "list", "tables").stdout


def _of_the_collection(before: Dump, after: Dump) -> list[str]:
    """The differences on the hosts that nobody else changed, but for the values of kernel parameters, which stay.

    Of files their names count; of IPv6, forwarding makes the kernel add anycast routes of its own (protocol 2).
    """

    def comparable(found: Dump) -> Dump:
        return {
            (host, kind): sorted({line.split()[0] for line in lines if not line.startswith(("/run", "find"))})
            if kind == "files"
            else [line for line in lines if "table 255 proto 2 " not in line]
            for (host, kind), lines in found.items()
            if host in ("fw-a", "web1") and kind != "settings"
        }

    return differences(comparable(before), comparable(after))
