# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked about replies, what is found, and which rule is named; the packets are in tests/integration."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message, RequestFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.local_rule import local_rule_first
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Rule
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.reply_destinations import FAR, Destinations
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.reply_model import (
    Reply,
    parse_networks,
    parse_replies,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.reply_paths import check_replies
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.rule_walk import (
    Found,
    Packet,
    listed_rules,
    which_rule,
)

from .fake_kernel import INTERFACES, FakeKernel
from .values import BIRD, OURS

LINE: dict[str, Any] = {
    "line": "unicom",
    "table": 1001,
    "source": "198.18.1.10",
    "gateways": ["198.18.1.1", "2001:db8:1::1"],
    "interface": "eth0",
    "networks": ["198.18.1.0/24", "2001:db8:1::/64"],
}
OTHER = {**LINE, "line": "other", "table": 1002, "source": "198.18.2.10", "gateways": ["198.18.2.1"]}
OTHER.update(interface="eth1", networks=["198.18.2.0/24"])
INSIDE = ["192.168.168.0/24", "fd00:168::/64"]


def rule(owner: int, **entry: Any) -> Message:
    return rtnetlink_encoding.encode_rule(Rule.parse({"family": "ipv4", **entry}), owner)


OURS_OF_LINE = [
    rule(2, priority=0, table="local"),
    rule(OURS, priority=20000, table="main", suppress_prefix_length=7, suppress_interface_group=109),
    rule(OURS, priority=23010, source="198.18.1.10", table=1001),
    rule(OURS, priority=23011, source="198.18.1.10", action="unreachable"),
]


class Kernel:
    """Answers each question by ``ways``: destination to (table, gateway, interface), or an errno."""

    def __init__(self, rules: list[Message], ways: Mapping[str, Any]) -> None:
        self.rules, self.ways = rules, ways
        self.asked: list[Any] = []

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass

    def dump(self, kind: str) -> list[Message]:
        """Return the rules, or the interfaces."""
        return self.rules if kind == "rule" else FakeKernel().links

    def look_up(self, header: Mapping[str, int], attributes: Mapping[str, Any]) -> Message:
        """Return the answer for a destination."""
        self.asked.append(attributes)
        destination = ipaddress.ip_address(attributes["RTA_DST"])
        network, way = max(
            (
                (ipaddress.ip_network(text), way)
                for text, way in self.ways.items()
                if destination in ipaddress.ip_network(text)
            ),
            key=lambda pair: pair[0].prefixlen,
        )
        if isinstance(way, int):
            raise RequestFailed(way)
        table, gateway, interface = way
        kind = 2 if table == 255 else 1
        answer = {"family": header["family"], "type": kind, "table": 0, "dst_len": network.prefixlen, "proto": BIRD}
        told = {"RTA_TABLE": table, "RTA_GATEWAY": gateway, "RTA_OIF": INTERFACES[interface]}
        told["RTA_DST"] = str(network.network_address)
        return Message("route", answer, {name: value for name, value in told.items() if value is not None})


RIGHT: dict[str, Any] = {
    "0.0.0.0/0": (1001, "198.18.1.1", "eth0"),
    "198.18.1.0/24": (1001, None, "eth0"),
    "198.18.1.10/32": (255, None, "lo"),
    "192.168.168.0/24": (254, None, "eth1"),
}


def check(ways: Mapping[str, Any], rules: list[Message] | None = None, **more: Any) -> list[dict[str, Any]]:
    kernel = Kernel(OURS_OF_LINE if rules is None else rules, {**RIGHT, **ways})
    replies = [Reply.parse({**LINE, **more})]
    found = check_replies(replies, INSIDE, OURS, lambda: kernel, lambda: dict(INTERFACES))
    return [finding.as_result() for finding in found]


def test_the_own_way_is_right() -> None:
    assert check({}) == []


@pytest.mark.parametrize(
    "ways",
    [
        {"128.0.0.0/1": (254, "10.8.0.1", "eth1")},
        {"0.0.0.0/2": (254, None, "eth1")},
        {"0.0.0.0/0": (1001, "198.18.1.254", "eth0")},
        {"0.0.0.0/0": (1002, "198.18.1.1", "eth0")},
        {"0.0.0.0/0": (1001, "198.18.1.1", "eth1")},
        {"192.168.168.0/24": (200, "10.8.0.1", "eth1")},
        {"198.18.1.0/24": (200, None, "eth0")},
        {"198.18.1.0/24": (254, None, "eth1")},
    ],
    ids=repr,
)
def test_any_other_way_is_a_finding(ways: Mapping[str, Any]) -> None:
    found = check(ways)
    assert found
    assert {finding["id"] for finding in found} == {"reply-taken"}
    assert {finding["line"] for finding in found} == {"unicom"}


def test_an_inside_network_goes_by_main_or_as_the_line_does() -> None:
    assert check({"192.168.168.0/24": RIGHT["0.0.0.0/0"]}) == []
    assert check({"192.168.168.0/24": (255, None, "lo")}) == []
    assert check({"198.18.1.0/24": (254, None, "eth0")}) == []


def test_one_finding_for_each_reply_and_cause() -> None:
    theirs = rule(0, priority=100, source="198.18.1.10", table=200)
    found = check({"0.0.0.0/0": (200, "10.8.0.1", "eth1")}, [OURS_OF_LINE[0], theirs, *OURS_OF_LINE[1:]])
    assert [(finding["rule"]["priority"], finding["rule"]["owner"]) for finding in found] == [
        (100, "protocol 0 (unspecified)")
    ]
    assert found[0]["message"] == (
        "replies of line unicom from 198.18.1.10 to 11.255.255.253: IPv4 rule 100 (source 198.18.1.10, table 200) of "
        "protocol 0 (unspecified) gives it the route 0.0.0.0/0 via 10.8.0.1 dev eth1 of table 200 "
        "(protocol 12 (bird)); remove that rule, or give it a priority above 23011"
    )


def test_remedies() -> None:
    [wide, *_rest] = check(
        {"128.0.0.0/1": (254, "10.8.0.1", "eth1")},
        [*OURS_OF_LINE[:1], rule(OURS, priority=20000, table="main", suppress_prefix_length=0), *OURS_OF_LINE[2:]],
    )
    assert wide["remedy"] == "redeploy: the rule needs suppress_prefix_length 7, or remove the route"
    [own] = check({"128.0.0.0/1": (1001, None, "eth1")})
    assert own["remedy"] == "remove the route 128.0.0.0/1 from table 1001: only the line's own routes belong there"
    unruled = check({"0.0.0.0/0": (254, "10.8.0.1", "eth1")}, [OURS_OF_LINE[0], rule(2, priority=32766, table="main")])
    assert unruled[0]["remedy"] == "redeploy: rules of this line are missing"


def test_a_way_that_is_missing_is_no_other_way() -> None:
    found = check({"0.0.0.0/0": errno.EHOSTUNREACH})
    assert {(finding["id"], finding["rule"]["priority"]) for finding in found} == {("reply-refused", 23011)}
    theirs = rule(0, priority=100, source="198.18.1.10", action="prohibit")
    found = check({"0.0.0.0/0": errno.EACCES}, [theirs, *OURS_OF_LINE])
    assert {(finding["id"], finding["rule"]["priority"]) for finding in found} == {("reply-taken", 100)}


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENETUNREACH])
def test_a_source_that_is_not_there_cannot_be_asked(code: int) -> None:
    [finding] = check({"0.0.0.0/0": code, "198.18.1.10/32": (1001, "198.18.1.1", "eth0")})
    assert finding["id"] == "reply-not-asked"
    assert "198.18.1.10 is no address of this host now" in finding["message"]


def test_an_interface_that_is_not_there_cannot_be_asked() -> None:
    [finding] = check({}, in_interface="lan7")
    assert (finding["id"], finding["in_interface"]) == ("reply-not-asked", "lan7")


def test_replies_by_mark_are_asked_with_mark_and_interface() -> None:
    kernel = Kernel([], RIGHT)
    reply = Reply.parse({**LINE, "mark": "0x1/0xff", "in_interface": "eth1"})
    check_replies([reply], [], OURS, lambda: kernel, lambda: dict(INTERFACES))
    assert {(asked["RTA_MARK"], asked["RTA_IIF"]) for asked in kernel.asked} == {(1, INTERFACES["eth1"])}


def test_where_replies_go_to() -> None:
    replies = [Reply.parse(LINE), Reply.parse(OTHER)]
    assert list(Destinations(replies, INSIDE).of(replies[0])) == [
        *((far[0], "line") for far in FAR[4]),
        ("198.18.2.254", "line"),
        ("198.18.1.254", "link"),
        ("192.168.168.254", "inside"),
    ]
    known = Destinations(replies, ["192.0.2.0/24", "11.0.0.0/8", "21.0.0.0/8"])
    assert [text for text, how in known.of(replies[0]) if how == "line"][:3] == [
        FAR[4][1][0],
        FAR[4][2][0],
        FAR[4][3][1],
    ]


def test_far_destinations_are_in_both_halves_and_in_the_quarters() -> None:
    assert {text >> 30 for text in (int(ipaddress.ip_address(first)) for first, _second in FAR[4])} == {0, 1, 2, 3}
    assert {int(ipaddress.ip_address(first)) >> 124 for first, _second in FAR[6]} == {2, 3}


def test_the_number_of_questions_grows_with_the_lines() -> None:
    def count(lines: int) -> int:
        entries = [
            {**LINE, "line": f"l{n}", "table": 1000 + n, "source": f"10.{n}.0.10", "networks": [f"10.{n}.0.0/24"]}
            for n in range(lines)
        ]
        replies = [Reply.parse(entry) for entry in entries]
        places = Destinations(replies, [])
        return sum(1 for reply in replies for _place in places.of(reply))

    assert count(10) == 10 * (4 + 9 + 1)
    assert count(250) == 250 * (4 + 2 + 1)


def test_faults_of_the_entries() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_replies([{"line": "a", "table": 0}, {"line": "b", "table": 7, "source": "10.0.0.1"}])
    assert list(caught.value.faults) == [
        'replies[0] (a): table "0": not within 1 to 4294967295',
        "replies[0] (a): source is missing",
        "replies[1] (b): needs gateways, or the interface of a line without one",
    ]
    with pytest.raises(InvalidInput, match=r"inside_networks\[1\] \(10.0.0.1/8\): has host bits set"):
        parse_networks(["10.0.0.0/8", "10.0.0.1/8"])


@pytest.mark.parametrize(
    ("entry", "packet", "selected"),
    [
        ({"tos": 16}, Packet("1.1.1.1"), False),
        ({"uid_range": "0-4294967294"}, Packet("1.1.1.1"), True),
        ({"uid_range": "4294967294"}, Packet("1.1.1.1"), False),
        ({"uid_range": "0-4294967294"}, Packet("1.1.1.1", in_interface="eth0"), False),
        ({"in_interface": "lo"}, Packet("1.1.1.1"), True),
        ({"mark": "0/0xff"}, Packet("1.1.1.1", mark=0x100), True),
        ({"ip_protocol": "tcp"}, Packet("1.1.1.1"), False),
        ({"source": "10.0.0.0/8", "invert": True}, Packet("1.1.1.1", "11.0.0.1"), True),
    ],
)
def test_which_packets_a_rule_selects(entry: Any, packet: Packet, selected: bool) -> None:
    assert packet.selected_by(Rule.parse({"priority": 5, "family": "ipv4", "table": 7, **entry})) is selected


def test_a_rule_passes_over_what_it_suppresses() -> None:
    main = rule(2, priority=32766, table="main")
    rules = listed_rules([OURS_OF_LINE[1], main])
    packet = Packet("1.1.1.1", "198.18.1.10")

    def priority(length: int, group: int) -> int | None:
        found = which_rule(rules, packet, Found(254, length, group))
        return found.priority if found else None

    assert [priority(24, 0), priority(7, 0), priority(24, 109), priority(8, 5)] == [20000, 32766, 32766, 20000]


def test_a_rule_of_another_kind_is_named_where_no_other_one_does_it() -> None:
    vrf = rule(0, priority=1000, table=7)
    vrf = Message("rule", {**vrf.header, "table": 0}, {**vrf.attributes, "FRA_TABLE": 0, "FRA_L3MDEV": 1})
    found = which_rule(listed_rules([vrf]), Packet("1.1.1.1"), Found(10, 0))
    assert found is not None
    assert str(found) == "IPv4 rule 1000 (special)"


def test_a_rule_that_refuses_the_requests_to_a_server_inside_is_named() -> None:
    refusing = rule(0, priority=50, destination="128.0.0.0/1", action="unreachable")
    ways = {"192.168.168.0/24": errno.EHOSTUNREACH}
    more: dict[str, Any] = {"source": "192.168.168.50", "mark": "0x1", "forwarded": True}
    [finding] = check(ways, [*OURS_OF_LINE[:1], refusing, *OURS_OF_LINE[1:]], **more)
    assert (finding["id"], finding["rule"]["priority"]) == ("reply-taken", 50)
    [finding] = check(ways, **more)
    assert finding["id"] == "reply-not-asked"


def test_a_jump_past_our_rules_is_named_where_nothing_follows() -> None:
    made = rule(0, priority=300, action="unreachable")
    jump = Message("rule", {**made.header, "action": 2}, {**made.attributes, "FRA_GOTO": 32766})
    main = rule(2, priority=32766, table="main")
    found = check({"0.0.0.0/0": errno.ENETUNREACH}, [OURS_OF_LINE[0], jump, *OURS_OF_LINE[1:], main])
    assert {(finding["id"], finding["rule"]["priority"], finding["rule"]["goto"]) for finding in found} == {
        ("reply-taken", 300, 32766)
    }
    assert "IPv4 rule 300 (goto 32766) of protocol 0 (unspecified) leads it past the rules" in found[0]["message"]
    # A jump to a priority that no rule has does nothing.
    found = check({"0.0.0.0/0": errno.ENETUNREACH}, [OURS_OF_LINE[0], jump, *OURS_OF_LINE[1:]])
    assert {finding["id"] for finding in found} == {"reply-refused"}


LOCAL, BEHIND = rule(2, priority=0, table="local"), rule(2, priority=32765, table="local")
NARROW = rule(2, priority=0, table="local", in_interface="eth0")


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ([LOCAL], ""),
        ([LOCAL, BEHIND], ""),
        ([], ""),
        ([BEHIND], "has priority 32765"),
        ([NARROW], "is missing"),
        ([rule(2, priority=32766, table="main")], "is missing"),
    ],
)
def test_lookup_local_comes_first(rules: list[Message], fault: str) -> None:
    ours = [(Rule.parse({"priority": 20000, "family": "ipv4", "table": "main"}), "rules[0] (20000)")]
    found = local_rule_first(rules, ours)
    assert [text.partition("lookup local")[2][2:].partition(",")[0] for text in found] == ([fault] if fault else [])
    own = [*ours, (Rule.parse({"priority": 10, "family": "ipv4", "table": "local"}), "rules[1] (10)")]
    assert local_rule_first(rules, own) == []
