# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of other programs that take connections which an entry of this collection is for. Pure.

They translate them, or leave them untranslated. The kernel asks the hooks of one place by their priority, and of one
priority the one first that was loaded last. The first that translates a connection decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..filters.rulesets import TO_DESTINATION, TO_SOURCE, UNTRACKED, Chain, FilterRule, Match, Table
from .entry_faults import DESTINATION, SOURCE
from .model import NatRule, hook
from .nftables_text import BASE_CHAINS
from .overlap import overlap

# Whether a third-party translation is asked before the entries: certainly, possibly, or certainly not.
FIRST, UNKNOWN, LATER = "first", "unknown", "later"
_HOOKS = {"prerouting": DESTINATION, "postrouting": SOURCE}
_TARGETS = {DESTINATION: TO_DESTINATION, SOURCE: TO_SOURCE}
_TYPES = {DESTINATION: "dnat", SOURCE: "snat"}
_IPTABLES = {"prerouting": -100, "postrouting": 100}
# nft: NF_IP_PRI_CONNTRACK. Only before it, packets can be taken out of tracking.
_TRACKING = -200
# How rules are shown that translate nothing, and keep others from it.
_VERDICTS = {"accept": "ACCEPT", "return": "RETURN"}
_UNTRANSLATED = (UNTRACKED, *_VERDICTS.values())
_LOOPBACK = Match("in_interface", frozenset(("lo",)))
# So many combinations of values of one rule are compared; one with more is taken for one that matches everything.
_MOST = 64
_FIELDS = ("in_interface", "out_interface", "source", "destination", "source_port", "destination_port", "protocol")


@dataclass(frozen=True)
class Foreign:
    """A rule of another program, the first ``entry`` that it concerns, and whether it is asked before it.

    ``place`` names its table and chain, ``owner`` the program if that is known, and ``entries`` counts the entries.
    """

    place: str
    owner: str
    rule: str
    entry: NatRule
    entries: int
    order: str

    @property
    def message(self) -> str:
        """The finding in one sentence."""
        more = f" and of {self.entries - 1} more" if self.entries > 1 else ""
        whose = f" of {self.owner}" if self.owner else ""
        taken = f"connections of the entry {self.entry.name or self.entry}{more}"
        if self.order == LATER:
            return f"its rule {self.rule}{whose} is asked after this collection's, which take {taken}"
        if self._translates_nothing:
            verb, taken = "leave", f"{taken} untranslated"
        else:
            verb = "take"
        if self.order == FIRST:
            return f"its rule {self.rule}{whose} is asked first, and {verb}s {taken}"
        return f"its rule {self.rule}{whose} may be asked first, and may {verb} {taken}"

    @property
    def remedy(self) -> str:
        """The ways to have the entry decide."""
        owner = self.owner or "the program that wrote it"
        if self.order == LATER:
            return "none needed if the entry is meant to decide; else remove it"
        if self._translates_nothing:
            return f"remove the rule, have {owner} limit it to packets that no entry is for, or remove the entry"
        return f"remove the rule, have {owner} use another port or address for it, or remove the entry"

    @property
    def _translates_nothing(self) -> bool:
        return self.rule.startswith(_UNTRANSLATED)

    def as_result(self) -> dict[str, Any]:
        """Return the finding as results show it."""
        return {
            "place": self.place,
            "owner": self.owner,
            "rule": self.rule,
            "entry": self.entry.as_input(),
            "order": self.order,
            "message": f"{self.place}: {self.message}",
            "remedy": self.remedy,
        }


def foreign_translations(tables: Iterable[Table], rules: Sequence[NatRule], backend: str, own: str) -> list[Foreign]:
    """Return the third-party translations that match connections of ``rules``, which ``backend`` carries out.

    ``own`` is the name of the collection's table, with which the names of its chains begin.
    """
    sides: dict[tuple[str, int], list[NatRule]] = {}
    for rule in rules:
        if rule.type != "exempt":
            sides.setdefault((hook(rule), rule.family), []).append(rule)
    found: list[Foreign] = []
    for table in tables:
        if (table.kind, table.name) == ("inet", own):
            continue
        entries = {side: [one for f in sorted(table.families) for one in sides.get((side, f), ())] for side in _TYPES}
        for chain in table.chains.values():
            side = _HOOKS.get(chain.hook)
            if side is not None and chain.type == "nat" and entries[side]:
                found += _of_hook(table, chain, entries[side], backend, own)
            elif _is_before_tracking(table, chain):
                found += _of_tracking(table, chain, entries, own)
    return found


def _of_hook(table: Table, base: Chain, rules: Sequence[NatRule], backend: str, own: str) -> Iterator[Foreign]:
    """Yield the rules of a hook that translate, and those that keep its chain from reaching the collection's."""
    side = _HOOKS[base.hook]
    for position, chain, matches, rule in _final_rules(table, base, own):
        is_end = _is_of_iptables(table, backend) and _ends_hook(rule, chain == base.name)
        if rule.target not in _TARGETS[side] and not is_end:
            continue
        combinations, is_exact = _combinations(matches, side, table.families)
        concerned = [entry for entry in rules if any(overlap(entry, one) for one in combinations)]
        order = _order(table, base, position, backend, own)
        if not concerned or (is_end and order == LATER):
            continue
        if order == FIRST and (is_end or not is_exact):
            # A rule that translates nothing may be meant as an exemption.
            order = UNKNOWN
        yield _finding(table, chain, _VERDICTS[rule.verdict] if is_end else rule.target, matches, concerned, order)


def _of_tracking(table: Table, base: Chain, entries: Mapping[str, Sequence[NatRule]], own: str) -> Iterator[Foreign]:
    """Yield the rules that take packets out of connection tracking, so that nothing translates them."""
    for _position, chain, matches, rule in _final_rules(table, base, own):
        if rule.target != UNTRACKED:
            continue
        arriving = [match.values for match in matches if match.what == "in_interface" and not match.negated]
        for side, listed in entries.items():
            combinations, is_exact = _combinations(matches, side, table.families)
            concerned = [
                entry
                for entry in listed
                # What leaves by an interface did not come in by it.
                if not any(names == {entry.out_interface} for names in arriving)
                and any(overlap(entry, one) for one in combinations)
            ]
            if concerned:
                # It is not known there by which interface packets will leave, or whether they are for this host.
                order = FIRST if is_exact and side == DESTINATION else UNKNOWN
                yield _finding(table, chain, rule.target, matches, concerned, order)


def _finding(
    table: Table, chain: str, shown: str, matches: Sequence[Match], concerned: Sequence[NatRule], order: str
) -> Foreign:
    text = " ".join([shown, *_shown(matches)])
    return Foreign(f"{table}, chain {chain}", table.owner, text, concerned[0], len(concerned), order)


def _is_before_tracking(table: Table, chain: Chain) -> bool:
    if chain.hook != "prerouting":
        return False
    return chain.priority < _TRACKING if table.tool == "nft" else table.name == "raw"


def _ends_hook(rule: FilterRule, is_base: bool) -> bool:
    """Return whether no later rule of the hook's chains is asked after this one, although it translates nothing."""
    return not rule.target and (rule.verdict == "accept" or (is_base and rule.verdict == "return"))


def _final_rules(table: Table, base: Chain, own: str) -> Iterator[tuple[int, str, tuple[Match, ...], FilterRule]]:
    """Yield the rules that lead to no further chain, each with the place in the base chain, and all conditions.

    What this host sends to itself is no connection of a line.
    """
    for position, rule in enumerate(base.rules):
        if not rule.target.startswith(own):
            for chain, matches, found in _within(table, base.name, rule, (), frozenset((base.name,)), own):
                if _LOOPBACK not in matches:
                    yield position, chain, matches, found


def _within(
    table: Table, chain: str, rule: FilterRule, before: tuple[Match, ...], visited: frozenset[str], own: str
) -> Iterator[tuple[str, tuple[Match, ...], FilterRule]]:
    matches = (*before, *rule.matches)
    target = table.chains.get(rule.target)
    if target is None:
        yield chain, matches, rule
    elif target.name not in visited and not target.name.startswith(own):
        for following in target.rules:
            yield from _within(table, target.name, following, matches, visited | {target.name}, own)


def _combinations(matches: Sequence[Match], side: str, families: Iterable[int]) -> tuple[list[NatRule], bool]:
    """Return translations that match at least what a rule matches, and whether they match no more."""
    choices: dict[str, list[Any]] = {}
    is_exact = True
    for match in matches:
        values = _values(match)
        if values is None:
            is_exact = False
        else:
            held = choices.get(match.what)
            choices[match.what] = values if held is None else [value for value in held if value in values] or values
    number = 1
    for listed in choices.values():
        number *= len(listed)
    if number > _MOST:
        choices, is_exact = {}, False
    found = []
    for chosen in itertools.product(*choices.values()):
        given = dict(zip(choices, chosen))
        addressed = [6 if ":" in given[name] else 4 for name in ("source", "destination") if name in given]
        for family in families:
            if all(one == family for one in addressed):
                found.append(NatRule(family, _TYPES[side], **given))
    return found, is_exact


def _values(match: Match) -> list[Any] | None:
    """Return the values that a condition selects, None where they are not known."""
    parse = NatRule.FIELDS.get(match.what) if match.what in _FIELDS else None
    if parse is None or match.negated:
        return None
    try:
        return [parse(value) for value in sorted(match.values)]
    except ValueError:
        return None


def _order(table: Table, base: Chain, position: int, backend: str, own: str) -> str:
    """Return whether the rule at a position of a base chain is asked before the collection's translations."""
    if _is_of_iptables(table, backend):
        # The collection's jump is the first rule when it is added.
        jumps = [place for place, rule in enumerate(base.rules) if rule.target.startswith(f"{own}-")]
        return FIRST if jumps and position < jumps[0] else LATER
    ours = _IPTABLES[base.hook] if backend == "iptables" else _nft_priority(base.hook)
    return FIRST if base.priority < ours else UNKNOWN if base.priority == ours else LATER


def _is_of_iptables(table: Table, backend: str) -> bool:
    """Return whether the collection's translations, of iptables, are in the same base chains."""
    is_iptables = table.name == "nat" and table.kind in ("ip", "ip6", "iptables", "ip6tables", "iptables-legacy")
    return backend == "iptables" and (is_iptables or table.tool.startswith("iptables"))


def _nft_priority(place: str) -> int:
    [priority] = [base[1] for base in BASE_CHAINS.values() if base is not None and base[0] == place]
    return priority


def _shown(matches: Iterable[Match]) -> Iterator[str]:
    names: Mapping[str, str] = {"destination_port": "port", "in_interface": "from", "out_interface": "to"}
    for match in matches:
        if match.what in _FIELDS:
            negation = "not " if match.negated else ""
            yield f"{names.get(match.what, match.what)} {negation}{','.join(sorted(match.values))}"
