# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of clients behind the firewalls: how they are translated, routed and marked, and their faults."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS, firewall_lists, firewall_variables
from netaddr import IPSet

OFFICE = {"name": "office", "networks": ["192.168.168.0/24", "fd00:168::/64"]}
GUESTS = {"name": "guests", "networks": ["192.168.50.0/24"]}


def declared(*networks: dict[str, Any], shape: str = "b3") -> declarations.Declaration:
    """A declaration with networks of clients."""
    return {**copy.deepcopy(declarations.ALL[shape]), "networks": list(networks)}


def lists(declaration: declarations.Declaration, host: str = "fw") -> dict[str, Any]:
    """The lists of a firewall's modules."""
    assert FILTERS["declaration_faults"](declaration) == []
    return firewall_lists(firewall_variables(declaration, host))


def added(given: dict[str, Any], name: str, shape: str = "b3", host: str = "fw") -> list[Any]:
    """What networks add to a list."""
    without = lists(declared(shape=shape), host)[name]
    assert [entry for entry in without if entry not in given[name]] == []
    return [entry for entry in given[name] if entry not in without]


def test_clients_leave_every_line_with_its_address_behind_the_servers() -> None:
    given = lists(declared(OFFICE))
    assert [(rule["source"], rule["out_interface"], rule["to_address"]) for rule in added(given, "nat_rules")] == [
        ("192.168.168.0/24", "wan0", "198.18.1.10"),
        ("192.168.168.0/24", "wan1", "198.18.2.10"),
        ("192.168.168.0/24", "wan2", "198.18.3.10"),
        ("fd00:168::/64", "wan0", "2001:db8:1::10"),
        ("fd00:168::/64", "wan1", "2001:db8:2::10"),
        ("fd00:168::/64", "wan2", "2001:db8:3::10"),
    ]
    leaving = [rule for rule in given["nat_rules"] if rule["type"] == "snat"]
    assert all("/" in rule["source"] for rule in leaving[-6:])
    assert not any("/" in rule["source"] for rule in leaving[:-6])


def test_by_failover_the_defaults_of_main_decide_and_connections_keep_their_line() -> None:
    given = lists(declared(OFFICE))
    assert added(given, "rules") == added(given, "tables") == []
    assert given["marks"]["keep_networks"] == OFFICE["networks"]
    assert given["marks"]["balance"] == given["marks"]["balance_networks"] == []


def test_balance_gives_new_connections_a_line_by_weight() -> None:
    declaration = declared({**OFFICE, "outgoing": "balance"}, GUESTS)
    declaration["lines"][0]["untranslated"] = ["10.9.0.0/16"]
    marks = lists(declaration)["marks"]
    # All but the servers in it, which leave by the line of their address.
    spread = IPSet(marks["balance_networks"])
    servers = {address.partition("/")[0] for own in declaration["servers"][0]["addresses"].values() for address in own}
    assert spread == IPSet(OFFICE["networks"]) - IPSet(servers)
    assert servers
    assert marks["keep_networks"] == [*OFFICE["networks"], *GUESTS["networks"]]
    assert [(share["mark"], share["weight"]) for share in marks["balance"]] == [
        (line["id"], line["weight"]) for line in sorted(declaration["lines"], key=lambda line: line["id"])
    ]
    assert set(marks["balance_exclude"]) == {*OFFICE["networks"], *GUESTS["networks"], "10.9.0.0/16"}


def test_lines_in_order_are_a_table_and_no_other_line_is_used() -> None:
    declaration = declared({**GUESTS, "outgoing": ["line2", "line1"]}, {**OFFICE, "outgoing": ["line2"]})
    given = lists(declaration)
    ids = {line["name"]: line["id"] for line in declaration["lines"]}
    one, other = added(given, "tables")
    assert (one["id"], other["id"]) == (2000 + ids["line2"], 3000 + ids["line2"])
    both = {
        tuple(route["interface"] for route in table["routes"] if ":" not in route["gateway"]) for table in (one, other)
    }
    assert both == {("wan1",), ("wan1", "wan0")}
    for table in (one, other):
        metrics = [route["metric"] for route in table["routes"] if ":" not in route["gateway"]]
        assert metrics == sorted(metrics)
        assert [metric % 256 for metric in metrics] == [
            ids[route["name"]] for route in table["routes"] if ":" not in route["gateway"]
        ]
    numbers = {table["id"] for table in (one, other)}
    rules = added(given, "rules")
    for network in (*GUESTS["networks"], *OFFICE["networks"]):
        first, end = (rule for rule in rules if rule["source"] == network)
        assert (first["priority"], end["priority"], end["action"]) == (25508, 25509, "unreachable")
        assert first["table"] in numbers
    # Behind all rules by the servers' addresses, which may be in the same network.
    assert max(rule["priority"] for rule in given["rules"] if rule not in rules) < 25508


def test_a_server_with_one_address_for_all_lines_leaves_as_before() -> None:
    way = {**OFFICE, "outgoing": ["line2"]}
    rules = added(lists(declared(way, shape="b3-one-address")), "rules", "b3-one-address")
    mine = [rule for rule in rules if rule["priority"] == 25507]
    assert [(rule["source"], rule["table"]) for rule in mine] == [("192.168.168.101", 254), ("fd00:168::101", 254)]


def test_untranslated_destinations_leave_by_their_line() -> None:
    declaration = declared()
    declaration["lines"][1]["untranslated"] = ["10.9.0.0/16"]
    (rule,) = added(lists(declaration), "rules")
    number = 1000 + declaration["lines"][1]["id"]
    assert rule == {"name": "line2", "destination": "10.9.0.0/16", "priority": 20001, "table": number}


def test_with_a_firewall_for_each_line_it_is_that_line() -> None:
    given = lists(declared({**OFFICE, "outgoing": ["line2"]}, shape="a2"), "fw-1")
    assert {rule["to_address"] for rule in added(given, "nat_rules", "a2", "fw-1")} == {"198.18.1.10", "2001:db8:1::10"}
    assert (given["rules"], given["marks"]["keep_networks"]) == ([], [])


def test_what_clients_send_is_forwarded() -> None:
    given = lists(declared(GUESTS))
    assert added(given, "accept") == [{"source": "192.168.50.0/24", "out_interface": f"wan{n}"} for n in range(3)]


WRONG: list[tuple[list[dict[str, Any]], str]] = [
    ([OFFICE, OFFICE], 'multihome_networks[1] (office): name "office" is taken by multihome_networks[0] (office)'),
    ([OFFICE, {**GUESTS, "networks": ["192.168.168.128/25"]}], "192.168.168.128/25 and 192.168.168.0/24 of multihome_"),
    ([{**OFFICE, "networks": ["0.0.0.0/0"]}], "networks: 0.0.0.0/0 is every address"),
    ([{**OFFICE, "networks": []}], "networks: needs at least 1 entry"),
    ([{**OFFICE, "outgoing": ["line9"]}], 'outgoing: line "line9" is not in multihome_lines'),
    ([{**OFFICE, "outgoing": ["line1", "line1"]}], 'outgoing[1]: "line1" is listed twice'),
    ([{**OFFICE, "outgoing": "both"}], 'outgoing: line "both" is not in multihome_lines'),
    ([{**OFFICE, "outgoing": 1}], "outgoing: must be failover, balance or a list of lines"),
    ([{"name": "office"}], '"networks" is needed'),
]


@pytest.mark.parametrize(("networks", "fault"), WRONG, ids=[fault for _networks, fault in WRONG])
def test_a_fault_is_reported(networks: list[dict[str, Any]], fault: str) -> None:
    assert fault in "\n".join(FILTERS["declaration_faults"](declared(*networks)))


def test_lines_without_firewall_carry_no_clients() -> None:
    (fault,) = FILTERS["declaration_faults"](declared({**GUESTS, "outgoing": ["line1"]}, shape="c3"))
    assert 'line "line1" has no firewall, so no client can leave by it' in fault
    (fault,) = FILTERS["declaration_faults"](declared(GUESTS, shape="c3"))
    assert "192.168.50.0/24 has no line with a public IPv4 address to leave by" in fault


@pytest.mark.parametrize(
    ("network", "fault"),
    [
        ("0.0.0.0/0", "untranslated: 0.0.0.0/0 is so wide a part of IPv4 that the replies of the other lines"),
        ("128.0.0.0/1", "untranslated: 128.0.0.0/1 is so wide a part of IPv4"),
        ("2000::/3", "untranslated: 2000::/3 is so wide a part of IPv6"),
        ("198.18.2.0/25", "untranslated: 198.18.2.0/25 overlaps 198.18.2.0/24 on line line2, whose replies"),
        ("2001:db8::/32", "untranslated: 2001:db8::/32 overlaps 2001:db8:2::/64 on line line2, whose replies"),
    ],
)
def test_untranslated_destinations_that_would_take_replies_of_other_lines(network: str, fault: str) -> None:
    """They leave by their line before any mark is looked at."""
    declaration = declared()
    declaration["lines"][0]["untranslated"] = [network]
    found = FILTERS["declaration_faults"](declaration)
    assert any(fault in text for text in found)
    assert all(text.startswith("multihome_lines[0] (line1): untranslated: ") for text in found)
    # The controls: the same where the firewall has no other line, and networks of nobody on several.
    alone = {**declaration, "lines": declaration["lines"][:1]}
    for server in alone["servers"]:
        server["addresses"] = {name: own for name, own in server["addresses"].items() if name == "line1"}
    for service in alone["services"]:
        service.pop("lines", None)
    assert not any("untranslated" in text for text in FILTERS["declaration_faults"](alone))
    declaration = declared()
    declaration["lines"][0]["untranslated"] = ["10.0.0.0/8", "198.18.1.0/24", "2001:db8:9::/48"]
    assert FILTERS["declaration_faults"](declaration) == []


def test_the_role_refuses_them_too() -> None:
    lines = firewall_variables(declared(), "fw")["lines"]
    lines[0]["untranslated"] = ["0.0.0.0/0"]
    faults = FILTERS["isp_firewall_faults"](lines)
    assert any("isp_firewall_lines[0] (line1): untranslated: 0.0.0.0/0 is so wide" in text for text in faults)


def test_verify_finds_exemptions_that_are_not_declared() -> None:
    declaration = declared(GUESTS)
    declaration["lines"][0]["untranslated"] = ["10.9.0.0/16"]
    translations = lists(declaration)["nat_rules"]

    def wrong(*more: dict[str, Any]) -> list[str]:
        report = FILTERS["verify_report"](declaration, {}, {}, translations={"fw": [*more, *translations]})
        return [fault for fault in report["faults"] if "exemption" in fault]

    assert wrong() == []
    assert wrong({"type": "exempt", "destination": "203.0.113.10", "in_interface": "wan1"}) == []
    (fault,) = wrong({"type": "exempt", "source": "192.168.50.0/25", "out_interface": "wan1"})
    assert fault.startswith("fw: 192.168.50.0/25 leaves untranslated by an exemption that is not declared: deploy")
    (fault,) = wrong({"type": "exempt", "destination": "10.8.0.0/16"})
    assert fault.startswith("fw: whatever it forwards leaves to 10.8.0.0/16 untranslated by an exemption")


def test_verify_finds_what_leaves_untranslated() -> None:
    declaration = declared(GUESTS)
    translations = lists(declaration)["nat_rules"]

    def wrong(rules: object) -> list[str]:
        report = FILTERS["verify_report"](declaration, {}, {}, translations={"fw": rules})
        return [fault for fault in report["faults"] if "leaves by" in fault or "translations" in fault]

    assert wrong(translations) == []
    (fault,) = wrong(
        [
            rule
            for rule in translations
            if rule.get("source") != "192.168.50.0/24" or rule["name"] != "guests" or rule["out_interface"] != "wan1"
        ]
    )
    assert fault.startswith("fw: 192.168.50.0/24 leaves by wan1 untranslated: deploy the host again")
    other = [
        {**rule, "to_address": "198.18.9.9"}
        if rule.get("out_interface") == "wan2" and rule["name"] == "guests"
        else rule
        for rule in translations
    ]
    (fault,) = wrong(other)
    assert fault.startswith("fw: 192.168.50.0/24 leaves by wan2 as 198.18.9.9, not as 198.18.3.10")
    # An exception for some packets changes nothing, wherever it is, and does not do for all.
    whole = next(rule for rule in translations if rule["name"] == "guests" and rule["out_interface"] == "wan2")
    mail = {**whole, "protocol": "tcp", "destination_port": "25", "to_address": "198.18.9.9"}
    assert wrong([mail, *translations]) == wrong([*translations, mail]) == []
    (fault,) = wrong([{**rule, "protocol": "tcp"} if rule is whole else rule for rule in translations])
    assert fault.startswith("fw: 192.168.50.0/24 leaves by wan2 untranslated")
    # The first that matches all of it decides.
    wider = {"type": "snat", "source": "192.168.0.0/16", "out_interface": "wan2", "to_address": "198.18.9.9"}
    assert wrong([*translations, wider]) == []
    assert (
        f"192.168.50.0/24 leaves by wan2 as 198.18.9.9, not as {whole['to_address']}"
        in wrong([wider, *translations])[-1]
    )
    masquerade = {"type": "masquerade", "family": "ipv4", "out_interface": "wan2"}
    assert "192.168.50.0/24 leaves by wan2 as the interface's own, not as" in wrong([masquerade, *translations])[-1]
    assert not any("192.168.50.0/24" in fault for fault in wrong([{**masquerade, "family": "ipv6"}, *translations]))
    assert wrong(False) == ["fw: its translations are not known: see its messages above"]
