# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others did to the table, what goes wrong, and what a transaction does not touch."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import (
    ApplyFailed,
    InvalidInput,
    Unsupported,
    VerifyFailed,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.host import requirements
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.engine import NatEngine, entries_with_counters
from ansible_collections.multihome.linux.tests.unit.nat.engines import nft_engine
from ansible_collections.multihome.linux.tests.unit.nat.fake_nft import FakeNft
from ansible_collections.multihome.linux.tests.unit.nat.listed import MASQUERADE, forward

SHIFTED = forward(9, destination_port="1-3", to_port="11-13")
LISTED = [forward(1), forward(2), SHIFTED, MASQUERADE]
EXACT = "dnat_ipv4_daddr_proto_dport"


def run(nft: FakeNft, listed: Sequence[Any], purge: bool = True) -> Outcome[Any]:
    """One run of the engine."""
    return converge(nft_engine(listed, nft, purge), False, contextlib.nullcontext)


def configured(nft: FakeNft) -> list[dict[str, Any]]:
    """The configured translations with counters."""
    return entries_with_counters([nft_engine([], nft).read().here])


@pytest.fixture
def nft() -> FakeNft:
    fake = FakeNft()
    run(fake, LISTED)
    return fake


def by_hand(nft: FakeNft, *lines: str) -> None:
    """Change the table as an administrator would."""
    status, _output, errors = nft(["-f", "-"], "".join(f"{line}\n" for line in lines))
    assert status == 0, errors


def test_a_foreign_rule_is_removed_by_purge_alone(nft: FakeNft) -> None:
    [masquerade] = nft.tables["multihome"].chains["nat_postrouting"].rules
    handle = masquerade["handle"]
    by_hand(nft, f"insert rule inet multihome nat_postrouting handle {handle} counter jump nat_destination")
    assert not run(nft, LISTED, purge=False).changed
    outcome = run(nft, LISTED)
    assert [action["op"] for action in outcome.actions()] == ["remove"]
    assert "of chain nat_postrouting" in outcome.actions()[0]["object"]["table"]
    assert len(nft.written[-1].splitlines()) == 1
    assert not run(nft, LISTED).changed


def test_a_foreign_rule_among_the_fixed_ones_is_no_fault(nft: FakeNft) -> None:
    by_hand(nft, "add rule inet multihome nat_prerouting counter jump nat_destination")
    assert not run(nft, LISTED, purge=False).changed
    assert [action["op"] for action in run(nft, LISTED).actions()] == ["remove"]
    assert not run(nft, LISTED).changed


@pytest.mark.parametrize(
    "damage",
    [
        ["flush chain inet multihome nat_prerouting"],
        ["flush chain inet multihome nat_output"],
        ["flush chain inet multihome nat_output", "delete chain inet multihome nat_output"],
    ],
)
def test_what_is_missing_of_the_fixed_part_is_repaired_and_counters_stay(nft: FakeNft, damage: list[str]) -> None:
    count(nft)
    before = configured(nft)
    by_hand(nft, *damage)
    outcome = run(nft, LISTED, purge=False)
    assert outcome.changed
    assert all(action["op"] == "replace" for action in outcome.actions())
    assert configured(nft) == before
    assert not run(nft, LISTED).changed


def test_lookups_removed_by_hand_are_entries_to_add(nft: FakeNft) -> None:
    by_hand(nft, "flush chain inet multihome nat_destination")
    assert [entry["type"] for entry in configured(nft)] == ["masquerade"]
    outcome = run(nft, LISTED, purge=False)
    added = [action["object"] for action in outcome.actions() if action["op"] == "add"]
    assert [entry["destination"] for entry in added] == ["203.0.113.1", "203.0.113.2", "203.0.113.9"]
    assert len(configured(nft)) == len(LISTED)
    assert not run(nft, LISTED).changed


def test_a_chain_hooked_elsewhere_is_put_right(nft: FakeNft) -> None:
    nft.tables["multihome"].chains["nat_postrouting"].base["prio"] = 0
    outcome = run(nft, LISTED, purge=False)
    assert "nat_postrouting is not hooked" in outcome.actions()[0]["object"]["table"]
    assert nft.tables["multihome"].chains["nat_postrouting"].base["prio"] == 99


def test_a_map_of_our_name_and_another_type_gives_way(nft: FakeNft) -> None:
    nft.tables["multihome"].maps["dnat_ipv6_daddr"] = copy.deepcopy(nft.tables["multihome"].maps[EXACT])
    assert "map dnat_ipv6_daddr is not of its type" in str(run(nft, LISTED).actions())
    assert "dnat_ipv6_daddr" not in nft.tables["multihome"].maps


def test_other_chains_and_maps_of_the_table_are_left_alone(nft: FakeNft) -> None:
    by_hand(nft, "add chain inet multihome mine { type nat hook output priority 5; policy accept; }")
    by_hand(nft, "add map inet multihome others { type ipv4_addr : ipv4_addr; counter; }")
    by_hand(nft, "add rule inet multihome mine counter masquerade")
    mine = copy.deepcopy(nft.tables["multihome"].chains["mine"])
    run(nft, [forward(3)])
    run(nft, [])
    assert nft.tables["multihome"].chains == {"mine": mine}
    assert list(nft.tables["multihome"].maps) == ["others"]


def test_with_the_last_entry_the_table_goes_and_stays_away(nft: FakeNft) -> None:
    outcome = run(nft, [])
    assert [action["op"] for action in outcome.actions()] == ["remove"] * len(LISTED)
    assert nft.tables == {}
    assert not run(nft, []).changed
    assert not run(nft, [], purge=False).changed


def test_half_of_a_shifted_range_is_no_entry(nft: FakeNft) -> None:
    held = nft.tables["multihome"].maps["dnat_ipv4_daddr_proto_dshift"].elements
    held.popitem()
    assert SHIFTED not in [entry.get("destination_port") for entry in configured(nft)]
    other = LISTED[:2]
    assert not run(nft, other, purge=False).changed
    assert len(held) == 2
    outcome = run(nft, LISTED, purge=False)
    assert [(a["op"], a["object"].get("to_port")) for a in outcome.actions()] == [("add", "11-13")]
    assert len(nft.tables["multihome"].maps["dnat_ipv4_daddr_proto_dshift"].elements) == 3
    assert not run(nft, LISTED).changed


def test_one_change_sends_the_one_element(nft: FakeNft) -> None:
    many = [forward(n % 250 + 1, destination_port=str(n)) for n in range(1, 2000)]
    run(nft, many)
    count(nft)
    before = {entry["destination_port"]: entry["packets"] for entry in configured(nft)}
    run(nft, [*many[:1000], {**many[1000], "to_address": "192.168.168.9"}, *many[1001:]])
    assert nft.written[-1].splitlines() == [
        f"delete element inet multihome {EXACT} {{ 203.0.113.2 . 6 . 1001 }}",
        f"add element inet multihome {EXACT} {{ 203.0.113.2 . 6 . 1001 counter : 192.168.168.9 . 1001 }}",
    ]
    after = {entry["destination_port"]: entry["packets"] for entry in configured(nft)}
    assert {port for port in before if before[port] != after[port]} == {"1001"}
    assert after["1001"] == 0


def test_a_new_name_is_an_update_that_keeps_the_counter(nft: FakeNft) -> None:
    count(nft)
    packets = {entry["packets"] for entry in configured(nft)}
    outcome = run(nft, [forward(1, name="web"), *LISTED[1:]])
    assert [action["op"] for action in outcome.actions()] == ["replace"]
    assert {entry["packets"] for entry in configured(nft)} == packets
    assert [entry["packets"] for entry in configured(nft) if entry.get("name") == "web"] == [1]
    assert not run(nft, LISTED).changed


def test_what_nft_refuses_changes_nothing_and_is_said(nft: FakeNft) -> None:
    before = copy.deepcopy(nft.tables)
    nft.fail = True
    with pytest.raises(ApplyFailed, match="Cannot allocate memory") as raised:
        run(nft, [forward(3)])
    assert "the host is as it was before" in str(raised.value)
    assert nft.tables == before


MANY = [forward(n % 250 + 1, destination_port=str(n)) for n in range(1, 1001)]


def test_what_does_not_fit_the_send_buffer_is_filled_in_before_it_is_used() -> None:
    nft, whole = FakeNft(), FakeNft()
    run(whole, [*MANY, *LISTED])
    nft.most = len(whole.written[0]) // 2
    outcome = run(nft, [*MANY, *LISTED])
    assert len(outcome.actions()) == len(MANY) + len(LISTED)
    assert sorted(configured(nft), key=str) == sorted(configured(whole), key=str)
    assert len(nft.written) > 4
    # Nothing is looked up, nor even hooked, before the last step.
    assert not any("chain" in text or "rule" in text for text in nft.written[:-1])
    assert "hook" in nft.written[-1]
    assert not run(nft, [*MANY, *LISTED]).changed


@pytest.mark.parametrize("before", [[], LISTED])
def test_failed_steps_are_undone(before: list[dict[str, Any]]) -> None:
    class Full(FakeNft):
        def __call__(self, arguments: Sequence[str], text: str | None) -> tuple[int, str, str]:
            if text and "dnat_ipv4_proto_dport " in text and "rule" in text:
                return 1, "", "Error: Could not process rule: No space left on device\n"
            return super().__call__(arguments, text)

    nft = Full()
    run(nft, before)
    before_tables = copy.deepcopy(nft.tables)
    nft.most = 20_000
    new = [{name: value for name, value in entry.items() if name != "destination"} for entry in MANY]
    with pytest.raises(ApplyFailed, match="No space left") as raised:
        run(nft, [*before, *new])
    assert "the host is as it was before" in str(raised.value)
    assert nft.tables == before_tables


def test_what_cannot_be_cut_is_refused_with_the_remedy(nft: FakeNft) -> None:
    before = copy.deepcopy(nft.tables)
    nft.most = 20_000
    with pytest.raises(ApplyFailed, match=r"net\.core\.wmem_max"):
        run(nft, [*LISTED, *MANY])
    assert nft.tables == before


def test_filled_maps_that_a_killed_run_left_are_used(nft: FakeNft) -> None:
    name = "inet multihome dnat_ipv4_proto_dport"
    by_hand(
        nft,
        f"add map {name} {{ type inet_proto . inet_service : ipv4_addr . inet_service; counter; }}",
        f"add element {name} {{ 6 . 5 counter : 10.0.0.5 . 5, 6 . 6 counter : 10.0.0.6 . 6 }}",
    )
    listed = [*LISTED, {"type": "dnat", "protocol": "tcp", "destination_port": "5", "to_address": "10.0.0.5"}]
    assert [action["op"] for action in run(nft, listed).actions()] == ["add"]
    assert len(nft.tables["multihome"].maps["dnat_ipv4_proto_dport"].elements) == 1
    assert not run(nft, listed).changed


class Forgetful(FakeNft):
    """Accepts a transaction and leaves some elements out."""

    forgets = False

    def __call__(self, arguments: Sequence[str], text: str | None) -> tuple[int, str, str]:
        """Run the command, then leave them out."""
        answer = super().__call__(arguments, text)
        if text and self.forgets and "multihome" in self.tables:
            self.forgets = False
            for held in self.tables["multihome"].maps.values():
                for key in [key for key in held.elements if "203.0.113.3" in key]:
                    del held.elements[key]
        return answer


@pytest.mark.parametrize("listed", [[forward(3), forward(4)], [forward(3), *LISTED], [MASQUERADE, forward(3), SHIFTED]])
def test_a_kernel_that_disagrees_is_put_back_as_it_was(listed: list[dict[str, Any]]) -> None:
    nft = Forgetful()
    run(nft, LISTED)
    count(nft)
    before, order = configured(nft), run(nft, LISTED, purge=False)
    assert not order.changed
    nft.forgets = True
    with pytest.raises(VerifyFailed, match=r"203\.0\.113\.3") as raised:
        run(nft, listed)
    assert "is as it was before" in str(raised.value)
    assert sorted(configured(nft), key=str) == sorted(before, key=str)
    assert not run(nft, LISTED).changed


def test_a_kernel_that_disagrees_about_the_first_entries_is_emptied_again() -> None:
    nft = Forgetful()
    nft.forgets = True
    with pytest.raises(VerifyFailed):
        run(nft, [forward(3), forward(4)])
    assert nft.tables == {}


def count(nft: FakeNft) -> None:
    """Let every element and rule have counted something of its own."""
    number = 0
    for held in nft.tables["multihome"].maps.values():
        for element in held.elements.values():
            number += 1
            element["counter"] = {"packets": number, "bytes": 60 * number}
    for chain in nft.tables["multihome"].chains.values():
        for rule in chain.rules:
            for expression in rule["expr"]:
                if "counter" in expression:
                    number += 1
                    expression["counter"] = {"packets": number, "bytes": 60 * number}


def test_a_shifted_range_counts_as_one_and_a_move_keeps_all_counters(nft: FakeNft) -> None:
    count(nft)
    before = {str(entry.get("destination")): entry["packets"] for entry in configured(nft)}
    assert before == {"203.0.113.1": 1, "203.0.113.2": 2, "203.0.113.9": 3 + 4 + 5, "None": 6}
    wide = {"type": "dnat", "destination": "203.0.113.0/24", "source": "10.0.0.1", "to_address": "192.168.168.7"}
    wider = {"type": "masquerade", "protocol": "tcp", "family": "ipv4", "out_interface": "wan0"}
    run(nft, [wide, wider, *LISTED])
    after = {str(entry.get("destination")): entry["packets"] for entry in configured(nft) if entry["packets"]}
    assert after == before


@pytest.mark.parametrize(
    ("errors", "expected", "said"),
    [
        ("Operation not permitted (you must be root)", Unsupported, "needs root"),
        ("Error: JSON support not compiled-in", Unsupported, "JSON support not compiled-in"),
        ("", Unsupported, "exit status 1"),
        ("Error: syntax error, unexpected dnat", InvalidInput, "nft reserves this word"),
    ],
)
def test_what_nft_says_when_it_cannot_read(errors: str, expected: type[Exception], said: str) -> None:
    engine = nft_engine([], lambda _arguments, _text: (1, "", errors))
    with pytest.raises(expected, match=said):
        engine.read()


def test_a_missing_nft_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "_CACHE", {})
    monkeypatch.setattr(requirements, "tool", lambda _name: None)
    with pytest.raises(Unsupported, match=r"nft: needs 1\.0\.2 or newer, found none .*install the package nftables"):
        NatEngine([])


def test_an_old_nft_is_named_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "_CACHE", {})
    monkeypatch.setattr(requirements, "tool", lambda name: "/opt/old/nft" if name == "nft" else None)
    monkeypatch.setattr(requirements, "nft_version", lambda _path: "0.9.8")
    with pytest.raises(Unsupported, match=r"found 0\.9\.8 in /opt/old/nft"):
        NatEngine([])
