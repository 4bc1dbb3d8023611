# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other people's packet filters: what is read of them, and what is said to become of a mapped connection."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from operator import and_, or_, xor
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.rulesets import (
    Chain,
    FilterRule,
    MarkWrite,
    Match,
    Table,
    read_iptables,
    read_nft,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.facts import Facts
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.filter_checks import marks
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.forward_checks import forwarded
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.model import Desired, Line
from hypothesis import example, given
from hypothesis import strategies as st

ALL = 0xFFFFFFFF
DESIRED = Desired((Line(1, "wan0", ("203.0.113.10/24",), ("203.0.113.1",)),), "firewall")
META_MARK = {"meta": {"key": "mark"}}


def nft_rule(*expressions: Mapping[str, Any]) -> list[FilterRule]:
    """The rules that one of nft is read as."""
    place = {"family": "inet", "table": "t"}
    objects: list[dict[str, Any]] = [
        {"table": {"family": "inet", "name": "t"}},
        {"chain": {**place, "name": "c", "hook": "forward", "policy": "drop"}},
        {"rule": {**place, "chain": "c", "expr": list(expressions)}},
    ]
    tables, _opaque = read_nft(objects)
    return tables[0].chains["c"].rules


def iptables_rule(text: str) -> FilterRule:
    """The rule that a line of iptables-save is read as."""
    (table,) = read_iptables(f"*filter\n:FORWARD DROP [0:0]\n-A FORWARD {text}\nCOMMIT\n", 4)
    return table.chains["FORWARD"].rules[0]


def applied(expression: Any, mark: int) -> int:
    """The value that nft computes for an expression for a packet with a mark."""
    if isinstance(expression, int):
        return expression
    if expression == META_MARK:
        return mark
    ((operator, (left, right)),) = expression.items()
    operations: dict[str, Callable[[int, int], int]] = {"&": and_, "|": or_, "^": xor}
    return operations[operator](applied(left, mark), right)


numbers = st.integers(0, ALL)
expressions = st.recursive(
    numbers | st.just(META_MARK),
    lambda inner: st.builds(lambda op, left, right: {op: [left, right]}, st.sampled_from("&|^"), inner, numbers),
    max_leaves=4,
)


def holds(write: MarkWrite | None, before: int, after: int) -> bool:
    """Whether a mark changed as it was said it might."""
    bits, value = (write.bits, write.value) if write else (0, None)
    return (before ^ after) & ~bits == 0 and (value is None or after & bits == value)


@given(expressions, numbers)
def test_a_mark_that_nft_writes_changes_as_is_said(expression: Any, mark: int) -> None:
    (rule,) = nft_rule({"mangle": {"key": META_MARK, "value": expression}})
    assert holds(rule.marks[0] if rule.marks else None, mark, applied(expression, mark))


@given(numbers, numbers, numbers)
def test_a_mark_that_iptables_writes_changes_as_is_said(value: int, mask: int, mark: int) -> None:
    (write,) = iptables_rule(f"-j MARK --set-xmark 0x{value:x}/0x{mask:x}").marks
    assert holds(write, mark, (mark & ~mask) ^ value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0x1, MarkWrite(ALL, 1)),
        ({"|": [META_MARK, 0x4000]}, MarkWrite(0x4000, 0x4000)),
        ({"|": [{"&": [META_MARK, 0xFFFFFF00]}, 7]}, MarkWrite(0xFF, 7)),
        ({"map": {"key": {"payload": {}}, "data": "@m"}}, MarkWrite(ALL, None)),
        ({"&": [{"ct": {"key": "mark"}}, 0xFF]}, MarkWrite(0xFFFFFF00, 0)),
    ],
)
def test_the_bits_that_are_written_are_known_exactly(value: Any, expected: MarkWrite) -> None:
    (rule,) = nft_rule({"mangle": {"key": META_MARK, "value": value}})
    assert rule.marks == (expected,)


def test_a_mark_that_is_copied_is_no_mark_of_its_own() -> None:
    (rule,) = nft_rule({"mangle": {"key": META_MARK, "value": {"ct": {"key": "mark"}}}})
    assert rule.marks == ()
    (rule,) = nft_rule({"mangle": {"key": {"payload": {"protocol": "ip", "field": "dscp"}}, "value": 1}})
    assert rule.marks == ()


@pytest.mark.parametrize(
    ("write", "kinds"),
    [
        (MarkWrite(ALL, 0x1), ["mark-in-use"]),
        (MarkWrite(0x1, 0x1), ["mark-in-use"]),
        (MarkWrite(ALL, 0x4000), ["mark-bits-shared"]),
        (MarkWrite(ALL, None), ["mark-bits-shared"]),
        (MarkWrite(0xFF00, 0x100), []),
    ],
)
def test_marks_are_compared_bit_by_bit(write: MarkWrite, kinds: list[str]) -> None:
    chain = Chain("any", "prerouting", "accept", [FilterRule(marks=(write,))])
    table = Table("nft", "inet", "other", frozenset((4, 6)), {"any": chain})
    assert [finding.id for finding in marks(DESIRED, Facts(filters=[table]))] == kinds
    ours = Table("nft", "inet", "multihome", frozenset((4, 6)), {"any": chain})
    assert list(marks(DESIRED, Facts(filters=[ours]))) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-i eth+ ! -o docker0 -j ACCEPT", "accept in_interface eth*, not out_interface docker0"),
        (
            "-d 10.0.0.0/8 -p tcp -m tcp --dport 80 -j ACCEPT",
            "accept destination 10.0.0.0/8, protocol tcp, destination_port 80",
        ),
        ("-m conntrack ! --ctstate NEW,DNAT -j REJECT --reject-with tcp-reset", "drop not state dnat new"),
        ('-m comment --comment "a \\"-j DROP\\" b" -g somewhere', "goto somewhere"),
        ('-j LOG --log-prefix "[UFW BLOCK] "', "jump LOG"),
        ("-m limit --limit 3/min -j RETURN", "return other"),
        ("-p icmp", ""),
    ],
)
def test_a_rule_of_iptables_is_read(text: str, expected: str) -> None:
    assert shown(iptables_rule(text)).startswith(expected)


def shown(rule: FilterRule) -> str:
    """A rule in words."""
    matches = [
        " ".join([*(["not"] if match.negated else []), match.what, *sorted(match.values)]) for match in rule.matches
    ]
    return " ".join(filter(None, [rule.verdict, rule.target, ", ".join(matches)]))


def _match(left: Any, right: Any, operator: str = "==") -> dict[str, Any]:
    return {"match": {"op": operator, "left": left, "right": right}}


@pytest.mark.parametrize(
    ("expressions", "expected"),
    [
        (
            [_match({"meta": {"key": "iifname"}}, {"set": ["eth*", "wan0"]}), {"counter": {}}, {"accept": None}],
            ["accept in_interface eth* wan0"],
        ),
        ([_match({"ct": {"key": "status"}}, "dnat", "in"), {"accept": None}], ["accept status dnat"]),
        (
            [_match({"ct": {"key": "state"}}, ["established", "related"], "!="), {"drop": None}],
            ["drop not state established related"],
        ),
        (
            [_match({"payload": {"protocol": "icmpv6", "field": "type"}}, "echo-request"), {"accept": None}],
            ["accept protocol icmpv6"],
        ),
        (
            [
                _match({"payload": {"protocol": "ip", "field": "daddr"}}, {"prefix": {"addr": "10.0.0.0", "len": 8}}),
                {"goto": {"target": "x"}},
            ],
            ["goto x destination 10.0.0.0/8"],
        ),
        ([_match({"payload": {"protocol": "ip", "field": "daddr"}}, "@allowed"), {"accept": None}], ["accept other"]),
        (
            [_match({"payload": {"protocol": "tcp", "field": "dport"}}, 80), {"accept": None}],
            ["accept protocol tcp, destination_port 80"],
        ),
        ([{"limit": {"rate": 1}}, {"reject": {"type": "icmpx"}}], ["drop other"]),
        ([{"xt": {"type": "match", "name": "conntrack"}}, {"accept": None}], ["other other"]),
        (
            [
                {
                    "vmap": {
                        "key": {"ct": {"key": "state"}},
                        "data": {"set": [["invalid", {"drop": None}], ["new", {"accept": None}]]},
                    }
                }
            ],
            ["drop state invalid", "accept state new"],
        ),
        ([{"vmap": {"key": {"ct": {"key": "state"}}, "data": "@verdicts"}}], ["other other"]),
    ],
)
def test_a_rule_of_nft_is_read(expressions: list[dict[str, Any]], expected: list[str]) -> None:
    assert [shown(rule) for rule in nft_rule(*expressions)] == expected


CONDITIONS = ("one", "two", "three")
# A match that cannot be judged; its value names the condition that the simulated packet may fulfil.
unknown = st.builds(lambda name: Match("other", frozenset((name,))), st.sampled_from(CONDITIONS))
known = st.sampled_from(
    [
        Match("in_interface", frozenset(("wan*",))),
        Match("in_interface", frozenset(("docker0",))),
        Match("in_interface", frozenset(("docker0",)), negated=True),
        Match("state", frozenset(("established", "related"))),
        Match("state", frozenset(("new",))),
        Match("status", frozenset(("dnat",))),
        Match("protocol", frozenset(("icmp",))),
    ]
)


def rules(targets: tuple[str, ...]) -> st.SearchStrategy[list[FilterRule]]:
    """Rules of a chain that may lead to others."""
    ends = st.sampled_from(["", "accept", "drop", "return"]).map(lambda verdict: (verdict, ""))
    leads = st.tuples(st.sampled_from(["jump", "goto"]), st.sampled_from(targets)) if targets else ends
    matches = st.lists(unknown | known, max_size=2).map(tuple)
    return st.lists(st.builds(lambda end, m: FilterRule(end[0], end[1], m), ends | leads, matches), max_size=4)


def true_of(match: Match, conditions: set[str]) -> bool:
    """Whether a new TCP connection from wan0, mapped to a server, meets a condition."""
    hit = {
        "other": bool(match.values & conditions),
        "in_interface": "wan*" in match.values,
        "state": bool(match.values & {"new", "dnat"}),
        "status": "dnat" in match.values,
        "protocol": False,
    }[match.what]
    return hit != match.negated


def walk(chains: Mapping[str, Chain], name: str, conditions: set[str]) -> Iterator[str]:
    """Yield the verdict of a chain for one packet, nothing if it has none: what nft and iptables do, rule by rule."""
    for rule in chains[name].rules:
        if not all(true_of(match, conditions) for match in rule.matches):
            continue
        if rule.verdict in ("accept", "drop"):
            yield rule.verdict
            return
        if rule.verdict == "return":
            return
        if rule.verdict in ("jump", "goto"):
            inner = next(walk(chains, rule.target, conditions), None)
            if inner:
                yield inner
            if inner or rule.verdict == "goto":
                return


ACCEPT, DROP = FilterRule("accept"), FilterRule("drop")
SOMETIMES = (Match("other", frozenset(("one",))),)


@given(rules(("middle", "last")), rules(("last",)), rules(()), st.sampled_from(["accept", "drop"]))
# Who leaves a chain early escapes what is dropped there; who goes to a chain does not come back.
@example([FilterRule("jump", "middle"), ACCEPT], [FilterRule("return", "", SOMETIMES), DROP], [], "drop")
@example([FilterRule("goto", "middle"), ACCEPT], [], [], "drop")
@example([FilterRule("goto", "middle"), ACCEPT], [FilterRule("accept", "", SOMETIMES)], [], "drop")
def test_what_is_said_of_a_filter_is_what_it_does(
    first: list[FilterRule], middle: list[FilterRule], last: list[FilterRule], policy: str
) -> None:
    chains = {
        "forward": Chain("forward", "forward", policy, first),
        "middle": Chain("middle", rules=middle),
        "last": Chain("last", rules=last),
    }
    found = list(forwarded(DESIRED, Facts(filters=[Table("nft", "inet", "other", frozenset((4,)), chains)])))
    said = {"forward-dropped": "drop", "forward-filtered": "perhaps"}[found[0].id] if found else "accept"
    subsets = (set(names) for count in range(4) for names in itertools.combinations(CONDITIONS, count))
    results = [next(walk(chains, "forward", conditions), policy) for conditions in subsets]
    if said == "drop":
        assert set(results) == {"drop"}
    if said == "accept":
        # Of a packet that no rule singles out.
        assert results[0] == "accept"


def test_what_goes_elsewhere_does_not_count_once_the_servers_are_known() -> None:
    accept = FilterRule("accept", "", (Match("destination", frozenset(("172.17.0.0/16",))),))
    chain = Chain("FORWARD", "forward", "drop", [accept])
    facts = Facts(filters=[Table("iptables", "iptables", "filter", frozenset((4,)), {"FORWARD": chain})])

    def said(*servers: str) -> list[str]:
        return [finding.id for finding in forwarded(Desired(DESIRED.lines, "firewall", servers), facts)]

    assert said() == ["forward-filtered"]
    assert said("192.168.168.1") == ["forward-dropped"]
    assert said("192.168.168.1", "172.17.0.2") == ["forward-filtered"]
    assert said("172.17.0.2") == []


def test_who_drops_some_and_accepts_the_rest_is_no_finding() -> None:
    chain = Chain("forward", "forward", "accept", [FilterRule("drop", "", SOMETIMES)])
    table = Table("nft", "inet", "other", frozenset((4,)), {"forward": chain})
    assert list(forwarded(DESIRED, Facts(filters=[table]))) == []
    chain.rules.append(DROP)
    assert [finding.id for finding in forwarded(DESIRED, Facts(filters=[table]))] == ["forward-dropped"]


IN_CHARGE = frozenset((("iptables", 4),))


@pytest.mark.parametrize(
    ("tool", "kind", "name", "chain", "in_charge", "found"),
    [
        ("iptables", "iptables", "filter", "FORWARD", IN_CHARGE, "iptables-forward-dropped"),
        # What nft can tell of iptables' table in full.
        ("nft", "ip", "filter", "FORWARD", IN_CHARGE, "iptables-forward-dropped"),
        # Of the other variant, of another family, of nobody's iptables; and what was never iptables' own.
        ("iptables-legacy", "iptables-legacy", "filter", "FORWARD", IN_CHARGE, "forward-dropped"),
        ("iptables", "iptables", "filter", "FORWARD", frozenset((("iptables", 6),)), "forward-dropped"),
        ("nft", "ip", "filter", "FORWARD", frozenset(), "forward-dropped"),
        ("nft", "inet", "filter", "FORWARD", IN_CHARGE, "forward-dropped"),
        ("nft", "ip", "filter", "forward", IN_CHARGE, "forward-dropped"),
        ("nft", "ip", "other", "FORWARD", IN_CHARGE, "forward-dropped"),
    ],
)
def test_only_what_an_accept_in_front_helps_with_is_going_to_be_mended(
    tool: str, kind: str, name: str, chain: str, in_charge: frozenset[tuple[str, int]], found: str
) -> None:
    table = Table(tool, kind, name, frozenset((4,)), {chain: Chain(chain, "forward", "drop")})
    (finding,) = forwarded(DESIRED, Facts(filters=[table], iptables=in_charge))
    assert finding.id == found
    assert finding.is_fixed_by({}, managed=("manages_forwarding",)) == found.startswith("iptables")
    assert not finding.is_fixed_by({}, managed=("manages_networkd",))


def test_our_own_chain_is_known_for_what_it_does_where_it_is_reached() -> None:
    ours = Chain("multihome-forward", rules=[FilterRule("accept", "", SOMETIMES)])
    forward = Chain("FORWARD", "forward", "drop", [FilterRule("jump", "multihome-forward")])
    table = Table("iptables", "iptables", "filter", frozenset((4,)), {chain.name: chain for chain in (forward, ours)})
    assert list(forwarded(DESIRED, Facts(filters=[table]))) == []
    forward.rules.insert(0, DROP)
    assert [finding.id for finding in forwarded(DESIRED, Facts(filters=[table]))] == ["forward-dropped"]


NFPROTO = {"meta": {"key": "nfproto"}}


@pytest.mark.parametrize(
    ("flags", "family", "operator", "dropped"),
    [
        (["saddr", "mark", "iif"], None, "==", {4, 6}),
        (["saddr", "iif"], "ipv6", "==", {6}),
        (["saddr", "iif"], "ipv6", "!=", {4}),
        (["saddr", "mark"], None, "==", set()),
    ],
)
def test_a_reverse_path_filter_has_families_and_looks_at_the_interface(
    flags: list[str], family: str | None, operator: str, dropped: set[int]
) -> None:
    fib = {"match": {"op": "==", "left": {"fib": {"result": "oif", "flags": flags}}, "right": False}}
    of_family = [{"match": {"op": operator, "left": NFPROTO, "right": family}}] if family else []
    for verdict in ("drop", "accept"):
        [rule] = nft_rule(*of_family, fib, {verdict: None})
        assert {each for each in (4, 6) if rule.drops_without_way_back(each)} == (
            dropped if verdict == "drop" else set()
        )
