# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The maximum segment size that hosts see in packets which open a connection through the firewall."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from ansible_collections.multihome.linux.tests.integration.forwarding.lab import (
    CLIENT,
    MAPPED,
    PUBLIC,
    SOURCES,
    forward,
)
from ansible_collections.multihome.linux.tests.integration.nat.lab import NatLab, nat_lab
from ansible_collections.multihome.linux.tests.integration.nat.programs import (
    IPTABLES,
    LEGACY,
    NFT,
    NFT_OF_DEBIAN_13,
)
from ansible_collections.multihome.linux.tests.integration.nat.test_packets import FAMILIES

# Notes the sizes in the packets that open connections to a host.
NOTES = """
table inet noted {
    set sizes { typeof tcp option maxseg size; flags dynamic; size 64; }
    chain input {
        type filter hook input priority -300;
        tcp flags & (syn | rst) == syn add @sizes { tcp option maxseg size }
    }
}
"""
# The headers of IP and TCP.
HEADERS = {4: 40, 6: 60}


@pytest.fixture(scope="module", params=[NFT, IPTABLES, LEGACY, NFT_OF_DEBIAN_13], ids=str)
def lab(request: pytest.FixtureRequest) -> Iterator[NatLab]:
    with nat_lab(request.param) as running:
        # As the interface of PPPoE has it, and the hosts at both ends do not know.
        running.firewall.run("ip", "link", "set", "wan0", "mtu", "1400")
        running.translate(*MAPPED, *SOURCES)
        for name in ("client", "web"):
            running.hosts[name].run("nft", "-f", "-", feed=NOTES)
        yield running


def noted(lab: NatLab, host: str, opens: tuple[str, str, int]) -> list[int]:
    """Return the sizes that a host sees while another one opens a connection."""
    asking, address, port = opens
    lab.hosts[host].run("nft", "flush", "set", "inet", "noted", "sizes")
    assert lab.ask("tcp", address, port, host=asking) is not None
    listed = json.loads(lab.hosts[host].run("nft", "-j", "list", "set", "inet", "noted", "sizes").stdout)
    [found] = [one["set"].get("elem", []) for one in listed["nftables"] if "set" in one]
    return [one["elem"]["val"] if isinstance(one, dict) else one for one in found]


def both_ways(lab: NatLab, family: int) -> list[int]:
    """Return the sizes that the server sees from outside, and the client from inside: in requests and in answers."""
    to_server, to_client = ("client", PUBLIC[family], 443), ("web", CLIENT[family], 80)
    seen = [noted(lab, "web", to_server), noted(lab, "client", to_server)]
    seen += [noted(lab, "client", to_client), noted(lab, "web", to_client)]
    return sorted({size for sizes in seen for size in sizes})


@FAMILIES
def test_auto_fits_the_mtu_of_the_interface(lab: NatLab, family: int) -> None:
    # The control: nobody tells the hosts.
    forward(lab, "leave")
    assert both_ways(lab, family) == [1500 - HEADERS[family]]
    clamp = {"interface": "wan0", "mss": "auto"}
    result = forward(lab, "leave", mss=[clamp])
    assert result["actions"][-1] == {"op": "add", "object": clamp}
    assert result["after"]["mss"] == [clamp]
    assert both_ways(lab, family) == [1400 - HEADERS[family]]
    assert not forward(lab, "leave", mss=[clamp])["changed"]
    assert lab.module("multihome_info", {"gather_subset": ["forward_policy"]})["forward_policy"]["mss"] == [clamp]


@FAMILIES
def test_a_number_is_the_size_and_never_enlarges_one(lab: NatLab, family: int) -> None:
    forward(lab, "leave", mss=[{"interface": "wan0", "mss": 1200}])
    assert both_ways(lab, family) == [1200]
    forward(lab, "leave", mss=[{"interface": "wan0", "mss": "9000"}])
    assert both_ways(lab, family) == [1500 - HEADERS[family]]
    # Another interface is not concerned.
    forward(lab, "leave", mss=[{"interface": "wan1", "mss": 1200}])
    assert both_ways(lab, family) == [1500 - HEADERS[family]]


def test_limits_stay_without_purge_and_off_removes_one(lab: NatLab) -> None:
    one, other = {"interface": "wan0", "mss": "auto"}, {"interface": "wan1", "mss": "1300"}
    forward(lab, "leave", mss=[one])
    assert forward(lab, "leave", mss=[other], purge=False)["after"]["mss"] == [one, other]
    removed = forward(lab, "leave", mss=[{"interface": "wan0", "mss": False}], purge=False)
    assert {"op": "remove", "object": one} in removed["actions"]
    assert removed["after"]["mss"] == [other]
    foretold = forward(lab, "leave", check=True)
    assert foretold["actions"] == forward(lab, "leave")["actions"]
    assert not forward(lab, "leave")["changed"]
    saved = lab.by_hand("iptables-save") if lab.programs.backend == "iptables" else ""
    assert "multihome-mss" not in saved + lab.by_hand("nft", "list", "ruleset")


def test_a_changed_rule_is_restored(lab: NatLab) -> None:
    forward(lab, "leave", mss=[{"interface": "wan0", "mss": "auto"}])
    if lab.programs.backend == "iptables":
        lab.by_hand(
            "iptables",
            "-t",
            "mangle",
            "-D",
            "FORWARD",
            "-m",
            "comment",
            "--comment",
            "multihome.linux",
            "-j",
            "multihome-mss",
        )
    else:
        lab.by_hand("nft", "flush", "chain", "inet", "multihome", "mss")
    assert forward(lab, "leave", mss=[{"interface": "wan0", "mss": "auto"}])["changed"]
    assert both_ways(lab, 4) == [1360]
    assert not forward(lab, "leave", mss=[{"interface": "wan0", "mss": "auto"}])["changed"]


def test_what_is_no_size_is_refused(lab: NatLab) -> None:
    for written, said in (("1", "not auto, off or a number from 536"), ("some", "not auto, off or a number")):
        options = {"accept": [], "mss": [{"interface": "wan0", "mss": written}], "backend": lab.programs.backend}
        assert said in lab.module("forward_policy", options)["msg"]
