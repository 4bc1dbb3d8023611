# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One list of everything: its transaction word for word, and real JSON of several versions of nft read back to it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.nftables_json import read_table
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.nftables_state import (
    NftablesState,
    read_state,
)
from ansible_collections.multihome.linux.tests.unit.nat.engines import nft_engine, plan_on
from ansible_collections.multihome.linux.tests.unit.nat.fake_nft import FakeNft

GOLDEN = Path(__file__).with_name("golden")
RULES: list[dict[str, Any]] = json.loads((GOLDEN / "rules.json").read_text())
VERSIONS = pytest.mark.parametrize("recorded", sorted(GOLDEN.glob("nft-*.json")), ids=lambda path: path.stem)


def test_the_transaction_is_this() -> None:
    recorded = (GOLDEN / "transaction.nft").read_text().splitlines()
    assert plan_on(NftablesState(), RULES).change.splitlines() == [line for line in recorded if line[0] != "#"]


def test_json_of_three_versions_is_recorded() -> None:
    assert {path.stem for path in GOLDEN.glob("nft-*.json")} == {"nft-1.0.2", "nft-1.0.6", "nft-1.1.3"}


@VERSIONS
def test_what_a_version_prints_is_read_back_whole(recorded: Path) -> None:
    state = read_state(read_table(json.loads(recorded.read_text())["nftables"]))
    assert (state.faults, state.unmanaged(), state.is_shared) == ([], [], False)
    found = [rule.as_input() for rule, _position in state.rules()]
    assert sorted(found, key=str) == sorted(RULES, key=str)
    plan = plan_on(state, RULES, purge=True)
    assert (plan.actions, plan.change) == ((), None)


@VERSIONS
def test_whatever_is_missing_in_what_a_version_prints_is_noticed(recorded: Path) -> None:
    whole = json.loads(recorded.read_text())["nftables"]
    parts = [index for index, wrapped in enumerate(whole) if {"rule", "chain"} & set(wrapped)]
    assert len(parts) > 15
    for index in parts:
        if "rule" in whole[index] or whole[index]["chain"]["name"] != "nat_destination":
            state = read_state(read_table(whole[:index] + whole[index + 1 :]))
            assert plan_on(state, RULES, purge=True).actions, whole[index]
    elements = 0
    for index, wrapped in enumerate(whole):
        for place in range(len(wrapped.get("map", {}).get("elem", []))):
            less = json.loads(json.dumps(wrapped))
            del less["map"]["elem"][place]
            plan = plan_on(read_state(read_table([*whole[:index], less, *whole[index + 1 :]])), RULES, purge=True)
            assert [action.op for action in plan.actions if action.op == "add"] == ["add"], less
            elements += 1
    assert elements > 15


@pytest.mark.parametrize("style", ["1.0.6", "1.1.3"])
def test_the_fake_nft_prints_what_the_real_one_prints(style: str) -> None:
    nft = FakeNft(style)
    converge(nft_engine(RULES, nft), False, contextlib.nullcontext)
    printed = json.loads(nft(["-j", "list", "table", "inet", "multihome"], None)[1])["nftables"]
    recorded = json.loads((GOLDEN / f"nft-{style}.json").read_text())["nftables"]
    assert _comparable(printed) == _comparable(recorded)


def _comparable(objects: list[dict[str, Any]]) -> list[str]:
    """Return the objects without handles, in an order of their own, elements sorted."""
    result = []
    for wrapped in objects:
        [(kind, content)] = wrapped.items()
        if kind in ("metainfo", "table"):
            continue
        content = {name: value for name, value in content.items() if name not in ("handle", "stmt")}
        if "elem" in content:
            content["elem"] = sorted(content["elem"], key=lambda element: json.dumps(element, sort_keys=True))
        result.append(json.dumps({kind: content}, sort_keys=True))
    # The order of rules has a meaning, that of chains and maps has none.
    rules = [line for line in result if line.startswith('{"rule"')]
    return sorted(line for line in result if line not in rules) + sorted(
        rules, key=lambda line: json.loads(line)["rule"]["chain"]
    )
