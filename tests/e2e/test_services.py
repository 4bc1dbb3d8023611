# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services by public address, source and protocol, and the public addresses that servers leave with, by packets.

One line with three public addresses of each family, one firewall, two servers.
"""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks, raw
from ansible_collections.multihome.linux.tests.e2e.offers import plain, url
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.topology import LAN_CLIENT

ONE, TWO, THREE = ({"IPv4": f"203.0.113.{last}", "IPv6": f"2001:db8:a::{last}"} for last in (10, 11, 12))
OFFICE = ["192.0.2.102", "2001:db8:c::102"]
BACKENDS = ("nftables", "iptables")


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """The lab, not deployed."""
    return start_lab(lines=1, servers=2)


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The packet filter of the firewall."""
    return str(request.param)


def lists() -> dict[str, Any]:
    """The changes of the lab's lists."""
    both = [*TWO.values()]
    return {
        "multihome_services": [
            {"name": "web", "server": "web1", "ports": ["80/tcp"], "public_addresses": [*ONE.values()]},
            {
                "name": "office",
                "server": "web2",
                "ports": ["80/tcp"],
                "public_addresses": [*ONE.values()],
                "sources": OFFICE,
            },
            {"name": "all", "server": "web2", "ports": ["any"], "public_addresses": both, "verify_ports": ["80/tcp"]},
            {"name": "except", "server": "web1", "ports": ["5001/tcp"], "public_addresses": both},
            {
                "name": "many",
                "server": "web1",
                "ports": [
                    "gre",
                    {"protocol": raw.ESP},
                    {"public": "20000-50000", "private": 5000, "protocol": "tcp"},
                    {"public": "20000-50000", "private": 53, "protocol": "udp"},
                ],
                "public_addresses": [*THREE.values()],
                "verify_ports": ["20000/tcp"],
            },
            # IPv6 has no such protocol that could be matched.
            {"name": "ah", "server": "web1", "ports": ["ah"], "public_addresses": [THREE["IPv4"]]},
            {"name": "ping", "server": "web2", "ports": ["icmp", "icmpv6"], "public_addresses": [*ONE.values()]},
            {"name": "number", "server": "web2", "ports": [{"protocol": 99}], "public_addresses": [*ONE.values()]},
        ]
    }


def declared(lab: Lab, backend: str) -> dict[str, Any]:
    """The lab's lists, with three public addresses of each family."""
    found = {**playbooks.declared(lab), **lists()}
    (line,) = found["multihome_lines"]
    line["public_addresses"] = [
        f"{address}/{length}" for family, length in (("IPv4", 24), ("IPv6", 64)) for address in of_family(family)
    ]
    found["multihome_servers"][0]["outgoing"] = {line["name"]: [*THREE.values()]}
    found["multihome_servers"][1]["outgoing"] = {line["name"]: TWO["IPv4"]}
    return {**found, "isp_firewall_backend": backend}


def of_family(family: str) -> list[str]:
    """The public addresses."""
    return [each[family] for each in (ONE, TWO, THREE)]


@pytest.fixture(scope="module")
def deployed(lab: Lab, backend: str) -> Lab:
    """The same, deployed; the warnings are those of the mapping that takes the firewall's own ssh."""
    run = playbooks.deploy(lab, variables=declared(lab, backend))
    warned = [text for result in run.results for text in result.values.get("warnings") or ()]
    for address in TWO.values():
        assert sum(f"{address}: port 22 leads to 192.168.168.21 (all)" in text for text in warned) == (
            ":" not in address
        )
        assert sum(f"{address}: port 22 leads to" in text for text in warned) == 1
    assert not any(f"{address}: port 22" in text for address in (*ONE.values(), *THREE.values()) for text in warned)
    return lab


def aliases(lab: Lab) -> dict[str, dict[str, str]]:
    """The address of each server, by family."""
    return {
        server.name: dict(zip(("IPv4", "IPv6"), map(plain, server.addresses["unicom"]), strict=True))
        for server in lab.topology.servers
    }


def answered(lab: Lab, client: str, *wanted: tuple[str, str, int, str, int]) -> list[str]:
    """What is wrong about requests, each (address, protocol, port, server, its port), from a client."""
    found = ask(lab, client, [url(address, protocol, port, 0) for address, protocol, port, _server, _own in wanted])
    problems = []
    for address, protocol, port, server, own in wanted:
        answer = found.get(url(address, protocol, port, 0))
        if answer is None or (answer["host"], answer["port"]) != (server, own):
            problems.append(f"{client}: {protocol} {address} {port}: {answer}, not {server} {own}")
    return problems


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_each_address_source_and_port_leads_to_its_server(deployed: Lab, family: str) -> None:
    shared = [
        (TWO[family], "tcp", 5000, "web2", 5000),
        (TWO[family], "udp", 53, "web2", 53),
        (TWO[family], "tcp", 5001, "web1", 5001),
        *((THREE[family], "tcp", port, "web1", 5000) for port in (20000, 34567, 50000)),
        *((THREE[family], "udp", port, "web1", 53) for port in (20000, 34567, 50000)),
    ]
    assert answered(deployed, "client1", *shared) == []
    assert answered(deployed, "client2", *shared) == []
    assert answered(deployed, LAN_CLIENT, *shared) == []
    for client, server in (("client1", "web1"), ("client2", "web2"), (LAN_CLIENT, "web1")):
        (answer,) = ask(deployed, client, [url(ONE[family])]).values()
        assert answer["host"] == server
    # Nothing else is mapped: not that of a neighbour, nor the ports beside a range.
    elsewhere = [url(ONE[family], "tcp", 5000, 0), url(THREE[family]), url(THREE[family], "tcp", 50001, 0)]
    assert ask(deployed, "client1", elsewhere, timeout=1) == {}


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
@pytest.mark.parametrize("protocol", [raw.GRE, raw.ESP])
def test_protocols_without_ports_reach_their_server(deployed: Lab, family: str, protocol: int) -> None:
    own = aliases(deployed)
    client = deployed.topology.hosts["client1"].interfaces[0].addresses[("IPv4", "IPv6").index(family)]
    with (
        raw.answering(deployed, "web1", protocol, own["web1"][family]),
        raw.answering(deployed, "web2", protocol, own["web2"][family]),
    ):
        for public, server in ((THREE, "web1"), (TWO, "web2")):
            answer = raw.ask(deployed, protocol, public[family])
            assert answer == {"local": own[server][family], "client": plain(client)}
        # The control: the address that leads nowhere.
        assert raw.ask(deployed, protocol, ONE[family]) is None


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_a_protocol_by_its_number_reaches_its_server(deployed: Lab, family: str) -> None:
    own = aliases(deployed)["web2"][family]
    client = deployed.topology.hosts["client1"].interfaces[0].addresses[("IPv4", "IPv6").index(family)]
    with raw.answering(deployed, "web2", 99, own):
        assert raw.ask(deployed, 99, ONE[family]) == {"local": own, "client": plain(client)}
        # The control: the address that leads nowhere.
        assert raw.ask(deployed, 99, THREE[family]) is None


def test_ah_reaches_its_server(deployed: Lab) -> None:
    own, client = aliases(deployed)["web1"]["IPv4"], deployed.topology.hosts["client1"].interfaces[0].addresses[0]
    with raw.answering(deployed, "web1", raw.AH, own):
        assert raw.ask(deployed, raw.AH, THREE["IPv4"]) == {"local": own, "client": plain(client)}
        # The control: the address that leads nowhere.
        assert raw.ask(deployed, raw.AH, ONE["IPv4"]) is None


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_echo_requests_reach_their_server(deployed: Lab, family: str) -> None:
    def answers(address: str) -> bool:
        return deployed.exec("client1", "ping", "-c1", "-W3", address, check=False).returncode == 0

    assert answers(ONE[family])
    assert answers(THREE[family])
    silent = {"IPv4": "net.ipv4.icmp_echo_ignore_all", "IPv6": "net.ipv6.icmp.echo_ignore_all"}[family]
    deployed.exec("web2", "sysctl", "-qw", f"{silent}=1")
    try:
        # The control: it is the server that answers, and the firewall that answers for the other address.
        assert not answers(ONE[family])
        assert answers(THREE[family])
    finally:
        deployed.exec("web2", "sysctl", "-qw", f"{silent}=0")


def test_servers_leave_with_the_public_address_that_they_name(deployed: Lab) -> None:
    assert outgoing(deployed) == {
        "web1": {"IPv4": THREE["IPv4"], "IPv6": THREE["IPv6"]},
        "web2": {"IPv4": TWO["IPv4"], "IPv6": ONE["IPv6"]},
    }


def test_nothing_changes_the_second_time_and_verify_passes(deployed: Lab, backend: str) -> None:
    assert checks.nothing_changed(playbooks.deploy(deployed, variables=declared(deployed, backend))) == []
    run = playbooks.verify(deployed, **declared(deployed, backend))
    assert run.code == 0, run.failures


def test_without_the_keys_all_is_as_before(deployed: Lab, backend: str) -> None:
    """The control: the lab's own lists, with one address each."""
    playbooks.deploy(deployed, variables={"isp_firewall_backend": backend})
    assert checks.everything(deployed) == []
    assert {seen["IPv4"] for seen in outgoing(deployed).values()} == {ONE["IPv4"]}
    assert ask(deployed, "client1", [url(TWO["IPv4"]), url(TWO["IPv6"])], timeout=1) == {}


def outgoing(lab: Lab) -> dict[str, dict[str, str]]:
    """The addresses by which a client sees what each server begins."""
    clients = dict(
        zip(("IPv4", "IPv6"), map(plain, lab.topology.hosts["client1"].interfaces[0].addresses), strict=True)
    )
    return {
        server: {
            family: ask(lab, server, [url(clients[family])], source=own[family])[url(clients[family])]["client"]
            for family in clients
        }
        for server, own in aliases(lab).items()
    }
