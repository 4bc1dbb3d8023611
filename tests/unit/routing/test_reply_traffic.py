# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which traffic is asked for because rules of other programs select it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Rule
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.reply_traffic import selected_traffic
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.rule_walk import Traffic, listed_rules

from .values import OURS

OTHERS = 0


def selected(owner: int = OTHERS, priority: int = 100, **entry: Any) -> list[tuple[str, str | None]]:
    """Traffic and destination for one rule beside ours."""
    ours = Rule.parse({"priority": 23010, "source": "198.18.1.10", "table": 1001})
    other = Rule.parse({"family": "ipv4", "priority": priority, "table": 7, **entry})
    messages = [rtnetlink_encoding.encode_rule(ours, OURS), rtnetlink_encoding.encode_rule(other, owner)]
    return [(str(one.traffic), one.destination) for one in selected_traffic(listed_rules(messages), OURS)]


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({}, []),
        ({"source": "198.18.1.10"}, []),
        ({"mark": "0x80000/0xff0000"}, []),
        ({"ip_protocol": "gre"}, [("gre", None)]),
        ({"ip_protocol": "tcp", "source_port": "80-90"}, [("tcp, from port 80", None)]),
        ({"ip_protocol": "udp", "destination_port": 53}, [("udp, to port 53", None)]),
        ({"tos": 16}, [("tos 0x10", None)]),
        ({"uid_range": "1000-1999"}, [("of user 1000", None)]),
        ({"uid_range": "1000-1999", "invert": True}, []),
        ({"destination": "203.0.113.0/24"}, [("", "203.0.113.254")]),
        ({"destination": "128.0.0.0/1"}, [("", "151.255.255.253")]),
        ({"destination": "10.9.0.0/16"}, []),
        ({"destination": "100.64.0.0/10", "ip_protocol": "tcp"}, []),
        ({"family": "ipv6", "destination": "fd00:9::/48"}, []),
    ],
    ids=repr,
)
def test_what_is_asked_for(entry: dict[str, Any], found: list[tuple[str, str | None]]) -> None:
    assert selected(**entry) == found


def test_rules_of_ours_of_the_kernel_and_after_ours_are_left_out() -> None:
    assert selected(ip_protocol="gre") == [("gre", None)]
    for owner, priority in ((OURS, 100), (2, 100), (OTHERS, 23011)):
        assert selected(owner, priority, ip_protocol="gre") == []


def test_traffic_in_words() -> None:
    assert str(Traffic(6, 443, 5000, 16, 33)) == "tcp, from port 443, to port 5000, tos 0x10, of user 33"
    assert str(Traffic()) == ""
