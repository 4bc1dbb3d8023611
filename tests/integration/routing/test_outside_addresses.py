# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A public address that a device of the ISP translates: from the declaration by the filters to packets.

    client 198.51.100.9 ── box ── 10.64.0.0/24 ── firewall 10.64.0.2 ┬ lan 192.168.168.0/24 ── web .1, desk .9

The box translates 203.0.113.10 to 10.64.0.2, one to one, and the other way round.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.integration.nat.lab import PROBE
from ansible_collections.multihome.linux.tests.integration.run_module import run_module
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS, firewall_lists, firewall_variables

PUBLIC, OUTSIDE, CLIENT = "203.0.113.10", "10.64.0.2", "198.51.100.9"
LINE = {
    "name": "cloud",
    "id": 1,
    "firewall": "fw",
    "interface": "wan0",
    "public_addresses": [f"{PUBLIC}/32"],
    "outside_addresses": [f"{OUTSIDE}/24"],
    "gateway": "10.64.0.1",
    "inside_addresses": ["192.168.168.11"],
}
BOX = f"""
table ip box {{
    chain arriving {{ type nat hook prerouting priority -100; ip daddr {PUBLIC} dnat to {OUTSIDE}; }}
    chain leaving {{ type nat hook postrouting priority 100; ip saddr {OUTSIDE} snat to {PUBLIC}; }}
}}
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with Hosts("client", "box", "firewall", "lan", "web", "desk") as made:
        made.link("client", "eth0", "box", "out")
        made.link("box", "in", "firewall", "wan0")
        made.link("firewall", "lan0", "lan", "p0")
        made.link("lan", "p1", "web", "eth0")
        made.link("lan", "p2", "desk", "eth0")
        made["client"].address("eth0", f"{CLIENT}/24")
        made["client"].run("ip", "route", "add", "default", "via", "198.51.100.1")
        made["box"].address("out", "198.51.100.1/24")
        made["box"].address("in", "10.64.0.1/24")
        made["box"].sysctl(net__ipv4__ip_forward=1)
        made["box"].run("nft", "-f", "-", feed=BOX)
        made["firewall"].address("wan0")
        made["firewall"].address("lan0", "192.168.168.11/24")
        made["lan"].run("ip", "link", "add", "bridge", "type", "bridge")
        for port in ("p0", "p1", "p2"):
            made["lan"].run("ip", "link", "set", "dev", port, "master", "bridge", "up")
        made["lan"].run("ip", "link", "set", "dev", "bridge", "up")
        for name, address in (("web", "192.168.168.1"), ("desk", "192.168.168.9")):
            made[name].address("eth0", f"{address}/24")
            made[name].run("ip", "route", "add", "default", "via", "192.168.168.11")
        for name in ("web", "client"):
            server = made[name].start(sys.executable, PROBE, "serve", name, "80", stdout=-1)
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
        yield made


def ask(host: Host, address: str) -> dict[str, Any] | None:
    """Ask for port 80 of an address; ``{"host", "peer", "own"}`` as the answering server sees it, or None."""
    answer: dict[str, Any] | None = json.loads(host.run(sys.executable, PROBE, "ask", "tcp", address, "80").stdout)
    return answer


def deploy(hosts: Hosts, line: dict[str, Any], backend: str) -> list[bool]:
    """Bring the firewall to what follows from the declaration; whether each module changed anything."""
    declaration = {
        "lines": [line],
        "servers": [{"name": "web", "interface": "eth0", "addresses": {"cloud": ["192.168.168.1/24"]}}],
        "services": [{"name": "web", "server": "web", "ports": ["80/tcp"]}],
    }
    lists = firewall_lists(firewall_variables(declaration, "fw"))
    tasks: list[tuple[str, dict[str, Any]]] = [
        ("ip_aliases", {"aliases": lists["addresses"], "purge": True}),
        ("policy_routing", {"tables": lists["tables"], "rules": lists["rules"], "purge": True}),
        ("forward_policy", {"accept": lists["accept"], "policy": "drop", "backend": backend, "purge": True}),
        ("nat_rules", {"rules": lists["nat_rules"], "backend": backend, "purge": True}),
    ]
    hosts["firewall"].sysctl(net__ipv4__ip_forward=1)
    results = [run_module(name, options, netns_prefix=hosts["firewall"].prefix) for name, options in tasks]
    assert not any(result.get("failed") for result in results), results
    assert [target["address"] for target in FILTERS["line_check_targets"](declaration)] == [PUBLIC]
    return [result["changed"] for result in results]


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_what_arrives_is_forwarded_and_the_public_address_is_known_inside(hosts: Hosts, backend: str) -> None:
    assert any(deploy(hosts, LINE, backend))
    outside, inside, begun = ask(hosts["client"], PUBLIC), ask(hosts["desk"], PUBLIC), ask(hosts["web"], CLIENT)
    assert outside is not None
    assert (outside["host"], outside["peer"][0]) == ("web", CLIENT)
    assert inside is not None
    assert inside["host"] == "web"
    assert begun is not None
    assert (begun["host"], begun["peer"][0]) == ("client", PUBLIC)
    # Not by the box: there and back it would have been translated twice, and the box does not know how.
    assert inside["peer"][0] == "192.168.168.11"
    assert deploy(hosts, LINE, backend) == [False] * 4
    # The control: who knows but the public address forwards nothing that arrives.
    known = {name: value for name, value in LINE.items() if name not in ("outside_addresses", "gateway")}
    deploy(hosts, known, backend)
    hosts["firewall"].address("wan0", f"{OUTSIDE}/24")
    hosts["firewall"].run("ip", "route", "add", "default", "via", "10.64.0.1")
    try:
        assert ask(hosts["client"], PUBLIC) is None
    finally:
        hosts["firewall"].run("ip", "address", "flush", "dev", "wan0")
