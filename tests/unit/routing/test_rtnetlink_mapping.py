# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages: what is sent is what is read back, and what the model has no words for stays out of every plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding, rtnetlink_mapping
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias, Route, Rule
from hypothesis import given
from hypothesis import strategies as st

from . import hosts
from .fake_kernel import INTERFACES, FakeKernel
from .test_model import whole_rules
from .values import OURS

NAMES = {index: name for name, index in INTERFACES.items()}


def changed(message: Message, header: Mapping[str, int] | None = None, **attributes: Any) -> Message:
    return Message(message.kind, {**message.header, **(header or {})}, {**message.attributes, **attributes})


@given(hosts.aliases)
def test_an_address_comes_back_as_it_was_sent(entry: Any) -> None:
    alias = Alias.parse(entry)
    fake = FakeKernel()
    fake.send("add", rtnetlink_encoding.encode_alias(alias, INTERFACES[alias.interface], OURS))
    (there,) = fake.snapshot().addresses()
    assert there.owner == OURS
    assert alias.satisfied_by(there.object)
    assert there.object.key == alias.key


@given(hosts.routes, hosts.tables)
def test_a_route_comes_back_as_it_was_sent(entry: Any, table: int) -> None:
    route = Route.parse(entry, table)
    fake = hosts.routing_host(Path(), [(OURS, table, entry)], [])
    (there,) = (existing for existing in fake.snapshot().routes() if existing.owner == OURS)
    assert there.object.key == route.key
    assert route.satisfied_by(there.object)


@given(st.one_of(hosts.rules, whole_rules))
def test_a_policy_rule_comes_back_as_it_was_sent(entry: Any) -> None:
    rule = Rule.parse(entry)
    fake = FakeKernel()
    fake.send("add", rtnetlink_encoding.encode_rule(rule, OURS))
    assert [e.object for e in fake.snapshot().rules() if e.owner == OURS] == [rule]


RULE = rtnetlink_encoding.encode_rule(Rule.parse({"priority": 5, "source": "10.0.0.1", "table": 7}), OURS)
ROUTE = rtnetlink_encoding.encode_route(
    Route.parse({"destination": "10.0.0.0/8", "interface": "eth0"}, 7), INTERFACES, OURS
)


def test_what_is_left_is_understood() -> None:
    assert rtnetlink_mapping.decode_rule(RULE, NAMES) is not None
    assert rtnetlink_mapping.decode_route(ROUTE, NAMES) is not None


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(changed(RULE, {"action": 2}, FRA_GOTO=100), id="goto"),
        pytest.param(changed(RULE, FRA_TUN_ID=5), id="tunnel id"),
        pytest.param(changed(RULE, FRA_L3MDEV=1), id="VRF"),
        pytest.param(changed(RULE, FRA_SPORT_RANGE="80:80", FRA_SPORT_MASK=0xFF), id="part of a port"),
        pytest.param(changed(RULE, UNKNOWN={"header": {"type": 25}}), id="what is newer than this"),
    ],
)
def test_rules_that_the_model_has_no_words_for(message: Message) -> None:
    assert rtnetlink_mapping.decode_rule(message, NAMES) is None


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"FRA_SUPPRESS_IFGROUP": 0xFFFFFFFF}, "source"),
        ({"FRA_L3MDEV": 0}, "source"),
        ({"FRA_SPORT_RANGE": "80:80", "FRA_SPORT_MASK": 0xFFFF}, "source_port"),
    ],
)
def test_attributes_that_say_nothing_more(attributes: Any, field: str) -> None:
    existing = rtnetlink_mapping.decode_rule(changed(RULE, **attributes), NAMES)
    assert existing is not None
    assert getattr(existing.object, field) is not None


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(changed(ROUTE, {"type": 2}), id="local"),
        pytest.param(changed(ROUTE, {"type": 5}), id="multicast"),
        pytest.param(changed(ROUTE, {"tos": 16}), id="type of service"),
        pytest.param(changed(ROUTE, {"src_len": 64}, RTA_SRC="fd00::"), id="source-specific"),
        pytest.param(changed(ROUTE, {"flags": 0x200}), id="route cache"),
        pytest.param(changed(ROUTE, RTA_VIA={"family": 10, "addr": "fd00::1"}), id="gateway of the other family"),
        pytest.param(changed(ROUTE, RTA_ENCAP={"attrs": []}), id="encapsulation"),
    ],
)
def test_routes_that_the_model_has_no_words_for(message: Message) -> None:
    assert rtnetlink_mapping.decode_route(message, NAMES) is None


def test_an_address_of_an_interface_that_is_gone_is_left_alone() -> None:
    message = rtnetlink_encoding.encode_alias(Alias.parse({"address": "10.0.0.1/24", "interface": "eth0"}), 99, OURS)
    assert rtnetlink_mapping.decode_alias(message, NAMES) is None


def test_an_address_has_one_text_whoever_writes_it() -> None:
    """The C library writes an IPv4-mapped address with dots, Python may write it without."""
    rule = Rule.parse({"priority": 5, "source": "::ffff:192.0.2.1", "table": 7})
    told = changed(rtnetlink_encoding.encode_rule(rule, OURS), FRA_SRC="::ffff:192.0.2.1")
    existing = rtnetlink_mapping.decode_rule(told, NAMES)
    assert existing is not None
    assert existing.object == rule


def test_an_address_without_a_tag_belongs_to_nobody() -> None:
    message = rtnetlink_encoding.encode_alias(Alias.parse({"address": "10.0.0.1/24", "interface": "eth0"}), 2, OURS)
    untagged = Message("address", message.header, {k: v for k, v in message.attributes.items() if k != "IFA_PROTO"})
    existing = rtnetlink_mapping.decode_alias(untagged, NAMES)
    assert existing is not None
    assert existing.owner == 0


def test_what_is_sent_again_has_the_lifetime_that_is_left() -> None:
    message = rtnetlink_encoding.encode_alias(Alias.parse({"address": "10.0.0.1/24", "interface": "eth0"}), 2, OURS)
    forever = {"ifa_preferred": 0xFFFFFFFF, "ifa_valid": 0xFFFFFFFF, "cstamp": 1, "tstamp": 2}
    dumped = changed(message, {"flags": 0x80}, IFA_FLAGS=0x80, IFA_CACHEINFO=forever)
    assert "IFA_CACHEINFO" not in rtnetlink_encoding.again(dumped).attributes
    leased = changed(dumped, IFA_CACHEINFO={**forever, "ifa_valid": 3600, "ifa_preferred": 1800})
    assert rtnetlink_encoding.again(leased).attributes["IFA_CACHEINFO"]["ifa_valid"] == 3600
    assert rtnetlink_encoding.lasting(leased) == rtnetlink_encoding.lasting(dumped), "what runs down is no difference"


def test_a_broadcast_address_where_there_is_one() -> None:
    for length, broadcast in ((24, "10.0.0.255"), (30, "10.0.0.3"), (31, None), (32, None)):
        alias = replace(Alias.parse({"address": "10.0.0.1/32", "interface": "eth0"}), address=f"10.0.0.1/{length}")
        assert rtnetlink_encoding.encode_alias(alias, 2, OURS).get("IFA_BROADCAST") == broadcast
