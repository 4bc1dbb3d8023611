# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translations and filters of other programs: packets show who decides, and preflight says so with a remedy."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.nat.lab import NatLab, nat_lab
from ansible_collections.multihome.linux.tests.integration.nat.programs import IPTABLES, LEGACY, NFT
from ansible_collections.multihome.linux.tests.integration.nat.test_matches import CLIENTS
from ansible_collections.multihome.linux.tests.integration.nat.test_packets import DB, FAMILIES, PUBLIC, WEB, forward

LINE = {"id": 1, "interface": "wan0", "public_addresses": ["203.0.113.10/24", "2001:db8:a::10/64"]}
# As administrators write it: established connections, mapped ones, and nothing else.
FILTER = """
table inet filter {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ct status dnat accept
    }
}
"""
TRANSLATION = """
table inet other {{
    chain c {{
        type nat hook prerouting priority -150; policy accept;
        tcp dport 5000 dnat {} to {}
    }}
}}
"""


SAME = """
table inet {0} {{
    chain c {{
        type nat hook prerouting priority -100; policy accept;
        tcp dport 5000 dnat {1} to {2}
    }}
}}
"""


@pytest.fixture(scope="module", params=[NFT, IPTABLES, LEGACY], ids=str)
def lab(request: pytest.FixtureRequest) -> Iterator[NatLab]:
    with nat_lab(request.param) as running:
        yield running


def findings(lab: NatLab, rules: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    """Return what preflight finds of some kinds."""
    options = {
        "lines": [LINE],
        "role": "firewall",
        "servers": [WEB[4], WEB[6]],
        "nat_rules": rules,
        "nat_backend": lab.programs.backend,
        "probe_timeout": 0,
        "fail_on": "never",
    }
    result = lab.module("preflight", options)
    assert not result.get("failed"), result
    return [one for one in result["findings"] if one["id"] in kinds]


def taken(lab: NatLab, rules: list[dict[str, Any]]) -> list[str]:
    """Return the kinds of the findings about translations."""
    kinds = ("translation-taken", "translation-contested", "translation-preceded")
    return [one["id"] for one in findings(lab, rules, *kinds)]


def now_taken(lab: NatLab) -> list[dict[str, Any]]:
    """What multihome_info finds for the configured entries, as verify asks for it."""
    result = lab.module("multihome_info", {"gather_subset": ["taken_translations"]})
    assert not result.get("failed"), result
    listed: list[dict[str, Any]] = result["taken_translations"]
    return listed


def iptables(lab: NatLab, family: int, *arguments: str) -> None:
    """Change a rule of iptables by hand."""
    lab.by_hand("iptables" if family == 4 else "ip6tables", "-t", "nat", *arguments)


@FAMILIES
def test_a_rule_of_iptables_for_the_same_port(lab: NatLab, family: int) -> None:
    rules = [forward(family, "tcp", 5000)]
    theirs = ("-p", "tcp", "--dport", "5000", "-j", "DNAT", "--to-destination", DB[family])
    iptables(lab, family, "-A", "PREROUTING", *theirs)
    try:
        # The entry decides, though theirs was there before it.
        assert taken(lab, rules) == ["translation-preceded"]
        lab.translate(*rules)
        assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)
        assert taken(lab, rules) == ["translation-preceded"]
        # Another port is not concerned.
        assert taken(lab, [forward(family, "tcp", 5001)]) == []
    finally:
        iptables(lab, family, "-D", "PREROUTING", *theirs)
    # Inserted before the jump of iptables it decides, and is an error; nftables is asked before it nevertheless.
    iptables(lab, family, "-I", "PREROUTING", *theirs)
    try:
        is_first = lab.programs.backend == "iptables"
        assert lab.reached("tcp", PUBLIC[family], 5000) == ("db" if is_first else "web", 5000)
        assert taken(lab, rules) == ["translation-taken" if is_first else "translation-preceded"]
        assert [one["order"] for one in now_taken(lab)] == (["first"] if is_first else [])
    finally:
        iptables(lab, family, "-D", "PREROUTING", *theirs)
    assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)
    assert taken(lab, rules) == []


@FAMILIES
def test_a_chain_of_nft_that_is_asked_first(lab: NatLab, family: int) -> None:
    rules = [forward(family, "tcp", 5000)]
    lab.translate(*rules)
    chain = TRANSLATION.format("ip" if family == 4 else "ip6", DB[family])
    lab.by_hand("nft", "-f", "-", feed=chain)
    try:
        assert lab.reached("tcp", PUBLIC[family], 5000) == ("db", 5000)
        [one] = findings(lab, rules, "translation-taken")
        assert one["severity"] == "error"
        assert one["subject"] == "nft table inet other, chain c"
        assert "is asked first, and takes connections of the entry" in one["message"]
        # The module says the same after a change, and multihome_info at any time.
        changed = lab.translate(*rules, forward(family, "tcp", 5001))
        assert changed["taken_translations"] == now_taken(lab)
        [again] = now_taken(lab)
        assert (again["place"], again["order"]) == (one["subject"], "first")
        [warning] = changed["warnings"]
        assert f"{again['message']}; remedy: {again['remedy']}" in str(warning)
        assert "remove the rule, have the program that wrote it use another port" in again["remedy"]
    finally:
        lab.by_hand("nft", "delete", "table", "inet", "other")
    assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)
    assert (taken(lab, rules), now_taken(lab)) == ([], [])
    changed = lab.translate(*rules)
    assert changed["taken_translations"] == []
    assert "warnings" not in changed


def chains(family: int, **targets: str) -> list[str]:
    """Tables of the same hook and priority, each with its own target."""
    layer = "ip" if family == 4 else "ip6"
    return [SAME.format(name, layer, to) for name, to in targets.items()]


def check_answer(lab: NatLab, family: int, host: str) -> None:
    """The table that was just loaded decides; a busy kernel may answer a moment later."""
    assert lab.eventually_reached((host, 5000), "tcp", PUBLIC[family], 5000) == (host, 5000)


@FAMILIES
def test_of_one_priority_the_chain_that_was_loaded_last_decides(lab: NatLab, family: int) -> None:
    """The fact of docs/nat.md: load order decides, so entries of this collection have a priority of their own."""
    lab.translate()  # An entry of an earlier test would come before both.
    tables = dict(zip(("one", "two"), chains(family, one=WEB[family], two=DB[family]), strict=True))
    answers = {"one": "web", "two": "db"}
    for order in (("one", "two"), ("two", "one")):
        for name in order:
            lab.by_hand("nft", "-f", "-", feed=tables[name])
        try:
            check_answer(lab, family, answers[order[-1]])
            # Loaded again, the other one is the last.
            lab.by_hand("nft", "delete", "table", "inet", order[0])
            lab.by_hand("nft", "-f", "-", feed=tables[order[0]])
            check_answer(lab, family, answers[order[0]])
        finally:
            for name in order:
                lab.by_hand("nft", "delete", "table", "inet", name)


@FAMILIES
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_the_order_of_loading_does_not_decide_between_theirs_and_ours(lab: NatLab, family: int, first: str) -> None:
    """N5: at the priority that iptables, Docker and firewalld use, whichever is loaded first."""
    rules = [forward(family, "tcp", 5000)]
    [theirs] = chains(family, theirs=DB[family])
    lab.translate()
    for turn in ("theirs", "ours") if first == "theirs" else ("ours", "theirs"):
        if turn == "theirs":
            lab.by_hand("nft", "-f", "-", feed=theirs)
        else:
            lab.translate(*rules)
    try:
        if lab.programs.backend == "nftables":
            assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)
            assert taken(lab, rules) == ["translation-preceded"]
            # The control: at the priority of this collection, the order decides, and it is a finding.
            lab.by_hand("nft", "delete", "table", "inet", "theirs")
            lab.by_hand("nft", "-f", "-", feed=theirs.replace("-100", "-101"))
            assert lab.reached("tcp", PUBLIC[family], 5000) == ("db", 5000)
            assert taken(lab, rules) == ["translation-contested"]
        else:
            # iptables has one priority only: what is loaded last decides, and it is a finding.
            assert taken(lab, rules) == ["translation-contested"]
    finally:
        lab.by_hand("nft", "delete", "table", "inet", "theirs")


UNTRACKED = """
table inet other {
    chain c {
        type filter hook prerouting priority raw; policy accept;
        iifname "wan0" tcp dport 5000 notrack
    }
}
"""


@FAMILIES
def test_packets_out_of_connection_tracking_are_not_translated(lab: NatLab, family: int) -> None:
    rules = [forward(family, "tcp", 5000)]
    lab.translate(*rules)
    assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)
    lab.by_hand("nft", "-f", "-", feed=UNTRACKED)
    try:
        # The firewall itself gets them.
        assert lab.reached("tcp", PUBLIC[family], 5000) == ("firewall", 5000)
        [one] = findings(lab, rules, "translation-taken")
        assert "its rule NOTRACK from wan0 protocol tcp port 5000 is asked first" in one["message"]
        assert [one["order"] for one in now_taken(lab)] == ["first"]
        # Another port is not concerned.
        assert taken(lab, [forward(family, "tcp", 5001)]) == []
    finally:
        lab.by_hand("nft", "delete", "table", "inet", "other")
    assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)
    assert (taken(lab, rules), now_taken(lab)) == ([], [])


@FAMILIES
def test_an_accept_before_the_entries_of_iptables(lab: NatLab, family: int) -> None:
    rules = [forward(family, "tcp", 5000)]
    lab.translate(*rules)
    theirs = ("-p", "tcp", "--dport", "5000", "-j", "ACCEPT")
    iptables(lab, family, "-I", "PREROUTING", *theirs)
    try:
        is_first = lab.programs.backend == "iptables"
        assert lab.reached("tcp", PUBLIC[family], 5000) == ("firewall" if is_first else "web", 5000)
        assert taken(lab, rules) == (["translation-contested"] if is_first else [])
        assert [one["order"] for one in now_taken(lab)] == (["unknown"] if is_first else [])
    finally:
        iptables(lab, family, "-D", "PREROUTING", *theirs)
    assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)


@FAMILIES
def test_a_network_that_another_program_maps(lab: NatLab, family: int) -> None:
    rules = [forward(family, "tcp", 5000)]
    lab.translate(*rules)
    theirs = ("-d", PUBLIC[family], "-j", "NETMAP", "--to", DB[family])
    iptables(lab, family, "-I", "PREROUTING", *theirs)
    try:
        is_first = lab.programs.backend == "iptables"
        assert lab.reached("tcp", PUBLIC[family], 5000) == ("db" if is_first else "web", 5000)
        assert taken(lab, rules) == ["translation-taken" if is_first else "translation-preceded"]
    finally:
        iptables(lab, family, "-D", "PREROUTING", *theirs)
    assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)


@FAMILIES
def test_a_filter_that_drops_what_servers_initiate(lab: NatLab, family: int) -> None:
    rules: list[dict[str, Any]] = [
        forward(family, "tcp", 5000),
        {"type": "masquerade", "source": WEB[family], "out_interface": "wan0"},
    ]
    lab.translate(*rules)

    def leaves() -> bool:
        return lab.ask("tcp", CLIENTS[family][0], 80, host="web") is not None

    assert leaves()
    assert findings(lab, rules, "outgoing-dropped") == []
    lab.by_hand("nft", "-f", "-", feed=FILTER)
    try:
        # Services work, and what the server initiates is dead.
        assert lab.reached("tcp", PUBLIC[family], 5000) == ("web", 5000)
        assert not leaves()
        [one] = findings(lab, rules, "outgoing-dropped", "outgoing-filtered")
        assert one["subject"] == "nft table inet filter, chain forward"
        program, *arguments = shlex.split(one["remedy"].split("all of them: ")[-1])
        lab.by_hand(program, *(word if word not in ("lan0", "wan0") else f'"{word}"' for word in arguments))
        assert leaves()
        assert findings(lab, rules, "outgoing-dropped", "outgoing-filtered") == []
    finally:
        lab.by_hand("nft", "delete", "table", "inet", "filter")
