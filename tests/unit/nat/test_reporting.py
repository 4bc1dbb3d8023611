# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An exemption of both addresses is one entry in every result, and each hook keeps its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.engine import entries as configured
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.engine import entries_with_counters
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import hook, parse_rules
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.reporting import reported
from ansible_collections.multihome.linux.tests.unit.nat.entries import entries
from ansible_collections.multihome.linux.tests.unit.nat.hosts import KINDS, FakeHost
from hypothesis import given
from hypothesis import strategies as st

VPN = {"type": "exempt", "destination": "10.9.0.0/16"}
WEB = {"type": "dnat", "destination": "203.0.113.10", "to_address": "192.168.168.1"}
LINE = {"type": "masquerade", "family": "ipv4", "out_interface": "wan0"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_exemption_of_both_addresses_is_one_entry(kind: str) -> None:
    host = FakeHost(kind)
    engine, outcome = host.run([VPN, WEB, LINE])
    assert engine.after(outcome.plan) == [VPN, WEB, LINE]
    assert outcome.actions() == [{"op": "add", "object": entry} for entry in (VPN, WEB, LINE)]
    state = host.backend(host.uses_nft).read()
    assert sorted(configured([state]), key=str) == sorted([VPN, WEB, LINE], key=str)
    assert {**VPN, "packets": 0, "bytes": 0} in entries_with_counters([state])
    assert engine.to_store(None, outcome.plan)["rules"] == [VPN, WEB, LINE]
    # One of both is an entry too, and the other is added to it.
    _engine, outcome = host.run([{**VPN, "keeps": "source"}, WEB, LINE])
    assert outcome.actions() == [{"op": "remove", "object": {**VPN, "keeps": "destination"}}]
    _engine, outcome = host.run([VPN, WEB, LINE])
    assert outcome.actions() == [{"op": "add", "object": {**VPN, "keeps": "destination"}}]
    _engine, outcome = host.run([WEB, LINE])
    assert outcome.actions() == [{"op": "remove", "object": VPN}]


@given(entries(), st.randoms(use_true_random=False))
def test_each_hook_keeps_its_order_and_nothing_is_lost(listed: Sequence[dict[str, Any]], random: Any) -> None:
    rules = [entry.object for entry in parse_rules(listed)]
    random.shuffle(rules)
    shown = [rule.as_input() for rule in reported(rules)]
    back = [entry.object for entry in parse_rules(shown)]
    for place in ("destination", "source"):
        assert [rule for rule in back if hook(rule) == place] == [rule for rule in rules if hook(rule) == place]
