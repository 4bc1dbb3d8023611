# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host that is the firewall of lines and a server too."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.declarations import Declaration
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS

GROUPS = {"isp_firewall": ["fw", "fw-a", "fw-b"], "multihomed_web": ["web1", "fw", "fw-a"]}
DEFAULTS: dict[str, Any] = {
    "forwards": [], "hairpins": [], "snat": [], "inside_networks": [], "networks": [], "other_lines": [],
    "server_lines": [], "zones_on_lines_only": [], "table_base": 1000, "priority_base": 20000,
    "source_priority_base": 23000, "mark_mask": "0xff", "interface_group": 109, "backend": "auto",
    "forward_policy": "leave", "forget_flows": "none", "manage_sysctl": True, "manage_networkd": True,
    "reply_taken": "fail", "allow_disconnect": False, "purge": True, "persist": True, "own_ports": [22],
}  # fmt: skip


def office() -> Declaration:
    """One machine holds two lines and the mail service; web1 behind it has the web."""
    declaration = declarations.shape_b([1, 2])
    declaration["servers"].append({"name": "fw"})
    declaration["services"].append({"name": "mail", "server": "fw", "ports": ["25/tcp"]})
    return declaration


def beside() -> Declaration:
    """The firewall of line unicom has the web service for both lines; the other line has a firewall of its own."""
    declaration = declarations.seed()
    declaration["servers"] = [{"name": "fw-a", "interface": "lan0", "addresses": {"interlink": ["192.168.168.2/24"]}}]
    declaration["services"][0]["server"] = "fw-a"
    declaration["lines"][0].update(public_addresses=["203.0.113.10/24"])
    declaration["lines"][1].update(gateway="198.51.100.1")
    return declaration


def faults(declaration: Declaration, inventory: dict[str, Any] | None = None) -> list[str]:
    """The faults of a declaration."""
    found: list[str] = FILTERS["declaration_faults"](declaration, GROUPS, inventory)
    return found


def options(declaration: Declaration, host: str, **changes: Any) -> dict[str, Any]:
    """The options of role isp_firewall, with the lists of its modules as lists."""
    names = ("forwards", "hairpins", "snat", "inside_networks", "networks", "server_lines")
    variables = {name: FILTERS[f"isp_firewall_{name}"](declaration, host) for name in names}
    lines = FILTERS["isp_firewall_lines"](declaration, host)
    found: dict[str, Any] = FILTERS["isp_firewall_options"](lines, {**DEFAULTS, **variables, **changes})
    for module in found.get("plan", {}).values():
        module.update({k: json.loads(v) for k, v in module.items() if isinstance(v, str) and v.startswith("[")})
    return found


def test_a_service_of_the_machine_that_holds_the_lines_needs_no_translation() -> None:
    declaration = office()
    assert faults(declaration) == []
    forwards = FILTERS["isp_firewall_forwards"](declaration, "fw")
    assert forwards == FILTERS["isp_firewall_forwards"](declarations.shape_b([1, 2]), "fw")
    assert FILTERS["multihomed_web_lines"](declaration, "fw") == []
    asked = {(one["name"], one["address"]) for one in FILTERS["line_check_targets"](declaration)}
    assert ("mail", "198.18.2.10") in asked
    assert ("mail", "2001:db8:1::10") in asked
    # Its public networks are not inside, and its own connections are not translated.
    same = ("inside_networks", "snat", "hairpins", "lines")
    for name in same:
        expected = FILTERS[f"isp_firewall_{name}"](declarations.shape_b([1, 2]), "fw")
        assert FILTERS[f"isp_firewall_{name}"](declaration, "fw") == expected
    paths = FILTERS["path_info_paths"](declaration, "fw", ["198.41.0.4"])
    assert paths == FILTERS["path_info_paths"](declarations.shape_b([1, 2]), "fw", ["198.41.0.4"])


def test_the_only_line_and_its_only_machine() -> None:
    declaration = declarations.shape_a([1])
    declaration["servers"] = [{"name": "fw-1"}]
    declaration["services"] = [{"name": "web", "server": "fw-1", "ports": ["80/tcp"]}]
    assert FILTERS["declaration_faults"](declaration) == []
    assert FILTERS["isp_firewall_forwards"](declaration, "fw-1") == []
    assert options(declaration, "fw-1")["plan"]["policy_routing"]["rules"] == []


def test_what_another_server_has_besides_leaves_the_machines_own_ports_alone() -> None:
    declaration = office()
    declaration["services"].append({"name": "rest", "server": "web1", "ports": ["any"], "lines": ["line1"]})
    assert faults(declaration) == []
    kept = [entry for entry in FILTERS["isp_firewall_forwards"](declaration, "fw") if entry["name"] == "mail"]
    assert [(e["line"], e["public_addresses"], e["port"], e["to_address"], e["to_port"]) for e in kept] == [
        ("line1", ["198.18.1.10"], "25", "198.18.1.10", "25"),
        ("line1", ["2001:db8:1::10"], "25", "2001:db8:1::10", "25"),
    ]
    found = options(declaration, "fw", own_ports=[25])
    assert "198.18.1.10" not in found["servers"]
    assert {entry["mapped_to"] for entry in found["plan"]["forward_policy"]["accept"] if "mapped_to" in entry} == set(
        found["servers"]
    )
    # Port 25 of the machine stays its own at the line where it is named.
    assert found["taken_ports"] == []


def test_outside_addresses_are_what_the_machine_answers_at() -> None:
    declaration = office()
    declarations.translated(declaration)
    declaration["services"].append({"name": "rest", "server": "web1", "ports": ["any"]})
    assert faults(declaration) == []
    kept = [entry for entry in FILTERS["isp_firewall_forwards"](declaration, "fw") if entry["name"] == "mail"]
    assert [(entry["public_addresses"], entry["to_address"]) for entry in kept if ":" not in entry["to_address"]] == [
        (["198.18.1.10"], "10.64.1.2"),
        (["198.18.2.10"], "10.64.2.2"),
    ]


def test_the_firewall_of_one_line_is_a_server_on_the_other() -> None:
    declaration = beside()
    assert faults(declaration) == []
    found = options(declaration, "fw-a")
    plan = found["plan"]
    assert [entry["address"] for entry in plan["ip_aliases"]["aliases"]] == ["203.0.113.10/24", "192.168.168.2/24"]
    assert {table["id"]: [r.get("gateway") for r in table["routes"]] for table in plan["policy_routing"]["tables"]} == {
        1001: ["203.0.113.1", None],
        254: ["203.0.113.1"],
        1002: ["192.168.168.12", None],
    }
    rules = [(r["priority"], r.get("source"), r.get("mark"), r.get("table")) for r in plan["policy_routing"]["rules"]]
    assert rules == [
        (20000, None, None, 254),
        (20010, None, "0x1/0xff", 1001),
        (20011, None, "0x1/0xff", None),
        (23010, "203.0.113.10", None, 1001),
        (23011, "203.0.113.10", None, None),
        (23020, "192.168.168.2", None, 1002),
        (23021, "192.168.168.2", None, None),
    ]
    assert plan["policy_routing"]["rules"][0]["suppress_interface_group"] == 109
    assert plan["policy_routing"]["interface_groups"] == [{"interface": "wan0", "group": 109}]
    assert [mark["in_interface"] for mark in plan["connection_marks"]["marks"]] == ["wan0"]
    assert {reply["source"] for reply in found["replies"]["replies"]} == {"203.0.113.10", "192.168.168.2"}
    # The other firewall leads the line's ports here, and what this host begins with that address leaves by its line.
    (forward, *_others) = FILTERS["isp_firewall_forwards"](declaration, "fw-b")
    assert (forward["line"], forward["to_address"]) == ("interlink", "192.168.168.2")
    assert FILTERS["isp_firewall_snat"](declaration, "fw-b") == [{"line": "interlink", "source": "192.168.168.2"}]
    assert FILTERS["isp_firewall_forwards"](declaration, "fw-a") == []


def test_without_its_addresses_for_other_lines_the_firewall_is_one_of_a_single_line() -> None:
    declaration = beside()
    declaration["servers"] = [{"name": "fw-a"}]
    declaration["services"][0]["lines"] = ["unicom"]
    assert faults(declaration) == []
    plan = options(declaration, "fw-a")["plan"]
    assert (plan["policy_routing"]["rules"], "connection_marks" in plan) == ([], False)


def test_the_health_of_all_lines_is_watched_by_one_list() -> None:
    declaration = beside()
    declaration["lines"][1]["health"] = {"targets": ["192.0.2.1"]}
    watched = options(declaration, "fw-a")["plan"]["line_health"]
    assert [(line["name"], line["addresses"]) for line in watched["lines"]] == [
        ("unicom", ["203.0.113.10"]),
        ("interlink", ["192.168.168.2"]),
    ]
    assert watched["force"] is False
    declaration["lines"][0]["drained"] = declaration["lines"][1]["drained"] = True
    assert "drained: every line of this host is" in "\n".join(options(declaration, "fw-a")["faults"])


def test_verify_knows_the_paths_of_both_roles() -> None:
    paths = FILTERS["path_info_paths"](beside(), "fw-a", ["198.41.0.4"])
    assert [(path["name"], path.get("source"), path.get("mark")) for path in paths] == [
        ("unicom", "203.0.113.10", None),
        ("unicom", None, "0x1/0xff"),
        ("interlink", "192.168.168.2", None),
    ]
    replies = FILTERS["verify_replies"](beside(), "fw-a")
    assert {reply["source"] for reply in replies["replies"]} == {"203.0.113.10", "192.168.168.2"}


def _with(declaration: Declaration, part: str, index: int, **changes: Any) -> Declaration:
    changed = copy.deepcopy(declaration)
    changed[part][index].update(changes)
    return changed


WRONG: list[tuple[Declaration, str, str]] = [
    (
        _with(office(), "servers", 1, addresses={"line1": ["192.168.168.9/24"]}),
        "multihome_servers[1] (fw)",
        "addresses.line1: fw is the firewall of the line, and has its addresses there: leave the line out",
    ),
    (
        _with(office(), "services", 1, ports=[{"public": 2525, "private": 25, "protocol": "tcp"}]),
        "multihome_services[1] (mail)",
        'port 2525 cannot become 25 on line "line1", which fw terminates itself',
    ),
    (
        _with(office(), "services", 1, sources=["192.0.2.0/24"]),
        "multihome_services[1] (mail)",
        'sources cannot be kept on line "line1", which fw terminates itself',
    ),
    (
        _with(office(), "services", 1, ports=["80/tcp"]),
        "multihome_services[0] (web)",
        "80/tcp on 198.18.1.10 is claimed by multihome_services[1] (mail) too (80/tcp)",
    ),
    (
        _with(office(), "servers", 1, outgoing={"line1": "198.18.1.10"}),
        "multihome_servers[1] (fw)",
        "outgoing.line1: fw is the firewall of the line, and chooses the address of its own connections itself",
    ),
    (
        _with(office(), "servers", 1, interface={"line1": "wan0"}),
        "multihome_servers[1] (fw)",
        'interface: fw is the firewall of line "line1", so the line\'s own is used',
    ),
    (
        _with(beside(), "servers", 0, interface="wan0"),
        "multihome_servers[0] (fw-a)",
        'interface "wan0" to line "interlink" is the one of line "unicom": packets are assigned to a line by it',
    ),
    (
        _with(beside(), "lines", 0, gateway=None),
        "multihome_lines[0] (unicom)",
        "is one of several lines of fw-a, so it needs the ISP's IPv4 gateway",
    ),
    (
        _with(beside(), "lines", 1, firewall=None, inside_addresses=None),
        "multihome_servers[0] (fw-a)",
        'line "interlink" ends on fw-a, which is the firewall of line "unicom": give both "firewall: fw-a"',
    ),
]


def test_all_other_packets_of_an_address_that_only_the_machine_knows_cannot_be_another_servers() -> None:
    declaration = office()
    declaration["lines"][1].update(public_addresses="auto", gateway="auto")
    assert faults(declaration) == []
    declaration["services"].append({"name": "rest", "server": "web1", "ports": ["any"]})
    (fault,) = faults(declaration)
    place, _colon, said = fault.partition(": ")
    assert place == "multihome_services[2] (rest)"
    taken = 'any would take the ports of multihome_services[1] (mail) on line "line2", whose address only fw knows'
    assert said == f"ports: {taken}: name the ports here, or leave the line out"
    declaration["services"][2]["lines"] = ["line1"]
    assert faults(declaration) == []


@pytest.mark.parametrize(("declaration", "place", "fault"), WRONG)
def test_what_cannot_hold_on_one_host_is_refused_by_name(declaration: Declaration, place: str, fault: str) -> None:
    assert f"{place}: {fault}" in faults(declaration)


def test_the_addresses_of_the_own_lines_may_be_repeated() -> None:
    declaration = office()
    public = {line["name"]: line["public_addresses"] for line in declaration["lines"]}
    declaration["servers"][1]["addresses"] = public
    assert faults(declaration) == []
    assert options(declaration, "fw")["plan"] == options(office(), "fw")["plan"]


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"multihomed_web_default_route": "balance"}, "multihomed_web_default_route cannot be balance there"),
        ({"multihomed_web_reply": "mark"}, "multihomed_web_reply cannot be mark there"),
        (
            {"multihomed_web_table_base": 2000},
            "multihomed_web_table_base is 2000 there, and isp_firewall_table_base is",
        ),
    ],
)
def test_variables_of_the_server_that_contradict_the_firewall_are_refused(
    variables: dict[str, Any], fault: str
) -> None:
    declaration = beside()
    lists = {f"multihome_{name}": entries for name, entries in declaration.items()}
    inventory = {host: dict(lists) for host in ("fw-a", "fw-b")}
    assert faults(declaration, inventory) == []
    inventory["fw-a"].update(variables)
    assert any(fault in said for said in faults(declaration, inventory))
    # Elsewhere the same value is one among others.
    assert faults(office(), {"fw": {**{f"multihome_{n}": e for n, e in office().items()}, **variables}}) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"id": 1}, "isp_firewall_server_lines[0] (interlink): id 1 is taken in isp_firewall_lines"),
        ({"addresses": ["203.0.113.10/32"]}, 'address 203.0.113.10 belongs to line "unicom" too'),
        ({"ends_here": True}, "ends on this host, which is a firewall: it belongs in isp_firewall_lines"),
        ({"addresses": [f"192.168.168.{n}/24" for n in range(20, 29)]}, "at most 8 are possible"),
        ({"gateways": []}, "isp_firewall_server_lines[0] (interlink): gateways: has IPv4 addresses, but no gateway"),
    ],
)
def test_faults_of_the_variable_itself(change: dict[str, Any], fault: str) -> None:
    (line,) = FILTERS["isp_firewall_server_lines"](beside(), "fw-a")
    assert options(beside(), "fw-a", server_lines=[line])["faults"] == []
    assert fault in "\n".join(options(beside(), "fw-a", server_lines=[{**line, **change}])["faults"])


def test_a_host_without_lines_is_a_server_alone() -> None:
    (line,) = FILTERS["isp_firewall_server_lines"](beside(), "fw-a")
    (fault,) = FILTERS["isp_firewall_options"]([], {**DEFAULTS, "server_lines": [line]})["faults"]
    assert "this host terminates no line, so it is a server alone: use role multihomed_web" in fault


SERVER_DEFAULTS = {
    **{name: DEFAULTS[name] for name in DEFAULTS if name not in ("forwards", "hairpins", "snat", "networks")},
    "reply": "auto",
    "default_route": "none",
    "balance_from": ["192.0.0.8", "100::8"],
}


@pytest.mark.parametrize("role", ["isp_firewall", "multihomed_web"])
def test_the_second_of_both_roles_on_a_host_is_refused_where_it_would_remove_anything(role: str) -> None:
    defaults = DEFAULTS if role == "isp_firewall" else SERVER_DEFAULTS

    def refused(**variables: Any) -> list[str]:
        found: list[str] = FILTERS[f"{role}_options"]([], {**defaults, **variables})["faults"]
        return found

    assert refused() == refused(other_role_ran=True, purge=False) == []
    (fault,) = refused(other_role_ran=True)
    assert "run isp_firewall alone there, with the lines of multihomed_web in isp_firewall_server_lines" in fault
