# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host that is firewall and server: an office's only machine, and the firewall of one of two lines.

The tests of a lab build on each other in their order.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.foretold import differences
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, plain, url
from ansible_collections.multihome.linux.tests.e2e.playbooks import Run
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab import webserver
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT
from ansible_collections.multihome.linux.tests.lab.topology import LAN_CLIENT

ECHO, QUERY = ("tcp", 5000), ("udp", 53)
# Of fw-a, for the line of fw-b.
ALIASES = ["192.168.168.60/24", "fd00:168::60/64"]
OWN = ["5000-5010/tcp", "53/udp"]


@contextlib.contextmanager
def serving(lab: Lab, host: str) -> Iterator[None]:
    """Run the lab's server on a host that has none."""
    words = [sys.executable, str(Path(webserver.__file__)), "--log", "/tmp/own-services.log"]
    with lab.popen(host, *words) as process:
        yield
        process.terminate()


def both_groups(lab: Lab, directory: Path, host: str) -> list[str]:
    """The arguments of ansible-playbook that make a firewall a server too."""
    file = directory / f"{lab.name}.json"
    file.write_text(json.dumps({"multihomed_web": {"hosts": {host: None}}}), encoding="utf-8")
    file.rename(file.with_suffix(".yml"))
    return ["-i", str(CHECKOUT / "inventory" / "lab" / "hosts.py"), "-i", str(file.with_suffix(".yml"))]


class Site:
    """A lab, the arguments of its inventory, its lists, and the addresses at which its host ``both`` answers."""

    def __init__(self, lab: Lab, directory: Path, both: str) -> None:
        self.lab, self.both, self.arguments = lab, both, both_groups(lab, directory, both)
        self.lists: dict[str, Any] = playbooks.declared(lab)
        self.lists["multihome_services"] = [
            {"name": "web", "server": "web1", "ports": ["80/tcp"]},
            {"name": "own", "server": both, "ports": OWN, "verify_ports": ["5000/tcp", "53/udp"]},
        ]
        self.lists["multihome_servers"].append({"name": both})
        self.local = {line.name: list(map(plain, line.public)) for line in lab.lines}

    def run(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        """A run on all hosts."""
        chosen = {"multihome_verify_timeout": 1, **playbooks.UNPROTECTED, **self.lists, **variables}
        return playbooks.run(self.lab, playbook, *self.arguments, *arguments, variables=chosen)

    def deploy(self, *arguments: str, **variables: Any) -> Run:
        """A deployment that must succeed."""
        run = self.run(playbooks.DEPLOY, *arguments, **variables)
        assert run.code == 0, (run.failures, run.errors)
        return run

    def problems(self, lines: Sequence[str] = ("unicom", "interlink"), client: str = CLIENT) -> list[str]:
        """What is wrong about the services of both servers by some lines, in both families."""
        wanted: dict[str, tuple[str, str]] = {}
        for line in self.lab.lines:
            if line.name in lines:
                for place, public in enumerate(map(plain, line.public)):
                    alias = plain(self.lab.topology.servers[0].addresses[line.name][place])
                    wanted[url(public)] = ("web1", alias)
                    for protocol, port in (ECHO, QUERY):
                        wanted[url(public, protocol, port, port)] = (self.both, self.local[line.name][place])
        answers = ask(self.lab, client, list(wanted))
        there = [plain(address) for address in self.lab.topology.hosts[client].interfaces[0].addresses]
        found = []
        for asked, (host, local) in wanted.items():
            answer = answers.get(asked, {})
            if (answer.get("host"), answer.get("local")) != (host, local):
                found.append(f"{asked}: {answer or 'no answer'}, not {host} at {local}")
            elif client == CLIENT and answer["client"] not in there:
                found.append(f"{asked}: sees {answer['client']}")
        return found

    def rules(self, host: str) -> list[str]:
        """The rules of the collection on a host, both families."""
        shown = [self.lab.exec(host, "ip", f"-{family}", "-Numeric", "rule").stdout for family in (4, 6)]
        return [line for text in shown for line in text.splitlines() if "proto 109" in line]


@pytest.fixture(scope="module")
def office(start_lab: StartLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One machine with both lines and services of its own, and a server behind it."""
    site = Site(start_lab(lines=2, shape="B"), tmp_path_factory.mktemp("office"), "fw")
    with serving(site.lab, "fw"):
        yield site


def test_the_only_machine_of_an_office_serves_itself_beside_servers_behind_it(office: Site) -> None:
    foretold = office.deploy("--check", "--diff")
    assert differences(foretold, office.deploy("--diff")) == []
    assert office.problems() == []
    assert office.problems(client=LAN_CLIENT) == []


def test_a_second_run_changes_nothing_and_verify_asks_the_machines_own_services(office: Site) -> None:
    assert checks.nothing_changed(office.deploy()) == []
    run = office.run(playbooks.VERIFY)
    assert run.code == 0, run.failures
    assert any("own" in row for row in run.message("Show line, service, family and answer"))


@pytest.mark.parametrize("line", ["unicom", "interlink"])
def test_a_dead_line_of_the_machine_costs_only_itself(office: Site, line: str) -> None:
    (other,) = {"unicom", "interlink"} - {line}
    office.lab.break_line(line, "blackhole")
    assert office.problems([other]) == []
    assert office.problems([line]) != []
    office.lab.heal_line(line)
    assert checks.eventually(office.problems, 30) == []


def test_replies_of_the_machine_need_its_rules(office: Site) -> None:
    public = [plain(address) for address in office.lab.lines[1].public]
    for family, address in zip((4, 6), public, strict=True):
        for rule in (["priority", "20020"], ["priority", "23020", "from", address]):
            office.lab.exec("fw", "ip", f"-{family}", "rule", "del", *rule)
    said = "\n".join(office.problems(["interlink"]))
    assert f"{url(public[0], 'tcp', 5000, 5000)}: no answer" in said
    assert f"{url(public[1], 'udp', 53, 53)}: no answer" in said
    office.deploy()
    assert office.problems() == []


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_a_server_that_has_all_other_packets_leaves_the_machines_ports_alone(office: Site, backend: str) -> None:
    rest = {"name": "rest", "server": "web1", "ports": ["any"], "lines": ["interlink"], "verify_ports": ["80/tcp"]}
    services = [*office.lists["multihome_services"], rest]
    office.deploy(multihome_services=services, isp_firewall_backend=backend)
    assert office.problems() == []
    public = plain(office.lab.lines[1].public[0])
    # Port 5003 is one of the machine's range; the control: of a shorter range it is one that web1 gets.
    assert ask(office.lab, CLIENT, [url(public, "tcp", 5003, 5003)]).popitem()[1]["host"] == "fw"
    shorter = [{**each, "ports": ["5000/tcp", "53/udp"]} if each["name"] == "own" else each for each in services]
    office.deploy(multihome_services=shorter, isp_firewall_backend=backend)
    assert ask(office.lab, CLIENT, [url(public, "tcp", 5003, 5003)]).popitem()[1]["host"] == "web1"
    office.deploy()
    assert office.problems() == []


BOTH = """
- hosts: fw
  gather_facts: false
  roles:
    - {role: multihome.linux.multihomed_web, multihomed_web_lines: []}
    - {role: multihome.linux.isp_firewall, isp_firewall_lines: []}
"""


def test_both_roles_on_one_host_are_refused_before_the_second_one_removes_anything(
    office: Site, tmp_path: Path
) -> None:
    play = tmp_path / "both.yml"
    play.write_text(BOTH, encoding="utf-8")
    run = office.run(str(play))
    assert run.code
    assert "roles isp_firewall and multihomed_web both ran on this host" in "".join(run.failures)
    office.deploy()
    assert office.problems() == []


def test_removal_leaves_nothing_on_the_machine(office: Site) -> None:
    run = office.run(playbooks.REMOVE)
    assert run.code == 0, run.failures
    assert office.rules("fw") == []
    assert "table inet multihome" not in office.lab.exec("fw", "nft", "list", "tables").stdout
    assert checks.nothing_changed(office.run(playbooks.REMOVE)) == []


@pytest.fixture(scope="module", params=["nftables", "iptables"])
def beside(
    start_lab: StartLab, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Two lines with a firewall each; that of the first is a server on both."""
    site = Site(start_lab(lines=2), tmp_path_factory.mktemp("beside"), "fw-a")
    site.lists["multihome_servers"][-1] = {"name": "fw-a", "interface": "lan0", "addresses": {"interlink": ALIASES}}
    site.lists["isp_firewall_backend"] = request.param
    site.local["interlink"] = list(map(plain, ALIASES))
    with serving(site.lab, "fw-a"):
        yield site


def test_the_firewall_of_one_line_is_a_server_on_the_other_line_too(beside: Site) -> None:
    foretold = beside.deploy("--check", "--diff")
    assert differences(foretold, beside.deploy("--diff")) == []
    assert beside.problems() == []
    assert beside.problems(client=LAN_CLIENT) == []
    assert checks.nothing_changed(beside.deploy()) == []
    run = beside.run(playbooks.VERIFY)
    assert run.code == 0, run.failures


@pytest.mark.parametrize("line", ["unicom", "interlink"])
def test_a_dead_line_costs_only_itself_on_the_firewall_that_serves_both(beside: Site, line: str) -> None:
    (other,) = {"unicom", "interlink"} - {line}
    beside.lab.break_line(line, "blackhole")
    assert beside.problems([other]) == []
    assert beside.problems([line]) != []
    beside.lab.heal_line(line)
    assert checks.eventually(beside.problems, 30) == []


def test_a_neighbour_on_one_line_is_answered_by_the_other_line_that_it_asks(beside: Site) -> None:
    """The ISP of the first line is in its network: main's connected route must not draw replies of the second."""
    isp = beside.lab.lines[0].isp
    asked = [url(plain(public), "tcp", 5000, 5000) for public in beside.lab.lines[1].public]
    sources = [plain(gateway) for gateway in beside.lab.lines[0].gateways]
    for one, source in zip(asked, sources, strict=True):
        assert list(ask(beside.lab, isp, [one], source)) == [one]
    # The control: outside the group of lines, main's route to the neighbour comes first.
    beside.lab.exec("fw-a", "ip", "link", "set", "wan0", "group", "default")
    for one, source in zip(asked, sources, strict=True):
        assert ask(beside.lab, isp, [one], source, timeout=1) == {}
    beside.deploy()


def test_replies_on_the_other_line_need_the_rules_by_its_address(beside: Site) -> None:
    for family, address in zip((4, 6), map(plain, ALIASES), strict=True):
        beside.lab.exec("fw-a", "ip", f"-{family}", "rule", "del", "priority", "23020", "from", address)
    said = "\n".join(beside.problems(["interlink"]))
    for public in map(plain, beside.lab.lines[1].public):
        assert f"{url(public, 'tcp', 5000, 5000)}: no answer" in said
    assert beside.problems(["unicom"]) == []
    beside.deploy()
    assert beside.problems() == []


def test_a_firewall_that_is_no_server_any_more_loses_only_that(beside: Site) -> None:
    lists = {**beside.lists, "multihome_servers": [*beside.lists["multihome_servers"][:-1]]}
    lists["multihome_services"] = lists["multihome_services"][:1]
    beside.deploy(**lists)
    assert beside.rules("fw-a") == []
    assert plain(ALIASES[0]) not in beside.lab.exec("fw-a", "ip", "address").stdout
    assert checks.nothing_changed(beside.deploy(**lists)) == []
    beside.deploy()
    assert beside.problems() == []
    assert beside.run(playbooks.REMOVE).code == 0
    assert beside.rules("fw-a") == []
