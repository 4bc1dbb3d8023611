# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Third-party rulesets as plain data, read from nft's JSON and from iptables-save. No I/O.

Only the parts of a rule that preflight needs are kept: which connections it can match, its verdict, and the bits of a
mark that it writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .nftables_json import (
    NftExpression,
    NftMatch,
    as_dict,
    as_list,
    as_text,
    read_ruleset,
    selector,
    values,
)

# A word of iptables-save: a text in quotation marks, which a backslash may escape, or anything up to a space.
_WORD = re.compile(r'"(?:\\.|[^"\\])*"|\S+')
_ALL = 0xFFFFFFFF
_NFT_FAMILIES = {"ip": frozenset((4,)), "ip6": frozenset((6,)), "inet": frozenset((4, 6))}
OTHER, NO_WAY_BACK, ADDRESS_FAMILY = "other", "no way back", "address family"
# The kernel translates destinations at this priority of the hook prerouting.
TRANSLATION_PRIORITY = -100
_NFT_SELECTORS = {
    "meta nfproto": ADDRESS_FAMILY,
    "meta iifname": "in_interface",
    "meta oifname": "out_interface",
    "meta iif": "in_interface",
    "meta oif": "out_interface",
    "meta l4proto": "protocol",
    "ip daddr": "destination",
    "ip6 daddr": "destination",
    "ip saddr": "source",
    "ip6 saddr": "source",
    "ct state": "state",
    "ct status": "status",
}
_PORTS = {"dport": "destination_port", "sport": "source_port"}
_WITH_PORTS = ("tcp", "udp", "sctp", "th")
# Statements that translate, as iptables calls them; NETMAP translates what its hook is for.
TO_DESTINATION = ("DNAT", "REDIRECT", "NETMAP")
TO_SOURCE = ("SNAT", "MASQUERADE", "NETMAP")
# The statement that takes packets out of connection tracking.
UNTRACKED = "NOTRACK"
# What the name of a chain or table tells about the program that manages it.
_OWNERS = {"DOCKER": "Docker", "ufw": "ufw", "firewalld": "firewalld", "LIBVIRT": "libvirt"}
_OWNERS.update({"KUBE-": "Kubernetes", "NETAVARK": "Podman", "CNI-": "CNI"})
# The hooks of iptables' chains for translations.
_IPTABLES_PRIORITIES = {"prerouting": TRANSLATION_PRIORITY, "output": -100, "input": 100, "postrouting": 100}
_NFT_VERDICTS = {"accept": "accept", "drop": "drop", "return": "return", "reject": "drop"}
_IPTABLES_VERDICTS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "drop", "RETURN": "return", "NFQUEUE": "other"}
# Statements that decide nothing and match everything.
_WITHOUT_EFFECT = frozenset(("counter", "log", "comment", "notrack"))
_MARKS = ("meta mark", "ct mark")
_IPTABLES_OPTIONS = {
    "-i": "in_interface",
    "-o": "out_interface",
    "-d": "destination",
    "-s": "source",
    "-p": "protocol",
    "--dport": "destination_port",
    "--dports": "destination_port",
    "--sport": "source_port",
    "--sports": "source_port",
    "--ctstate": "state",
    "--state": "state",
    "--ctstatus": "status",
}


@dataclass(frozen=True)
class Match:
    """A condition of a rule.

    ``what`` is in_interface, out_interface, source or destination (prefixes), source_port or destination_port (ports
    and ranges), protocol, state or status (of the connection), the address family, no way back, or other.
    """

    what: str
    values: frozenset[str] = frozenset()
    negated: bool = False


@dataclass(frozen=True)
class MarkWrite:
    """A mark that a rule writes: the bits that it may change, and their value, None if it depends on the packet."""

    bits: int
    value: int | None


@dataclass(frozen=True)
class FilterRule:
    """A rule. ``verdict`` is accept, drop, return, jump or goto (to ``target``), other (unknown), or empty.

    The ``target`` of a rule that translates is in TO_DESTINATION or TO_SOURCE. One that ends tracking is UNTRACKED.
    """

    verdict: str = ""
    target: str = ""
    matches: tuple[Match, ...] = ()
    marks: tuple[MarkWrite, ...] = ()

    def drops_without_way_back(self, family: int) -> bool:
        """Tell whether it drops packets of a family that come in by another interface than the way back leaves by."""
        families = [each for each in self.matches if each.what == ADDRESS_FAMILY]
        return (
            self.verdict == "drop"
            and all((f"ipv{family}" in each.values) != each.negated for each in families)
            # Without the interface it asks only whether there is any way.
            and any(each.what == NO_WAY_BACK and not each.negated and "iif" in each.values for each in self.matches)
        )


@dataclass
class Chain:
    """A chain. ``hook`` and ``policy`` are empty in a chain that is only jumped to.

    ``type`` and ``priority`` are those of nft; a chain of iptables that translates has them too.
    """

    name: str
    hook: str = ""
    policy: str = ""
    rules: list[FilterRule] = field(default_factory=list)
    type: str = ""
    priority: int = 0

    @property
    def translates(self) -> bool:
        """Whether it translates destinations of packets that come in."""
        is_for_others = self.hook in ("output", "input", "postrouting")
        return not is_for_others and any(rule.target in TO_DESTINATION for rule in self.rules)


@dataclass
class Table:
    """A table. ``tool`` is nft, iptables or iptables-legacy; ``kind`` is the tool's own name of the family."""

    tool: str
    kind: str
    name: str
    families: frozenset[int]
    chains: dict[str, Chain] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The program that manages the table, empty where its names do not tell."""
        names = " ".join([self.name, *self.chains])
        return next((owner for word, owner in _OWNERS.items() if word in names), "")

    def __str__(self) -> str:
        return f"{self.tool} table {self.kind} {self.name}" if self.tool == "nft" else f"{self.kind} table {self.name}"


def read_nft(objects: Iterable[Mapping[str, object]]) -> tuple[list[Table], set[str]]:
    """Return the tables of ``nft -j list ruleset``, and the families whose rules only iptables shows in full."""
    tables: list[Table] = []
    opaque: set[str] = set()
    for read in read_ruleset(objects):
        if read.family not in _NFT_FAMILIES:
            continue
        table = Table("nft", read.family, read.name, _NFT_FAMILIES[read.family])
        for chain in read.chains.values():
            made = Chain(chain.name, chain.hook or "", chain.policy or "", type=chain.type or "")
            made.priority = chain.priority or 0
            table.chains[chain.name] = made
        for rule in read.rules:
            if any(expression.kind == "xt" for expression in rule.expressions):
                opaque.add(read.family)
            if rule.chain in table.chains:
                table.chains[rule.chain].rules += _nft_untracked(rule.expressions) + _nft_rules(rule.expressions)
        tables.append(table)
    return tables, opaque


def _nft_untracked(expressions: Sequence[NftExpression]) -> list[FilterRule]:
    """Return the rule that ends tracking, where one does; the rest of it applies too."""
    kinds = [expression.kind for expression in expressions]
    if "notrack" not in kinds:
        return []
    return [replace(rule, target=UNTRACKED) for rule in _nft_rules(expressions[: kinds.index("notrack")])]


def _nft_rules(expressions: Sequence[NftExpression]) -> list[FilterRule]:
    """Return one rule, or several for a map of verdicts."""
    matches: list[Match] = []
    marks: list[MarkWrite] = []
    for expression in expressions:
        verdicts = _nft_verdicts(expression)
        if verdicts:
            return [_with(rule, matches, marks) for rule in verdicts]
        comparison = expression.match()
        if comparison:
            matches += _nft_matches(comparison)
        elif expression.kind == "mangle":
            marks += _nft_mark(as_dict(expression.body))
        elif expression.kind.upper() in TO_DESTINATION + TO_SOURCE:
            content = as_dict(expression.body)
            if any("map" in as_dict(content.get(part)) for part in ("addr", "port")):
                # The map decides what is translated, and its elements are not listed.
                matches.append(Match(OTHER))
            return [FilterRule("accept", expression.kind.upper(), tuple(matches), tuple(marks))]
        elif expression.kind not in _WITHOUT_EFFECT:
            matches.append(Match(OTHER))
    return [FilterRule("", "", tuple(matches), tuple(marks))]


def _with(rule: FilterRule, matches: Sequence[Match], marks: Sequence[MarkWrite]) -> FilterRule:
    return FilterRule(rule.verdict, rule.target, (*matches, *rule.matches), tuple(marks))


def _nft_verdicts(expression: NftExpression) -> list[FilterRule]:
    """Return the verdicts of an expression: none, one, or those of a map, each with its own match."""
    kind = expression.kind
    if kind in _NFT_VERDICTS:
        return [FilterRule(_NFT_VERDICTS[kind])]
    if kind in ("jump", "goto"):
        return [FilterRule(kind, as_text(as_dict(expression.body).get("target")))]
    if kind in ("xt", "queue"):
        return [FilterRule("other", "", (Match(OTHER),))]
    return _nft_verdict_map(as_dict(expression.body)) if kind == "vmap" else []


def _nft_verdict_map(vmap: Mapping[str, object]) -> list[FilterRule]:
    elements = as_dict(vmap.get("data")).get("set")
    if not isinstance(elements, list):
        # A named map: its elements are not listed.
        return [FilterRule("other", "", (Match(OTHER),))]
    rules = []
    for key, verdict in elements:
        [rule] = _nft_rules([NftExpression(*item) for item in as_dict(verdict).items()])
        rules.append(_with(rule, [_nft_match(NftMatch(selector(vmap.get("key")), "==", key))], []))
    return rules


def _nft_matches(comparison: NftMatch) -> list[Match]:
    protocol, _space, field_name = comparison.selector.partition(" ")
    if protocol not in _WITH_PORTS or field_name not in _PORTS:
        return [_nft_match(comparison)]
    ports = frozenset(_nft_port(value) for value in values(comparison.right))
    implied = [] if protocol == "th" else [Match("protocol", frozenset((protocol,)))]
    if "" in ports:
        return [*implied, Match(OTHER)]
    return [*implied, Match(_PORTS[field_name], ports, comparison.operator == "!=")]


def _nft_port(value: object) -> str:
    """Return a port or a range; empty for anything else, such as a named set."""
    limits = as_list(as_dict(value).get("range"))
    if len(limits) == 2:
        return f"{limits[0]}-{limits[1]}"
    return str(value) if isinstance(value, int) else ""


def _nft_match(comparison: NftMatch) -> Match:
    protocol = comparison.selector.partition(" ")[0]
    if protocol in ("icmp", "icmpv6"):
        # Only ICMP has a field of ICMP.
        return Match("protocol", frozenset((protocol,)))
    if comparison.selector.startswith("fib saddr") and comparison.right is False:
        # No route leads back to the sender, as the rule looks it up.
        return Match(NO_WAY_BACK, frozenset(comparison.selector.split()), comparison.operator == "!=")
    what = _NFT_SELECTORS.get(comparison.selector, OTHER)
    listed = [_nft_value(value) for value in values(comparison.right)]
    if what == OTHER or "" in listed:
        return Match(OTHER)
    return Match(what, frozenset(listed), comparison.operator == "!=")


def _nft_value(value: object) -> str:
    """Return a name, an address or a prefix; empty for anything else, such as a range or a named set."""
    if isinstance(value, str):
        return "" if value.startswith("@") else value
    prefix = as_dict(as_dict(value).get("prefix"))
    return f"{prefix.get('addr')}/{prefix.get('len')}" if prefix else ""


def _nft_mark(body: Mapping[str, object]) -> list[MarkWrite]:
    if selector(body.get("key")) not in _MARKS:
        return []
    ones, kept, known = _mark_bits(body.get("value"))
    bits = _ALL & ~kept
    return [MarkWrite(bits, ones & bits if bits & ~known == 0 else None)] if bits else []


def _mark_bits(value: object) -> tuple[int, int, int]:
    """Return of an expression: the bits that are one, those kept from the old mark, and those that are known."""
    if isinstance(value, int):
        return value, 0, _ALL
    if selector(value) in _MARKS:
        # Packet mark and connection mark are usually copied to each other: that brings in no new value.
        return 0, _ALL, 0
    operator, operands = next(iter(as_dict(value).items()), ("", None))
    left, mask = as_list(operands) if len(as_list(operands)) == 2 else (None, None)
    if operator not in ("&", "|", "^") or not isinstance(mask, int):
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
            chain = Chain(name, name.lower() if base else "", policy.lower() if base else "")
            if tables[-1].name == "nat" and chain.hook in _IPTABLES_PRIORITIES:
                chain.type, chain.priority = "nat", _IPTABLES_PRIORITIES[chain.hook]
            tables[-1].chains[name] = chain
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
            listed = (_iptables_value(value, what) for value in following.split(","))
            matches.append(Match(what, frozenset(listed), negated))
        elif word.startswith("-") and word not in ("-m", "--comment"):
            matches.append(Match(OTHER))
        negated = False
    target = words[place + 1] if place + 1 < len(words) else ""
    if target == "CT" and "--notrack" in words[place + 2 :]:
        # As iptables-save writes it in either variant.
        target = UNTRACKED
    marks = _iptables_marks(target, words[place + 2 :])
    if target in _IPTABLES_VERDICTS:
        return FilterRule(_IPTABLES_VERDICTS[target], "", tuple(matches), marks)
    jump = {"-j": "jump", "-g": "goto"}[words[place]] if target else ""
    return FilterRule(jump, target, tuple(matches), marks)


def _iptables_value(value: str, what: str) -> str:
    # "eth+" is every interface whose name begins so, as "eth*" is in nft.
    if "port" in what:
        return value.replace(":", "-")
    return f"{value[:-1]}*" if value.endswith("+") else value if "interface" in what else value.lower()


def _iptables_marks(target: str, words: Sequence[str]) -> tuple[MarkWrite, ...]:
    # iptables-save writes every other form of setting a mark as this one: mark = (mark & ~mask) ^ value.
    if target not in ("MARK", "CONNMARK") or "--set-xmark" not in words:
        return ()
    value, _slash, mask = words[words.index("--set-xmark") + 1].partition("/")
    number, bits = int(value, 0), int(mask or "0xffffffff", 0)
    return (MarkWrite(bits | number, number if number & ~bits == 0 else None),)
