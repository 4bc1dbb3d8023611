# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the entries of nat_rules do to real packets in a real kernel, whatever translates them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.nat import sctp
from ansible_collections.multihome.linux.tests.integration.nat.lab import PROBE, NatLab, nat_lab
from ansible_collections.multihome.linux.tests.integration.nat.programs import IPTABLES, NFT, NFT_OF_DEBIAN_13

SCTP, SOURCE_PORT = str(sctp.__file__), sctp.SOURCE_PORT
PUBLIC = {4: "203.0.113.10", 6: "2001:db8:a::10"}
WEB = {4: "192.168.1.2", 6: "fd00:1::2"}
DB = {4: "192.168.2.2", 6: "fd00:2::2"}
FAMILIES = pytest.mark.parametrize("family", [4, 6])
PROTOCOLS = pytest.mark.parametrize("protocol", ["tcp", "udp"])


@pytest.fixture(scope="module", params=[NFT, IPTABLES, NFT_OF_DEBIAN_13], ids=str)
def lab(request: pytest.FixtureRequest) -> Iterator[NatLab]:
    with nat_lab(request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(lab: NatLab) -> Iterator[None]:
    yield
    lab.translate()


def forward(family: int, protocol: str, ports: str | int, to: str = "", **more: Any) -> dict[str, Any]:
    """One forward from the public address to the web server."""
    return {
        "type": "dnat",
        "protocol": protocol,
        "destination": PUBLIC[family],
        "destination_port": str(ports),
        "to_address": to or WEB[family],
        **more,
    }


@FAMILIES
@PROTOCOLS
def test_a_port_is_forwarded_and_the_client_seen(lab: NatLab, family: int, protocol: str) -> None:
    assert lab.reached(protocol, PUBLIC[family], 443) is None
    lab.translate(forward(family, protocol, 443, to_port="8080"))
    answer = lab.ask(protocol, PUBLIC[family], 443)
    client = "203.0.113.200" if family == 4 else "2001:db8:a::"
    assert answer is not None
    assert (answer["host"], answer["own"]) == ("web", [WEB[family], 8080])
    assert answer["peer"][0].startswith(client)
    # Another protocol, another port, another address: nothing is translated.
    assert lab.reached("udp" if protocol == "tcp" else "tcp", PUBLIC[family], 443) is None
    assert lab.reached(protocol, PUBLIC[family], 444) is None
    assert lab.reached(protocol, PUBLIC[family] + "1" if family == 6 else "203.0.113.11", 443) is None


@FAMILIES
@PROTOCOLS
def test_ranges_keep_their_ports_or_shift_each_to_its_counterpart(lab: NatLab, family: int, protocol: str) -> None:
    lab.translate(forward(family, protocol, "5000-5005"))
    assert [lab.reached(protocol, PUBLIC[family], port) for port in (5000, 5005)] == [("web", 5000), ("web", 5005)]
    assert lab.reached(protocol, PUBLIC[family], 6000) == ("firewall", 6000)
    lab.translate(forward(family, protocol, "5000-5005", to_port="6000-6005"))
    reached = [lab.reached(protocol, PUBLIC[family], port) for port in range(5000, 5006)]
    assert reached == [("web", port) for port in range(6000, 6006)]


@FAMILIES
def test_sctp_is_translated_with_its_checksum(lab: NatLab, family: int) -> None:
    lab.translate(
        forward(family, "sctp", 443, to_port="80"),
        forward(family, "sctp", "5000-5005"),
        forward(family, "sctp", "7000-7005", to_port="6000-6005"),
    )
    heard = {port: heard_sctp(lab, family, port) for port in (443, 5003, 7004, 444)}
    assert heard == {
        443: {"from": SOURCE_PORT, "port": 80, "whole": True},
        5003: {"from": SOURCE_PORT, "port": 5003, "whole": True},
        7004: {"from": SOURCE_PORT, "port": 6004, "whole": True},
        444: None,
    }


def heard_sctp(lab: NatLab, family: int, port: int) -> dict[str, Any] | None:
    """Send the first packet of an association to the public address, and return what the web server hears."""
    server = lab.hosts["web"].start(sys.executable, SCTP, "hear", str(family), stdout=-1)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    lab.hosts["client"].run(sys.executable, SCTP, "send", PUBLIC[family], str(port))
    found: dict[str, Any] | None = json.loads(server.stdout.readline())
    return found


@FAMILIES
def test_the_first_entry_of_the_list_wins(lab: NatLab, family: int) -> None:
    single, several = forward(family, "tcp", 5001, DB[family]), forward(family, "tcp", "5000-5005")
    everything = {"type": "dnat", "destination": PUBLIC[family], "to_address": DB[family]}
    lab.translate(single, several)
    assert [lab.reached("tcp", PUBLIC[family], port) for port in (5000, 5001)] == [("web", 5000), ("db", 5001)]
    result = lab.translate(several, single)
    assert [action["op"] for action in result["actions"]] == ["replace"]
    assert [lab.reached("tcp", PUBLIC[family], port) for port in (5000, 5001)] == [("web", 5000), ("web", 5001)]
    lab.translate(several, single, everything)
    assert [lab.reached("tcp", PUBLIC[family], port) for port in (5000, 80)] == [("web", 5000), ("db", 80)]
    lab.translate(everything, several, single)
    assert [lab.reached("tcp", PUBLIC[family], port) for port in (5000, 80)] == [("db", 5000), ("db", 80)]


@FAMILIES
def test_source_and_interface_restrict(lab: NatLab, family: int) -> None:
    one, other, net = (
        ("203.0.113.200", "203.0.113.201", "203.0.113.200/31")
        if family == 4
        else ("2001:db8:a::200", "2001:db8:a::201", "2001:db8:a::200/127")
    )
    wan1 = "198.51.100.20" if family == 4 else "2001:db8:b::20"
    lab.translate(forward(family, "tcp", 443, to_port="80", source=one))
    assert lab.reached("tcp", PUBLIC[family], 443, one) == ("web", 80)
    assert lab.reached("tcp", PUBLIC[family], 443, other) is None
    # A prefix and an interface together: a map with intervals, keyed by the interface's name too.
    lab.translate(forward(family, "tcp", 443, to_port="80", source=net, in_interface="wan0"))
    assert lab.reached("tcp", PUBLIC[family], 443, other) == ("web", 80)
    lab.translate(forward(family, "tcp", 443, to_port="80", source=net, in_interface="wan1"))
    assert lab.reached("tcp", PUBLIC[family], 443, other) is None
    anywhere = forward(family, "tcp", 443, to_port="80", in_interface="wan1")
    del anywhere["destination"]
    lab.translate(anywhere)
    assert lab.reached("tcp", wan1, 443) == ("web", 80)
    assert lab.reached("tcp", PUBLIC[family], 443) is None
    lab.translate(forward(family, "udp", 5002, source_port="40000-40010"))
    assert lab.reached("udp", PUBLIC[family], 5002, one, 40010) == ("web", 5002)
    assert lab.reached("udp", PUBLIC[family], 5002, one, 40011) == ("firewall", 5002)


@pytest.mark.parametrize("wildcard", ["wan+", "wan*"])
def test_an_interface_with_a_wildcard_is_refused_and_changes_nothing(lab: NatLab, wildcard: str) -> None:
    lab.translate(forward(4, "tcp", 443, to_port="80", in_interface="wan0"))
    other = forward(4, "tcp", 443, DB[4], to_port="80", in_interface=wildcard)
    options = {"rules": [other], "purge": True, "backend": lab.programs.backend}
    assert "a wildcard, which maps cannot hold" in lab.module("nat_rules", options)["msg"]
    assert lab.reached("tcp", PUBLIC[4], 443) == ("web", 80)
    # The same entry with the name of the interface is configured.
    lab.translate({**other, "in_interface": "wan0"})
    assert lab.reached("tcp", PUBLIC[4], 443) == ("db", 80)


@FAMILIES
def test_source_nat_and_masquerading(lab: NatLab, family: int) -> None:
    client = "203.0.113.200" if family == 4 else "2001:db8:a::200"
    second = "203.0.113.11" if family == 4 else "2001:db8:a::11"
    net = "192.168.1.0/24" if family == 4 else "fd00:1::/64"
    lan = {"type": "snat", "source": net, "out_interface": "wan0", "to_address": second}

    def seen(host: str) -> str | None:
        answer = lab.ask("tcp", client, 80, host=host)
        return answer["peer"][0] if answer else None

    assert seen("web") is None
    lab.translate(lan)
    assert (seen("web"), seen("db")) == (second, None)
    masquerade = {"type": "masquerade", "family": f"ipv{family}", "out_interface": "wan0"}
    lab.translate(lan, masquerade)
    assert seen("web") == second
    assert seen("db") in (PUBLIC[family], second)
    lab.translate(masquerade, lan)
    lab.translate({**lan, "to_address": PUBLIC[family], "protocol": "tcp", "to_port": "30000-30010"})
    answer = lab.ask("tcp", client, 80, host="web")
    assert answer is not None
    assert answer["peer"][0] == PUBLIC[family]
    assert 30000 <= answer["peer"][1] <= 30010


@FAMILIES
def test_a_prefix_becomes_another_and_the_host_part_stays(lab: NatLab, family: int) -> None:
    inside, outside, length = ("192.168.1", "203.0.112", 24) if family == 4 else ("fd00:1:", "2001:db8:c:", 64)
    dot = "." if family == 4 else ":"
    net, public = (f"{inside}{dot}{'0' if family == 4 else ''}", f"{outside}{dot}{'0' if family == 4 else ''}")
    client = "203.0.113.200" if family == 4 else "2001:db8:a::200"
    word = [] if family == 4 else ["-6"]
    lab.hosts["client"].run("ip", *word, "route", "add", f"{public}/{length}", "via", PUBLIC[family])
    try:
        lab.translate(
            {"type": "dnat", "destination": f"{public}/{length}", "to_address": f"{net}/{length}"},
            {"type": "snat", "source": f"{net}/{length}", "to_address": f"{public}/{length}"},
        )
        assert lab.reached("tcp", f"{outside}{dot}2", 80) == ("web", 80)
        answer = lab.ask("udp", client, 80, host="web")
        assert answer is not None
        assert answer["peer"][0] == f"{outside}{dot}2"
    finally:
        lab.hosts["client"].run("ip", *word, "route", "del", f"{public}/{length}")


@FAMILIES
def test_the_firewall_itself_reaches_the_service_by_its_public_address(lab: NatLab, family: int) -> None:
    anywhere = forward(family, "tcp", 80)
    del anywhere["destination"]
    lab.translate(forward(family, "tcp", 80))
    assert lab.reached("tcp", PUBLIC[family], 80, host="firewall") == ("web", 80)
    # An entry without a destination neither diverts what the firewall asks of others, nor its loopback.
    lab.translate(anywhere)
    client = "203.0.113.200" if family == 4 else "2001:db8:a::200"
    assert lab.reached("tcp", client, 80, host="firewall") == ("client", 80)
    assert lab.reached("tcp", "127.0.0.1" if family == 4 else "::1", 80, host="firewall") == ("firewall", 80)


def test_an_entry_removed_by_hand_is_missed_and_restored(lab: NatLab) -> None:
    rules = [forward(4, "tcp", 80), forward(4, "tcp", 5000)]
    lab.translate(*rules)
    assert lab.reached("tcp", PUBLIC[4], 80) == ("web", 80)
    if lab.programs.backend == "nftables":
        element = "dnat_ipv4_daddr_proto_dport { 203.0.113.10 . tcp . 80 }"
        lab.by_hand("nft", "-f", "-", feed=f"delete element inet multihome {element}")
    else:
        lab.by_hand("iptables", "-t", "nat", "-D", "multihome-destination", "1")
    assert lab.reached("tcp", PUBLIC[4], 80) == ("firewall", 80)
    result = lab.translate(*rules)
    assert [(action["op"], action["object"]["destination_port"]) for action in result["actions"]] == [("add", "80")]
    assert lab.reached("tcp", PUBLIC[4], 80) == ("web", 80)


def test_other_entries_keep_counters_and_connections_over_an_update(lab: NatLab) -> None:
    kept = [forward(4, "tcp", 80, name="kept"), forward(4, "udp", "5000-5003", to_port="6000-6003")]
    kept.append({"type": "masquerade", "source": "192.168.1.0/24"})
    lab.translate(*kept)
    client = lab.hosts["client"].start(sys.executable, PROBE, "hold", PUBLIC[4], "80", stdin=-1, stdout=-1)
    assert client.stdin is not None
    assert client.stdout is not None
    assert client.stdout.readline() == "connected\n"
    for port in (5000, 5001, 5001):
        assert lab.reached("udp", PUBLIC[4], port) is not None
    assert lab.ask("tcp", "203.0.113.200", 80, host="web") is not None
    before = counters(lab)
    assert [before[0], before[1], before[2]] == [("80", 1), ("5000-5003", 3), (None, 1)]
    # Something in front of all of them: the kept ones have to move to later maps, and take along what they counted.
    wide = {"type": "dnat", "source": "203.0.113.201", "to_address": DB[4]}
    wider = {"type": "snat", "source": "192.168.1.128/25", "to_address": "203.0.113.11", "out_interface": "wan0"}
    lab.translate(wide, wider, *kept, forward(4, "tcp", 5000))
    after = dict(counters(lab))
    assert {port: after[port] for port, _count in before} == dict(before)
    for _again in range(2):
        client.stdin.write("again\n")
        client.stdin.flush()
        assert json.loads(client.stdout.readline())["host"] == "web"
    assert dict(counters(lab))["80"] == 1


def counters(lab: NatLab) -> list[tuple[str | None, int]]:
    """Ports and packets of all entries, as multihome_info reports them."""
    result = lab.module("multihome_info", {"gather_subset": ["nat_counters"]})
    return [(entry.get("destination_port"), entry["packets"]) for entry in result["nat_counters"]]
