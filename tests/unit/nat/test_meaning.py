# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in nft means what the list says, whatever stood before; and nothing is done twice or for nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.nat_engine import NatEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.nat_model import parse_rules
from ansible_collections.multihome.linux.tests.unit.nat.engines import nft_engine
from ansible_collections.multihome.linux.tests.unit.nat.entries import entries, packets
from ansible_collections.multihome.linux.tests.unit.nat.fake_nft import FakeNft
from ansible_collections.multihome.linux.tests.unit.nat.packets import Packet, first_match, in_kernel
from ansible_collections.multihome.linux.tests.unit.nat.world import some_packet_matches_both
from hypothesis import event, given, settings
from hypothesis import strategies as st

STYLES = st.sampled_from(["1.0.6", "1.1.3"])


def run(nft: FakeNft, listed: Sequence[Any], purge: bool = True, check: bool = False) -> tuple[NatEngine, Outcome]:
    """One run of the engine; in check mode a write is an error."""
    nft.read_only = check
    engine = nft_engine(listed, nft, purge)
    return engine, converge(engine, check, contextlib.nullcontext)


def objects(nft: FakeNft) -> list[dict[str, Any]]:
    """What nft shows of our table."""
    status, output, _errors = nft(["-j", "list", "table", "inet", "multihome"], None)
    return list(json.loads(output)["nftables"]) if status == 0 else []


def same(listed: Sequence[dict[str, Any]], nft: FakeNft, sent: Sequence[Packet]) -> None:
    """Hold every packet's fate by the list against its fate in nft."""
    standing = objects(nft)
    for packet in sent:
        expected = first_match(listed, packet)
        event("translated" if expected else "passed by")
        assert in_kernel(standing, packet) == expected, packet


@settings(max_examples=250)
@given(entries(), entries(), st.lists(packets(), min_size=5, max_size=40), STYLES)
def test_first_match_of_the_list_is_what_nft_does(
    earlier: list[dict[str, Any]], listed: list[dict[str, Any]], sent: list[Packet], style: str
) -> None:
    nft = FakeNft(style)
    run(nft, earlier)
    same(earlier, nft, sent)
    run(nft, listed)
    same(listed, nft, sent)


@pytest.mark.parametrize("to_port", [{}, {"to_port": "1024-2000"}])
def test_snat_and_masquerade_of_one_match_keep_their_order(to_port: dict[str, str]) -> None:
    match = {"protocol": "tcp", "source": "10.0.0.1"}
    snat = {"type": "snat", **match, "to_address": "192.168.0.1", **to_port}
    masquerade = {"type": "masquerade", **match}
    packet = Packet("source", 4, "tcp", "10.0.0.1", "10.0.0.2", 1, 1, "wan0")
    nft = FakeNft()
    for listed in ([snat, masquerade], [masquerade, snat], [snat, masquerade]):
        assert run(nft, listed)[1].changed
        assert in_kernel(objects(nft), packet) == first_match(listed, packet)


@settings(max_examples=100)
@given(entries(), entries(), st.booleans(), st.lists(packets(), min_size=5, max_size=20))
def test_check_foretells_the_run_and_the_second_run_does_nothing(
    earlier: list[dict[str, Any]], listed: list[dict[str, Any]], purge: bool, sent: list[Packet]
) -> None:
    nft = FakeNft()
    run(nft, earlier)
    engine, foretold = run(nft, listed, purge, check=True)
    transactions = len(nft.written)
    _engine, done = run(nft, listed, purge)
    assert foretold.actions() == done.actions()
    assert foretold.plan == done.plan
    assert len(nft.written) - transactions == (1 if done.changed else 0)
    nft.read_only = True
    _engine, again = run(nft, listed, purge, check=True)
    assert again.actions() == []
    # What the run says to stand afterwards is what nft does.
    same(engine.after(done.plan), nft, sent)


@settings(max_examples=100)
@given(entries(), st.lists(packets(), min_size=5, max_size=20), st.randoms(use_true_random=False))
def test_an_order_that_means_the_same_changes_nothing(
    listed: list[dict[str, Any]], sent: list[Packet], random: Any
) -> None:
    nft = FakeNft()
    run(nft, listed)
    shuffled = list(listed)
    random.shuffle(shuffled)
    _engine, outcome = run(nft, shuffled)
    same(shuffled, nft, sent)
    if not outcome.changed:
        same(listed, nft, sent)
    elif outcome.actions():
        # Some packet must be able to tell: two entries of different order overlap.
        assert any(_overlap(listed, shuffled, entry["object"]) for entry in outcome.actions())


@settings(max_examples=100)
@given(entries(), entries(), st.lists(packets(), min_size=5, max_size=20))
def test_without_purge_what_stands_keeps_its_meaning_and_two_lists_do_not_quarrel(
    standing: list[dict[str, Any]], listed: list[dict[str, Any]], sent: list[Packet]
) -> None:
    nft = FakeNft()
    run(nft, standing)
    taken = {entry.object.key for entry in parse_rules(standing)}
    new = [entry for entry in listed if parse_rules([entry])[0].object.key not in taken]
    run(nft, new, purge=False)
    same(standing + new, nft, sent)
    for again in (standing, new, standing):
        assert not run(nft, again, purge=False)[1].changed


@settings(max_examples=100)
@given(entries(), st.data(), st.lists(packets(), min_size=5, max_size=20))
def test_without_purge_a_part_of_the_list_changes_nothing(
    standing: list[dict[str, Any]], data: st.DataObject, sent: list[Packet]
) -> None:
    nft = FakeNft()
    run(nft, standing)
    part = [entry for entry in standing if data.draw(st.booleans())]
    assert not run(nft, part, purge=False)[1].changed
    same(standing, nft, sent)


def _overlap(listed: list[dict[str, Any]], shuffled: list[dict[str, Any]], moved: dict[str, Any]) -> bool:
    """Tell whether an entry overlaps one that it changed places with, asked of every packet of the small world."""

    def place(order: list[dict[str, Any]], wanted: dict[str, Any]) -> int:
        return next(index for index, entry in enumerate(order) if _equal(entry, wanted))

    here, there = place(listed, moved), place(shuffled, moved)
    return any(
        (place(listed, other) < here) != (place(shuffled, other) < there) and some_packet_matches_both(other, moved)
        for other in listed
        if not _equal(other, moved)
    )


def _equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    told = ("family", "to_port")
    return {k: v for k, v in one.items() if k not in told} == {k: v for k, v in other.items() if k not in told}
