# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What forward_policy does to real packets, beside other people's rules, with either backend."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.forwarding.lab import (
    ACCEPT,
    CLIENT,
    DB,
    EMPTY,
    HAIRPIN,
    LAN,
    MAPPED,
    PUBLIC,
    SOURCES,
    WEB,
    clean,
    foreign,
    forward,
    question,
    reached_at_once,
    route_inside,
    rule_set,
)
from ansible_collections.multihome.linux.tests.integration.nat.lab import PROBE, NatLab, nat_lab
from ansible_collections.multihome.linux.tests.integration.nat.programs import IPTABLES, NFT
from ansible_collections.multihome.linux.tests.integration.preflight.steps import DOCKER, FIREWALLD, UFW

FAMILIES = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture(scope="module", params=[NFT, IPTABLES], ids=str)
def lab(request: pytest.FixtureRequest) -> Iterator[NatLab]:
    with nat_lab(request.param) as running:
        running.translate(*MAPPED, *HAIRPIN, *SOURCES)
        yield running


@pytest.fixture(autouse=True)
def _clean(lab: NatLab) -> Iterator[None]:
    yield
    clean(lab)


@FAMILIES
def test_only_what_is_mapped_or_begun_inside_is_forwarded(lab: NatLab, family: int) -> None:
    def seen() -> dict[str, Any]:
        return reached_at_once(
            lab,
            mapped=question("tcp", PUBLIC[family], 443),
            hairpin=question("tcp", PUBLIC[family], 443, host="web"),
            outbound=question("udp", CLIENT[family], 80, host="web"),
            # What follows is none of it.
            straight=question("tcp", WEB[family], 80),
            mapped_port=question("tcp", WEB[family], 8080),
            another_server=question("tcp", DB[family], 80),
            another_source=question("udp", CLIENT[family], 80, host="db"),
            from_inside_to_inside=question("tcp", DB[family], 80, host="web"),
            # Nothing of it is forwarded.
            firewall_itself=question("tcp", PUBLIC[family], 80),
            firewall_to_outside=question("tcp", CLIENT[family], 80, host="firewall"),
        )

    with route_inside(lab, family):
        everything = seen()
        assert None not in everything.values()
        forward(lab, "drop", *ACCEPT)
        dropped = {"straight", "mapped_port", "another_server", "another_source", "from_inside_to_inside"}
        assert seen() == {name: None if name in dropped else found for name, found in everything.items()}
        forward(lab, "leave", *ACCEPT)
        assert seen() == everything


def test_packets_from_a_line_never_count_as_from_the_inside(lab: NatLab) -> None:
    outside = {"source": "203.0.113.0/24", "out_interface": "lan0"}
    with route_inside(lab, 4):
        forward(lab, "drop", outside)
        assert lab.reached("tcp", WEB[4], 80) == ("web", 80)
        forward(lab, "drop", outside, {"source": LAN[4], "out_interface": "wan0"})
        assert lab.reached("tcp", WEB[4], 80) is None


def test_established_connections_continue(lab: NatLab) -> None:
    with route_inside(lab, 4):
        client = lab.hosts["client"].start(sys.executable, PROBE, "hold", WEB[4], "80", stdin=-1, stdout=-1)
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline() == "connected\n"
        forward(lab, "drop", *ACCEPT)
        assert lab.reached("tcp", WEB[4], 80) is None  # the control: a new one does not begin
        for accept in (ACCEPT[:1], ACCEPT):
            forward(lab, "drop", *accept)
            client.stdin.write("again\n")
            client.stdin.flush()
            assert json.loads(client.stdout.readline())["host"] == "web"
        client.kill()


@pytest.mark.parametrize(("rules", "place"), [(DOCKER, "DOCKER-USER"), (UFW, "FORWARD")], ids=["Docker", "ufw"])
@pytest.mark.parametrize("policy", ["leave", "drop"])
def test_what_is_mapped_passes_rules_of_iptables(lab: NatLab, rules: str, place: str, policy: str) -> None:
    def seen() -> list[Any]:
        mapped, outbound = question("tcp", PUBLIC[4], 443), question("udp", CLIENT[4], 80, host="web")
        hairpin = question("tcp", PUBLIC[4], 443, host="web")
        return list(reached_at_once(lab, mapped=mapped, outbound=outbound, hairpin=hairpin).values())

    lab.by_hand("iptables-restore", feed=rules)
    if "INPUT DROP" in rules:
        lab.by_hand("iptables", "-P", "INPUT", "ACCEPT")
    theirs = foreign(lab)
    assert seen() == [None, None, None]
    first = forward(lab, policy, *ACCEPT)
    assert seen() == [("web", 8080), ("client", 80), ("web", 8080)]
    assert not forward(lab, policy, *ACCEPT)["changed"]
    assert foreign(lab) == theirs
    saved = lab.by_hand("iptables-save", "-t", "filter")
    assert re.findall(r"^-A (\S+) .*-j multihome-forward$", saved, re.MULTILINE) == [place]
    ours = {"table": "iptables table filter, chain multihome-forward"}
    assert {"op": "add", "object": ours} in first["actions"]
    with route_inside(lab, 4):
        assert lab.reached("tcp", WEB[4], 80) is None
    # Once nothing drops it any more, nothing is needed to let it pass.
    lab.by_hand("iptables-restore", feed=EMPTY)
    forward(lab, "leave", *ACCEPT)
    assert "multihome" not in lab.by_hand("iptables-save", "-t", "filter")


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (FIREWALLD, []),
        (FIREWALLD.replace("ct status dnat accept", ""), ["nft table inet firewalld, chain filter_FORWARD"]),
        (
            "table inet theirs { chain forward { type filter hook forward priority 0; policy drop; }; }\n",
            ["nft table inet theirs, chain forward"],
        ),
    ],
    ids=["firewalld", "firewalld that rejects", "a chain that drops"],
)
def test_what_nftables_drops_is_named_and_left_alone(lab: NatLab, rules: str, found: list[str]) -> None:
    lab.firewall.run("nft", "-f", "-", feed=rules)
    before = rule_set(lab)
    assert forward(lab, "leave", *ACCEPT)["actions"] == []
    assert rule_set(lab) == before
    assert (lab.reached("tcp", PUBLIC[4], 443) is None) == bool(found)
    line = {"id": 1, "interface": "wan0", "addresses": [f"{PUBLIC[4]}/24"]}
    options = {"role": "firewall", "lines": [line], "servers": [WEB[4]], "fail_on": "never", "probe_timeout": 0}
    looked = lab.module("preflight", {**options, "manages_forwarding": True})
    named = [(f["id"], f["subject"], f["severity"]) for f in looked["findings"] if "forward" in f["id"]]
    assert named == [("forward-dropped", subject, "error") for subject in found]


def test_preflight_knows_what_is_let_pass(lab: NatLab) -> None:
    lab.by_hand("iptables-restore", feed=DOCKER)
    line = {"id": 1, "interface": "wan0", "addresses": [f"{PUBLIC[4]}/24"]}
    options = {"role": "firewall", "lines": [line], "servers": [WEB[4]], "fail_on": "never", "probe_timeout": 0}

    def named(manages: bool) -> list[tuple[str, str]]:
        looked = lab.module("preflight", {**options, "manages_forwarding": manages})
        return [(f["id"], f["severity"]) for f in looked["findings"] if "forward" in f["id"]]

    assert named(manages=False) == [("iptables-forward-dropped", "error")]
    assert named(manages=True) == [("iptables-forward-dropped", "info")]
    forward(lab, "leave", *ACCEPT)
    assert named(manages=False) == []


def test_a_host_moves_from_one_backend_to_the_other(lab: NatLab) -> None:
    other = "iptables" if lab.programs.backend == "nftables" else "nftables"
    forward(lab, "drop", *ACCEPT)
    moved = forward(lab, "drop", *ACCEPT, backend=other)
    assert {action["op"] for action in moved["actions"]} == {"add", "remove"}
    assert moved["before"] == moved["after"]
    has_chain = "chain forward" in lab.firewall.run("nft", "list", "ruleset").stdout
    assert has_chain == (other == "nftables")
    assert ("multihome-forward" in lab.by_hand("iptables-save")) == (other == "iptables")
    with route_inside(lab, 4):
        assert lab.reached("tcp", WEB[4], 80) is None
        assert lab.reached("tcp", PUBLIC[4], 443) == ("web", 8080)
    assert not forward(lab, "drop", *ACCEPT, backend=other)["changed"]
    forward(lab, "leave", backend=other)
