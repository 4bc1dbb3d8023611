# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix of a verification says what was found, and never takes silence for success."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS

SEED = declarations.seed()
DESTINATIONS = ["198.41.0.4", "2001:503:ba3e::2:30"]
HOPS = {"192.168.168.1": "192.168.168.11", "fd00:168::1": "fd00:168::11", "192.168.168.2": "192.168.168.12"}


def answers(**wrong: str) -> list[dict[str, Any]]:
    """Rows of line_check: all well but for the lines in ``wrong``, which have that error."""
    return [
        {**target, "ok": False, "milliseconds": None, "error": wrong[target["line"]], "hint": "mend it"}
        if target["line"] in wrong
        else {**target, "ok": True, "milliseconds": 1.25, "error": None, "hint": None}
        for target in FILTERS["line_check_targets"](SEED)
    ]


def ways(**wrong: Any) -> list[dict[str, Any]]:
    """Rows of path_info: all well, with ``wrong`` put into the first."""
    paths = FILTERS["path_info_paths"](SEED, "web1", DESTINATIONS)
    rows = [{**path, "reachable": True, "gateway": HOPS[path["source"]], "error": None} for path in paths]
    rows[0].update(wrong)
    return rows


def report(probes: dict[str, Any], paths: object = None, down: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """The report on the seed."""
    outcome: dict[str, list[str]] = FILTERS["verify_report"](
        SEED, probes, {"web1": ways() if paths is None else paths}, list(down)
    )
    return outcome


def test_all_well() -> None:
    assert report({"client1": answers()}) == {
        "matrix": [
            "line       service  IPv4      IPv6",
            "unicom     web      ✓ 1.2 ms  ✓ 1.2 ms",
            "interlink  web      ✓ 1.2 ms",
            "3 of 3 as expected",
        ],
        "faults": [],
    }


def test_a_line_whose_addresses_are_not_known_is_shown_as_not_asked() -> None:
    legend = "- auto: not asked, as only the server knows its addresses there"
    dsl = {"id": 2, "interface": "ppp0", "public_addresses": "auto", "gateway": "auto"}
    fixed = {"id": 9, "interface": "wan0", "public_addresses": ["203.0.113.10/24"], "gateway": "203.0.113.1"}
    declaration: dict[str, Any] = {
        "lines": [{"name": "fixed", **fixed}, {"name": "dsl", **dsl}],
        "servers": [{"name": "web1"}],
        "services": [
            {"name": "web", "server": "web1", "ports": ["80/tcp"]},
            {"name": "mail", "server": "web1", "ports": ["25/tcp"], "lines": ["fixed"]},
        ],
    }

    def matrix() -> list[str]:
        targets = FILTERS["line_check_targets"](declaration)
        rows = [{**target, "ok": True, "milliseconds": 1.25, "error": None, "hint": None} for target in targets]
        ways = FILTERS["path_info_paths"](declaration, "web1", DESTINATIONS)
        gone = [{**way, "reachable": True, "gateway": "203.0.113.1", "error": None} for way in ways]
        outcome = FILTERS["verify_report"](declaration, {"client1": rows}, {"web1": gone})
        assert outcome["faults"] == []
        found: list[str] = outcome["matrix"]
        return found

    assert matrix() == [
        "line   service  IPv4",
        "dsl    web      - auto",
        "fixed  mail     ✓ 1.2 ms",
        "fixed  web      ✓ 1.2 ms",
        legend,
        "2 of 2 as expected",
    ]
    del declaration["lines"][0], declaration["services"][1]
    nobody_asked = "0 of 0 as expected"
    assert matrix() == ["line  service  IPv4    IPv6", "dsl   web      - auto  - auto", legend, nobody_asked]


def test_a_line_that_does_not_answer() -> None:
    outcome = report({"client1": answers(interlink="timed out")})
    assert outcome["matrix"][2:] == ["interlink  web      ✗ 80/tcp: timed out", "2 of 3 as expected"]
    assert outcome["faults"] == [
        "line interlink: 198.51.100.20 80/tcp, 198.51.100.20 443/tcp, from client1: timed out: mend it",
    ]


def test_where_vantages_differ_the_matrix_says_from_where_it_fails() -> None:
    outcome = report({"client1": answers(), "client2": answers(interlink="timed out")})
    assert outcome["matrix"][2] == "interlink  web      ✗ 80/tcp: timed out (…"
    assert outcome["faults"] == [
        "line interlink: 198.51.100.20 80/tcp, 198.51.100.20 443/tcp, from client2: timed out: mend it"
    ]


@pytest.mark.parametrize("probes", [{}, {"client1": None}, {"client1": []}, {"client1": answers(), "client2": None}])
def test_a_vantage_that_did_not_ask_is_a_failure(probes: dict[str, Any]) -> None:
    outcome = report(probes)
    assert outcome["matrix"][-1] == "0 of 3 as expected"
    assert "asked" in "".join(outcome["faults"])


def test_a_common_fault_is_reported_once() -> None:
    outcome = report({"client1": answers(unicom="timed out"), "client2": answers(unicom="timed out")})
    assert outcome["faults"] == [
        (
            "line unicom: 203.0.113.10 80/tcp, 203.0.113.10 443/tcp, 2001:db8:a::10 80/tcp, 2001:db8:a::10 443/tcp,"
            " from client1, client2: timed out: mend it"
        )
    ]


def test_a_list_of_many_is_cut() -> None:
    many = copy.deepcopy(SEED)
    many["services"][0]["ports"] = [f"{port}/tcp" for port in range(1, 10)]
    outcome = FILTERS["verify_report"](many, {"client1": None}, {"web1": ways()}, [])
    assert outcome["faults"][1].startswith("line interlink: 198.51.100.20 1/tcp, 198.51.100.20 2/tcp, ")
    assert "198.51.100.20 6/tcp and 3 more, from client1: not asked" in outcome["faults"][1]


def test_a_line_that_must_be_down() -> None:
    outcome = report({"client1": answers(interlink="timed out")}, down=("interlink",))
    assert outcome["matrix"][2:] == ["interlink  web      ✓ down, as expected", "3 of 3 as expected"]
    assert outcome["faults"] == []


def test_a_line_that_must_be_down_but_answers_is_a_failure() -> None:
    outcome = report({"client1": answers()}, down=("interlink",))
    assert outcome["matrix"][2] == "interlink  web      ✗ expected to be down…"
    assert "take it out of that list" in outcome["faults"][0]


def test_a_line_that_must_be_down_is_asked_all_the_same() -> None:
    assert report({"client1": None}, down=("interlink",))["matrix"][-1] == "0 of 3 as expected"


def test_a_line_that_must_be_down_must_exist() -> None:
    outcome = report({"client1": answers()}, down=("interlonk",))
    assert outcome["faults"] == ['multihome_verify_expect_down: line "interlonk" is not in multihome_lines']


def test_a_reply_that_would_leave_by_another_line() -> None:
    faults = report({"client1": answers()}, ways(gateway="192.168.168.12"))["faults"]
    assert len(faults) == 1
    assert faults[0].startswith(
        "web1: 192.168.168.1 of line unicom leaves by 192.168.168.12, not by 192.168.168.11: deploy"
    )


def test_a_reply_that_would_not_leave() -> None:
    faults = report({"client1": answers()}, ways(reachable=False, gateway=None, error="no route"))["faults"]
    assert faults[0].startswith("web1: 192.168.168.1 of line unicom does not leave at all (no route), not by")


def test_a_server_that_did_not_say_its_ways() -> None:
    outcome = FILTERS["verify_report"](SEED, {"client1": answers()}, {}, [])
    assert outcome["faults"] == ["web1: its paths are not known: see its messages above"]


def test_a_way_that_was_not_looked_up() -> None:
    faults = report({"client1": answers()}, ways()[1:])["faults"]
    assert faults == [
        "web1: the path of 192.168.168.1 of line unicom is not known: multihome_verify_destinations has no IPv4 address"
    ]


def test_a_service_that_is_not_asked_is_neither_good_nor_bad() -> None:
    quiet = copy.deepcopy(SEED)
    quiet["services"][0]["ports"] = ["53/udp"]
    outcome = FILTERS["verify_report"](quiet, {"client1": []}, {"web1": ways()}, [])
    assert outcome["matrix"][1] == "unicom     web      - no verify_ports  - no verify_ports"
    assert outcome["matrix"][-1] == "0 of 0 as expected"
    assert outcome["faults"] == []


def test_a_row_fits_a_terminal_whatever_the_names() -> None:
    wide = copy.deepcopy(SEED)
    wide["services"][0]["name"] = "a service with a name that nobody would want to type"
    outcome = FILTERS["verify_report"](wide, {"client1": None}, {"web1": ways()}, [])
    assert max(map(len, outcome["matrix"])) <= 68
    assert outcome["matrix"][1] == "unicom     a service with …  ✗ 80/tcp: not as…  ✗ 80/tcp: not as…"


def test_ports_to_verify_are_those_the_service_names_else_the_first_of_each_tcp_entry() -> None:
    asked = copy.deepcopy(SEED)
    asked["services"][0]["ports"] = ["443/tcp", "5000-6000/tcp", "53/udp", "9/sctp"]
    ports = {(target["port"], target["protocol"]) for target in FILTERS["line_check_targets"](asked)}
    assert ports == {(443, "tcp"), (5000, "tcp")}
    asked["services"][0]["verify_ports"] = ["53/udp", "5500/tcp"]
    ports = {(target["port"], target["protocol"]) for target in FILTERS["line_check_targets"](asked)}
    assert ports == {(53, "udp"), (5500, "tcp")}


def asked_from(address: str, **wrong: str) -> list[dict[str, Any]]:
    """Rows of line_check on a vantage host with an address."""
    return [{**row, "local_address": address} for row in answers(**wrong)]


def vantage_paths(interface: str, address: str) -> dict[str, Any]:
    """Rows of path_info from both firewalls to a vantage host."""
    row = {"name": "vantage", "destination": address, "source": None, "mark": None, "interface": interface}
    return {"web1": ways(), "fw-a": [row], "fw-b": [row]}


def seen_by(probes: dict[str, Any], paths: dict[str, Any], *arguments: Any) -> dict[str, list[str]]:
    """The report on the seed, with the paths of all hosts."""
    outcome: dict[str, list[str]] = FILTERS["verify_report"](SEED, probes, paths, *arguments)
    return outcome


FROM_INSIDE = [
    "line       service  IPv4           IPv6",
    "unicom     web      - from inside  - from inside",
    "interlink  web      - from inside",
    "- from inside: answers, which says nothing about the line",
    "3 of 3 not seen from outside. Put a host outside your network into group multihome_vantage.",
    "0 of 0 as expected",
]


@pytest.mark.parametrize(
    ("vantage", "address", "interface"),
    [
        ("web1", "192.0.2.1", "wan0"),
        ("fw-a", "203.0.113.10", "wan0"),
        ("controller", "192.168.168.77", "wan0"),
        ("controller", "10.9.0.7", "lan0"),
    ],
    ids=["a server", "a firewall", "in the network of the servers", "behind another interface of the firewall"],
)
def test_an_answer_from_inside_is_no_tick(vantage: str, address: str, interface: str) -> None:
    outcome = seen_by({vantage: asked_from(address)}, vantage_paths(interface, address))
    assert outcome == {"matrix": FROM_INSIDE, "faults": []}
    down = seen_by({vantage: asked_from(address)}, vantage_paths(interface, address), ["interlink", "unicom"])
    assert down == {"matrix": FROM_INSIDE, "faults": []}


def test_control_an_answer_by_the_interface_of_the_line_is_a_tick() -> None:
    outcome = seen_by({"home": asked_from("10.9.0.7")}, vantage_paths("wan0", "10.9.0.7"))
    assert outcome["matrix"][-1] == "3 of 3 as expected"


def test_a_vantage_outside_decides_whatever_one_inside_says() -> None:
    outside = asked_from("192.0.2.10", interlink="timed out")
    outcome = seen_by({"home": outside, "web1": asked_from("192.168.168.1")}, vantage_paths("wan0", "192.0.2.10"))
    assert [row.count("✓") for row in outcome["matrix"]] == [0, 2, 0, 0]
    assert outcome["matrix"][-1] == "2 of 3 as expected"
    assert outcome["faults"] == [
        "line interlink: 198.51.100.20 80/tcp, 198.51.100.20 443/tcp, from home: timed out: mend it"
    ]


def test_no_answer_from_inside_is_a_fault() -> None:
    outcome = seen_by({"web1": asked_from("192.168.168.1", unicom="timed out")}, {"web1": ways()})
    assert [fault.split(":")[0] for fault in outcome["faults"]] == ["line unicom"]
    assert outcome["matrix"][2] == "interlink  web      - from inside"


def test_a_limited_run_names_the_hosts_that_it_left_out() -> None:
    outcome = seen_by({"localhost": False}, {"web1": ways()}, [], "0xff", None, ["web1"])
    assert outcome["matrix"][1:] == [
        "unicom     web      - not asked  - not asked",
        "interlink  web      - not asked",
        "left out by --limit, asked no service: localhost",
        "0 of 0 as expected",
    ]
    assert outcome["faults"] == []
    outcome = seen_by({"home": asked_from("192.0.2.10")}, {"web1": False}, [], "0xff", None, ["home"])
    assert outcome["matrix"][-2:] == ["left out by --limit, looked up no path: web1", "3 of 3 as expected"]
    assert outcome["faults"] == []


def test_control_a_host_that_is_in_the_run_but_did_not_answer_is_a_fault() -> None:
    outcome = seen_by({"home": False}, {"web1": False}, [], "0xff", None, ["web1", "home"])
    assert len(outcome["faults"]) == 3


def test_the_ends_of_the_lines_look_up_the_path_to_each_vantage() -> None:
    rows = [asked_from("192.0.2.10"), asked_from("10.9.0.7"), False]
    found = FILTERS["path_info_paths"](SEED, "fw-a", DESTINATIONS, "0xff", rows)
    assert found == [
        {"name": "vantage", "destination": "10.9.0.7"},
        {"name": "vantage", "destination": "192.0.2.10"},
    ]
    assert FILTERS["path_info_paths"](SEED, "elsewhere", DESTINATIONS, "0xff", rows) == []


def test_a_gateway_that_only_the_firewall_knows_has_no_expected_path() -> None:
    """Found by make fuzz: fixed addresses and a gateway by DHCP, beside a line with a fixed one."""

    def line(number: int, gateway: str) -> dict[str, Any]:
        own = {"name": f"line{number}", "id": number, "interface": f"wan{number}", "firewall": "fw"}
        return {
            **own,
            "public_addresses": [f"198.18.{number}.10/24"],
            "gateway": gateway,
            "inside_addresses": ["192.168.168.11"],
        }

    declaration = {**SEED, "lines": [line(1, "auto"), line(2, "198.18.2.1")], "servers": [], "services": []}
    found = FILTERS["path_info_paths"](declaration, "fw", DESTINATIONS)
    assert {path["name"] for path in found} == {"line2"}
    declaration["lines"][0]["gateway"] = "198.18.1.1"
    found = FILTERS["path_info_paths"](declaration, "fw", DESTINATIONS)
    assert {path["name"] for path in found} == {"line1", "line2"}


def taking(order: str) -> dict[str, Any]:
    """A translation of another program, as multihome_info shows it."""
    return {"message": "ip nat, chain c: its rule takes web", "remedy": "remove it", "order": order, "place": "ip nat"}


def of_firewalls(found: dict[str, object], down: tuple[str, ...] = (), **more: Any) -> dict[str, list[str]]:
    """The report where all answers, with the translations of other programs that were found on the firewalls."""
    probes = {"client1": answers(**dict.fromkeys(down, "timeout"))}
    outcome: dict[str, list[str]] = FILTERS["verify_report"](
        SEED, probes, {"web1": ways()}, list(down), taken_translations=found, **more
    )
    return outcome


def test_a_translation_of_another_program_that_is_asked_first_is_a_fault() -> None:
    outcome = of_firewalls({"fw-a": [taking("first")], "fw-b": []})
    assert outcome["faults"] == ["fw-a: ip nat, chain c: its rule takes web; remedy: remove it"]
    # The control: none.
    assert of_firewalls({"fw-a": [], "fw-b": []})["faults"] == []


def test_one_that_may_be_asked_first_is_shown_and_no_fault() -> None:
    outcome = of_firewalls({"fw-a": [], "fw-b": [taking("unknown")]})
    assert outcome["faults"] == []
    assert "fw-b: ip nat, chain c: its rule takes web; remedy: remove it" in outcome["matrix"]


def test_a_firewall_whose_translations_are_not_known_is_a_fault_unless_its_lines_are_down() -> None:
    unknown = "translations of other programs are not known: see its messages above"
    assert of_firewalls({"fw-a": False, "fw-b": []})["faults"] == [f"fw-a: {unknown}"]
    assert of_firewalls({"fw-a": [], "fw-b": False}, ("interlink",))["faults"] == []
    # One that --limit leaves out is named.
    limited = of_firewalls({"fw-a": [], "fw-b": False}, played=["client1", "web1", "fw-a"])
    assert limited["faults"] == []
    assert "left out by --limit, read no translations: fw-b" in limited["matrix"]
