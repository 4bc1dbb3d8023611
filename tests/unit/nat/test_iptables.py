# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The iptables backend: what it writes word for word, what it takes for its own, what it leaves alone and refuses."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import (
    ApplyFailed,
    VerifyFailed,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.iptables_save import split
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.engine import entries_with_counters
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.iptables_text import rule_text
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import NatRule
from ansible_collections.multihome.linux.tests.unit.nat.engines import iptables_engine
from ansible_collections.multihome.linux.tests.unit.nat.fake_iptables import FakeIptables, Row
from ansible_collections.multihome.linux.tests.unit.nat.listed import MASQUERADE, SIX, forward

LISTED = [forward(1), forward(2), MASQUERADE, SIX]
DESTINATION, SOURCE = "multihome-destination", "multihome-source"
TAG = ["-m", "comment", "--comment", "multihome.linux"]


def run(fake: FakeIptables, listed: Sequence[Any], purge: bool = True) -> Outcome[Any]:
    """One run."""
    return converge(iptables_engine(fake, listed, purge), False, contextlib.nullcontext)


def rows(fake: FakeIptables, chain: str, family: int = 4) -> list[str]:
    """The rules of a chain."""
    return [str(row) for row in fake.tables[family][chain]]


@pytest.fixture
def fake() -> FakeIptables:
    made = FakeIptables()
    made.tables[4]["DOCKER"] = [Row(["-i", "docker0", "-j", "RETURN"], [7, 420])]
    for chain in ("PREROUTING", "OUTPUT"):
        made.tables[4][chain] = [Row(["-m", "addrtype", "--dst-type", "LOCAL", "-j", "DOCKER"], [3, 180])]
    made.tables[4]["POSTROUTING"] = [Row(["-s", "172.17.0.0/16", "-j", "MASQUERADE"], [1, 60])]
    return made


def test_the_first_run_makes_chains_rules_and_one_jump_each_in_front(fake: FakeIptables) -> None:
    before = copy.deepcopy(fake.tables)
    run(fake, LISTED)
    assert [program for program, _text in fake.written] == ["iptables-restore", "ip6tables-restore"]
    for chain, place, jump in (
        ("PREROUTING", 0, [*TAG, "-j", DESTINATION]),
        ("OUTPUT", 0, ["!", "-d", "127.0.0.0/8", "-m", "addrtype", "--dst-type", "LOCAL", *TAG, "-j", DESTINATION]),
        ("POSTROUTING", 0, [*TAG, "-j", SOURCE]),
    ):
        configured = fake.tables[4][chain]
        assert configured.pop(place).words == jump
        assert configured == before[4][chain]
    assert rows(fake, DESTINATION) == [rule_text(NatRule.parse(entry)) for entry in LISTED[:2]]
    assert SOURCE not in fake.tables[6]


def test_a_run_that_changes_nothing_sends_nothing(fake: FakeIptables) -> None:
    run(fake, LISTED)
    fake.read_only = True
    assert not run(fake, LISTED).changed
    assert not run(fake, [*LISTED[2:], *LISTED[:2]]).changed


def test_only_the_family_that_differs_is_written(fake: FakeIptables) -> None:
    run(fake, [forward(1)])
    assert [program for program, _text in fake.written] == ["iptables-restore"]
    assert list(fake.tables[6]) == ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]


def test_one_change_sends_the_one_rule_and_keeps_all_counters(fake: FakeIptables) -> None:
    listed = [forward(number) for number in range(1, 6)]
    run(fake, listed)
    for number, row in enumerate(fake.tables[4][DESTINATION], 1):
        row.counted = [number, 60 * number]
    changed = forward(3, to_address="192.168.168.9")
    run(fake, [*listed[:2], changed, *listed[3:]])
    assert fake.written[-1][1].splitlines() == [
        "*nat",
        f"-D {DESTINATION} 3",
        f"[0:0] -I {DESTINATION} 3 {rule_text(NatRule.parse(changed))}",
        "COMMIT",
    ]
    assert [row.counted[0] for row in fake.tables[4][DESTINATION]] == [1, 2, 0, 4, 5]
    # A new name, and a new place in front of what it overlaps, take along what was counted.
    named = forward(4, name="named")
    wide = {"type": "dnat", "destination": "203.0.113.0/24", "to_address": "192.168.168.7"}
    run(fake, [wide, *listed[:2], changed, named, listed[4]])
    counted = {entry.get("destination"): entry["packets"] for entry in configured(fake)}
    assert counted == {"203.0.113.0/24": 0, **{f"203.0.113.{n}": n if n != 3 else 0 for n in range(1, 6)}}
    assert configured(fake)[4]["bytes"] == 240


def configured(fake: FakeIptables) -> list[dict[str, Any]]:
    """The configured translations with counters."""
    return entries_with_counters([iptables_engine(fake, []).read().here])


def test_with_the_last_entry_everything_of_ours_goes_and_the_rest_is_as_it_was(fake: FakeIptables) -> None:
    before = copy.deepcopy(fake.tables)
    run(fake, LISTED)
    outcome = run(fake, [])
    assert [action["op"] for action in outcome.actions()] == ["remove"] * 4
    assert fake.tables == before
    assert not run(fake, []).changed


@pytest.mark.parametrize("purge", [False, True])
def test_what_others_put_between_ours_goes_only_with_purge(fake: FakeIptables, purge: bool) -> None:
    run(fake, [forward(1), forward(2)])
    fake.tables[4][DESTINATION].insert(1, Row(["-p", "tcp", "-j", "RETURN"], [5, 300]))
    outcome = run(fake, [forward(1), forward(2)], purge)
    assert outcome.changed == purge
    run(fake, [forward(1), forward(2), forward(3)], purge)
    found = ["RETURN" in row for row in rows(fake, DESTINATION)]
    assert found == ([False] * 3 if purge else [False, True, False, False])
    if purge:
        assert outcome.actions() == [
            {"op": "remove", "object": {"table": "IPv4 rule of the chain for destination addresses: -p tcp -j RETURN"}}
        ]


def test_two_foreign_rules_alike_stay(fake: FakeIptables) -> None:
    run(fake, [forward(1)])
    fake.tables[4][DESTINATION] += [Row(["-j", "RETURN"]), Row(["-j", "RETURN"])]
    assert not run(fake, [forward(1)], purge=False).changed
    run(fake, [forward(1), forward(2)], purge=False)
    assert rows(fake, DESTINATION).count("-j RETURN") == 2


def test_a_rule_that_never_matches_behind_its_like_is_foreign(fake: FakeIptables) -> None:
    run(fake, [forward(1)])
    fake.tables[4][DESTINATION].append(Row(split(rule_text(NatRule.parse(forward(1, to_address="10.0.0.9"))))))
    assert [entry["to_address"] for entry in configured(fake)] == ["192.168.168.1"]
    assert run(fake, [forward(1)]).changed
    assert len(rows(fake, DESTINATION)) == 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda table: table["PREROUTING"].pop(0), "IPv4 jump from PREROUTING exists 0 times"),
        (lambda table: table["OUTPUT"].insert(0, table["OUTPUT"][0]), "IPv4 jump from OUTPUT exists 2 times"),
        (
            lambda table: table["OUTPUT"].append(Row([*TAG, "-j", DESTINATION])),
            "IPv4 jump from OUTPUT is not what it must be",
        ),
    ],
)
def test_a_damaged_jump_is_said_and_repaired(fake: FakeIptables, damage: Any, said: str) -> None:
    run(fake, LISTED)
    before = copy.deepcopy(fake.tables)
    damage(fake.tables[4])
    outcome = run(fake, LISTED)
    assert outcome.actions() == [{"op": "replace", "object": {"table": said}}]
    assert fake.tables == before


def test_a_moved_jump_stays_and_a_foreign_one_is_left_alone(fake: FakeIptables) -> None:
    run(fake, LISTED)
    table = fake.tables[4]
    table["PREROUTING"].insert(0, Row(["-i", "eth9", "-j", "ACCEPT"]))
    table["PREROUTING"].append(Row(["-i", "eth8", "-j", DESTINATION]))
    before = copy.deepcopy(fake.tables)
    assert not run(fake, LISTED).changed
    run(fake, [*LISTED, forward(3)])
    assert fake.tables[4]["PREROUTING"] == before[4]["PREROUTING"]


def test_a_family_that_fails_undoes_the_other(fake: FakeIptables) -> None:
    run(fake, [forward(1)])
    before = copy.deepcopy(fake.tables)
    fake.fail = {"ip6tables-restore"}
    with pytest.raises(ApplyFailed) as raised:
        run(fake, [forward(2), MASQUERADE, SIX])
    assert str(raised.value).splitlines() == [
        "ip6tables-restore: ip6tables-restore: cannot allocate memory",
        "undone: iptables-restore of IPv4",
        "the host is as it was before",
    ]
    assert fake.tables == before


def test_a_family_that_cannot_be_undone_is_named() -> None:
    class Broken(FakeIptables):
        def __call__(self, path: str, arguments: Sequence[str], text: str | None) -> tuple[int, str, str]:
            if path == "ip6tables-restore" and text:
                self.fail = {"iptables-restore", "ip6tables-restore"}
            return super().__call__(path, arguments, text)

    with pytest.raises(ApplyFailed, match="NOT undone, repair by hand: iptables-restore: "):
        run(Broken(), LISTED)


class Forgetful(FakeIptables):
    """Accepts a transaction and then loses a chain's last rule."""

    forgets = False

    def __call__(self, path: str, arguments: Sequence[str], text: str | None) -> tuple[int, str, str]:
        """Run the program, then leave them out."""
        answer = super().__call__(path, arguments, text)
        if self.forgets and text and DESTINATION in self.tables[4]:
            self.forgets = False
            self.tables[4][DESTINATION].pop()
        return answer


def test_a_kernel_that_disagrees_is_put_back_as_it_was() -> None:
    fake = Forgetful()
    run(fake, [forward(1), forward(2), MASQUERADE])
    fake.tables[4]["PREROUTING"].insert(0, Row(["-i", "eth9", "-j", "ACCEPT"]))
    fake.tables[4][DESTINATION].append(Row(["-j", "RETURN"], [4, 240]))
    fake.tables[4][DESTINATION][0].counted = [9, 540]
    before = copy.deepcopy(fake.tables)
    fake.forgets = True
    with pytest.raises(VerifyFailed, match="is as it was before"):
        run(fake, [forward(3), forward(4), SIX])
    assert fake.tables == before
    # Everything removed comes back too: chains, jumps and their place.
    fake.forgets = False
    built = iptables_engine(fake, [])
    current = built.read()
    plan = built.plan(current)
    built.apply(plan, current)
    assert DESTINATION not in fake.tables[4]
    assert built.restore(plan, current) == []
    assert fake.tables == before
