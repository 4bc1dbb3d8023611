# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Either backend gives a list the same meaning, whatever was configured before; and no run does needless work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import parse_rules
from ansible_collections.multihome.linux.tests.unit.nat.entries import entries, packets, plain
from ansible_collections.multihome.linux.tests.unit.nat.hosts import KINDS, FakeHost
from ansible_collections.multihome.linux.tests.unit.nat.packets import Packet, first_match
from ansible_collections.multihome.linux.tests.unit.nat.world import some_packet_matches_both
from hypothesis import event, given, settings
from hypothesis import strategies as st

KIND = pytest.mark.parametrize("kind", KINDS)


def same(listed: Sequence[dict[str, Any]], host: FakeHost, sent: Sequence[Packet]) -> None:
    """Compare the result of every packet by the list with its result on the host."""
    for packet in sent:
        expected = first_match(listed, packet)
        event("translated" if expected else "passed by")
        assert host.result(packet) == expected, packet


@KIND
@settings(max_examples=60)
@given(entries(), entries(), st.lists(packets(), min_size=5, max_size=40))
def test_first_match_of_the_list_is_what_the_kernel_does(
    kind: str, earlier: list[dict[str, Any]], listed: list[dict[str, Any]], sent: list[Packet]
) -> None:
    host = FakeHost(kind)
    host.run(earlier)
    same(earlier, host, sent)
    host.run(listed)
    same(listed, host, sent)


@settings(max_examples=60)
@given(entries(), entries(), st.booleans(), st.sampled_from(KINDS), st.lists(packets(), min_size=5, max_size=20))
def test_moving_to_the_other_backend_leaves_no_double_translation_and_no_gap(
    earlier: list[dict[str, Any]], listed: list[dict[str, Any]], purge: bool, kind: str, sent: list[Packet]
) -> None:
    host = FakeHost(kind)
    host.run(earlier)
    host.uses_nft = not host.uses_nft
    engine, foretold = host.run(listed, purge, check=True)
    _engine, done = host.run(listed, purge)
    assert foretold.actions() == done.actions()
    assert done.changed == bool(earlier or listed)
    same(engine.after(done.plan), host, sent)
    assert len(engine.after(done.plan)) >= len(listed)
    assert not host.run(listed, purge, check=True)[1].changed


@KIND
@pytest.mark.parametrize("to_port", [{}, {"to_port": "1024-2000"}])
def test_snat_and_masquerade_of_one_match_keep_their_order(kind: str, to_port: dict[str, str]) -> None:
    match = {"protocol": "tcp", "source": "10.0.0.1"}
    snat = {"type": "snat", **match, "to_address": "192.168.0.1", **to_port}
    masquerade = {"type": "masquerade", **match}
    packet = Packet("source", 4, "tcp", "10.0.0.1", "10.0.0.2", 1, 1, "wan0")
    host = FakeHost(kind)
    for listed in ([snat, masquerade], [masquerade, snat], [snat, masquerade]):
        assert host.run(listed)[1].changed
        assert host.result(packet) == first_match(listed, packet)


@KIND
@settings(max_examples=40)
@given(entries(), entries(), st.booleans(), st.lists(packets(), min_size=5, max_size=20))
def test_check_foretells_the_run_and_the_second_run_does_nothing(
    kind: str, earlier: list[dict[str, Any]], listed: list[dict[str, Any]], purge: bool, sent: list[Packet]
) -> None:
    host = FakeHost(kind)
    host.run(earlier)
    engine, foretold = host.run(listed, purge, check=True)
    transactions = host.written
    _engine, done = host.run(listed, purge)
    assert foretold.actions() == done.actions()
    assert foretold.plan == done.plan
    assert (host.written > transactions) == done.changed
    _engine, again = host.run(listed, purge, check=True)
    assert again.actions() == []
    # The kernel does what the run reports as the later state.
    same(engine.after(done.plan), host, sent)


@KIND
@settings(max_examples=40)
@given(entries(), st.lists(packets(), min_size=5, max_size=20), st.randoms(use_true_random=False))
def test_an_order_that_means_the_same_changes_nothing(
    kind: str, listed: list[dict[str, Any]], sent: list[Packet], random: Any
) -> None:
    # Parts of a negation or a range overlap at addresses that the small world does not have.
    listed = plain([e for e in listed if not any(c in str(e.get(f)) for c in "!-" for f in ("source", "destination"))])
    host = FakeHost(kind)
    host.run(listed)
    shuffled = list(listed)
    random.shuffle(shuffled)
    _engine, outcome = host.run(shuffled)
    same(shuffled, host, sent)
    if not outcome.changed:
        same(listed, host, sent)
    elif outcome.actions():
        # Some packet must be able to tell: two entries of different order overlap.
        # An exemption that moved at both hooks is reported as one, and listed here as two.
        moved = [part for entry in outcome.actions() for part in plain([entry["object"]])]
        assert any(_overlap(listed, shuffled, part) for part in moved)


@KIND
@settings(max_examples=40)
@given(entries(), entries(), st.lists(packets(), min_size=5, max_size=20))
def test_without_purge_earlier_entries_keep_their_meaning_and_two_lists_do_not_quarrel(
    kind: str, configured: list[dict[str, Any]], listed: list[dict[str, Any]], sent: list[Packet]
) -> None:
    host = FakeHost(kind)
    host.run(configured)
    taken = {entry.object.key for entry in parse_rules(configured)}
    new = [entry for entry in plain(listed) if parse_rules([entry])[0].object.key not in taken]
    host.run(new, purge=False)
    same(configured + new, host, sent)
    for again in (configured, new, configured):
        assert not host.run(again, purge=False)[1].changed


@KIND
@settings(max_examples=40)
@given(entries(), st.data(), st.lists(packets(), min_size=5, max_size=20))
def test_without_purge_a_part_of_the_list_changes_nothing(
    kind: str, configured: list[dict[str, Any]], data: st.DataObject, sent: list[Packet]
) -> None:
    configured = plain(configured)
    host = FakeHost(kind)
    host.run(configured)
    part = [entry for entry in configured if data.draw(st.booleans())]
    assert not host.run(part, purge=False)[1].changed
    same(configured, host, sent)


def _overlap(listed: list[dict[str, Any]], shuffled: list[dict[str, Any]], moved: dict[str, Any]) -> bool:
    """Return whether an entry overlaps one that it changed places with, asked of every packet of the small world."""

    def place(order: list[dict[str, Any]], wanted: dict[str, Any]) -> int:
        return next(index for index, entry in enumerate(order) if _equal(entry, wanted))

    here, there = place(listed, moved), place(shuffled, moved)
    return any(
        (place(listed, other) < here) != (place(shuffled, other) < there) and some_packet_matches_both(other, moved)
        for other in listed
        if not _equal(other, moved)
    )


def _equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    found = ("family", "to_port")
    return {k: v for k, v in one.items() if k not in found} == {k: v for k, v in other.items() if k not in found}
