# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unusual combinations of matches, by real packets: what overlaps, what is excepted, and what decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.nat.lab import NatLab, nat_lab
from ansible_collections.multihome.linux.tests.integration.nat.programs import IPTABLES, NFT
from ansible_collections.multihome.linux.tests.integration.nat.test_matches import CLIENTS
from ansible_collections.multihome.linux.tests.integration.nat.test_packets import DB, FAMILIES, PUBLIC, WEB, forward

SECOND = {4: "203.0.113.11", 6: "2001:db8:a::11"}
OTHER_LINE = {4: "198.51.100.20", 6: "2001:db8:b::20"}
INSIDE = {4: "192.168.1.0/24", 6: "fd00:1::/64"}


@pytest.fixture(scope="module", params=[NFT, IPTABLES], ids=str)
def lab(request: pytest.FixtureRequest) -> Iterator[NatLab]:
    with nat_lab(request.param) as running:
        yield running


def configured(lab: NatLab, *rules: dict[str, Any]) -> None:
    """Configure entries, and nothing else; a second run changes nothing."""
    lab.translate(*rules)
    assert not lab.translate(*rules)["changed"]


def everything(family: int, to: str, **more: Any) -> dict[str, Any]:
    """One entry for all protocols of the public address."""
    return {"type": "dnat", "destination": PUBLIC[family], "to_address": to, **more}


def peer(lab: NatLab, address: str, port: int = 80) -> str | None:
    """The address by which a client sees the web server."""
    answer = lab.ask("tcp", address, port, host="web")
    return answer["peer"][0] if answer else None


@FAMILIES
def test_an_exemption_with_several_ports_and_a_negated_source(lab: NatLab, family: int) -> None:
    one, other = CLIENTS[family]
    exempt = {
        "type": "exempt",
        "protocol": "tcp",
        "source": f"!{one}",
        "destination": f"{PUBLIC[family]},{SECOND[family]}",
        "destination_port": "5000,5002-5003",
    }
    mapped = forward(family, "tcp", "5000-5005")
    configured(lab, exempt, mapped)
    assert [lab.reached("tcp", PUBLIC[family], port, one) for port in (5000, 5001, 5003)] == [
        ("web", 5000),
        ("web", 5001),
        ("web", 5003),
    ]
    assert [lab.reached("tcp", PUBLIC[family], port, other) for port in (5000, 5001, 5003, 5004)] == [
        ("firewall", 5000),
        ("web", 5001),
        ("firewall", 5003),
        ("web", 5004),
    ]
    # The control: the other order.
    configured(lab, mapped, exempt)
    assert lab.reached("tcp", PUBLIC[family], 5000, other) == ("web", 5000)


@FAMILIES
def test_several_negated_addresses_are_all_excepted(lab: NatLab, family: int) -> None:
    one, other = CLIENTS[family]
    mapped = forward(family, "tcp", 5000)
    configured(lab, {**mapped, "source": f"!{one},{other}"})
    assert [lab.reached("tcp", PUBLIC[family], 5000, each) for each in (one, other)] == [("firewall", 5000)] * 2
    configured(lab, {**mapped, "source": f"!{one}-{other}"})
    assert [lab.reached("tcp", PUBLIC[family], 5000, each) for each in (one, other)] == [("firewall", 5000)] * 2
    configured(lab, {**mapped, "destination": f"!{SECOND[family]}", "in_interface": "wan0"})
    assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)
    assert lab.reached("tcp", SECOND[family], 5000) == ("firewall", 5000)


@FAMILIES
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_of_another_server_within_a_range_to_one_port(lab: NatLab, family: int, protocol: str) -> None:
    excepted = forward(family, protocol, 5003, DB[family])
    ranged = forward(family, protocol, "5000-5005", to_port="8080")
    configured(lab, excepted, ranged)
    reached = [lab.reached(protocol, PUBLIC[family], port) for port in (5000, 5002, 5003, 5004, 5005)]
    assert reached == [("web", 8080), ("web", 8080), ("db", 5003), ("web", 8080), ("web", 8080)]
    configured(lab, ranged, excepted)
    assert lab.reached(protocol, PUBLIC[family], 5003) == ("web", 8080)


@FAMILIES
def test_all_of_an_address_beside_single_ports_of_another_server(lab: NatLab, family: int) -> None:
    one, other = CLIENTS[family]
    single = forward(family, "tcp", 5001, DB[family])
    of_source = everything(family, DB[family], source=one)
    rest = everything(family, WEB[family])
    configured(lab, single, rest)
    assert lab.reached("tcp", PUBLIC[family], 5001) == ("db", 5001)
    assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)
    assert lab.reached("udp", PUBLIC[family], 5001) == ("web", 5001)
    assert lab.reached("udp", SECOND[family], 5001) == ("firewall", 5001)
    configured(lab, of_source, single, rest)
    assert lab.reached("tcp", PUBLIC[family], 5000, one) == ("db", 5000)
    assert lab.reached("tcp", PUBLIC[family], 5001, other) == ("db", 5001)
    assert lab.reached("tcp", PUBLIC[family], 5000, other) == ("web", 5000)
    # The control: what comes first takes all.
    configured(lab, rest, single, of_source)
    assert lab.reached("tcp", PUBLIC[family], 5001) == ("web", 5001)
    assert lab.reached("tcp", PUBLIC[family], 5000, one) == ("web", 5000)


@FAMILIES
def test_a_source_of_its_own_within_a_network(lab: NatLab, family: int) -> None:
    network = {"type": "snat", "source": INSIDE[family], "out_interface": "wan0", "to_address": PUBLIC[family]}
    server = {"type": "snat", "source": WEB[family], "out_interface": "wan0", "to_address": SECOND[family]}
    of_port = {**server, "protocol": "tcp", "destination_port": "80,443", "to_address": PUBLIC[family]}
    one, other = CLIENTS[family]
    configured(lab, server, network)
    assert peer(lab, one) == SECOND[family]
    configured(lab, network, server)
    assert peer(lab, one) == PUBLIC[family]
    configured(lab, of_port, server)
    assert (peer(lab, one), peer(lab, one, 5000)) == (PUBLIC[family], SECOND[family])
    # Exemptions beside it: by what is first, for the addresses of both.
    exempt = {"type": "exempt", "source": WEB[family], "destination": f"!{one}", "keeps": "source"}
    configured(lab, exempt, server, network)
    assert peer(lab, one) == SECOND[family]
    assert peer(lab, other) is None
    configured(lab, server, exempt, network)
    assert peer(lab, other) == SECOND[family]


@FAMILIES
def test_the_same_port_by_address_and_by_line(lab: NatLab, family: int) -> None:
    rules = [
        forward(family, "tcp", 5000),
        {**forward(family, "tcp", 5000, DB[family]), "destination": SECOND[family]},
        {**forward(family, "tcp", 5000, to_port="5002"), "destination": OTHER_LINE[family]},
    ]
    configured(lab, *rules)
    reached = [lab.reached("tcp", each[family], 5000) for each in (PUBLIC, SECOND, OTHER_LINE)]
    assert reached == [("web", 5000), ("db", 5000), ("web", 5002)]
    # By the interface, whatever address is asked.
    by_line = [
        {"type": "dnat", "protocol": "tcp", "destination_port": "5000", "in_interface": name, "to_address": to}
        for name, to in (("wan0", WEB[family]), ("wan1", DB[family]))
    ]
    configured(lab, *by_line)
    reached = [lab.reached("tcp", each[family], 5000) for each in (PUBLIC, SECOND, OTHER_LINE)]
    assert reached == [("web", 5000), ("web", 5000), ("db", 5000)]


@FAMILIES
def test_ports_that_are_listed_twice_count_once(lab: NatLab, family: int) -> None:
    configured(lab, forward(family, "tcp", "5003,5000-5002,5001", to_port="80"))
    reached = [lab.reached("tcp", PUBLIC[family], port) for port in (5000, 5001, 5002, 5003, 5004)]
    assert reached == [("web", 80)] * 4 + [("firewall", 5004)]


@FAMILIES
def test_a_protocol_by_its_number_is_the_same_as_by_its_name(lab: NatLab, family: int) -> None:
    configured(lab, forward(family, "6", 5000), forward(family, "17", "5000-5002", to_port="8080"))
    assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)
    assert lab.reached("udp", PUBLIC[family], 5001) == ("web", 8080)
    assert not lab.translate(forward(family, "tcp", 5000), forward(family, "udp", "5000-5002", to_port="8080"))[
        "changed"
    ]
    twice = lab.module("nat_rules", {"rules": [forward(family, "6", 5000), forward(family, "tcp", 5000, DB[family])]})
    assert twice["failed"]
    assert "rules[1]" in twice["msg"]


@FAMILIES
@pytest.mark.parametrize(
    "wrong",
    [
        {"source": {4: "!0.0.0.0/0", 6: "!::/0"}},
        {"source": {4: "203.0.113.9-203.0.113.1", 6: "2001:db8::9-2001:db8::1"}},
        {"source": {4: "203.0.113.1-2001:db8::1", 6: "2001:db8::1-203.0.113.1"}},
        {"source": {4: "!", 6: "!"}},
        {"source": {4: "203.0.113.1,,203.0.113.2", 6: "2001:db8::1,"}},
        {"destination_port": {4: "0", 6: "1-65536"}},
        {"protocol": {4: "0", 6: "256"}},
        {"protocol": {4: "icmpv6", 6: "icmp"}},
    ],
    ids=str,
)
def test_what_has_no_meaning_is_refused(lab: NatLab, family: int, wrong: dict[str, dict[int, str]]) -> None:
    kept = forward(family, "udp", 5000)
    configured(lab, kept)
    rule = {**forward(family, "tcp", 5000), **{name: values[family] for name, values in wrong.items()}}
    result = lab.module("nat_rules", {"rules": [rule], "purge": True, "backend": lab.programs.backend})
    assert result["failed"], result
    assert "rules[0]" in result["msg"]
    assert lab.reached("udp", PUBLIC[family], 5000) == ("web", 5000)
