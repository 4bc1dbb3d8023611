# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A firewall with two lines, and a server behind it with one address, as role isp_firewall configures it.

A client asks by the ISP of a line, and is answered only if the reply leaves by the same line.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.filter.isp_firewall import FilterModule

from ..namespaces import Hosts
from ..run_module import run_module
from .lines import FAR, LINES, PATIENCE

FILTERS = FilterModule().filters()
SERVER = {4: "192.168.168.1", 6: "fd00:168::1"}
INSIDE = ["192.168.168.0/24", "fd00:168::/64"]
SERVING = """
import socket
listening = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    listening.accept()[0].close()
"""
ASKING = "import socket, sys; socket.create_connection((sys.argv[2], 80), float(sys.argv[3]), (sys.argv[1], 0))"


def own(line: int, family: int, on_link: bool) -> str:
    """Return the firewall's address on a line, with its length."""
    if on_link:
        return f"203.0.113.{line}/32" if family == 4 else f"2001:db8:77::{line}/128"
    return f"198.18.{line}.10/24" if family == 4 else f"2001:db8:{line}::10/64"


def router(line: int, family: int, on_link: bool) -> str:
    """Return the ISP's gateway."""
    if on_link:
        return f"172.31.{line}.1" if family == 4 else f"2001:db8:99::{line}"
    return f"198.18.{line}.1" if family == 4 else f"2001:db8:{line}::1"


def neighbour(line: int, family: int) -> str:
    """Return a client within the network of a line."""
    return f"198.18.{line}.50" if family == 4 else f"2001:db8:{line}::50"


def variables(on_link: bool) -> dict[str, Any]:
    """The variables of the role."""
    lines = [
        {
            "name": f"line{line}",
            "id": line,
            "interface": f"wan{line}",
            "public_addresses": [own(line, family, on_link) for family in (4, 6)],
            "gateway": [router(line, family, on_link) for family in (4, 6)],
        }
        for line in LINES
    ]
    forwards = [
        {"line": f"line{line}", "protocol": "tcp", "port": "80", "to_address": SERVER[family]}
        for line in LINES
        for family in (4, 6)
    ]
    return {"lines": lines, "forwards": forwards}


@contextmanager
def network(on_link: bool) -> Iterator[Hosts]:
    """The hosts, without anything of ours."""
    with Hosts("isp1", "isp2", "fw", "server") as hosts:
        for name in hosts.names:
            hosts[name].sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)
        fw = hosts["fw"]
        fw.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1, net__ipv4__conf__all__rp_filter=0)
        hosts.link("fw", "lan0", "server", "eth0")
        fw.address("lan0", "192.168.168.11/24", "fd00:168::11/64")
        hosts["server"].address("eth0", "192.168.168.1/24", "fd00:168::1/64")
        hosts["server"].run("ip", "route", "add", "default", "via", "192.168.168.11")
        hosts["server"].run("ip", "-6", "route", "add", "default", "via", "fd00:168::11")
        hosts["server"].start("python3", "-c", SERVING)
        for line in LINES:
            isp = hosts[f"isp{line}"]
            hosts.link("fw", f"wan{line}", f"isp{line}", "eth0")
            fw.sysctl(**{f"net__ipv4__conf__wan{line}__rp_filter": 0})
            fw.run("ip", "link", "set", f"wan{line}", "up")
            lengths = {4: 32 if on_link else 24, 6: 128 if on_link else 64}
            isp.address("eth0", *(f"{router(line, family, on_link)}/{lengths[family]}" for family in (4, 6)))
            clients = [text for family in (4, 6) for text in (FAR[family], neighbour(3 - line, family))]
            isp.address("lo", *(f"{text}/{128 if ':' in text else 32}" for text in clients))
            for family in (4, 6) if on_link else ():
                isp.run("ip", f"-{family}", "route", "add", own(line, family, True), "dev", "eth0")
        yield hosts


def deploy(hosts: Hosts, given: dict[str, Any], first: dict[str, Any] | None = None) -> list[bool]:
    """Give each module its list, as the role does; return what changed. ``first`` replaces rule 20000's parts."""
    lines, forwards = given["lines"], given["forwards"]
    rules = [
        {**rule, **(first or {})} if rule["name"] == "main" else rule for rule in FILTERS["isp_firewall_rules"](lines)
    ]
    tasks: list[tuple[str, dict[str, Any]]] = [
        ("nat_rules", {"rules": FILTERS["isp_firewall_nat_rules"](lines, forwards, (), INSIDE)}),
        ("ip_aliases", {"aliases": FILTERS["isp_firewall_addresses"](lines)}),
        ("connection_marks", FILTERS["isp_firewall_marks"](lines)),
        (
            "policy_routing",
            {
                "tables": FILTERS["isp_firewall_tables"](lines),
                "rules": rules,
                "interface_groups": FILTERS["isp_firewall_interface_groups"](lines, INSIDE),
                "purge": True,
                "skip_unavailable": True,
            },
        ),
    ]
    results = [run_module(name, options, netns_prefix=hosts["fw"].prefix) for name, options in tasks]
    assert not [r.get("msg") for r in results if r.get("failed")]
    return [result["changed"] for result in results]


def unanswered(hosts: Hosts, on_link: bool, expected: int = 0) -> list[str]:
    """The requests without an answer: by each line, from far away and from the other line's network.

    Where there are more than expected, these are asked again with patience: machines are busy.
    """
    asked = [
        (line, client, own(line, family, on_link).partition("/")[0])
        for line in LINES
        for family in (4, 6)
        for client in (FAR[family], neighbour(3 - line, family))
    ]

    def are_missing(patience: float) -> Iterator[tuple[int, str, str]]:
        for line, client, address in asked:
            words = ("python3", "-c", ASKING, client, address, str(patience))
            if hosts[f"isp{line}"].start(*words, stderr=subprocess.DEVNULL).wait(60):
                yield line, client, address

    missing = list(are_missing(0.7))
    if len(missing) > expected:
        asked = missing
        missing = list(are_missing(PATIENCE))
    return [f"{client} by line {line}" for line, client, _address in missing]


def taken(hosts: Hosts, given: dict[str, Any]) -> list[str]:
    """What path_info finds about the replies that the role has checked."""
    asked = FILTERS["isp_firewall_replies"](given["lines"], given["forwards"], (), INSIDE)
    assert any(reply.get("forwarded") for reply in asked["replies"])
    result = run_module("path_info", asked, netns_prefix=hosts["fw"].prefix)
    return sorted({finding["line"] for finding in result["findings"] if finding["id"] == "reply-taken"})


@pytest.mark.parametrize("on_link", [False, True], ids=["R7", "R4"])
def test_each_line_of_a_firewall_answers_its_own_clients(on_link: bool) -> None:
    given = variables(on_link)
    with network(on_link) as hosts:
        assert all(deploy(hosts, given))
        assert unanswered(hosts, on_link) == []
        assert taken(hosts, given) == []
        assert not any(deploy(hosts, given))
        # R2, and the controls: with the rule of the previous version these take the replies, and path_info says so.
        for half in ("0.0.0.0/1", "128.0.0.0/1"):
            hosts["fw"].run("ip", "route", "add", half, "via", "192.168.168.1", "dev", "lan0")
        assert unanswered(hosts, on_link) == []
        assert taken(hosts, given) == []
        deploy(hosts, given, {"suppress_prefix_length": 0})
        # Neighbours are in networks that are more specific.
        lost = 4 if on_link else 2
        assert len(unanswered(hosts, on_link, lost)) == lost
        assert taken(hosts, given) == ["line1", "line2"]
        deploy(hosts, given, {"suppress_interface_group": 42})
        lost = 0 if on_link else 4
        assert len(unanswered(hosts, on_link, lost)) == lost
        assert taken(hosts, given) == ([] if on_link else ["line1", "line2"])
        # R3.
        deploy(hosts, given)
        hosts["fw"].run("ip", "rule", "add", "priority", "100", "from", "192.168.168.0/24", "lookup", "main")
        assert unanswered(hosts, on_link, 8) != []
        assert taken(hosts, given) != []
