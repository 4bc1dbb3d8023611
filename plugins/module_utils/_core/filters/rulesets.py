# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet filters of whoever, as plain data: from nft's JSON and from iptables-save. No I/O.

Of a rule only what preflight asks is kept: whether it can meet a connection that is mapped to a server, what it then
does, and which bits of a mark it writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# A word of iptables-save: a text in quotation marks, which a backslash may escape, or anything up to a space.
_WORD = re.compile(r'"(?:\\.|[^"\\])*"|\S+')
_ALL = 0xFFFFFFFF
OTHER = "other"
_NFT_FAMILIES = {"ip": frozenset((4,)), "ip6": frozenset((6,)), "inet": frozenset((4, 6))}
_NFT_KEYS = {
    ("meta", "iifname"): "in_interface",
    ("meta", "oifname"): "out_interface",
    ("meta", "l4proto"): "protocol",
    ("ct", "state"): "state",
    ("ct", "status"): "status",
}
_IPTABLES_OPTIONS = {
    "-i": "in_interface",
    "-o": "out_interface",
    "-d": "destination",
    "-p": "protocol",
    "--ctstate": "state",
    "--state": "state",
    "--ctstatus": "status",
}


@dataclass(frozen=True)
class Match:
    """A condition of a rule, of the kind ``what``.

    It is in_interface, out_interface, destination (prefixes), protocol, state or status (of the connection), or other.
    """

    what: str
    values: frozenset[str] = frozenset()
    negated: bool = False


@dataclass(frozen=True)
class MarkWrite:
    """A mark that a rule writes: the bits that it may change, and their value, None if known only per packet."""

    bits: int
    value: int | None


@dataclass(frozen=True)
class FilterRule:
    """``verdict`` is accept, drop, return, jump or goto (to ``target``), other (nobody knows), or empty."""

    verdict: str = ""
    target: str = ""
    matches: tuple[Match, ...] = ()
    marks: tuple[MarkWrite, ...] = ()


@dataclass
class Chain:
    """A chain. ``hook`` and ``policy`` are empty of one that is only jumped to."""

    name: str
    hook: str = ""
    policy: str = ""
    rules: list[FilterRule] = field(default_factory=list)


@dataclass
class Table:
    """A table. ``tool`` is nft, iptables or iptables-legacy; ``kind`` the family as the tool calls it."""

    tool: str
    kind: str
    name: str
    families: frozenset[int]
    chains: dict[str, Chain] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.tool} table {self.kind} {self.name}" if self.tool == "nft" else f"{self.kind} table {self.name}"


def read_nft(objects: Iterable[Mapping[str, Any]]) -> tuple[list[Table], set[str]]:
    """Return the tables of ``nft -j list ruleset``, and the families whose rules only iptables can tell in full."""
    tables: dict[tuple[str, str], Table] = {}
    opaque: set[str] = set()
    for item in objects:
        for kind, body in item.items():
            if kind == "table" and body["family"] in _NFT_FAMILIES:
                key = (body["family"], body["name"])
                tables[key] = Table("nft", *key, _NFT_FAMILIES[body["family"]])
            elif kind in ("chain", "rule") and (body["family"], body["table"]) in tables:
                table = tables[body["family"], body["table"]]
                if kind == "chain":
                    name = body["name"]
                    table.chains[name] = Chain(name, body.get("hook", ""), body.get("policy", ""))
                    continue
                expressions = body.get("expr", [])
                if any("xt" in expression for expression in expressions):
                    opaque.add(body["family"])
                table.chains[body["chain"]].rules += _nft_rules(expressions)
    return list(tables.values()), opaque


def _nft_rules(expressions: Sequence[Mapping[str, Any]]) -> list[FilterRule]:
    """Return one rule, or several for a map of verdicts."""
    matches: list[Match] = []
    marks: list[MarkWrite] = []
    for expression in expressions:
        for kind, body in expression.items():
            if kind == "match":
                matches.append(_nft_match(body))
            elif kind == "mangle":
                marks += _nft_mark(body)
            elif kind in ("accept", "drop", "return"):
                return [FilterRule(kind, "", tuple(matches), tuple(marks))]
            elif kind == "reject":
                return [FilterRule("drop", "", tuple(matches), tuple(marks))]
            elif kind in ("jump", "goto"):
                return [FilterRule(kind, body["target"], tuple(matches), tuple(marks))]
            elif kind == "vmap":
                return [_with(rule, matches, marks) for rule in _nft_verdicts(body)]
            elif kind in ("xt", "queue"):
                return [FilterRule("other", "", (*matches, Match(OTHER)), tuple(marks))]
            elif kind not in ("counter", "log", "comment", "notrack"):
                matches.append(Match(OTHER))
    return [FilterRule("", "", tuple(matches), tuple(marks))]


def _with(rule: FilterRule, matches: Sequence[Match], marks: Sequence[MarkWrite]) -> FilterRule:
    return FilterRule(rule.verdict, rule.target, (*matches, *rule.matches), tuple(marks))


def _nft_verdicts(vmap: Mapping[str, Any]) -> list[FilterRule]:
    data = vmap["data"]
    if not isinstance(data, Mapping):
        # A named map: its elements are not listed.
        return [FilterRule("other", "", (Match(OTHER),))]
    rules = []
    for key, verdict in data["set"]:
        match = _nft_match({"op": "==", "left": vmap["key"], "right": key})
        rules.append(_nft_rules([verdict])[0])
        rules[-1] = _with(rules[-1], [match], [])
    return rules


def _nft_match(body: Mapping[str, Any]) -> Match:
    left, right = body["left"], body["right"]
    what = OTHER
    if isinstance(left, Mapping):
        for kind, inner in left.items():
            if isinstance(inner, Mapping):
                what = _NFT_KEYS.get((kind, inner.get("key", "")), OTHER)
                if kind == "payload" and inner.get("protocol") in ("icmp", "icmpv6"):
                    # A field of ICMP is there in ICMP alone.
                    return Match("protocol", frozenset((inner["protocol"],)))
                if kind == "payload" and inner.get("protocol") in ("ip", "ip6") and inner.get("field") == "daddr":
                    what = "destination"
    values = right["set"] if isinstance(right, Mapping) and "set" in right else right
    listed = [_nft_value(value) for value in (values if isinstance(values, list) else [values])]
    if what == OTHER or "" in listed:
        return Match(OTHER)
    return Match(what, frozenset(listed), body["op"] == "!=")


def _nft_value(value: Any) -> str:
    """Return a name, an address or a prefix; nothing for what is none of these, such as a range or a named set."""
    if isinstance(value, Mapping) and "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    return value if isinstance(value, str) and not value.startswith("@") else ""


def _nft_mark(body: Mapping[str, Any]) -> list[MarkWrite]:
    key = body.get("key", {})
    if not any(isinstance(inner, Mapping) and inner.get("key") == "mark" for inner in key.values()):
        return []
    ones, kept, known = _mark_bits(body["value"])
    bits = _ALL & ~kept
    return [MarkWrite(bits, ones & bits if bits & ~known == 0 else None)] if bits else []


def _mark_bits(value: Any) -> tuple[int, int, int]:
    """Return of an expression: the bits that are one, those kept from a mark that was, and those that are known."""
    if isinstance(value, int):
        return value, 0, _ALL
    if value in ({"meta": {"key": "mark"}}, {"ct": {"key": "mark"}}):
        # Packet mark and connection mark are copied to each other as a rule: that brings in no value of its own.
        return 0, _ALL, 0
    operator = next((name for name in ("&", "|", "^") if isinstance(value, Mapping) and name in value), "")
    left, mask = value[operator] if operator else (None, None)
    if not isinstance(mask, int):
        return 0, 0, 0
    ones, kept, known = _mark_bits(left)
    if operator == "&":
        return ones & mask, kept & mask, known | (_ALL & ~mask)
    if operator == "|":
        return ones | mask, kept & ~mask, known | mask
    return (ones ^ mask) & known, kept & ~mask, known


def read_iptables(text: str, family: int, tool: str = "iptables") -> list[Table]:
    """Return the tables of the output of iptables-save or ip6tables-save."""
    tables: list[Table] = []
    kind = tool if family == 4 else tool.replace("ip", "ip6", 1)
    for line in text.splitlines():
        if line.startswith("*"):
            tables.append(Table(tool, kind, line[1:].strip(), frozenset((family,))))
        elif line.startswith(":") and tables:
            name, policy = line[1:].split()[:2]
            base = policy != "-"
            tables[-1].chains[name] = Chain(name, name.lower() if base else "", policy.lower() if base else "")
        elif line.startswith("-A ") and tables:
            words = _WORD.findall(line)
            tables[-1].chains.setdefault(words[1], Chain(words[1])).rules.append(_iptables_rule(words[2:]))
    return tables


def _iptables_rule(words: Sequence[str]) -> FilterRule:
    matches: list[Match] = []
    negated = False
    place = 0
    while place < len(words) and words[place] not in ("-j", "-g"):
        word = words[place]
        following = words[place + 1] if place + 1 < len(words) else ""
        place += 1
        if word == "!":
            negated = True
            continue
        if word in _IPTABLES_OPTIONS:
            what = _IPTABLES_OPTIONS[word]
            values = (_iptables_value(value, what) for value in following.split(","))
            matches.append(Match(what, frozenset(values), negated))
        elif word.startswith("-") and word not in ("-m", "--comment"):
            matches.append(Match(OTHER))
        negated = False
    target = words[place + 1] if place + 1 < len(words) else ""
    marks = _iptables_marks(target, words[place + 2 :])
    verdicts = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "drop", "RETURN": "return", "NFQUEUE": "other"}
    if target in verdicts:
        return FilterRule(verdicts[target], "", tuple(matches), marks)
    jump = {"-j": "jump", "-g": "goto"}[words[place]] if target else ""
    return FilterRule(jump, target, tuple(matches), marks)


def _iptables_value(value: str, what: str) -> str:
    # "eth+" is every interface whose name begins so, as "eth*" is in nft.
    return f"{value[:-1]}*" if value.endswith("+") else value if "interface" in what else value.lower()


def _iptables_marks(target: str, words: Sequence[str]) -> tuple[MarkWrite, ...]:
    # iptables-save writes every other form of setting a mark as this one: mark = (mark & ~mask) ^ value.
    if target not in ("MARK", "CONNMARK") or "--set-xmark" not in words:
        return ()
    value, _slash, mask = words[words.index("--set-xmark") + 1].partition("/")
    number, bits = int(value, 0), int(mask or "0xffffffff", 0)
    return (MarkWrite(bits | number, number if number & ~bits == 0 else None),)
