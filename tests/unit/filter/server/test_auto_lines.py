# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines whose addresses or gateways only the host knows: from the declaration to the lists of the modules."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.multihome.linux.plugins.module_utils._core.references import bound

from ..derived import FILTERS, web_lists

LINES: list[dict[str, Any]] = [
    {
        "name": "fixed",
        "id": 1,
        "interface": "wan1",
        "public_addresses": ["203.0.113.10/24"],
        "gateway": "203.0.113.1",
    },
    {"name": "dhcp", "id": 2, "interface": "wan2", "public_addresses": "auto", "gateway": "auto"},
    {"name": "half", "id": 3, "interface": "wan3", "public_addresses": ["192.0.2.10/24"], "gateway": "auto"},
    {"name": "ppp", "id": 4, "interface": "ppp0", "public_addresses": "auto", "gateway": ["198.51.100.1"]},
]
DECLARATION: dict[str, Any] = {
    "lines": LINES,
    "servers": [{"name": "web1"}],
    "services": [{"name": "web", "server": "web1", "ports": ["80/tcp"]}],
}
INTERFACES = {
    "wan1": {"addresses": ["203.0.113.10/24"], "gateways": []},
    "wan2": {"addresses": ["198.51.100.20/24", "2001:db8::2/64"], "gateways": ["198.51.100.254", "fe80::1"]},
    "wan3": {"addresses": [], "gateways": ["192.0.2.1"]},
    "ppp0": {"addresses": ["198.51.100.7/32", "2001:db8:9::7/64"], "gateways": []},
}
INTERFACES = {name: {**state, "without_gateway": []} for name, state in INTERFACES.items()}


def learned(interfaces: Any, lines: Any = None) -> dict[str, Any]:
    declared = FILTERS["multihomed_web_lines"](DECLARATION, "web1") if lines is None else lines
    result = FILTERS["multihomed_web_learned"](declared, interfaces)
    assert isinstance(result, dict)
    return result


def faults(**changed: Any) -> list[str]:
    lines = [LINES[0], {**LINES[1], **changed}]
    found = FILTERS["declaration_faults"]({**DECLARATION, "lines": lines})
    assert isinstance(found, list)
    return found


def test_a_path_by_a_gateway_that_only_the_server_knows_is_not_asked_for() -> None:
    paths = FILTERS["path_info_paths"](DECLARATION, "web1", ["192.0.2.1"])
    assert [path["name"] for path in paths] == ["fixed"]
    report = FILTERS["verify_report"](DECLARATION, {"client1": []}, {"web1": []}, [])
    assert not any("line half" in fault and "path" in fault for fault in report["faults"])


def test_what_the_interfaces_have_is_put_in() -> None:
    found = learned(INTERFACES)
    assert found["skipped"] == []
    assert [(line["name"], line["addresses"], line["gateways"]) for line in found["lines"]] == [
        ("fixed", ["203.0.113.10/24"], ["203.0.113.1"]),
        ("dhcp", ["198.51.100.20/24", "2001:db8::2/64"], ["198.51.100.254", "fe80::1"]),
        ("half", ["192.0.2.10/24"], ["192.0.2.1"]),
        # No IPv6 gateway, no IPv6 on this line.
        ("ppp", ["198.51.100.7/32"], ["198.51.100.1"]),
    ]


def test_what_others_put_on_an_interface_is_not_ours_to_hold() -> None:
    lists = web_lists(learned(INTERFACES)["lines"])
    assert [alias["name"] for alias in lists["aliases"]] == ["fixed", "half"]
    assert {rule["source"] for rule in lists["rules"] if "source" in rule} >= {"198.51.100.20", "198.51.100.7"}
    assert [table["id"] for table in lists["tables"] if table["id"] != 254] == [1001, 1002, 1003, 1004]


def test_a_line_whose_default_route_leads_by_the_interface_alone_has_such_routes_of_its_own() -> None:
    lines = [{"name": "tunnel", "id": 5, "interface": "tun0", "addresses": ["auto"], "gateways": ["auto"]}]
    addresses = ["198.51.100.7/32", "2001:db8:9::7/64"]
    states = {"tun0": {"addresses": addresses, "gateways": ["198.51.100.1"], "without_gateway": ["ipv6"]}}
    found = learned(states, lines=lines)
    assert found["skipped"] == []
    lists = web_lists(found["lines"], default_route="failover")
    ways = [
        {"destination": "default", "gateway": "198.51.100.1", "interface": "tun0"},
        {"destination": "::/0", "interface": "tun0"},
    ]
    assert lists["tables"][0]["routes"] == [*ways, {"destination": "2001:db8:9::/64", "interface": "tun0"}]
    assert [{**way, "source": address.partition("/")[0]} for way, address in zip(ways, addresses, strict=True)] == [
        {key: value for key, value in route.items() if key not in ("name", "metric")}
        for route in lists["tables"][1]["routes"]
    ]
    # A gateway that is declared counts alone.
    half = learned(states, lines=[{**lines[0], "gateways": ["2001:db8:9::1"]}])["lines"][0]
    assert (half["gateways"], half["without_gateway"]) == (["2001:db8:9::1"], [])


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (None, 'this host has no interface "wan2"'),
        ({"addresses": [], "gateways": ["198.51.100.254"]}, 'interface "wan2" has no address'),
        ({"addresses": ["198.51.100.20/24"], "gateways": []}, 'interface "wan2" has no gateway for IPv4'),
        ({"addresses": ["198.51.100.20/24"], "gateways": ["fe80::1"]}, 'interface "wan2" has no gateway for IPv4'),
    ],
)
def test_a_line_that_cannot_be_used_now_costs_only_itself(state: Any, reason: str) -> None:
    found = learned({**INTERFACES, "wan2": state and {**state, "without_gateway": []}})
    assert found["skipped"] == [f"line dhcp cannot be used now: {reason}"]
    (waiting,) = found["waiting"]
    assert (waiting["interface"], waiting["addresses"], waiting["left_out"]) == ("wan2", ["auto"], reason)
    assert [line["name"] for line in found["lines"]] == ["fixed", "half", "ppp"]
    # The others' tables and rules are what they are with it.
    whole, left = web_lists(learned(INTERFACES)["lines"])["rules"], web_lists(found["lines"])["rules"]
    assert [rule for rule in whole if rule in left] == left


def test_a_family_that_is_declared_and_has_no_gateway_takes_the_line_out() -> None:
    line = {"name": "x", "id": 9, "interface": "wan3", "addresses": ["192.0.2.10/24", "2001:db8::1/64"]}
    assert "no gateway for IPv4 and IPv6" in learned(INTERFACES, lines=[{**line, "gateways": ["auto"]}])["skipped"][0]


def test_before_the_host_was_asked_nothing_is_said() -> None:
    found = learned(None)
    assert (found["lines"], found["skipped"]) == (learned(INTERFACES)["lines"][:1], [])
    # What is declared of them is not known to be of use.
    assert [(line["name"], line["addresses"], line["gateways"]) for line in found["waiting"]] == [
        (name, ["auto"], ["auto"]) for name in ("dhcp", "half", "ppp")
    ]
    assert [line["left_out"] for line in found["waiting"]] == [None] * 3


def test_lines_without_auto_are_passed_on_whatever_they_are() -> None:
    for lines in ([], [{"name": "x"}], [None], "x", [{"addresses": 5, "gateways": {}}]):
        assert learned(INTERFACES, lines=lines)["lines"] == lines


def test_auto_covers_all_of_them() -> None:
    line = {"name": "x", "id": 9, "interface": "wan3", "addresses": ["auto", "192.0.2.1/24"], "gateways": ["auto"]}
    with pytest.raises(AnsibleFilterError, match="addresses: auto covers all"):
        learned(INTERFACES, lines=[line])


def test_the_declaration_takes_auto_where_a_line_ends_on_the_server() -> None:
    assert FILTERS["declaration_faults"](DECLARATION) == []
    assert faults(gateway=None) == [
        'multihome_lines[1] (dhcp): "gateway" is needed beside public_addresses: auto; it may be auto too'
    ]
    outside = faults(firewall="fw", inside_addresses=["10.0.0.1"], outside_addresses=["192.168.0.2/24"])
    assert any("outside_addresses: an address behind another translation is not auto" in fault for fault in outside)
    assert any('"automatic": not an IP address' in fault for fault in faults(public_addresses=["automatic"]))


def test_the_facts_that_the_lists_depend_on() -> None:
    def subset(*lines: dict[str, Any], interfaces: object = None) -> object:
        return FILTERS["multihomed_web_gather_subset"](list(lines), interfaces)

    few = {"name": "a", "interface": "eth0", "addresses": ["192.0.2.1/24"], "gateways": ["192.0.2.254"]}
    many = {**few, "addresses": [f"192.0.2.{host}/24" for host in range(1, 10)]}
    auto = {**few, "gateways": "auto"}
    assert subset() == subset(few) == []
    assert subset({**many, "addresses": many["addresses"][1:]}) == []
    assert subset(few, many) == ["foreign_addresses"]
    assert subset(auto) == subset({**few, "addresses": ["auto"]}) == ["interfaces"]
    assert subset(auto, many) == ["interfaces", "foreign_addresses"]
    # As soon as the interfaces are known, their addresses count.
    state = {"eth0": {"addresses": many["addresses"], "gateways": [], "without_gateway": []}}
    assert subset({**few, "addresses": "auto"}, interfaces=state) == ["interfaces", "foreign_addresses"]


def test_the_lists_refer_to_what_the_interfaces_have_whatever_that_is() -> None:
    lines = FILTERS["multihomed_web_lines"](DECLARATION, "web1")
    assert [alias["name"] for alias in FILTERS["multihomed_web_aliases"](lines)] == ["fixed", "half"]
    assert {rule["source"] for rule in FILTERS["multihomed_web_rules"](lines) if "source" in rule} == {
        "203.0.113.10",
        "192.0.2.10",
        "auto:wan2:ipv4",
        "auto:wan2:ipv6",
        # Its gateway is declared, and of IPv4.
        "auto:ppp0:ipv4",
    }
    tables = {table["id"]: table["routes"] for table in FILTERS["multihomed_web_tables"](lines, "failover")}
    assert tables[1002] == [
        {"destination": "default", "gateway": "auto:wan2:ipv4", "interface": "wan2"},
        {"destination": "default", "gateway": "auto:wan2:ipv6", "interface": "wan2"},
        {"destination": "auto:wan2:ipv4", "interface": "wan2"},
        {"destination": "auto:wan2:ipv6", "interface": "wan2"},
    ]
    assert tables[1003][0] == {"destination": "default", "gateway": "auto:wan3:ipv4", "interface": "wan3"}
    main = next(route for route in tables[254] if route["gateway"] == "auto:wan2:ipv4")
    assert (main["source"], main["interface"]) == ("auto:wan2:ipv4", "wan2")


def test_what_is_learned_leads_to_the_same_lists_as_what_is_referred_to() -> None:
    """The references with the interfaces' own values are the lists of a line that has these values declared."""
    lines = [line for line in FILTERS["multihomed_web_lines"](DECLARATION, "web1") if line["name"] in ("fixed", "dhcp")]
    known = {name: {**state, "onlink": []} for name, state in INTERFACES.items()}
    known_lines = learned(INTERFACES, lines=lines)["lines"]
    resolved = {name: FILTERS[f"multihomed_web_{name}"](known_lines) for name in ("rules", "tables")}
    now = bound({name: FILTERS[f"multihomed_web_{name}"](lines) for name in ("rules", "tables")}, known)
    assert now["rules"] == resolved["rules"]
    for one, other in zip(now["tables"], resolved["tables"], strict=True):
        assert sorted(map(str, one["routes"])) == sorted(map(str, other["routes"]))


def test_a_firewall_has_auto_too() -> None:
    line = {"name": "b", "id": 2, "interface": "wan2", "public_addresses": "auto", "gateway": "auto"}
    fixed = {
        "name": "a",
        "id": 1,
        "interface": "wan1",
        "public_addresses": ["203.0.113.10/24"],
        "gateway": "203.0.113.1",
    }
    forward = {"name": "web", "line": "b", "protocol": "tcp", "port": "80", "to_address": "192.168.168.2"}
    snat = {"line": "b", "source": "192.168.168.2"}
    rules = FILTERS["isp_firewall_nat_rules"]([fixed, line], [forward], [snat])
    assert [(rule["type"], rule.get("destination"), rule["to_address"]) for rule in rules] == [
        ("dnat", "auto:wan2:ipv4", "192.168.168.2"),
        ("snat", None, "auto:wan2:ipv4"),
    ]
    assert [alias["name"] for alias in FILTERS["isp_firewall_addresses"]([fixed, line])] == ["a"]
    sources = {rule.get("source") for rule in FILTERS["isp_firewall_rules"]([fixed, line], [snat])}
    assert {"auto:wan2:ipv4", "auto:wan2:ipv6", "192.168.168.2"} < sources
    assert FILTERS["isp_firewall_faults"]([fixed, line], [forward], [snat]) == []
    # IPv6 is forwarded where there is any inside.
    switch = {"name": "net.ipv6.conf.all.forwarding", "value": "1"}
    assert switch not in FILTERS["isp_firewall_kernel_parameters"]([line], ["192.168.168.2"])
    assert switch in FILTERS["isp_firewall_kernel_parameters"]([line], ["fd00::/64"])


def test_a_declared_line_with_a_firewall_may_be_auto() -> None:
    inside = {"firewall": "fw", "inside_addresses": ["192.168.168.11"]}
    declaration = {
        "lines": [{**LINES[0], **inside}, {**LINES[1], **inside}],
        "servers": [
            {
                "name": "web1",
                "interface": "eth0",
                "addresses": {"fixed": ["192.168.168.1/24"], "dhcp": ["192.168.168.2/24"]},
            }
        ],
        "services": [{"name": "web", "server": "web1", "ports": ["80/tcp"], "domain": "www.example.com"}],
    }
    assert FILTERS["declaration_faults"](declaration) == []
    (_fixed, dhcp) = FILTERS["isp_firewall_lines"](declaration, "fw")
    assert (dhcp["public_addresses"], dhcp["gateway"]) == (["auto"], "auto")
    assert [forward["line"] for forward in FILTERS["isp_firewall_forwards"](declaration, "fw")] == ["fixed", "dhcp"]
    assert [entry["line"] for entry in FILTERS["isp_firewall_snat"](declaration, "fw")] == ["fixed", "dhcp"]
    (_one, server) = FILTERS["multihomed_web_lines"](declaration, "web1")
    assert server["gateways"] == ["192.168.168.11"]
    assert [target["line"] for target in FILTERS["line_check_targets"](declaration)] == ["fixed"]
    # Two services cannot have one port there.
    other = {"name": "other", "server": "web1", "ports": ["80/tcp"], "lines": ["dhcp"]}
    (fault,) = FILTERS["declaration_faults"]({**declaration, "services": [*declaration["services"], other]})
    assert "80/tcp on the IPv4 addresses of line dhcp is claimed by" in fault
