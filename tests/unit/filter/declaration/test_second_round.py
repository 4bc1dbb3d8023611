# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of the lists for real hosts: onlink, an interface for each line, link-local next hops, addresses of others."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter import declarations, derived
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS, web_lists

Lists = dict[str, Any]


def shape_a(**server: Any) -> Lists:
    """Two lines behind a firewall each, and a server with what is given."""
    outcome = copy.deepcopy(declarations.ALL["a2"])
    outcome["servers"][0].update(server)
    return outcome


def faults(declaration: Lists) -> list[str]:
    """The faults of a declaration."""
    found = FILTERS["declaration_faults"](declaration)
    assert isinstance(found, list)
    return found


def names(declaration: Lists) -> list[str]:
    return [line["name"] for line in declaration["lines"]]


def test_an_interface_for_each_line_is_in_the_group_and_has_its_routes() -> None:
    one, two = names(shape_a())
    declaration = shape_a(interface={one: "eth0", two: "eth1"})
    assert faults(declaration) == []
    lines = FILTERS["multihomed_web_lines"](declaration, "web1")
    assert [line["interface"] for line in lines] == ["eth0", "eth1"]
    groups = FILTERS["multihomed_web_interface_groups"](lines)
    assert groups == [{"interface": "eth0", "group": 109}, {"interface": "eth1", "group": 109}]
    lists = web_lists(lines)
    assert {route["interface"] for route in lists["tables"][1]["routes"]} == {"eth1"}
    assert all(rule["suppress_interface_group"] == 109 for rule in lists["rules"] if rule["name"] == "main")


def test_an_interface_with_an_inside_network_stays_out_of_the_group() -> None:
    one, two = names(shape_a())
    lines = FILTERS["multihomed_web_lines"](shape_a(interface={one: "eth0", two: "eth1"}), "web1")
    assert FILTERS["multihomed_web_interface_groups"](lines, 109, ["192.168.168.0/24"]) == []
    rules = FILTERS["multihomed_web_rules"](lines, inside_networks=["192.168.168.0/24"])
    assert all("suppress_interface_group" not in rule for rule in rules)


def test_a_shared_interface_is_in_no_group() -> None:
    lines = FILTERS["multihomed_web_lines"](shape_a(), "web1")
    assert FILTERS["multihomed_web_interface_groups"](lines) == []


@pytest.mark.parametrize(
    ("interface", "fault"),
    [
        ({"unknown": "eth0"}, 'interface: line "unknown" is not in multihome_lines'),
        ({"line1": "eth0"}, '"interface" is needed for the addresses of line "line2"'),
        ({"line1": "eth 0", "line2": "eth1"}, "interface.line1"),
        (["eth0"], "interface"),
    ],
)
def test_faults_of_interfaces(interface: object, fault: str) -> None:
    assert any(fault in found for found in faults(shape_a(interface=interface)))


def test_a_link_local_next_hop_is_used_where_there_is_no_other() -> None:
    declaration = shape_a()
    declaration["lines"][0]["inside_addresses"] = ["192.168.168.11", "fe80::11"]
    assert faults(declaration) == []
    [line, _other] = FILTERS["multihomed_web_lines"](declaration, "web1")
    assert line["gateways"] == ["192.168.168.11", "fe80::11"]
    declaration["lines"][0]["inside_addresses"] = ["192.168.168.11", "fd00:168::11", "fe80::11"]
    assert FILTERS["multihomed_web_lines"](declaration, "web1")[0]["gateways"] == ["192.168.168.11", "fd00:168::11"]
    firewall = declaration["lines"][0]["firewall"]
    assert not any("fe80" in network for network in FILTERS["isp_firewall_inside_networks"](declaration, firewall))
    # On links of their own several firewalls have the same one.
    for each in declaration["lines"]:
        each["inside_addresses"] = [*each["inside_addresses"][:1], "fe80::1"]
    assert faults(declaration) == []


def test_an_address_that_another_program_manages_has_rules_and_no_alias() -> None:
    declaration = shape_a()
    one = names(declaration)[0]
    addresses = declaration["servers"][0]["addresses"]
    addresses[one] = [{"address": addresses[one][0], "hold": False}, *addresses[one][1:]]
    floating = addresses[one][0]["address"]
    assert faults(declaration) == []
    lines = FILTERS["multihomed_web_lines"](declaration, "web1")
    assert lines[0]["not_held"] == [floating]
    lists = web_lists(lines)
    assert floating not in [alias["address"] for alias in lists["aliases"]]
    bare = floating.partition("/")[0]
    assert {rule["priority"] for rule in lists["rules"] if rule.get("source") == bare} == {23010, 23011}
    # The server's own connections use the other lines: this address may be elsewhere.
    [route] = [
        r for t in lists["tables"] if t["id"] == 254 for r in t["routes"] if r["name"] == one and "." in r["gateway"]
    ]
    assert "source" not in route
    others = [r for t in lists["tables"] if t["id"] == 254 for r in t["routes"] if r["name"] != one]
    assert route["metric"] > max(other["metric"] for other in others)
    shares = {share["name"]: share["sources"] for share in web_lists(lines, "balance")["marks"]["balance"]}
    assert not any("." in source for source in shares.get(one, ()))
    assert len(shares) == len(lines)
    # Unless it holds for all lines.
    floating_only = [{**line, "not_held": line["addresses"]} for line in lines]
    assert len(web_lists(floating_only, "balance")["marks"]["balance"]) == len(lines)
    # Two servers may have it, in turn.
    second = copy.deepcopy(declaration["servers"][0])
    second.update(name="web2", addresses={one: [{"address": floating, "hold": False}]})
    declaration["servers"].append(second)
    assert not any(bare in fault for fault in faults(declaration))
    # The control: not if one of them always has it.
    second["addresses"] = {one: [floating]}
    assert any(f"address {bare} is taken by" in fault for fault in faults(declaration))


@pytest.mark.parametrize("shape", ["b3", "c3"])
def test_a_gateway_outside_the_networks_of_a_line_is_on_the_link(shape: str) -> None:
    declaration = copy.deepcopy(declarations.ALL[shape])
    line = declaration["lines"][0]
    line.update(public_addresses=["203.0.113.10/32", "2001:db8:77::10/128"], gateway=["172.31.1.1", "2001:db8:99::1"])
    for server in declaration["servers"] if shape == "c3" else ():
        server.get("addresses", {}).pop(line["name"], None)
    assert faults(declaration) == []
    host = line.get("firewall") or "web1"
    if shape == "b3":
        tables = derived.firewall_lists(derived.firewall_variables(declaration, host))["tables"]
    else:
        tables = web_lists(FILTERS["multihomed_web_lines"](declaration, host), "none")["tables"]
    [table] = [table for table in tables if table["id"] == 1000 + line["id"]]
    ways = {route["gateway"]: route.get("onlink") for route in table["routes"] if "gateway" in route}
    assert ways == {"172.31.1.1": True, "2001:db8:99::1": True}
    # The control: a gateway inside needs it not, and false refuses one outside.
    other = next(table for table in tables if table["id"] not in (254, 1000 + line["id"]))
    assert not any("onlink" in route for route in other["routes"])
    line["onlink"] = False
    assert sum("onlink cannot be false" in fault for fault in faults(declaration)) == 2


def test_a_single_string_is_a_list_of_one() -> None:
    lists, texts = copy.deepcopy(declarations.seed()), copy.deepcopy(declarations.seed())
    lists["services"][0].update(lines=["unicom"], ports=["80/tcp"], sources=["192.0.2.0/24"], verify_ports=["80/tcp"])
    texts["services"][0].update(lines="unicom", ports="80/tcp", sources="192.0.2.0/24", verify_ports="80/tcp")
    for key, value in (("public_addresses", "198.51.100.20/24"), ("inside_addresses", "192.168.168.12")):
        lists["lines"][1][key], texts["lines"][1][key] = [value], value
    lists["servers"][0]["addresses"]["interlink"] = ["192.168.168.2/24"]
    texts["servers"][0]["addresses"]["interlink"] = "192.168.168.2/24"
    assert faults(texts) == faults(lists) == []
    for host in ("fw-a", "fw-b"):
        for name in ("isp_firewall_lines", "isp_firewall_forwards"):
            assert FILTERS[name](texts, host) == FILTERS[name](lists, host)
    assert FILTERS["multihomed_web_lines"](texts, "web1") == FILTERS["multihomed_web_lines"](lists, "web1")


@pytest.mark.parametrize(
    ("part", "key", "text"),
    [
        ("lines", "untranslated", "10.9.0.0/16"),
        ("lines", "gateway", "203.0.113.1"),
        ("services", "public_addresses", "203.0.113.10"),
        ("networks", "networks", "192.168.168.0/24"),
        ("networks", "outgoing", "unicom"),
    ],
)
def test_every_list_of_texts_takes_a_single_one(part: str, key: str, text: str) -> None:
    office = {"name": "office", "networks": ["192.168.168.0/24"]}
    lists = {**copy.deepcopy(declarations.seed()), "networks": [dict(office)]}
    texts = copy.deepcopy(lists)
    lists["services"][0]["lines"] = texts["services"][0]["lines"] = ["unicom"]
    texts[part][0][key] = text
    lists[part][0][key] = [text]
    assert faults(texts) == faults(lists) == []
    for name in ("lines", "forwards", "networks"):
        assert FILTERS[f"isp_firewall_{name}"](texts, "fw-a") == FILTERS[f"isp_firewall_{name}"](lists, "fw-a")


@pytest.mark.parametrize("name", ["main", "local", "default", "254", "1002"])
def test_a_line_with_the_name_of_a_routing_table_is_refused(name: str) -> None:
    declaration = declarations.seed()
    declaration["lines"][0]["name"] = name
    assert any(f'name: "{name}": names a routing table' in fault for fault in faults(declaration))


def test_untranslated_destinations_are_exempt_on_their_line_before_anything_is_translated() -> None:
    declaration = copy.deepcopy(declarations.ALL["a2"])
    declaration["lines"][0]["untranslated"] = ["10.9.0.0/16", "2001:db8:9::/48"]
    assert faults(declaration) == []
    variables = derived.firewall_variables(declaration, "fw-1")
    rules = derived.firewall_lists(variables)["nat_rules"]
    kinds = [rule["type"] for rule in rules]
    assert [rule for rule in rules if rule["type"] == "exempt"] == [
        {"name": "line1, untranslated", "type": "exempt", "destination": network, "out_interface": "wan0"}
        for network in ("10.9.0.0/16", "2001:db8:9::/48")
    ]
    assert kinds.index("exempt") < kinds.index("snat")
    assert "exempt" not in str(derived.firewall_lists(derived.firewall_variables(declaration, "fw-2")))


def test_untranslated_destinations_need_a_firewall() -> None:
    declaration = copy.deepcopy(declarations.ALL["c3"])
    declaration["lines"][0]["untranslated"] = ["10.9.0.0/16"]
    assert any('"untranslated" belongs to a firewall, and the line has none' in fault for fault in faults(declaration))
