# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topologies of all shapes and sizes, and the declaration that each gives to the collection."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.multihome.linux.tests.lab.declaration import declaration, groups
from ansible_collections.multihome.linux.tests.lab.state import LabError
from ansible_collections.multihome.linux.tests.lab.topology import SHAPES, build, choose, firewall_name

SIZES = [(1, 1), (2, 1), (3, 2), (10, 5), (11, 6), (250, 99)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("lines", "servers"), SIZES)
def test_addresses_are_unique_and_next_hops_are_on_link(shape: str, lines: int, servers: int) -> None:
    topology = build(choose(lines, min(servers, lines), shape))
    addresses = [a for host in topology.hosts.values() for i in host.interfaces for a in i.addresses]
    if shape != "C":
        addresses += [a for server in topology.servers for own in server.addresses.values() for a in own]
    hosts_only = [ipaddress.ip_interface(address).ip for address in addresses]
    assert len(set(hosts_only)) == len(hosts_only)
    for host in topology.hosts.values():
        own = [ipaddress.ip_interface(a).network for interface in host.interfaces for a in interface.addresses]
        for _destination, gateway in host.routes:
            assert any(ipaddress.ip_address(gateway) in network for network in own), (host.name, gateway)
            assert ipaddress.ip_address(gateway) in hosts_only
        assert len({interface.name for interface in host.interfaces}) == len(host.interfaces)
        assert all(len(interface.name) <= 15 for interface in host.interfaces)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("lines", "servers"), SIZES)
def test_every_interface_has_one_cable(shape: str, lines: int, servers: int) -> None:
    topology = build(choose(lines, min(servers, lines), shape))
    plugged = [end for cable in topology.cables for end in cable]
    interfaces = [(h.name, i.name) for h in topology.hosts.values() for i in h.interfaces if not i.ports]
    assert sorted(plugged) == sorted(interfaces)


def test_two_lines_are_those_of_the_design() -> None:
    assert declaration(build(choose())) == {
        "multihome_lines": [
            {
                "name": "unicom",
                "id": 1,
                "firewall": "fw-a",
                "interface": "wan0",
                "public_addresses": ["203.0.113.10/24", "2001:db8:a::10/64"],
                "gateway": ["203.0.113.1", "2001:db8:a::1"],
                "inside_addresses": ["192.168.168.11", "fd00:168::11"],
                "weight": 4,
            },
            {
                "name": "interlink",
                "id": 2,
                "firewall": "fw-b",
                "interface": "wan0",
                "public_addresses": ["198.51.100.20/24", "2001:db8:b::20/64"],
                "gateway": ["198.51.100.1", "2001:db8:b::1"],
                "inside_addresses": ["192.168.168.12", "fd00:168::12"],
                "weight": 1,
            },
        ],
        "multihome_servers": [
            {
                "name": "web1",
                "interface": "eth0",
                "addresses": {
                    "unicom": ["192.168.168.1/24", "fd00:168::1/64"],
                    "interlink": ["192.168.168.2/24", "fd00:168::2/64"],
                },
            }
        ],
        "multihome_services": [
            {"name": "web", "server": "web1", "ports": ["80/tcp"]},
            {"name": "echo", "server": "web1", "ports": ["5000-5010/tcp"]},
            {"name": "query", "server": "web1", "ports": ["53/udp"], "verify_ports": ["53/udp"]},
        ],
    }


def test_ids_may_be_sparse_and_names_follow_the_place() -> None:
    lines = declaration(build(choose(ids=[3, 17, 250])))["multihome_lines"]
    assert [(line["name"], line["id"], line["firewall"]) for line in lines] == [
        ("unicom", 3, "fw-a"),
        ("interlink", 17, "fw-b"),
        ("line3", 250, "fw-c"),
    ]


def test_the_shapes_differ_in_where_lines_end() -> None:
    one_firewall = declaration(build(choose(3, 1, "B")))["multihome_lines"]
    assert [(line["firewall"], line["interface"]) for line in one_firewall] == [("fw", f"wan{n}") for n in range(3)]
    on_server = declaration(build(choose(2, 1, "C")))
    assert [(line.get("firewall"), line["interface"]) for line in on_server["multihome_lines"]] == [
        (None, "wan0"),
        (None, "wan1"),
    ]
    assert on_server["multihome_servers"] == [{"name": "web1"}]
    different = declaration(build(choose(3, 3, "D")))
    assert [list(server["addresses"]) for server in different["multihome_servers"]] == [
        ["unicom", "interlink", "line3"],
        ["interlink", "line3"],
        ["unicom", "line3"],
    ]
    assert different["multihome_services"][1]["lines"] == ["unicom"]


def test_servers_behind_the_same_addresses_have_different_public_ports() -> None:
    services = declaration(build(choose(2, 3)))["multihome_services"]
    ports = [str(port["public"]) + "/tcp" if isinstance(port, dict) else port for s in services for port in s["ports"]]
    assert ports == ["80/tcp", "5000-5010/tcp", "53/udp", "8082/tcp", "8083/tcp"]


def test_groups_hold_every_host_once() -> None:
    topology = build(choose(2, 2))
    assert groups(topology) == {
        "isp_firewall": ["fw-a", "fw-b"],
        "multihomed_web": ["web1", "web2"],
        "multihome_vantage": ["client1", "client2"],
        "lan_clients": ["lan1"],
        "lab_infrastructure": ["internet", "isp-unicom", "isp-interlink", "switch"],
    }


def test_firewalls_are_lettered() -> None:
    assert [firewall_name(n) for n in (1, 2, 26, 27, 52, 53, 250)] == [
        "fw-a", "fw-b", "fw-z", "fw-aa", "fw-az", "fw-ba", "fw-ip",
    ]  # fmt: skip


def test_every_fault_of_a_choice_is_named() -> None:
    with pytest.raises(LabError) as caught:
        choose(lines=0, servers=100, shape="E", ids=[1, 1])
    assert str(caught.value) == (
        'shape "E" is none of A, B, C, D; lines: 0 is not in 1..250; servers: 100 is not in 1..99; '
        "ids: 0 different numbers in 1..250 are needed, one for each line"
    )
    with pytest.raises(LabError, match="shape C: 3 servers need as many lines, there are 2"):
        choose(lines=2, servers=3, shape="C")
