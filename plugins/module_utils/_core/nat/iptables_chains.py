# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in our chains of iptables' nat tables, and the transaction from one such state to another. Pure.

Each family has a chain per hook, which exists as long as it holds something, and is jumped to from the chains that
the kernel calls. The jumps bear our tag; nothing else outside our chains is ever touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InvalidInput
from ..filters.iptables import MAX_CHAIN_NAME, TAG
from ..filters.iptables_save import quoted, split
from .backend import Counted
from .iptables_text import parse_rule
from .longest_increasing_subsequence import longest_increasing_subsequence
from .maps import HOOKS
from .model import NatRule

FAMILIES = (4, 6)
# hook -> from where, and for which packets besides all: what a host sends to an address of its own is translated like
# what others send there; loopback never is.
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
    """Return the names of our chains by hook; raises InvalidInput when the table's name makes them too long."""
    names = {hook: f"{table}-{hook}" for hook in HOOKS}
    most = MAX_CHAIN_NAME - max(len(f"-{hook}") for hook in HOOKS)
    if len(table) > most:
        raise InvalidInput([f'table "{table}": with iptables at most {most} characters, as chains are named after it'])
    return names


@dataclass(frozen=True)
class Row:
    """One rule of a chain of ours. ``rule`` is None for what is nobody's entry; ``counted`` is packets, bytes."""

    text: str
    rule: NatRule | None
    counted: Counted = (0, 0)

    @property
    def identity(self) -> NatRule | str:
        """What it is: two rows of one identity do the same."""
        return self.rule or self.text


@dataclass(frozen=True)
class Jump:
    """A jump to a chain of ours: the chain it stands in, its position there from 1, and what follows ``-A CHAIN``."""

    builtin: str
    position: int
    text: str


@dataclass
class Chains:
    """What is ours in the nat table of one family: chains by hook, and the jumps to them."""

    family: int
    chains: dict[str, list[Row]] = field(default_factory=dict)
    jumps: list[Jump] = field(default_factory=list)


@dataclass
class Standing:
    """What is ours in the nat tables. ``faults`` say why a jump is not what it must be."""

    families: dict[int, Chains]
    faults: list[str] = field(default_factory=list)

    @property
    def stands(self) -> bool:
        """Whether anything is there."""
        return any(part.chains or part.jumps for part in self.families.values())

    def rules(self) -> list[tuple[NatRule, int]]:
        """Return the translations in the order they are tried, each with its position."""
        found: list[tuple[NatRule, int]] = []
        for hook in HOOKS:
            for part in self.families.values():
                rules = [row.rule for row in part.chains.get(hook, ()) if row.rule is not None]
                found += [(rule, len(found) + place) for place, rule in enumerate(rules, 1)]
        return found

    def strays(self) -> list[str]:
        """Return what stands in our chains without being anybody's entry, one text each."""
        return [
            f"IPv{part.family} rule of the chain for {hook} addresses: {row.text}"
            for part in self.families.values()
            for hook, rows in part.chains.items()
            for row in rows
            if row.rule is None
        ]

    def leaving_strays(self, purge: bool) -> list[str]:
        """Return the strays that a change takes away."""
        return self.strays() if purge else []

    def counters(self) -> dict[object, Counted]:
        """Return packets and bytes by key."""
        rows = (row for part in self.families.values() for rows in part.chains.values() for row in rows)
        return {row.rule.key: row.counted for row in rows if row.rule is not None}


def read_chains(saved: Iterable[str], family: int, names: Mapping[str, str]) -> Chains:
    """Return what is ours among the lines of ``iptables-save -c -t nat``."""
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
                # What stands later under the same key never matches.
                rule = None
            keys.add(rule and rule.key)
            result.chains[hooks[chain]].append(Row(text, rule, (int(packets or 0), int(counted_bytes or 0))))
        elif chain in positions:
            positions[chain] += 1
            words = split(text)
            if words[-1] in hooks and TAG in words:
                result.jumps.append(Jump(chain, positions[chain], text))
    return result


def wanted_jumps(family: int, hooks: Iterable[str], names: Mapping[str, str]) -> list[Jump]:
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
    wanted = wanted_jumps(part.family, holding, names)
    for jump in wanted:
        count = sum(_same(jump, standing) for standing in part.jumps)
        if count != 1:
            found.append(f"IPv{part.family} jump from {jump.builtin} stands {count} times")
    to_holding = [jump for jump in part.jumps if split(jump.text)[-1] in {names[hook] for hook in holding}]
    for standing in to_holding:
        if not any(_same(jump, standing) for jump in wanted):
            found.append(f"IPv{part.family} jump from {standing.builtin} is not what it must be")
    return found


def target_chains(
    current: Chains,
    wanted: Mapping[str, Sequence[Row]],
    names: Mapping[str, str],
    purge: bool,
) -> Chains:
    """Return the state with the wanted rows, by hook; what is nobody's entry stays in place unless ``purge``."""
    result = Chains(current.family)
    for hook in HOOKS:
        standing = current.chains.get(hook, [])
        rows = list(wanted.get(hook, ())) if purge else _with_strays(standing, wanted.get(hook, ()))
        if rows:
            result.chains[hook] = rows
    for jump in wanted_jumps(current.family, result.chains, names):
        result.jumps.append(next((standing for standing in current.jumps if _same(jump, standing)), jump))
    return result


def _with_strays(standing: Sequence[Row], wanted: Sequence[Row]) -> list[Row]:
    """Return the wanted rows with the strays behind the row that they are behind now."""
    kept = {row.identity for row in wanted}
    behind: dict[object, list[Row]] = {}
    anchor: object = None
    for row in standing:
        if row.rule is None:
            behind.setdefault(anchor, []).append(row)
        elif row.identity in kept:
            anchor = row.identity
    rows = [*behind.get(None, [])]
    for row in wanted:
        rows += [row, *behind.get(row.identity, [])]
    return rows


def transaction(current: Chains, target: Chains, names: Mapping[str, str]) -> str:
    """Return the text for ``iptables-restore --noflush --counters``, empty when nothing differs.

    Rows that stay are not mentioned, and keep what they counted; a row that comes brings its ``counted`` along.
    """
    made = [f":{names[hook]} - [0:0]" for hook in target.chains if hook not in current.chains]
    lines: list[str] = []
    for hook, rows in target.chains.items():
        lines += _difference(names[hook], current.chains.get(hook, []), rows)
    arriving, leaving = _jump_differences(current.jumps, target.jumps)
    lines += [f"-I {jump.builtin} {jump.position} {jump.text}" for jump in arriving]
    lines += [f"-D {jump.builtin} {jump.text}" for jump in leaving]
    for hook in current.chains:
        if hook not in target.chains:
            lines += [f"-F {names[hook]}", f"-X {names[hook]}"]
    if not made and not lines:
        return ""
    return "\n".join(["*nat", *made, *lines, "COMMIT", ""])


def _jump_differences(current: Sequence[Jump], target: Sequence[Jump]) -> tuple[list[Jump], list[Jump]]:
    leaving = list(current)
    arriving = []
    for jump in target:
        same = next((standing for standing in leaving if _same(standing, jump)), None)
        if same is None:
            arriving.append(jump)
        else:
            leaving.remove(same)
    return arriving, leaving


def _difference(chain: str, standing: Sequence[Row], wanted: Sequence[Row]) -> list[str]:
    """Return the lines that make the rows of a chain the wanted ones, by position: last ones are deleted first."""
    index: dict[object, list[int]] = {}
    for place in range(len(standing) - 1, -1, -1):
        index.setdefault(standing[place].identity, []).append(place)
    found = [(index[row.identity].pop(), place) for place, row in enumerate(wanted) if index.get(row.identity)]
    kept = {
        found[rising][1]: found[rising][0]
        for rising in longest_increasing_subsequence([place for place, _wanted in found])
    }
    stays = set(kept.values())
    lines = [f"-D {chain} {place + 1}" for place in range(len(standing) - 1, -1, -1) if place not in stays]
    last = max(kept, default=-1)
    for place, row in enumerate(wanted):
        if place not in kept:
            operation = f"-I {chain} {place + 1}" if place < last else f"-A {chain}"
            lines.append(f"[{row.counted[0]}:{row.counted[1]}] {operation} {row.text}")
    return lines
