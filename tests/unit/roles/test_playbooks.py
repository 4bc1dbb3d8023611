# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks refuse faulty input before they connect to a host.

No host of these tests can run a module: its Python does not exist, and a task that tries reports its path.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter import declarations

TOUCHED = "/nowhere/python"
HOST = {"ansible_connection": "local", "ansible_pipelining": True, "ansible_python_interpreter": TOUCHED}
GROUPS = {"isp_firewall": ["fw-a", "fw-b"], "multihomed_web": ["web1"]}


def run(
    directory: Path,
    playbook: str,
    declaration: declarations.Declaration,
    variables: dict[str, Any] | None = None,
    own: dict[str, dict[str, Any]] | None = None,
    **groups: list[str],
) -> tuple[int, str]:
    """Run one of the playbooks, with variables of the inventory, and ``own`` ones of hosts; exit status and output."""
    lists = {f"multihome_{name}": entries for name, entries in declaration.items()}
    inventory: dict[str, Any] = {
        group: {"hosts": {host: {**HOST, **(own or {}).get(host, {})} for host in hosts}}
        for group, hosts in {**GROUPS, **groups}.items()
    }
    inventory["all"] = {"vars": {**lists, **(variables or {})}}
    (directory / "inventory.json").write_text(json.dumps(inventory))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "inventory.json", f"multihome.linux.{playbook}"],
        cwd=directory,
        env={**os.environ, "ANSIBLE_HOME": str(directory / "home"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_control_a_sound_declaration_goes_on_to_the_hosts(tmp_path: Path) -> None:
    status, output = run(tmp_path, "deploy", declarations.seed())
    assert status != 0
    assert TOUCHED in output


@pytest.mark.parametrize("playbook", ["deploy", "verify"])
def test_a_faulty_declaration_is_refused_whole_before_any_host_is_touched(tmp_path: Path, playbook: str) -> None:
    faulty = declarations.seed()
    faulty["services"][0]["lines"] = ["unicon"]
    faulty["lines"][0]["id"] = 0
    status, output = run(tmp_path, playbook, faulty)
    assert status != 0
    assert 'multihome_services[0] (web): line "unicon" is not in multihome_lines' in output
    assert re.search(r'multihome_lines\[0\] \(unicom\): id: \\*"0\\*": not within 1 to 250', output)
    assert TOUCHED not in output


def test_a_host_outside_the_group_of_its_role_is_refused(tmp_path: Path) -> None:
    status, output = run(tmp_path, "deploy", declarations.seed(), isp_firewall=["fw-a"])
    assert status != 0
    assert 'firewall "fw-b" is not in inventory group isp_firewall' in output
    assert TOUCHED not in output


def test_a_firewall_of_several_lines_without_a_gateway_is_refused_by_name(tmp_path: Path) -> None:
    declaration = declarations.seed()
    declaration["lines"][1].update(firewall="fw-a", interface="wan1", inside_addresses=["192.168.168.11"])
    status, output = run(tmp_path, "deploy", declaration)
    assert status != 0
    assert "(interlink): is one of several lines of fw-a, so it needs the ISP's IPv4 gateway" in output
    assert TOUCHED not in output


def test_a_reply_by_source_is_refused_where_only_marks_tell_the_line(tmp_path: Path) -> None:
    declaration = declarations.seed()
    declaration["servers"][0]["addresses"]["interlink"] = ["192.168.168.1/24"]
    _code, output = run(tmp_path, "deploy", declaration)
    assert "multihomed_web_reply: mark" not in output
    _code, output = run(tmp_path, "deploy", declaration, variables={"multihomed_web_reply": "source"})
    assert "address 192.168.168.1 belongs to lines" in output
    assert "only with multihomed_web_reply: mark can replies be assigned to a line" in output


def test_a_firewall_that_fails_does_not_keep_the_others_from_being_deployed(tmp_path: Path) -> None:
    _code, output = run(tmp_path, "deploy", declarations.seed())
    assert all(f"fatal: [{host}]" in output for host in ("fw-a", "fw-b", "web1"))


def test_a_list_that_is_not_there_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    declaration = declarations.seed()
    del declaration["servers"]
    status, output = run(tmp_path, "deploy", declaration)
    assert status != 0
    assert (
        "multihome_servers is not defined: define it for all hosts, for example in group_vars/all/multihome.yml"
        in output
    )
    assert "Error" not in output
    assert TOUCHED not in output


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": 7}, '[1] (interlink): id is "7" there, and "2" elsewhere'),
        ({"gateway": "198.51.100.1"}, '[1] (interlink): gateway is "198.51.100.1" there, and missing elsewhere'),
    ],
)
def test_hosts_that_see_different_lists_are_named_before_any_is_touched(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    other = declarations.seed()["lines"]
    other[1].update(change)
    status, output = run(tmp_path, "deploy", declarations.seed(), own={"web1": {"multihome_lines": other}})
    assert status != 0
    expected = f"multihome_lines must be the same for all hosts, and web1 has another one than fw-a, fw-b: {said}"
    assert expected in output.replace('\\"', '"')
    assert TOUCHED not in output


def test_a_list_of_one_host_that_is_faulty_stops_all(tmp_path: Path) -> None:
    other = declarations.seed()["services"]
    other[0]["lines"] = ["unicon"]
    status, output = run(tmp_path, "deploy", declarations.seed(), own={"web1": {"multihome_services": other}})
    assert status != 0
    assert "multihome_services must be the same for all hosts, and web1 has another one" in output
    assert TOUCHED not in output


def test_the_names_of_the_groups_are_the_users_choice(tmp_path: Path) -> None:
    names = {"multihome_firewall_group": "walls", "multihome_server_group": "webs"}
    groups = {"isp_firewall": [], "multihomed_web": [], "walls": ["fw-a", "fw-b"], "webs": ["web1"]}
    _code, output = run(tmp_path, "deploy", declarations.seed(), names, None, **groups)
    assert all(f"fatal: [{host}]" in output for host in ("fw-a", "fw-b", "web1"))
    assert TOUCHED in output
    status, output = run(tmp_path, "deploy", declarations.seed(), names, None, **{**groups, "walls": ["fw-a"]})
    assert status != 0
    assert 'firewall "fw-b" is not in inventory group walls' in output.replace('\\"', '"')
    _code, output = run(tmp_path, "remove", declarations.seed(), names, None, **groups)
    assert all(f"fatal: [{host}]" in output for host in ("fw-a", "fw-b", "web1"))
    _code, output = run(tmp_path, "verify", declarations.seed(), names, None, **groups)
    assert "web1: its paths are not known" in output


def test_a_server_that_cannot_be_asked_fails_the_verification(tmp_path: Path) -> None:
    declaration = declarations.seed()
    declaration["services"] = []
    status, output = run(tmp_path, "verify", declaration)
    assert status != 0
    assert "web1: its paths are not known" in output


def test_a_vantage_that_cannot_ask_fails_the_verification(tmp_path: Path) -> None:
    status, output = run(tmp_path, "verify", declarations.seed(), multihome_vantage=["client1"])
    assert status != 0
    assert "0 of 3 as expected" in output
    assert "not asked: see the messages of the host above" in output


def test_without_netaddr_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netaddr.py").write_text("raise ImportError('no netaddr here')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    status, output = run(tmp_path, "deploy", declarations.seed())
    assert status != 0
    assert "Error rendering template" not in output
    assert "netaddr is needed on the controller (python3 -m pip install netaddr): no netaddr here" in output
    assert TOUCHED not in output


def test_verify_needs_no_root_on_the_controller(tmp_path: Path) -> None:
    wanted = {"ansible_become": True, "ansible_become_method": "no_such_method"}
    hosts = {host: {"ansible_become": False} for group in GROUPS.values() for host in group}
    # Without a vantage the controller asks: nobody answers, but it has asked.
    _code, output = run(tmp_path, "verify", declarations.seed(), wanted, hosts)
    assert "TASK [Show line, service, family and answer]" in output
    assert "no_such_method" not in output
    # The control: one of the hosts does become root.
    del hosts["web1"]["ansible_become"]
    _code, output = run(tmp_path, "verify", declarations.seed(), wanted, hosts)
    assert "no_such_method" in output
