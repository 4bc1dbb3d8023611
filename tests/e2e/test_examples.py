# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in docs/examples, each deployed on the lab as it is written there, and checked by packets.

Only the names of their servers are replaced, by those of the lab. Each holds with both backends.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.multihome.linux.tests.e2e import listeners, playbooks, raw
from ansible_collections.multihome.linux.tests.e2e.offers import plain, url
from ansible_collections.multihome.linux.tests.e2e.traffic import ask
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT
from ansible_collections.multihome.linux.tests.lab.topology import LAN_CLIENT

EXAMPLES = CHECKOUT / "docs" / "examples"
SERVERS = ("web1", "web2")
FIRST, OWN = ["203.0.113.10", "2001:db8:a::10"], ["203.0.113.11", "2001:db8:a::11"]
ALIASES = ["192.168.168.1", "fd00:168::1"]
# The host's own address, which tells no line, stands for the container's.
DOCKER = """
table ip docker-like {
    chain PREROUTING {
        type nat hook prerouting priority dstnat
        tcp dport 8088 dnat to 192.168.168.101:80
    }
}
table ip6 docker-like {
    chain PREROUTING {
        type nat hook prerouting priority dstnat
        tcp dport 8088 dnat to [fd00:168::101]:80
    }
}
"""
# Before the ISP drops foreign sources.
SEEN = """
table inet seen {{
    set sources {{ type ipv4_addr; flags dynamic; size 100; }}
    chain first {{ type filter hook prerouting priority -310; ip daddr {} add @sources {{ ip saddr }}; }}
}}
"""


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """Two lines with a firewall each, and two servers."""
    return start_lab(lines=2, servers=2)


@pytest.fixture(scope="module", params=("nftables", "iptables"))
def backend(request: pytest.FixtureRequest) -> str:
    """The packet filter of all hosts. All examples are deployed with one, then with the other on the same lab."""
    return str(request.param)


def example(name: str) -> dict[str, Any]:
    """The variables of an example."""
    text = (EXAMPLES / f"{name}.yml").read_text()
    own = [server["name"] for server in yaml.safe_load(text)["multihome_servers"]]
    found: dict[str, Any] = yaml.safe_load(text)
    for server in found["multihome_servers"]:
        server["name"] = SERVERS[own.index(server["name"])]
    for service in found["multihome_services"]:
        service["server"] = SERVERS[own.index(service["server"])]
    # Those of the lab, where the example has none.
    return {"multihome_networks": [], **found}


def deploy(lab: Lab, backend: str, name: str, **changes: Any) -> None:
    """Deploy an example, after another one: servers that only that one has lose their last line."""
    filters = {"isp_firewall_backend": backend, "multihomed_web_backend": backend}
    playbooks.deploy(lab, variables={**example(name), **filters, "multihome_allow_disconnect": True, **changes})


@contextlib.contextmanager
def listening(lab: Lab, host: str, *ports: str) -> Iterator[None]:
    """Let a server listen on ports, such as tcp:25, besides the lab's."""
    words = [sys.executable, str(Path(listeners.__file__)), *ports]
    with lab.popen(host, *words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.kill()


def reached(lab: Lab, address: str, protocol: str, port: int, client: str = "client1", timeout: float = 5) -> Any:
    """The server and port that a client reaches; None for nobody."""
    target = url(address, protocol, port, 0)
    answer = ask(lab, client, [target], timeout=timeout).get(target)
    return None if answer is None else (answer["host"], answer["port"])


def leaves_as(lab: Lab, host: str, source: str | None, destination: str) -> str:
    """The address by which a host on the Internet sees a host of the lab."""
    target = url(destination)
    return str(ask(lab, host, [target], source=source, timeout=5)[target]["client"])


def clients(lab: Lab) -> list[str]:
    """The addresses of a host on the Internet."""
    return [plain(address) for address in lab.topology.hosts["client1"].interfaces[0].addresses]


def test_there_is_no_example_without_a_test() -> None:
    names = {"docker-host", "game-host", "mail-server", "one-to-one", "pbx", "vpn-concentrator"}
    assert {path.stem for path in EXAMPLES.glob("*.yml")} == names


def test_docker_host(lab: Lab, backend: str) -> None:
    lab.exec("web1", "nft", "-f", "-", stdin=DOCKER)
    try:
        # The control: by source alone, replies of the container leave by the preferred line.
        deploy(lab, backend, "docker-host", multihomed_web_reply="source")
        assert reached(lab, "198.51.100.20", "tcp", 8088, timeout=1) is None
        deploy(lab, backend, "docker-host")
        for address in (*FIRST, "198.51.100.20", "2001:db8:b::20"):
            target = url(address, port=8088)
            assert ask(lab, "client1", [target], timeout=5)[target]["port"] == 80
            assert list(ask(lab, "client1", [url(address)], timeout=5)) == [url(address)]
    finally:
        for family in ("ip", "ip6"):
            lab.exec("web1", "nft", "delete", "table", family, "docker-like")


def test_mail_server(lab: Lab, backend: str) -> None:
    deploy(lab, backend, "mail-server")
    ports = (25, 465, 587, 993)
    with listening(lab, "web1", *(f"tcp:{port}" for port in ports)):
        for own, other in zip(OWN, FIRST, strict=True):
            assert [reached(lab, own, "tcp", port) for port in ports] == [("web1", port) for port in ports]
            assert reached(lab, other, "tcp", 25, timeout=1) is None
    for alias, own, first, client in zip(ALIASES, OWN, FIRST, clients(lab), strict=True):
        assert leaves_as(lab, "web1", alias, client) == leaves_as(lab, "web1", None, client) == own
        assert leaves_as(lab, LAN_CLIENT, None, client) == first
    # The control: without the key, it leaves with the line's first address.
    servers = [
        {key: value for key, value in each.items() if key != "outgoing"}
        for each in example("mail-server")["multihome_servers"]
    ]
    deploy(lab, backend, "mail-server", multihome_servers=servers)
    assert leaves_as(lab, "web1", None, clients(lab)[0]) == FIRST[0]


def test_one_to_one(lab: Lab, backend: str) -> None:
    lab.exec("isp-unicom", "ip", "address", "add", "203.0.113.9/24", "dev", "line0")
    # The lab's firewall has the addresses of a larger network.
    lab.exec("fw-a", "ip", "address", "del", "203.0.113.10/24", "dev", "wan0")
    try:
        deploy(lab, backend, "one-to-one")
        client = clients(lab)[0]
        for server, alias, public in (
            ("web1", "192.168.168.1", "203.0.113.11"),
            ("web2", "192.168.168.21", "203.0.113.12"),
        ):
            assert reached(lab, public, "tcp", 5000) == (server, 5000)
            assert reached(lab, public, "udp", 53) == (server, 53)
            with raw.answering(lab, server, raw.ESP, alias):
                assert raw.ask(lab, raw.ESP, public) == {"local": alias, "client": client}
            assert leaves_as(lab, server, alias, client) == public
        # The control: the address that the firewall keeps.
        assert reached(lab, "203.0.113.10", "tcp", 5000, timeout=1) is None
    finally:
        lab.exec("isp-unicom", "ip", "address", "del", "203.0.113.9/24", "dev", "line0")


def test_game_host(lab: Lab, backend: str) -> None:
    deploy(lab, backend, "game-host")
    with listening(lab, "web1", "udp:27000", "udp:27100", "tcp:27015", "udp:27200"):
        for address in FIRST:
            for port in (27000, 27100):
                assert reached(lab, address, "udp", port) == ("web1", port)
            assert reached(lab, address, "tcp", 27015) == ("web1", 27015)
            for port in (30000, 30500, 30999):
                assert reached(lab, address, "udp", port) == ("web1", 27200)
            # The controls: beside the ranges.
            assert reached(lab, address, "udp", 27200, timeout=1) is None
            assert reached(lab, address, "udp", 31000, timeout=1) is None


def test_pbx(lab: Lab, backend: str) -> None:
    deploy(lab, backend, "pbx")
    with listening(lab, "web1", "udp:5060", "tcp:5060", "tcp:5061", "udp:10000", "udp:20000"):
        for protocol, port in (("udp", 5060), ("tcp", 5060), ("tcp", 5061), ("udp", 10000), ("udp", 20000)):
            assert reached(lab, OWN[0], protocol, port) == ("web1", port)
        # The control: a client that is not the provider reaches all but SIP.
        lab.exec("client2", "ip", "address", "add", "192.0.2.210/24", "dev", "eth0")
        try:
            wanted = [url(OWN[0], *port, 0) for port in (("tcp", 5060), ("tcp", 5061), ("udp", 20000))]
            assert set(ask(lab, "client2", wanted, "192.0.2.210", 2)) == set(wanted[1:])
        finally:
            lab.exec("client2", "ip", "address", "del", "192.0.2.210/24", "dev", "eth0")
    assert leaves_as(lab, "web1", None, clients(lab)[0]) == OWN[0]


def test_vpn_concentrator(lab: Lab, backend: str) -> None:
    deploy(lab, backend, "vpn-concentrator")
    with listening(lab, "web1", "udp:500", "udp:4500"), raw.answering(lab, "web1", raw.ESP, ALIASES[0]):
        for port in (500, 4500):
            assert reached(lab, OWN[0], "udp", port) == ("web1", port)
        assert raw.ask(lab, raw.ESP, OWN[0]) == {"local": ALIASES[0], "client": clients(lab)[0]}
        # The control: another protocol, and another address.
        assert raw.ask(lab, raw.GRE, OWN[0]) is None
        assert raw.ask(lab, raw.ESP, FIRST[0]) is None
    assert leaves_as(lab, "web1", None, clients(lab)[0]) == OWN[0]
    # Behind the VPN packets arrive with the source that they have; the control is a network beside it.
    assert sources_at_isp(lab, "10.9.0.1") == {ALIASES[0]}
    assert sources_at_isp(lab, "10.10.0.1") == {OWN[0]}


def sources_at_isp(lab: Lab, destination: str) -> set[str]:
    """The sources by which the ISP sees what the server sends to a destination."""
    lab.exec("isp-unicom", "nft", "-f", "-", stdin=SEEN.format(destination))
    try:
        ask(lab, "web1", [f"tcp://{destination}:5000"], timeout=1)
        listed = json.loads(lab.exec("isp-unicom", "nft", "--json", "list", "set", "inet", "seen", "sources").stdout)
        return {source for part in listed["nftables"] if "set" in part for source in part["set"].get("elem", [])}
    finally:
        lab.exec("isp-unicom", "nft", "delete", "table", "inet", "seen")
