# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translations that a declaration describes, by packets: older connections, and destinations that are not translated.

The tests of a lab build on each other in their order.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, datagrams, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, plain, url
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT
from ansible_collections.multihome.linux.tests.lab.topology import LAN_CLIENT

BACKENDS = ("nftables", "iptables")
# Not the client that is asked elsewhere: the other one.
FAR = {"IPv4": "192.0.2.102", "IPv6": "2001:db8:c::102"}


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """One line, one firewall, one server."""
    return start_lab(lines=1)


@contextlib.contextmanager
def datagrams_to(lab: Lab, address: str, source_port: int, port: int = 53) -> Iterator[Callable[[], int]]:
    """Send from one port for as long as the context lasts; yield what returns how many of four more are answered."""
    words = [sys.executable, str(Path(datagrams.__file__)), address, str(port), str(source_port)]
    with lab.popen(CLIENT, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def answered() -> int:
            print(file=asked, flush=True)
            return int(answers.readline())

        yield answered
        asked.close()


def without(lab: Lab, service: str) -> dict[str, Any]:
    """The lab's lists without one service."""
    lists = playbooks.declared(lab)
    lists["multihome_services"] = [each for each in lists["multihome_services"] if each["name"] != service]
    return lists


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_client_that_is_older_than_a_mapping_reaches_it(lab: Lab, backend: str) -> None:
    variables = {"isp_firewall_backend": backend}
    port = 41000 + 10 * BACKENDS.index(backend)
    one, other = map(plain, lab.lines[0].public)
    playbooks.deploy(lab, variables={**variables, **without(lab, "query")})
    with datagrams_to(lab, one, port) as of_one, datagrams_to(lab, other, port + 1) as of_other:
        assert (of_one(), of_other()) == (0, 0)
        # The control: a client whose connection stays never reaches the mapping.
        playbooks.deploy(lab, variables={**variables, "isp_firewall_forget_flows": "none"})
        assert (of_one(), of_other()) == (0, 0)
        playbooks.deploy(lab, variables={**variables, **without(lab, "query")})
        playbooks.deploy(lab, variables=variables)
        assert checks.eventually(lambda: [] if of_one() and of_other() else ["no answer"]) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_destinations_are_reached_without_translation(lab: Lab, backend: str) -> None:
    lists = playbooks.declared(lab)
    lists["multihome_lines"][0]["untranslated"] = list(FAR.values())
    variables = {"isp_firewall_backend": backend}
    playbooks.deploy(lab, variables={**variables, **lists})
    assert sources_at_isp(lab) == {"192.168.168.1", "fd00:168::1"}
    # All else is translated, and answered.
    assert checks.everything(lab) == []
    assert checks.nothing_changed(playbooks.deploy(lab, variables={**variables, **lists})) == []
    # The control: without it, these are translated too.
    playbooks.deploy(lab, variables=variables)
    assert sources_at_isp(lab) == {plain(address) for address in lab.lines[0].public}


def sources_at_isp(lab: Lab) -> set[str]:
    """The sources by which the ISP sees what the server sends to the far client."""
    (line,) = lab.lines
    lab.exec(line.isp, "nft", "-f", "-", stdin=WITNESS)
    try:
        hosts = {"IPv4": FAR["IPv4"], "IPv6": f"[{FAR['IPv6']}]"}
        ask(lab, "web1", [f"tcp://{host}:5000" for host in hosts.values()], timeout=1)
        listed = lab.exec(line.isp, "nft", "list", "table", "inet", "seen").stdout
    finally:
        lab.exec(line.isp, "nft", "delete", "table", "inet", "seen")
    everyone = ["192.168.168.1", "fd00:168::1", *map(plain, line.public)]
    return {address for address in everyone if f" {address} " in listed.replace(",", " , ")}


WITNESS = f"""
table inet seen {{
    set sources4 {{ type ipv4_addr; flags dynamic; size 100; }}
    set sources6 {{ type ipv6_addr; flags dynamic; size 100; }}
    chain first {{
        type filter hook prerouting priority -310;
        ip daddr {FAR["IPv4"]} add @sources4 {{ ip saddr }}
        ip6 daddr {FAR["IPv6"]} add @sources6 {{ ip6 saddr }}
    }}
}}
"""


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
    playbooks.deploy(lab, *inventory(tmp_path, more), variables=variables)
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
        playbooks.deploy(lab, *inventory(tmp_path, {"isp_firewall_forwards": [wrong]}), variables=variables)
    assert checks.services_answered(lab) == []
    # The control: without them, none of it.
    playbooks.deploy(lab, variables=variables)
    assert ask(lab, CLIENT, [url(own, port=8080)], timeout=1) == {}
    assert ask(lab, LAN_CLIENT, [outside], timeout=1) == {}


def test_a_variable_of_the_host_precedes_its_groups_and_one_of_the_command_line_all(lab: Lab, tmp_path: Path) -> None:
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
    playbooks.deploy(lab, *inventory(tmp_path, {}, of_group))
    assert answered() == {80, 8081}
    playbooks.deploy(lab, *inventory(tmp_path, of_host, of_group))
    assert answered() == {80, 8082}
    playbooks.deploy(lab, *inventory(tmp_path, of_host, of_group), variables=of_command)
    assert answered() == {8083}
    playbooks.deploy(lab)
    assert answered() == {80}


TAKES = """
table ip other {
    chain c {
        type nat hook prerouting priority -150
        tcp dport 80 dnat to 192.168.168.77
    }
}
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_deployment_names_the_translation_that_takes_its_services(lab: Lab, backend: str) -> None:
    """N5: somebody else's DNAT of the same port."""
    variables = {"isp_firewall_backend": backend}
    (line,) = lab.lines
    playbooks.deploy(lab, variables=variables)
    assert checks.services_answered(lab) == []
    lab.exec(line.end, "nft", "-f", "-", stdin=TAKES)
    try:
        # The control: it does take them.
        assert checks.services_answered(lab) != []
        with pytest.raises(playbooks.PlaybookFailed, match=r"translation-taken, nft table ip other, chain c.*") as said:
            playbooks.deploy(lab, variables=variables)
        assert "remedy: remove the rule" in str(said.value)
    finally:
        lab.exec(line.end, "nft", "delete", "table", "ip", "other")
    assert checks.services_answered(lab) == []
    playbooks.deploy(lab, variables=variables)


def inventory(directory: Path, variables: dict[str, Any], of_group: dict[str, Any] | None = None) -> list[str]:
    """The arguments of the lab's inventory, and of one that has variables of the firewall and its group besides."""
    file = directory / "more.json"
    file.write_text(json.dumps({"isp_firewall": {"hosts": {"fw-a": variables}, "vars": of_group or {}}}))
    return ["-i", str(CHECKOUT / "inventory" / "lab" / "hosts.py"), "-i", str(file)]
