# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services by public address, source and protocol, and the public addresses that servers leave with."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS, firewall_lists, firewall_variables

Lists = dict[str, list[dict[str, Any]]]
PUBLIC = ["203.0.113.10", "203.0.113.11", "2001:db8:a::10"]
EVERYONE = {"203.0.113.10": "192.168.168.1", "2001:db8:a::10": "fd00:168::1"}


def lists(*services: dict[str, Any], line: dict[str, Any] | None = None, **server: Any) -> Lists:
    """One line with two IPv4 addresses, and two servers; ``server`` changes the first one."""
    own = {"unicom": ["192.168.168.1/24", "fd00:168::1/64"]}
    other = {"unicom": ["192.168.168.2/24", "fd00:168::2/64"]}
    return {
        "lines": [
            {
                "name": "unicom",
                "id": 1,
                "firewall": "fw",
                "interface": "wan0",
                "public_addresses": ["203.0.113.10/24", "203.0.113.11/24", "2001:db8:a::10/64"],
                "gateway": ["203.0.113.1", "2001:db8:a::1"],
                "inside_addresses": ["192.168.168.11", "fd00:168::11"],
                **(line or {}),
            }
        ],
        "servers": [
            {"name": "one", "interface": "eth0", "addresses": own, **server},
            {"name": "two", "interface": "eth0", "addresses": other},
        ],
        "services": [{"server": "one", **service} for service in services],
    }


def faults(declaration: Lists) -> list[str]:
    """The faults of a declaration."""
    return list(FILTERS["declaration_faults"](declaration))


def rules(declaration: Lists, kind: str = "dnat") -> list[dict[str, Any]]:
    """The translations of the firewall, of one type."""
    assert faults(declaration) == []
    variables = firewall_variables(declaration, "fw")
    assert FILTERS["isp_firewall_faults"](*(variables[name] for name in ORDER)) == []
    return [rule for rule in firewall_lists(variables)["nat_rules"] if rule["type"] == kind]


ORDER = ("lines", "forwards", "snat", "inside_networks", "hairpins")


def test_a_service_uses_the_public_addresses_that_it_names() -> None:
    chosen = ["203.0.113.11", "2001:db8:a::10"]
    found = rules(lists({"name": "web", "ports": ["443/tcp"], "public_addresses": chosen}))
    assert [(rule["destination"], rule["destination_port"]) for rule in found] == [(a, "443") for a in chosen]
    targets = FILTERS["line_check_targets"](
        lists({"name": "web", "ports": ["443/tcp"], "public_addresses": ["203.0.113.11"]})
    )
    assert [target["address"] for target in targets] == ["203.0.113.11"]


def test_two_servers_have_one_port_at_an_address_each() -> None:
    found = rules(
        lists(
            {"name": "a", "ports": ["443/tcp"], "public_addresses": ["203.0.113.10"]},
            {"name": "b", "ports": ["443/tcp"], "public_addresses": ["203.0.113.11"], "server": "two"},
        )
    )
    assert {rule["destination"]: rule["to_address"] for rule in found} == {
        "203.0.113.10": "192.168.168.1",
        "203.0.113.11": "192.168.168.2",
    }


def test_a_server_has_an_address_to_itself_but_for_what_others_name() -> None:
    found = rules(
        lists(
            {"name": "all", "ports": ["any"], "public_addresses": ["203.0.113.11"]},
            {"name": "web", "ports": ["80/tcp"], "public_addresses": ["203.0.113.11"], "server": "two"},
        )
    )
    assert found == [
        {
            "name": "web",
            "type": "dnat",
            "protocol": "tcp",
            "destination": "203.0.113.11",
            "destination_port": "80",
            "to_address": "192.168.168.2",
        },
        {"name": "all", "type": "dnat", "destination": "203.0.113.11", "to_address": "192.168.168.1"},
    ]


def test_one_without_sources_is_the_rest_whatever_the_order() -> None:
    rest = {"name": "a", "ports": ["80/tcp"], "public_addresses": ["203.0.113.10"]}
    office = {**rest, "name": "b", "server": "two", "sources": ["192.0.2.0/24"]}
    expected = [("192.0.2.0/24", "192.168.168.2"), (None, "192.168.168.1")]
    for declared in ((rest, office), (office, rest), ({**rest, "sources": ["0.0.0.0/0"]}, office)):
        assert [(rule.get("source"), rule["to_address"]) for rule in rules(lists(*declared))] == expected


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ("gre", {"protocol": "gre"}),
        ("esp", {"protocol": "esp"}),
        ({"protocol": 97}, {"protocol": "97"}),
        ({"protocol": "47"}, {"protocol": "gre"}),
        (
            {"public": "20000-50000", "private": 443, "protocol": "udp"},
            {"protocol": "udp", "destination_port": "20000-50000", "to_port": "443"},
        ),
    ],
)
def test_protocols_without_ports_and_many_ports_to_one(ports: object, expected: dict[str, str]) -> None:
    found = rules(lists({"name": "vpn", "ports": [ports], "public_addresses": ["203.0.113.10", "2001:db8:a::10"]}))
    assert [rule["destination"] for rule in found] == ["203.0.113.10", "2001:db8:a::10"]
    for rule in found:
        matched = {key: rule[key] for key in ("protocol", "destination_port", "to_port") if key in rule}
        assert matched == expected


def test_a_protocol_of_one_family_is_not_offered_in_the_other() -> None:
    found = rules(lists({"name": "ping", "ports": ["icmp"]}))
    assert [rule["destination"] for rule in found] == ["203.0.113.10", "203.0.113.11"]


def test_hairpins_follow() -> None:
    declaration = lists({"name": "all", "ports": ["any"], "public_addresses": ["203.0.113.11"]})
    other = {**declaration["lines"][0], "name": "interlink", "id": 2, "firewall": "fw2"}
    other |= {"public_addresses": ["198.51.100.20/24"], "gateway": "198.51.100.1"}
    other["inside_addresses"] = ["192.168.168.12"]
    declaration["lines"].append(other)
    declaration["servers"][1]["addresses"]["interlink"] = ["192.168.168.3/24"]
    assert firewall_variables(declaration, "fw2")["hairpins"] == [
        {
            "name": "all",
            "public_address": "203.0.113.11",
            "protocol": "any",
            "to_address": "192.168.168.1",
            "sources": ["0.0.0.0/0"],
        }
    ]


def test_behind_a_device_that_translates_each_public_address_has_one_outside() -> None:
    line = {"outside_addresses": ["10.64.0.2/24", "10.64.0.3/24"], "gateway": ["10.64.0.1", "2001:db8:a::1"]}
    declaration = lists(
        {"name": "web", "ports": ["443/tcp"], "public_addresses": ["203.0.113.11"]},
        line=line,
        outgoing={"unicom": "203.0.113.11"},
    )
    assert [rule["destination"] for rule in rules(declaration)] == ["10.64.0.3", "203.0.113.11"]
    assert rules(declaration, "snat")[0]["to_address"] == "10.64.0.3"
    # Without one for each, nothing tells which one belongs to it.
    declaration["lines"][0]["outside_addresses"] = ["10.64.0.2/24"]
    assert sum("as many outside_addresses as public ones" in fault for fault in faults(declaration)) == 1
    assert sum("needs an outside address for each public one" in fault for fault in faults(declaration)) == 1


def test_a_server_leaves_with_the_public_address_that_it_names() -> None:
    web = {"name": "web", "ports": ["80/tcp"]}
    leaving = {
        (rule["source"], rule["to_address"]) for rule in rules(lists(web, outgoing={"unicom": PUBLIC[1]}), "snat")
    }
    assert leaving == {
        ("192.168.168.1", "203.0.113.11"),
        ("192.168.168.2", "203.0.113.10"),
        ("fd00:168::1", "2001:db8:a::10"),
        ("fd00:168::2", "2001:db8:a::10"),
    }


def test_without_a_firewall_that_address_comes_first() -> None:
    declaration = lists({"name": "web", "ports": ["80/tcp"], "lines": ["unicom"]}, outgoing={"unicom": PUBLIC[1]})
    for key in ("firewall", "inside_addresses"):
        del declaration["lines"][0][key]
    declaration["servers"] = [{"name": "one", "outgoing": {"unicom": PUBLIC[1]}}]
    assert faults(declaration) == []
    (line,) = FILTERS["multihomed_web_lines"](declaration, "one")
    assert line["addresses"] == ["203.0.113.11/24", "203.0.113.10/24", "2001:db8:a::10/64"]


A = {"name": "a", "ports": ["80/tcp"]}
WRONG: list[tuple[Lists, str]] = [
    (lists({**A, "public_addresses": ["203.0.113.12"]}), "public_addresses: 203.0.113.12 is not a public address of"),
    (lists({**A, "public_addresses": ["203.0.113.10/24"]}), "public_addresses[0]"),
    (lists({**A, "public_addresses": PUBLIC[:1] * 2}), "public_addresses: 203.0.113.10 is listed twice"),
    (lists({**A, "ports": ["any", "any"]}), "ports: any is listed twice"),
    (lists({**A, "ports": ["any"]}, {**A, "name": "b", "ports": ["any"]}), "any on 203.0.113.10 is claimed by"),
    (lists(A, {**A, "name": "b"}), "80/tcp on 203.0.113.10 is claimed by multihome_services[0] (a) too (80/tcp)"),
    (
        lists({**A, "sources": ["192.0.2.0/24"]}, {**A, "name": "b", "sources": ["192.0.2.7"]}),
        "80/tcp on 203.0.113.10 is claimed by multihome_services[0] (a) too",
    ),
    (lists({**A, "ports": ["gree"]}), '"gree" needs a protocol, such as "80/tcp"; without ports there are any, icmp'),
    (lists({**A, "ports": ["47"]}), "or is a protocol's number, {protocol: 47}"),
    (lists({**A, "ports": [{"protocol": "gre", "public": 80}]}), "public: protocol gre has no ports"),
    (lists({**A, "ports": [{"protocol": "tcp"}]}), '"public" is needed'),
    (lists({**A, "ports": ["ah"]}), "ports: ah cannot be matched in IPv6"),
    (lists({**A, "ports": ["icmpv6"], "public_addresses": ["203.0.113.10"]}), "is offered nowhere"),
    (lists(A, outgoing={"unicon": PUBLIC[0]}), 'outgoing: line "unicon" is not in multihome_lines'),
    (lists(A, outgoing={"unicom": "203.0.113.12"}), "outgoing.unicom: 203.0.113.12 is not a public address of line"),
    (lists(A, outgoing={"unicom": PUBLIC[:2]}), "outgoing.unicom: one IPv4 address is enough"),
    (lists(A, outgoing=PUBLIC[0]), "outgoing: must be a dictionary from line to public address"),
    (
        lists(A, outgoing={"unicom": PUBLIC[2]}, addresses={"unicom": ["192.168.168.1/24"]}),
        'server "one" has no IPv6 address on line "unicom"',
    ),
]


@pytest.mark.parametrize(("declaration", "fault"), WRONG, ids=[fault for _lists, fault in WRONG])
def test_a_fault_is_reported(declaration: Lists, fault: str) -> None:
    assert fault in "\n".join(faults(declaration))


def test_servers_that_share_an_address_leave_with_the_same_one() -> None:
    declaration = lists(A)
    shared = {"unicom": [{"address": "192.168.168.9/24", "hold": False}]}
    for server in declaration["servers"]:
        server["addresses"] = shared
    assert faults(declaration) == []
    declaration["servers"][0]["outgoing"] = {"unicom": PUBLIC[1]}
    (fault,) = faults(declaration)
    assert "192.168.168.9 belongs to multihome_servers[0] (one) too, which leaves line" in fault


def taken(declaration: Lists, *ports: int) -> list[tuple[str, int]]:
    """The addresses and ports of the firewall that lead to a server."""
    variables = firewall_variables(declaration, "fw")
    found = FILTERS["isp_firewall_taken_ports"](variables["lines"], variables["forwards"], [22, *ports])
    return [(entry["address"], entry["port"]) for entry in found]


def test_mappings_that_take_the_firewalls_own_ports_are_found() -> None:
    one = ["203.0.113.11"]
    assert taken(lists(A, line={"untranslated": ["10.9.0.0/16"]}), 2222) == []
    assert taken(lists({**A, "ports": ["any"], "public_addresses": one})) == [(one[0], 22)]
    assert taken(lists({**A, "ports": ["1-65535/tcp"], "public_addresses": one}), 2222) == [
        (one[0], 22),
        (one[0], 2222),
    ]
    assert taken(lists({**A, "ports": ["1-65535/udp", "esp"], "public_addresses": one})) == []


@pytest.mark.parametrize("protocol", ["tcp", "6", "06", 6])
def test_a_mapping_takes_the_port_of_ssh_however_its_protocol_is_written(protocol: object) -> None:
    line = {"name": "unicom", "id": 1, "interface": "wan0", "public_addresses": ["203.0.113.10/24"]}
    forward = {"line": "unicom", "protocol": protocol, "port": "20-30", "to_address": "192.168.168.1"}
    (found,) = FILTERS["isp_firewall_taken_ports"]([line], [forward], [22])
    assert (found["address"], found["port"]) == ("203.0.113.10", 22)


@pytest.mark.parametrize("key", ["lines", "sources", "public_addresses", "ports"])
def test_an_empty_list_is_no_way_to_offer_a_service_nowhere(key: str) -> None:
    found = faults(lists({**A, key: []}))
    assert f"multihome_services[0] ({A['name']}): {key}: needs at least 1 entry" in found


def test_networks_of_addresses_that_no_packet_has_are_refused() -> None:
    mapped = ["::ffff:192.0.2.0/120"]
    declaration = lists({**A, "sources": mapped}, line={"untranslated": mapped})
    declaration["networks"] = [{"name": "office", "networks": mapped}]
    found = faults(declaration)
    assert len(found) == 3, found
    assert all("IPv4 addresses written as IPv6, which no packet has; write them as IPv4" in fault for fault in found)


def test_too_many_translations_are_counted_without_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [f"10.{number >> 8}.{number & 255}.0" for number in range(1000)]
    declaration = lists({"name": "web", "ports": [f"{port}/tcp" for port in range(1, 601)], "sources": sources})
    monkeypatch.delattr("ansible_collections.multihome.linux.plugins.plugin_utils._firewall.nat.nat_rules")
    (fault,) = faults(declaration)
    assert fault.startswith("multihome_services: on fw, isp_firewall_forwards: with all addresses and sources 1200000")
