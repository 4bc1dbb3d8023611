# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever changes of lines that stay, no request is lost meanwhile.

Lines that come, go or change places are in test_lines.py. Here each deployment follows from the one before.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.offers import CLIENT, offers
from ansible_collections.multihome.linux.tests.e2e.traffic import Load, load
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

Variables = dict[str, Any]
# Less than the second after which TCP asks again by itself, so that nothing lost comes right unseen.
PATIENCE = 0.9


class Deployed:
    """A lab with what was declared last."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.variables: Variables = copy.deepcopy(playbooks.declared(lab))

    def deploy(self) -> list[str]:
        """Deploy what is declared now; return the hosts on which something changed."""
        run = playbooks.deploy(self.lab, variables=self.variables)
        return [host for host, count in run.changed.items() if count]


@pytest.fixture(scope="module")
def deployed(start_lab: StartLab) -> Deployed:
    """Two lines, deployed."""
    made = Deployed(start_lab(lines=2))
    made.deploy()
    assert checks.services_answered(made.lab) == []
    return made


def asked_throughout(lab: Lab, change: Callable[[], Any]) -> tuple[Load, Any]:
    """Ask every service by every line while something is done; return the load, and what came of it."""
    with load(lab, CLIENT, [offer.url for offer in offers(lab.topology)], timeout=PATIENCE) as requests:
        time.sleep(0.3)
        outcome = change()
        time.sleep(0.3)
    return requests, outcome


def another_gateway(deployed: Deployed) -> None:
    """The firewall of the first line gets other addresses on the LAN."""
    line = deployed.variables["multihome_lines"][0]
    line["inside_addresses"] = ["192.168.168.111", "fd00:168::111"]
    for address in ("192.168.168.111/24", "fd00:168::111/64"):
        deployed.lab.exec(line["firewall"], "ip", "address", "add", address, "dev", "lan0", "nodad")


def another_table(deployed: Deployed) -> None:
    """All tables get other numbers."""
    deployed.variables["multihomed_web_table_base"] = 3000


def other_weights(deployed: Deployed) -> None:
    """The lines change places as the preferred one."""
    for line, weight in zip(deployed.variables["multihome_lines"], (1, 7), strict=True):
        line["weight"] = weight


def another_prefix_length(deployed: Deployed) -> None:
    """The aliases of the first line move to networks of another length."""
    addresses = deployed.variables["multihome_servers"][0]["addresses"]
    addresses["unicom"] = ["192.168.168.1/25", "fd00:168::1/65"]


def another_interface_name(deployed: Deployed) -> None:
    """The server's interface has a new name, which is then declared."""
    deployed.lab.exec("web1", "ip", "link", "set", "dev", "eth0", "name", "lan7")
    deployed.variables["multihome_servers"][0]["interface"] = "lan7"


def another_interface(deployed: Deployed) -> None:
    """The aliases move to a second interface on the LAN, and leave the first one without any IPv4 address.

    The second one is in use already: it knows its neighbours, so that it need not ask for them, and tells them nothing.
    """
    lab = deployed.lab
    lab.add_lan_interface("web1", "lan8")
    for address in ("192.168.168.108/24", "fd00:168::108/64"):
        lab.exec("web1", "ip", "address", "add", address, "dev", "lan8", "nodad")
    for last in (111, 12, 201):
        for neighbour in (f"192.168.168.{last}", f"fd00:168::{last}"):
            lab.exec("web1", "ping", "-c1", "-W5", "-I", "lan8", neighbour)
    lab.exec("web1", "sysctl", "-qw", "net.ipv4.conf.lan7.promote_secondaries=1")
    lab.exec("web1", "ip", "address", "del", "192.168.168.101/24", "dev", "lan7")
    # The neighbours, in turn, remember the aliases on the first one.
    assert checks.lan_reaches_aliases(lab) == []
    deployed.variables["multihome_servers"][0]["interface"] = "lan8"


@pytest.mark.parametrize(
    ("change", "seen", "sign"),
    [
        (another_gateway, ("ip", "route", "show", "table", "1001"), "192.168.168.111"),
        (another_table, ("ip", "rule"), "23010:"),
        (other_weights, ("ip", "-6", "route"), "metric 64002"),
        (another_prefix_length, ("ip", "address"), "fd00:168::1/65"),
        (another_interface_name, ("ip", "route", "show", "table", "3002"), "dev lan7"),
        (another_interface, ("ip", "-6", "address", "show", "dev", "lan8"), "fd00:168::2/64"),
    ],
)
def test_a_change_of_lines_that_stay_loses_no_request(
    deployed: Deployed, change: Callable[[Deployed], None], seen: tuple[str, ...], sign: str
) -> None:
    def changed() -> list[str]:
        change(deployed)
        return deployed.deploy()

    requests, hosts = asked_throughout(deployed.lab, changed)
    assert (requests.failed, requests.answered > 10) == (0, True), requests.report
    assert "web1" in hosts
    assert sign in deployed.lab.exec("web1", *seen).stdout
    assert checks.services_answered(deployed.lab) + checks.lan_reaches_aliases(deployed.lab) == []


def test_what_has_moved_needs_its_old_interface_no_more(deployed: Deployed) -> None:
    deployed.lab.exec("web1", "ip", "link", "set", "dev", "lan7", "down")
    assert checks.services_answered(deployed.lab) + checks.lan_reaches_aliases(deployed.lab) == []


def test_a_way_that_breaks_before_it_makes_is_noticed(deployed: Deployed) -> None:
    """What tools do that take the old away first: an instant without a rule, and without a route."""
    for break_, make in (
        ("ip rule del priority 23020", "ip rule add priority 23020 from 192.168.168.2 table 3002"),
        ("ip -6 route del default table 3001", "ip -6 route add default via fd00:168::111 table 3001"),
    ):

        def broken(break_: str = break_, make: str = make) -> None:
            deployed.lab.exec("web1", *break_.split())
            # As long as a fork of ip takes on a busy host; without it the instant may fall between two requests.
            time.sleep(0.2)
            deployed.lab.exec("web1", *make.split())

        requests, _outcome = asked_throughout(deployed.lab, broken)
        assert requests.failed > 0, requests.report
    assert checks.services_answered(deployed.lab) == []
