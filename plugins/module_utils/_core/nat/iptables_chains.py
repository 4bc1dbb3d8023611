# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own chains in iptables' nat tables, and the transaction from one state to another. Pure.

Each family has a chain per hook, which exists while it holds something. The built-in chains jump to it. These jumps are
tagged; nothing else outside the own chains is ever touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InvalidInput
from ..filters.iptables import MAX_CHAIN_NAME, TAG
from ..filters.iptables_save import quoted, split
from ..filters.nftables_json import Counted
from .iptables_text import parse_rule
from .longest_increasing_subsequence import longest_increasing_subsequence
from .maps import HOOKS
from .model import NatRule, RuleKey

FAMILIES = (4, 6)
# hook -> built-in chain -> match of each family. Packets that a host sends to one of its own addresses are translated
# like those from elsewhere; loopback never is.
_JUMPS: dict[str, dict[str, dict[int, str]]] = {
    "destination": {
        "PREROUTING": {4: "", 6: ""},
        "OUTPUT": {
            4: "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL ",
            6: "! -d ::1/128 -m addrtype --dst-type LOCAL ",
        },
    },
    "source": {"POSTROUTING": {4: "", 6: ""}},
}
_CALLED = frozenset(builtin for jumps in _JUMPS.values() for builtin in jumps)
_LINE = re.compile(r"(?:\[(\d+):(\d+)\] )?-A (\S+) (.*)")


def chain_names(table: str) -> dict[str, str]:
    """Return the names of the own chains by hook; raises InvalidInput when the table's name makes them too long."""
    names = {hook: f"{table}-{hook}" for hook in HOOKS}
    most = MAX_CHAIN_NAME - max(len(f"-{hook}") for hook in HOOKS)
    if len(table) > most:
        raise InvalidInput([f'table "{table}": with iptables at most {most} characters, as chains are named after it'])
    return names


@dataclass(frozen=True)
class Row:
    """One rule of an own chain. ``rule`` is None in an unmanaged one; ``counted`` is packets, bytes."""

    text: str
    rule: NatRule | None
    counted: Counted = (0, 0)

    @property
    def identity(self) -> NatRule | str:
        """The translation or text: two rows of one identity do the same."""
        return self.rule or self.text


@dataclass(frozen=True)
class Jump:
    """A jump to an own chain: the chain that holds it, its position there from 1, and the text after ``-A CHAIN``."""

    builtin: str
    position: int
    text: str


@dataclass
class Chains:
    """The own part of one family's nat table: chains by hook, and the jumps to them."""

    family: int
    chains: dict[str, list[Row]] = field(default_factory=dict)
    jumps: list[Jump] = field(default_factory=list)


@dataclass
class IptablesState:
    """The own part of the nat tables. ``faults`` say why a jump is not as required."""

    families: dict[int, Chains]
    faults: list[str] = field(default_factory=list)

    @property
    def is_present(self) -> bool:
        """Whether anything exists."""
        return any(part.chains or part.jumps for part in self.families.values())

    def rules(self) -> list[tuple[NatRule, int]]:
        """Return the translations in the order they are tried, each with its position."""
        found: list[tuple[NatRule, int]] = []
        for hook in HOOKS:
            for part in self.families.values():
                rules = [row.rule for row in part.chains.get(hook, ()) if row.rule is not None]
                found += [(rule, len(found) + place) for place, rule in enumerate(rules, 1)]
        return found

    def unmanaged(self) -> list[str]:
        """Return the rules in the own chains that belong to no entry, one text each."""
        return [
            f"IPv{part.family} rule of the chain for {hook} addresses: {row.text}"
            for part in self.families.values()
            for hook, rows in part.chains.items()
            for row in rows
            if row.rule is None
        ]

    def unmanaged_to_remove(self, purge: bool) -> list[str]:
        """Return the unmanaged rules that a change removes."""
        return self.unmanaged() if purge else []

    def counters(self) -> dict[RuleKey, Counted]:
        """Return packets and bytes by key."""
        rows = (row for part in self.families.values() for rows in part.chains.values() for row in rows)
        return {row.rule.key: row.counted for row in rows if row.rule is not None}


def read_chains(saved: Iterable[str], family: int, names: Mapping[str, str]) -> Chains:
    """Return the own part of the lines of ``iptables-save -c -t nat``."""
    hooks = {chain: hook for hook, chain in names.items()}
    result = Chains(family)
    positions = dict.fromkeys(_CALLED, 0)
    keys = set()
    for line in saved:
        if line.startswith(":"):
            hook = hooks.get(line[1:].partition(" ")[0])
            if hook:
                result.chains[hook] = []
            continue
        match = _LINE.fullmatch(line)
        if not match:
            continue
        packets, counted_bytes, chain, text = match.groups()
        if chain in hooks:
            rule = parse_rule(split(text), family, hooks[chain])
            if rule is not None and rule.key in keys:
                # A later rule with the same key never matches.
                rule = None
            keys.add(rule and rule.key)
            result.chains[hooks[chain]].append(Row(text, rule, (int(packets or 0), int(counted_bytes or 0))))
        elif chain in positions:
            positions[chain] += 1
            words = split(text)
            if words[-1] in hooks and TAG in words:
                result.jumps.append(Jump(chain, positions[chain], text))
    return result


def desired_jumps(family: int, hooks: Iterable[str], names: Mapping[str, str]) -> list[Jump]:
    """Return the jumps that the chains of these hooks need."""
    return [
        Jump(builtin, 1, f"{match[family]}-m comment --comment {quoted(TAG)} -j {names[hook]}")
        for hook in hooks
        for builtin, match in _JUMPS[hook].items()
    ]


def _same(one: Jump, other: Jump) -> bool:
    return one.builtin == other.builtin and split(one.text) == split(other.text)


def faults_of_jumps(part: Chains, names: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the jumps to chains that hold something."""
    found = []
    holding = [hook for hook, rows in part.chains.items() if rows]
    desired = desired_jumps(part.family, holding, names)
    for jump in desired:
        count = sum(_same(jump, existing) for existing in part.jumps)
        if count != 1:
            found.append(f"IPv{part.family} jump from {jump.builtin} exists {count} times")
    to_holding = [jump for jump in part.jumps if split(jump.text)[-1] in {names[hook] for hook in holding}]
    for existing in to_holding:
        if not any(_same(jump, existing) for jump in desired):
            found.append(f"IPv{part.family} jump from {existing.builtin} is not what it must be")
    return found


def desired_chains(
    current: Chains,
    rows: Mapping[str, Sequence[Row]],
    names: Mapping[str, str],
    purge: bool,
) -> Chains:
    """Return the state with the desired rows, by hook; unmanaged rules stay in place unless ``purge``."""
    result = Chains(current.family)
    for hook in HOOKS:
        existing = current.chains.get(hook, [])
        held = list(rows.get(hook, ())) if purge else _with_unmanaged(existing, rows.get(hook, ()))
        if held:
            result.chains[hook] = held
    for jump in desired_jumps(current.family, result.chains, names):
        result.jumps.append(next((existing for existing in current.jumps if _same(jump, existing)), jump))
    return result


def _with_unmanaged(current: Sequence[Row], desired: Sequence[Row]) -> list[Row]:
    """Return the desired rows, and each unmanaged one after the row that it comes after now."""
    kept = {row.identity for row in desired}
    following: dict[object, list[Row]] = {}
    anchor: object = None
    for row in current:
        if row.rule is None:
            following.setdefault(anchor, []).append(row)
        elif row.identity in kept:
            anchor = row.identity
    rows = [*following.get(None, [])]
    for row in desired:
        rows += [row, *following.get(row.identity, [])]
    return rows


def transaction(current: Chains, desired: Chains, names: Mapping[str, str]) -> str:
    """Return the text for ``iptables-restore --noflush --counters`` that turns ``current`` into ``desired``.

    It is empty when nothing differs. Rows that stay are not mentioned and keep their counters; a new row brings its
    ``counted`` along.
    """
    made = [f":{names[hook]} - [0:0]" for hook in desired.chains if hook not in current.chains]
    lines: list[str] = []
    for hook, rows in desired.chains.items():
        lines += _difference(names[hook], current.chains.get(hook, []), rows)
    arriving, leaving = _jump_differences(current.jumps, desired.jumps)
    lines += [f"-I {jump.builtin} {jump.position} {jump.text}" for jump in arriving]
    lines += [f"-D {jump.builtin} {jump.text}" for jump in leaving]
    for hook in current.chains:
        if hook not in desired.chains:
            lines += [f"-F {names[hook]}", f"-X {names[hook]}"]
    if not made and not lines:
        return ""
    return "\n".join(["*nat", *made, *lines, "COMMIT", ""])


def _jump_differences(current: Sequence[Jump], desired: Sequence[Jump]) -> tuple[list[Jump], list[Jump]]:
    leaving = list(current)
    arriving = []
    for jump in desired:
        same = next((existing for existing in leaving if _same(existing, jump)), None)
        if same is None:
            arriving.append(jump)
        else:
            leaving.remove(same)
    return arriving, leaving


def _difference(chain: str, current: Sequence[Row], desired: Sequence[Row]) -> list[str]:
    """Return the lines from the rows of a chain to the desired ones, by position: last ones are deleted first."""
    index: dict[object, list[int]] = {}
    for place in range(len(current) - 1, -1, -1):
        index.setdefault(current[place].identity, []).append(place)
    found = [(index[row.identity].pop(), place) for place, row in enumerate(desired) if index.get(row.identity)]
    kept = {
        found[rising][1]: found[rising][0]
        for rising in longest_increasing_subsequence([place for place, _desired in found])
    }
    stays = set(kept.values())
    lines = [f"-D {chain} {place + 1}" for place in range(len(current) - 1, -1, -1) if place not in stays]
    last = max(kept, default=-1)
    for place, row in enumerate(desired):
        if place not in kept:
            operation = f"-I {chain} {place + 1}" if place < last else f"-A {chain}"
            lines.append(f"[{row.counted[0]}:{row.counted[1]}] {operation} {row.text}")
    return lines
