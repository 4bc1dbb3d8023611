# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that are older than their translation reach it, and all others continue, by real packets."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.nat.lab import PROBE, NatLab, nat_lab
from ansible_collections.multihome.linux.tests.integration.nat.programs import IPTABLES, NFT
from ansible_collections.multihome.linux.tests.integration.nat.test_packets import DB, FAMILIES, PUBLIC, forward

TRACKED = str(Path(__file__).with_name("tracked.py"))
CLIENT = {4: "203.0.113.200", 6: "2001:db8:a::200"}
# The kernel tracks connections only while something needs it.
OTHERS = [forward(family, "tcp", 8080) for family in (4, 6)]
WEB_LAN = {4: "192.168.1.0/24", 6: "fd00:1::/64"}


@pytest.fixture(scope="module", params=[NFT, IPTABLES], ids=str)
def lab(request: pytest.FixtureRequest) -> Iterator[NatLab]:
    with nat_lab(request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(lab: NatLab) -> None:
    lab.translate(*OTHERS, forget_flows="changed")


def streamed(lab: NatLab, family: int, source_port: int, port: int = 5001) -> str | None:
    """Return which host answers one datagram of a client that keeps its port."""
    answer = lab.ask("udp", PUBLIC[family], port, CLIENT[family], source_port)
    return answer["host"] if answer else None


def tracked(lab: NatLab, port: int) -> set[str]:
    """Return the identities of the connections to a port."""
    listed = json.loads(lab.firewall.run(sys.executable, TRACKED, "list").stdout)
    return {identity for _address, found, identity in listed if found == port}


@FAMILIES
@pytest.mark.parametrize("which", ["new", "changed"])
def test_a_udp_client_older_than_the_mapping_reaches_it(lab: NatLab, family: int, which: str) -> None:
    source_port = 41000 + family + (10 if which == "new" else 0)
    mapping = forward(family, "udp", 5001)
    assert streamed(lab, family, source_port) == "firewall"
    # Without it, the client never reaches the mapping: each of its packets renews the connection.
    assert "forgotten_flows" not in lab.translate(*OTHERS, mapping)
    assert streamed(lab, family, source_port) == "firewall"
    lab.translate(*OTHERS)
    assert lab.translate(*OTHERS, mapping, forget_flows=which)["forgotten_flows"] == 1
    assert streamed(lab, family, source_port) == "web"
    # Nothing is new in the second run.
    assert lab.translate(*OTHERS, mapping, forget_flows=which)["forgotten_flows"] == 0


@FAMILIES
@pytest.mark.parametrize("which", ["new", "changed"])
def test_a_client_whose_exemption_ends_reaches_the_mapping(lab: NatLab, family: int, which: str) -> None:
    source_port = 46000 + family + (10 if which == "new" else 0)
    mapping = forward(family, "udp", 5001)
    exempt = {"type": "exempt", "protocol": "udp", "destination": PUBLIC[family], "keeps": "destination"}
    lab.translate(*OTHERS, exempt, mapping)
    assert streamed(lab, family, source_port) == "firewall"
    # An entry that changes nothing for it leaves it.
    assert (
        lab.translate(*OTHERS, exempt, mapping, forward(family, "udp", 5004), forget_flows=which)["forgotten_flows"]
        == 0
    )
    # The control: without it, the client never reaches the mapping.
    lab.translate(*OTHERS, mapping)
    assert streamed(lab, family, source_port) == "firewall"
    lab.translate(*OTHERS, exempt, mapping)
    assert lab.translate(*OTHERS, mapping, forget_flows=which)["forgotten_flows"] == 1
    assert streamed(lab, family, source_port) == "web"


@FAMILIES
def test_connections_of_unchanged_mappings_survive(lab: NatLab, family: int) -> None:
    kept = [forward(family, "tcp", 80), forward(family, "udp", "5002-5003")]
    lab.translate(*kept)
    client = lab.hosts["client"].start(sys.executable, PROBE, "hold", PUBLIC[family], "80", stdin=-1, stdout=-1)
    assert client.stdin is not None
    assert client.stdout is not None
    assert client.stdout.readline() == "connected\n"
    for port in (5001, 5002):
        streamed(lab, family, 42000 + family, port)
    before = {port: tracked(lab, port) for port in (80, 5002)}
    assert all(before.values())
    for number in range(3):
        # The range is another map or place from now on, and a mapping beside it comes.
        result = lab.translate(forward(family, "udp", 5001 if number else 5004), *kept, forget_flows="changed")
        assert result["forgotten_flows"] == int(number == 1)
        client.stdin.write("again\n")
        client.stdin.flush()
        assert json.loads(client.stdout.readline())["host"] == "web"
        time.sleep(1.5)
        assert streamed(lab, family, 42000 + family, 5002) == "web"
        assert (streamed(lab, family, 42000 + family) == "web") == bool(number)
    assert {port: tracked(lab, port) for port in (80, 5002)} == before


@FAMILIES
def test_changed_moves_connections_to_the_new_server_and_new_leaves_them(lab: NatLab, family: int) -> None:
    source_port = 43000 + family
    lab.translate(forward(family, "udp", 5001))
    assert streamed(lab, family, source_port) == "web"
    assert lab.translate(forward(family, "udp", 5001, DB[family]), forget_flows="new")["forgotten_flows"] == 0
    assert streamed(lab, family, source_port) == "web"
    lab.translate(forward(family, "udp", 5001))
    moved = lab.translate(forward(family, "udp", 5001, DB[family]), forget_flows="changed")
    assert moved["forgotten_flows"] == 1
    assert streamed(lab, family, source_port) == "db"
    # Another mapping that now comes first takes over as well.
    first = forward(family, "udp", "5000-5003", source=CLIENT[family])
    assert (
        lab.translate(first, forward(family, "udp", 5001, DB[family]), forget_flows="changed")["forgotten_flows"] == 1
    )
    assert streamed(lab, family, source_port) == "web"
    # The same two mappings in another order; without the option, the connection stays where it is.
    other_order = (forward(family, "udp", 5001, DB[family]), first)
    lab.translate(*other_order)
    assert streamed(lab, family, source_port) == "web"
    lab.translate(*other_order[::-1])
    assert lab.translate(*other_order, forget_flows="changed")["forgotten_flows"] == 1
    assert streamed(lab, family, source_port) == "db"


@FAMILIES
def test_a_connection_from_inside_leaves_with_the_new_source(lab: NatLab, family: int) -> None:
    source_port = 44000 + family
    inside = WEB_LAN[family].partition("/")[0].rstrip("0") + "2"

    def peer(host: str, source: str) -> str | None:
        answer = lab.ask("udp", CLIENT[family], 5001, source, source_port, host=host)
        return answer["peer"][0] if answer else None

    assert peer("web", inside) is None
    assert peer("firewall", PUBLIC[family]) == PUBLIC[family]
    rules: list[dict[str, Any]] = [
        {"type": "snat", "source": WEB_LAN[family], "out_interface": "wan1", "to_address": "198.51.100.20"},
        {"type": "masquerade", "family": f"ipv{family}", "out_interface": "wan0"},
    ][family == 6 :]
    lab.translate(*OTHERS, *rules)
    assert peer("web", inside) is None
    lab.translate(*OTHERS)
    # The firewall's own connection has the right source already.
    assert lab.translate(*OTHERS, *rules, forget_flows="new")["forgotten_flows"] == 1
    assert peer("web", inside) is not None


def test_the_keeper_does_so_when_it_restores(lab: NatLab) -> None:
    mapping = forward(4, "udp", 5001)
    options = {"rules": [mapping], "backend": lab.programs.backend}
    lab.translate(mapping)
    lab.translate(*OTHERS)
    assert streamed(lab, 4, 45000) == "firewall"
    command = ["env", f"PATH={lab.environment['PATH']}", sys.executable, TRACKED, "repair"]
    repaired, waiting = json.loads(lab.firewall.run(*command, feed=json.dumps(options)).stdout)
    assert (len(repaired), waiting) == (1, [])
    assert streamed(lab, 4, 45000) == "web"
