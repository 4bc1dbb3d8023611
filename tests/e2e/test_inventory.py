# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the roles in the inventory beside the lists, by packets: what they add, and which one counts.

The tests of a lab build on each other in their order.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, plain, url
from ansible_collections.multihome.linux.tests.e2e.test_translation import BACKENDS, FAR
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT
from ansible_collections.multihome.linux.tests.lab.topology import LAN_CLIENT

# The host's own address, which tells no line, stands for the container's.
CONTAINER = """
table ip docker-like {
    chain PREROUTING {
        type nat hook prerouting priority dstnat
        tcp dport 8088 dnat to 192.168.168.101:80
    }
}
"""


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """One line, one firewall, one server."""
    return start_lab(lines=1)


@pytest.fixture(scope="module")
def two_lines(start_lab: StartLab) -> Lab:
    """Two lines with a firewall each, and a server that publishes a port of a container."""
    lab = start_lab(lines=2)
    lab.exec("web1", "nft", "-f", "-", stdin=CONTAINER)
    return lab


@pytest.mark.parametrize("backend", BACKENDS)
def test_variables_of_the_inventory_add_to_the_lists(lab: Lab, tmp_path: Path, backend: str) -> None:
    """N7: they were hidden by what follows from the lists."""
    variables = {"isp_firewall_backend": backend}
    own, alias = plain(lab.lines[0].public[0]), "192.168.168.1"
    client = plain(lab.topology.hosts[LAN_CLIENT].interfaces[0].addresses[0])
    more = {
        "isp_firewall_forwards": [
            {"name": "more", "line": "unicom", "protocol": "tcp", "port": 8080, "to_address": alias, "to_port": 80},
            {"name": "far", "line": "unicom", "protocol": "tcp", "port": 80, "to_address": alias, "to_port": 5000}
            | {"sources": [FAR["IPv4"]]},
        ],
        "isp_firewall_snat": [{"line": "unicom", "source": client}],
    }
    playbooks.deploy(lab, *firewall(tmp_path, more), variables=variables)
    assert checks.everything(lab) == []
    (answer,) = ask(lab, CLIENT, [url(own, port=8080)]).values()
    assert answer["port"] == 80
    (answer,) = ask(lab, "client2", [url(own, port=80, private_port=5000)]).values()
    assert answer["port"] == 5000
    outside = url(plain(lab.topology.hosts[CLIENT].interfaces[0].addresses[0]))
    assert ask(lab, LAN_CLIENT, [outside])[outside]["client"] == own
    # Contradictions are refused by name, before any host is changed.
    wrong = {"name": "mine", "line": "unicom", "protocol": "tcp", "port": 80, "to_address": client}
    with pytest.raises(playbooks.PlaybookFailed, match=r"fw-a: isp_firewall_forwards\[0\] \(mine\) leads 80/tcp"):
        playbooks.deploy(lab, *firewall(tmp_path, {"isp_firewall_forwards": [wrong]}), variables=variables)
    assert checks.services_answered(lab) == []
    # The control: without them, none of it.
    playbooks.deploy(lab, variables=variables)
    assert ask(lab, CLIENT, [url(own, port=8080)], timeout=1) == {}
    assert ask(lab, LAN_CLIENT, [outside], timeout=1) == {}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_variable_of_the_host_precedes_its_groups_and_one_of_the_command_line_all(
    lab: Lab, tmp_path: Path, backend: str
) -> None:
    own = plain(lab.lines[0].public[0])
    of_group, of_host, of_command = (
        {
            "isp_firewall_forwards": [
                {"name": "more", "line": "unicom", "protocol": "tcp", "port": port, "to_port": 80}
                | {"to_address": "192.168.168.1"}
            ]
        }
        for port in (8081, 8082, 8083)
    )
    ports = (80, 8081, 8082, 8083)

    def answered() -> set[int]:
        """The ports that are answered; 80 follows from the lists."""
        answers = ask(lab, CLIENT, [url(own, port=port) for port in ports], timeout=3)
        return {port for port in ports if url(own, port=port) in answers}

    # The control: without a variable of the host, that of its group counts.
    variables = {"isp_firewall_backend": backend}
    playbooks.deploy(lab, *firewall(tmp_path, {}, of_group), variables=variables)
    assert answered() == {80, 8081}
    playbooks.deploy(lab, *firewall(tmp_path, of_host, of_group), variables=variables)
    assert answered() == {80, 8082}
    playbooks.deploy(lab, *firewall(tmp_path, of_host, of_group), variables={**variables, **of_command})
    assert answered() == {8083}
    playbooks.deploy(lab, variables=variables)
    assert answered() == {80}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_server_gets_a_line_and_its_way_to_reply_from_the_inventory(
    two_lines: Lab, tmp_path: Path, backend: str
) -> None:
    lists = playbooks.declared(two_lines)
    # By the lists, the server has the first line only.
    server, (first, second) = lists["multihome_servers"][0], lists["multihome_lines"]
    alias = plain(server["addresses"].pop(second["name"])[0])
    lists["multihome_services"] = [{"name": "app", "server": "web1", "ports": ["80/tcp", "8088/tcp"]}]
    variables = {**lists, "isp_firewall_backend": backend, "multihomed_web_backend": backend}
    line = {"name": second["name"], "id": second["id"], "interface": server["interface"]}
    line |= {"addresses": [f"{alias}/24"], "gateways": [plain(second["inside_addresses"][0])]}
    ports = (80, 8088)
    forwards = [
        {"line": second["name"], "protocol": "tcp", "port": port, "to_address": alias, "to_port": port}
        for port in ports
    ]
    addresses = [plain(each["public_addresses"][0]) for each in (first, second)]

    def answered(of_server: dict[str, Any], of_group: dict[str, Any], **more: Any) -> list[set[int]]:
        """The ports that are answered by each line, after a deployment."""
        hosts = {"fw-b": {"isp_firewall_forwards": forwards}}
        given = inventory(tmp_path, {"isp_firewall": (hosts, {}), "multihomed_web": ({"web1": of_server}, of_group)})
        playbooks.deploy(two_lines, *given, variables={**variables, **more})
        wanted = {(address, port): url(address, port=port) for address in addresses for port in ports}
        answers = ask(two_lines, CLIENT, [*wanted.values()], timeout=3)
        return [{port for port in ports if wanted[address, port] in answers} for address in addresses]

    of_group = {"multihomed_web_lines": [line], "multihomed_web_reply": "source"}
    # By source, the container's replies leave by the preferred line.
    assert answered({}, of_group) == [{80, 8088}, {80}]
    # The variable of the host precedes that of its group, and that of the command line both.
    assert answered({"multihomed_web_reply": "mark"}, of_group) == [{80, 8088}, {80, 8088}]
    assert answered({"multihomed_web_reply": "mark"}, of_group, multihomed_web_reply="source") == [{80, 8088}, {80}]
    # The control: the line is the group's, and the host's empty list precedes it.
    assert answered({"multihomed_web_lines": []}, of_group, multihome_allow_disconnect=True) == [{80, 8088}, set()]


def firewall(directory: Path, variables: dict[str, Any], of_group: dict[str, Any] | None = None) -> list[str]:
    """The arguments of the lab's inventory, and of one that has variables of the firewall and its group besides."""
    return inventory(directory, {"isp_firewall": ({"fw-a": variables}, of_group or {})})


def inventory(directory: Path, groups: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> list[str]:
    """The same for groups, each with the variables of its hosts and its own."""
    file = directory / "more.json"
    file.write_text(json.dumps({name: {"hosts": hosts, "vars": own} for name, (hosts, own) in groups.items()}))
    return ["-i", str(CHECKOUT / "inventory" / "lab" / "hosts.py"), "-i", str(file)]
