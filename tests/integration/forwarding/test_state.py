# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""forward_policy leaves what it should, and notices what others did to it, with the programs of several releases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.multihome.linux.tests.integration.forwarding.lab import (
    ACCEPT,
    DB,
    MAPPED,
    clean,
    forward,
    rule_set,
)
from ansible_collections.multihome.linux.tests.integration.nat.lab import NatLab, nat_lab
from ansible_collections.multihome.linux.tests.integration.nat.programs import IPTABLES, LEGACY, NFT, NFT_OF_DEBIAN_13


@pytest.fixture(scope="module", params=[NFT, IPTABLES, LEGACY, NFT_OF_DEBIAN_13], ids=str)
def lab(request: pytest.FixtureRequest) -> Iterator[NatLab]:
    with nat_lab(request.param) as running:
        running.translate(*MAPPED)
        yield running


@pytest.fixture(autouse=True)
def _clean(lab: NatLab) -> Iterator[None]:
    yield
    clean(lab)


def test_check_run_check_run_and_nothing_is_left(lab: NatLab) -> None:
    before = rule_set(lab)
    foretold = forward(lab, "drop", *ACCEPT, check=True, diff=True)
    assert rule_set(lab) == before
    done = forward(lab, "drop", *ACCEPT, diff=True)
    assert foretold == done
    assert done["changed"]
    assert done["before"] == {"policy": "leave", "accept": []}
    assert sorted(map(str, done["after"]["accept"])) == sorted(map(str, ACCEPT))
    after = rule_set(lab)
    assert after != before
    found = lab.module("multihome_info", {"gather_subset": ["forward_policy"]})["forward_policy"]
    assert found == done["after"]
    for check in (True, False):
        again = forward(lab, "drop", *ACCEPT[::-1], check=check)
        assert (again["changed"], again["actions"]) == (False, [])
    assert rule_set(lab) == after
    kept = forward(lab, "drop", {"mapped_to": "10.0.0.0/8"}, {"mapped_to": DB[4]}, purge=False)
    added = [{"mapped_to": "10.0.0.0/8"}, {"mapped_to": DB[4]}]
    assert [action for action in kept["actions"] if action["op"] == "add"] == [
        {"op": "add", "object": entry} for entry in added
    ]
    assert len(kept["after"]["accept"]) == len(ACCEPT) + 2
    purged = forward(lab, "drop", *ACCEPT)
    assert [action["object"] for action in purged["actions"]] == added
    assert rule_set(lab) == after
    gone = forward(lab, "leave")
    assert gone["after"] == {"policy": "leave", "accept": []}
    if lab.programs.backend == "nftables":
        assert rule_set(lab) == before
    else:
        assert "multihome-forward" not in rule_set(lab)


def test_an_address_that_the_backend_shows_in_another_form_is_recognised(lab: NatLab) -> None:
    entries = [{"mapped_to": "::1.2.3.4"}, {"source": "64:ff9b::5.6.7.8", "out_interface": "wan0"}]
    assert forward(lab, "drop", *entries)["changed"]
    assert forward(lab, "drop", *entries)["actions"] == []


def test_what_is_changed_by_hand_is_noticed_and_put_right(lab: NatLab) -> None:
    forward(lab, "drop", *ACCEPT)
    whole = rule_set(lab)
    hands: list[list[str]]
    if lab.programs.backend == "nftables":
        chain = ["inet", "multihome", "forward"]
        hands = [["nft", "flush", "chain", *chain], ["nft", "insert", "rule", *chain, "accept"]]
        hands.append(["nft", "add", "chain", *chain, "{ policy accept; }"])
    else:
        chain = ["multihome-forward"]
        hands = [
            ["iptables", "-F", *chain],
            ["iptables", "-I", *chain, "-j", "ACCEPT"],
            ["ip6tables", "-D", *chain, "1"],
        ]
        hands += [["iptables", "-D", "FORWARD", "1"], ["iptables", "-I", "FORWARD", "-j", "ACCEPT"]]
    for hand in hands:
        lab.by_hand(*hand)
        assert rule_set(lab) != whole
        assert forward(lab, "drop", *ACCEPT)["changed"], hand
        # The last is a rule of somebody else in front of ours, which stays: ours is moved before it.
        theirs = "-A FORWARD -j ACCEPT\n" if hand[-1] == "ACCEPT" and "FORWARD" in hand else ""
        assert rule_set(lab).replace(theirs, "") == whole
        assert not forward(lab, "drop", *ACCEPT)["changed"]
