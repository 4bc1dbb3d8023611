# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declarations to derive from: each shape, with one to eight lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Declaration = dict[str, list[dict[str, Any]]]
EVERYONE_PORTS = ["80/tcp", {"public": 8443, "private": 443, "protocol": "tcp"}, "5000-5009/udp"]


def line(number: int, line_id: int, **changes: Any) -> dict[str, Any]:
    """Line ``number`` of 1 to 200, with a firewall of its own and both families."""
    entry: dict[str, Any] = {
        "name": f"line{number}",
        "id": line_id,
        "firewall": f"fw-{number}",
        "interface": "wan0",
        "public_addresses": [f"198.18.{number}.10/24", f"2001:db8:{number}::10/64"],
        "gateway": [f"198.18.{number}.1", "fe80::1"],
        "inside_addresses": [f"192.168.168.{number + 10}", f"fd00:168::{number + 10}"],
        "weight": 1 + number % 4,
    }
    entry.update(changes)
    return {key: value for key, value in entry.items() if value is not None}


def shape_a(ids: Sequence[int]) -> Declaration:
    """A firewall for each line, one server behind all of them."""
    lines = [line(number, line_id) for number, line_id in enumerate(ids, 1)]
    addresses = {
        each["name"]: [f"192.168.168.{100 + number}/24", f"fd00:168::{100 + number}/64"]
        for number, each in enumerate(lines, 1)
    }
    return {
        "lines": lines,
        "servers": [{"name": "web1", "interface": "eth0", "addresses": addresses}],
        "services": [{"name": "web", "server": "web1", "ports": EVERYONE_PORTS}],
    }


def shape_b(ids: Sequence[int]) -> Declaration:
    """One firewall for all lines, each on an interface of its own."""
    declaration = shape_a(ids)
    for number, each in enumerate(declaration["lines"]):
        each.update(firewall="fw", interface=f"wan{number}", inside_addresses=["192.168.168.11", "fd00:168::11"])
    return declaration


def with_one_address(declaration: Declaration) -> Declaration:
    """The declaration with one address of its server for all lines."""
    (server,) = declaration["servers"]
    server["addresses"] = {name: ["192.168.168.101/24", "fd00:168::101/64"] for name in server["addresses"]}
    return declaration


def seed() -> Declaration:
    """The design's two lines: the second has no IPv6, no gateway and no weight."""
    return {
        "lines": [
            {
                "name": "unicom",
                "id": 1,
                "firewall": "fw-a",
                "interface": "wan0",
                "public_addresses": ["203.0.113.10/24", "2001:DB8:A::10/64"],
                "gateway": "203.0.113.1",
                "inside_addresses": ["192.168.168.11", "fd00:168::11"],
                "weight": 4,
            },
            {
                "name": "interlink",
                "id": 2,
                "firewall": "fw-b",
                "interface": "wan0",
                "public_addresses": ["198.51.100.20/24"],
                "inside_addresses": ["192.168.168.12"],
            },
        ],
        "servers": [
            {
                "name": "web1",
                "interface": "eth0",
                "addresses": {
                    "unicom": ["192.168.168.1/24", "fd00:168::1/64"],
                    "interlink": ["192.168.168.2/24"],
                },
            }
        ],
        "services": [
            {
                "name": "web",
                "server": "web1",
                "ports": ["80/tcp", "443/tcp"],
                "lines": ["unicom", "interlink"],
                "sources": ["0.0.0.0/0"],
                "domain": "www.example.com",
            }
        ],
    }


def translated(declaration: Declaration) -> Declaration:
    """The declaration with lines whose public IPv4 addresses a device of the ISP translates to private ones."""
    for each in declaration["lines"]:
        # Two firewalls, each behind a box of its own, may have the same addresses there; one firewall may not.
        number = each["id"] if each["firewall"] == "fw" else 0
        public, *others = each["public_addresses"]
        each.update(
            public_addresses=[public.replace("/24", "/32"), *others],
            outside_addresses=[f"10.64.{number}.2/24"],
            gateway=[f"10.64.{number}.1", "fe80::1"],
        )
    return declaration


def shape_c() -> Declaration:
    """Three lines end on the server itself, one of them without IPv6."""
    ends_here = {"firewall": None, "inside_addresses": None}
    lines = [line(number, number, interface=f"eth{number}", **ends_here) for number in (1, 2, 3)]
    lines[2].update(public_addresses=["198.18.3.10/24", "198.18.3.11/24"], gateway="198.18.3.1")
    return {
        "lines": lines,
        "servers": [{"name": "web1"}],
        "services": [{"name": "web", "server": "web1", "ports": ["80/tcp"]}],
    }


def shape_d() -> Declaration:
    """Two servers with four services, each on some of the lines, open to some."""
    lines = [line(1, 3), line(2, 17), line(3, 250, public_addresses=["198.18.3.10/24"], gateway=None)]
    servers = [
        {
            "name": f"web{number}",
            "interface": "eth0",
            "addresses": {
                each["name"]: [f"192.168.168.{20 * number + index}/24", f"fd00:168::{20 * number + index}/64"][
                    : len(each["public_addresses"])
                ]
                for index, each in enumerate(lines, 1)
                if number == 1 or each["name"] != "line2"
            },
        }
        for number in (1, 2)
    ]
    return {
        "lines": lines,
        "servers": servers,
        "services": [
            {"name": "web", "server": "web1", "ports": ["80/tcp", "443/tcp"]},
            {"name": "shop", "server": "web2", "ports": [{"public": "8080", "private": "80", "protocol": "tcp"}]},
            {
                "name": "mail",
                "server": "web2",
                "ports": ["25/tcp"],
                "lines": ["line3"],
                "sources": ["192.0.2.0/24", "198.51.100.7"],
            },
            {
                "name": "games",
                "server": "web1",
                "ports": ["27000-27015/udp", "27015/tcp"],
                "lines": ["line2", "line1"],
                "sources": ["0.0.0.0/0", "2001:db8:ffff::/48"],
                "verify_ports": ["27015/tcp"],
            },
        ],
    }


ALL = {
    "seed": seed(),
    "a1": shape_a([1]),
    "a2": shape_a([1, 2]),
    "a3-sparse": shape_a([250, 3, 17]),
    "a8": shape_a([1, 2, 3, 4, 5, 6, 7, 8]),
    "b3": shape_b([1, 2, 3]),
    "b3-one-address": with_one_address(shape_b([250, 3, 17])),
    "a3-one-address": with_one_address(shape_a([1, 2, 3])),
    "a2-translated": translated(shape_a([1, 2])),
    "b2-translated": translated(shape_b([1, 2])),
    "c3": shape_c(),
    "d3-sparse": shape_d(),
}
