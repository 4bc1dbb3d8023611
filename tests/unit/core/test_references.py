# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""References to addresses that an ISP assigns, and the entries that they become."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.references import (
    Learned,
    bound,
    folded,
    parse_reference,
    placeholder,
    reference,
    references,
    with_placeholders,
    without_placeholders,
)
from hypothesis import given
from hypothesis import strategies as st

FOUR, SIX = "auto:wan0:ipv4", "auto:wan0:ipv6"
LEARNED: Learned = {
    "wan0": {
        "addresses": ["198.51.100.20/24", "198.51.100.21/24", "2001:db8::2/64"],
        "gateways": ["198.51.100.254", "fe80::1"],
        "without_gateway": [],
        "onlink": [],
    },
    "ppp0": {"addresses": ["192.0.2.7/32"], "gateways": [], "without_gateway": ["ipv4"], "onlink": []},
    "wan1": {"addresses": ["192.0.2.7/32"], "gateways": ["10.0.0.1"], "without_gateway": [], "onlink": ["10.0.0.1"]},
}


def routes(*entries: dict[str, Any]) -> list[dict[str, Any]]:
    """What routes of a table become."""
    found: list[dict[str, Any]] = bound({"tables": [{"id": 1001, "routes": list(entries)}]}, LEARNED)["tables"][0][
        "routes"
    ]
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (FOUR, ("wan0", 4)),
        (SIX, ("wan0", 6)),
        ("auto:ppp-isp.2:ipv4", ("ppp-isp.2", 4)),
        *(
            (text, None)
            for text in ("auto", "auto:wan0", "auto:wan0:ipv5", "auto:a/b:ipv4", "auto:0123456789abcdef:ipv4", 4)
        ),
    ],
)
def test_a_reference_names_an_interface_and_a_family(text: object, found: object) -> None:
    assert parse_reference(text) == found


def test_a_rule_becomes_one_for_each_address() -> None:
    rules = [{"priority": 1, "source": FOUR, "table": 7}, {"priority": 2, "source": "192.0.2.1", "table": 8}]
    assert bound({"rules": rules, "purge": True}, LEARNED) == {
        "rules": [
            {"priority": 1, "source": "198.51.100.20", "table": 7},
            {"priority": 1, "source": "198.51.100.21", "table": 7},
            rules[1],
        ],
        "purge": True,
    }


def test_the_place_says_what_is_meant() -> None:
    way = {"destination": "default", "gateway": FOUR, "interface": "wan0", "source": FOUR}
    assert routes(way) == [{**way, "gateway": "198.51.100.254", "source": "198.51.100.20"}]
    assert routes({"destination": FOUR}) == [{"destination": "198.51.100.0/24"}]
    # The link itself belongs to it: routers have addresses there.
    assert routes({"destination": SIX}) == [{"destination": "2001:db8::/64"}, {"destination": "fe80::/64"}]
    snat = bound({"rules": [{"type": "snat", "to_address": SIX, "source": "fd00::/64"}]}, LEARNED)["rules"]
    assert snat == [{"type": "snat", "to_address": "2001:db8::2", "source": "fd00::/64"}]
    shares = bound({"balance": [{"mark": 1, "sources": [FOUR, SIX]}], "balance_exclude": [FOUR, SIX]}, LEARNED)
    assert shares == {
        "balance": [{"mark": 1, "sources": ["198.51.100.20", "2001:db8::2"]}],
        "balance_exclude": ["198.51.100.0/24", "2001:db8::/64"],
    }
    reply = {"source": FOUR, "gateways": [FOUR], "networks": [FOUR]}
    assert bound({"replies": [reply]}, LEARNED)["replies"][0] == {
        "source": "198.51.100.20",
        "gateways": ["198.51.100.254"],
        "networks": ["198.51.100.0/24"],
    }


def test_a_link_without_a_gateway_has_routes_by_the_interface_alone() -> None:
    way = {"destination": "default", "gateway": "auto:ppp0:ipv4", "interface": "ppp0"}
    assert routes(way) == [{"destination": "0.0.0.0/0", "interface": "ppp0"}]
    assert routes({**way, "interface": None}) == []


def test_a_gateway_that_no_network_contains_is_on_the_link() -> None:
    way = {"destination": "default", "gateway": "auto:wan1:ipv4", "interface": "wan1"}
    assert routes(way) == [{**way, "gateway": "10.0.0.1", "onlink": True}]
    assert routes({**way, "onlink": False}) == [{**way, "gateway": "10.0.0.1", "onlink": False}]


def test_what_has_no_value_is_left_out() -> None:
    options = {
        "tables": [{"id": 1001, "routes": [{"destination": "default", "gateway": "auto:ppp0:ipv6"}]}],
        "rules": [{"priority": 1, "source": "auto:gone:ipv4"}],
        "balance": [{"mark": 1, "sources": ["auto:gone:ipv4", FOUR]}, {"mark": 2, "sources": ["auto:gone:ipv4"]}],
        "marks": None,
    }
    assert bound(options, LEARNED) == {
        "tables": [{"id": 1001, "routes": []}],
        "rules": [],
        "balance": [{"mark": 1, "sources": ["198.51.100.20"]}],
        "marks": None,
    }


def test_what_a_host_has_is_shown_as_it_is_wanted() -> None:
    wanted = [{"priority": 1, "source": FOUR}, {"priority": 2, "source": "192.0.2.1"}]
    now = bound({"rules": wanted}, LEARNED)["rules"]
    assert folded([*now, {"priority": 3, "source": "192.0.2.9"}], wanted, LEARNED) == [
        *wanted,
        {"priority": 3, "source": "192.0.2.9"},
    ]


@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.sampled_from(["x", "auto", FOUR, SIX, reference("b", 4)])),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner),
    )
)
def test_placeholders_stand_for_references_and_nothing_else(value: Any) -> None:
    texts = references(value)
    there = with_placeholders(value)
    assert references(there) == set()
    assert without_placeholders(there, texts) == value
    assert len({placeholder(text) for text in texts}) == len(texts)
