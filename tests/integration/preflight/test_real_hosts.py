# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of real hosts that make a line deaf: preflight names them where packets say so, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..namespaces import Host, Hosts
from ..run_module import run_module

FIREWALLD = """
table inet firewalld-like {
    chain filter_PREROUTING {
        type filter hook prerouting priority filter + 10
        icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
        meta nfproto ipv6 fib saddr . mark . iif oif missing drop
    }
}
"""


def found(host: Host, severity: str = "error", **options: Any) -> list[str]:
    """The ids of the errors, or warnings, that preflight finds."""
    given = {"fail_on": "never", "probe_timeout": 0, **options}
    result = run_module("preflight", given, netns_prefix=host.prefix)
    return [finding["id"] for finding in result["findings"] if finding["severity"] == severity]


def pings(host: Host, *words: str) -> bool:
    """Tell whether there is an answer."""
    return host.run("ping", "-n", "-c", "1", "-W", "1", *words, check=False).returncode == 0


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts("isp1", "isp2", "fw", "server") as made:
        for name in made.names:
            made[name].sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)
        for line in (1, 2):
            made.link(f"isp{line}", "eth0", "fw", f"wan{line}")
        made.link("server", "eth0", "fw", "lan0")
        yield made


def test_an_address_with_a_peer_is_deaf_with_arp_ignore(hosts: Hosts) -> None:
    """R8."""
    fw, isp = hosts["fw"], hosts["isp1"]
    fw.run("ip", "link", "set", "wan1", "up")
    fw.run("ip", "address", "add", "203.0.113.11", "peer", "203.0.113.1", "dev", "wan1")
    isp.address("eth0", "203.0.113.1/24")
    line = {"id": 1, "interface": "wan1", "addresses": ["203.0.113.11/32"], "gateways": ["203.0.113.1"]}
    for value, deaf in ((0, False), (1, True)):
        fw.sysctl(net__ipv4__conf__wan1__arp_ignore=value)
        isp.run("ip", "neigh", "flush", "dev", "eth0")
        assert pings(isp, "203.0.113.11") is not deaf
        assert ("arp-ignored" in found(fw, lines=[line], role="server", uses_marks=False)) is deaf


def test_a_reverse_path_filter_drops_ipv6_of_all_lines_but_one(hosts: Hosts) -> None:
    """N3: with one server address for both lines, which is not translated."""
    fw, server = hosts["fw"], hosts["server"]
    fw.sysctl(net__ipv6__conf__all__forwarding=1)
    fw.address("lan0", "fd00:168::11/64")
    server.address("eth0", "fd00:168::1/64")
    server.run("ip", "-6", "route", "add", "default", "via", "fd00:168::11")
    lines: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    tables: list[dict[str, Any]] = []
    rules: list[dict[str, Any]] = []
    for n in (1, 2):
        isp = hosts[f"isp{n}"]
        fw.address(f"wan{n}", f"2001:db8:{n}::10/64")
        isp.address("eth0", f"2001:db8:{n}::1/64")
        isp.address("lo", "2001:db8:c::9/128")
        isp.run("ip", "-6", "route", "add", "fd00:168::/64", "via", f"2001:db8:{n}::10")
        fw.run("ip", "-6", "route", "add", "default", "via", f"2001:db8:{n}::1", "dev", f"wan{n}", "metric", str(n))
        gateway = {"gateways": [f"2001:db8:{n}::1"], "addresses": [f"2001:db8:{n}::10/64"]}
        lines.append({"id": n, "interface": f"wan{n}", **gateway})
        marks.append({"mark": n, "in_interface": f"wan{n}"})
        way = {"destination": "default", "gateway": f"2001:db8:{n}::1", "interface": f"wan{n}"}
        tables.append({"id": 1000 + n, "routes": [way]})
        rules.append({"priority": 20000 + 10 * n, "family": "ipv6", "mark": f"{n}/0xff", "table": 1000 + n})
    rules.append({"priority": 20000, "family": "ipv6", "table": "main", "suppress_prefix_length": 6})
    routing = {"tables": tables, "rules": rules}
    assert run_module("policy_routing", routing, netns_prefix=fw.prefix)["changed"] is True
    assert run_module("connection_marks", {"marks": marks}, netns_prefix=fw.prefix)["changed"] is True
    desired: dict[str, Any] = {"lines": lines, "role": "firewall", "servers": ["fd00:168::1"], **routing}

    def answered() -> list[bool]:
        return [pings(hosts[f"isp{n}"], "-I", "2001:db8:c::9", "fd00:168::1") for n in (1, 2)]

    assert answered() == [True, True]
    assert "reverse-path-filter" not in found(fw, **desired)
    fw.run("nft", "-f", "-", feed=FIREWALLD)
    assert answered() == [True, False]
    assert "reverse-path-filter" in found(fw, **desired)
    # With an address for each line, rules by source lead back: no finding.
    by_source = [{"priority": 23010, "source": "fd00:168::1", "table": 1001}]
    assert "reverse-path-filter" not in found(fw, **{**desired, "rules": [*rules, *by_source]})


def test_an_alternative_name_is_enough_unless_packets_are_filtered_by_it(hosts: Hosts) -> None:
    """R9."""
    fw = hosts["fw"]
    fw.address("wan1", "203.0.113.11/24")
    fw.run("ip", "link", "property", "add", "dev", "wan1", "altname", "enp3s0f0np0")
    line = {"id": 1, "interface": "enp3s0f0np0", "addresses": ["203.0.113.11/24"], "gateways": ["203.0.113.1"]}
    assert found(fw, lines=[line], role="server", uses_marks=False) == []
    assert "interface-alternative-name" in found(fw, lines=[line], role="server", uses_marks=True)
    assert "interface-missing" in found(fw, lines=[{**line, "interface": "nowhere"}], role="server", uses_marks=False)


def test_a_reply_that_is_taken_is_found_before_and_after_the_rules_are_there(hosts: Hosts) -> None:
    """R3, and R1."""
    fw = hosts["fw"]
    fw.address("wan1", "203.0.113.11/24")
    fw.address("wan2", "198.51.100.11/24")
    way = {"destination": "default", "gateway": "203.0.113.1", "interface": "wan1"}
    routing = {
        "tables": [{"id": 1001, "name": "line1", "routes": [way]}],
        "rules": [{"priority": 23010, "source": "203.0.113.11", "table": 1001}],
    }
    reply = {"line": "line1", "table": 1001, "source": "203.0.113.11", "gateways": ["203.0.113.1"]}
    line = {
        "id": 1,
        "name": "line1",
        "interface": "wan1",
        "addresses": ["203.0.113.11/24"],
        "gateways": ["203.0.113.1"],
    }
    desired: dict[str, Any] = {
        "lines": [line],
        "role": "server",
        "uses_marks": False,
        "replies": {"replies": [reply]},
        **routing,
    }
    fw.run("ip", "route", "add", "default", "via", "198.51.100.1", "dev", "wan2", "table", "200")
    fw.run("ip", "rule", "add", "priority", "100", "from", "203.0.113.11", "lookup", "200")
    assert found(fw, **desired) == ["reply-taken"], "it is foreseen"
    assert run_module("policy_routing", routing, netns_prefix=fw.prefix)["changed"] is True
    assert found(fw, **desired) == ["reply-taken"]
    assert found(fw, **desired, reply_taken="warn") == []
    assert "reply-taken-tolerated" in found(fw, "warning", **desired, reply_taken="warn")
    fw.run("ip", "rule", "del", "priority", "100")
    assert found(fw, **desired) == []
    fw.run("ip", "rule", "add", "priority", "32765", "lookup", "local")
    fw.run("ip", "rule", "del", "priority", "0")
    assert "local-rule-not-first" in found(fw, **desired)


VPN_MARKS = """table inet vpn {
  chain output { type route hook output priority mangle; udp sport 53 meta mark set meta mark | %s; }
}
"""


def test_the_mark_of_another_program_is_a_warning_where_a_filter_writes_it(hosts: Hosts) -> None:
    fw = hosts["fw"]
    fw.address("wan1", "203.0.113.11/24")
    fw.address("wan2", "198.51.100.11/24")
    line = {"id": 1, "name": "line1", "interface": "wan1"}
    line |= {"addresses": ["203.0.113.11/24"], "gateways": ["203.0.113.1"]}
    reply = {"line": "line1", "table": 1001, "source": "203.0.113.11", "gateways": ["203.0.113.1"]}
    way = {"destination": "default", "gateway": "203.0.113.1", "interface": "wan1"}
    desired: dict[str, Any] = {
        "lines": [line],
        "role": "server",
        "uses_marks": True,
        "replies": {"replies": [reply]},
        "tables": [{"id": 1001, "name": "line1", "routes": [way]}],
        "rules": [{"priority": 23010, "source": "203.0.113.11", "table": 1001}],
    }
    assert "reply-may-be-taken" not in found(fw, "info", **desired)
    fw.run("ip", "route", "add", "default", "via", "198.51.100.1", "dev", "wan2", "table", "52")
    fw.run("ip", "rule", "add", "priority", "5210", "fwmark", "0x80000/0xff0000", "lookup", "52")
    assert found(fw, **desired) == []
    assert "reply-may-be-taken" in found(fw, "info", **desired)
    # Another mark, as Tailscale's filter writes it, is none of that rule.
    fw.run("nft", "-f", "-", feed=VPN_MARKS % "0x40000")
    assert "reply-may-be-taken" not in found(fw, "warning", **desired)
    fw.run("nft", "-f", "-", feed="delete table inet vpn\n" + VPN_MARKS % "0x80000")
    assert "reply-may-be-taken" in found(fw, "warning", **desired)
    fw.run("ip", "rule", "del", "priority", "5210")
    assert "reply-may-be-taken" not in found(fw, "warning", **desired) + found(fw, "info", **desired)
