# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection marks in iptables and ip6tables: own chains, one jump to each that is hooked.

A chain of the table mangle that nothing jumps to holds the record of what was declared, one rule a fact, in comments;
IPv4 has it for both families. Every other rule's comment is a checksum of what it was written as, because
iptables-save prints rules in a form of its own.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import fields
from ..errors import ApplyFailed, InvalidInput, StepFailed
from ..filters.iptables import NAMES, Iptables
from ..filters.iptables_save import quoted, split
from ..routing.model import Neighbour
from .backend import Standing
from .model import FAMILIES, BalanceLine, ConnectionMark, Marks

TABLES = ("mangle", "nat")
# Chain names have at most 28 bytes, of which "_marks_new_" and eight digits are taken.
MAX_TABLE_NAME = 9
# Our chain -> table and chain that jumps to it.
HOOKS = {"pre": ("mangle", "PREROUTING"), "out": ("mangle", "OUTPUT"), "post": ("nat", "POSTROUTING")}
# Table -> chain -> comments of its rules.
Chains = dict[str, dict[str, list["str | None"]]]
# A family's rules: table -> chain -> rules as written, without comment.
Rules = dict[str, dict[str, list[str]]]

_GATEWAY = re.compile(r"mark (\d+) via (\S+) on (\S+) (?:unknown|at ([0-9a-f:]{17}) on (\S+))(?:; (.*))?")
_INTERFACE = re.compile(r"mark (\d+) in (\S+)(?:; (.*))?")
_SOURCE = re.compile(r"mark (\d+) from (\S+)(?:; (.*))?")
_BALANCE = re.compile(r"balance (\d+) weight (\d+) as (\S+)(?:; (.*))?")
_RULE = re.compile(r"(?:\[\d+:\d+\] )?-A (\S+) (.*)")
_FACT = re.compile(r"(mask|from|exclude) (\S+)")


@dataclass(frozen=True)
class FamilyPart:
    """What stands of one family: our chains, and the jumps to them as words of a rule."""

    chains: Chains = field(default_factory=dict)
    jumps: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class IptablesStanding(Standing):
    """What stands of both families."""

    parts: Mapping[int, FamilyPart] = field(default_factory=lambda: {family: FamilyPart() for family in FAMILIES})


class IptablesMarks:
    """Reads and writes marks in chains whose names begin with ``PREFIX_marks_``."""

    name = "iptables"

    def __init__(self, prefix: str, iptables: Iptables | None = None) -> None:
        if not re.fullmatch(rf"[A-Za-z_][A-Za-z0-9_]{{0,{MAX_TABLE_NAME - 1}}}", prefix):
            allowed = f'letters, digits and "_", a letter first, at most {MAX_TABLE_NAME}'
            raise InvalidInput([f'table "{prefix}": iptables chains are named after it: {allowed}'])
        self.prefix = f"{prefix}_marks_"
        self.iptables = iptables or Iptables()

    def read(self) -> IptablesStanding:
        """Return what stands; raises Unsupported when a program is missing, ReadFailed when it may not read."""
        parts = {family: self._part(family) for family in self.iptables.families()}
        notes = parts[4].chains.get("mangle", {}).get(f"{self.prefix}list", [])
        marks = recover([note for note in notes if note])
        faults = [
            f"{NAMES[family]}: {difference}"
            for family, part in parts.items()
            for difference in self._differences(family, part, marks)
        ]
        return IptablesStanding(marks, tuple(faults), parts)

    def write(self, standing: IptablesStanding, marks: Marks) -> None:
        """Put ``marks`` in place of what stands. Raises StepFailed."""
        if marks:
            self.iptables.refuse_mixture()
        done: list[str] = []
        for family, part in standing.parts.items():
            text = self._text(family, part, marks)
            try:
                if text:
                    self.iptables.apply(family, text)
                    done.append(NAMES[family])
            except ApplyFailed as error:
                # One text holds two tables, and the first may be applied when the second is refused.
                raise StepFailed(error.failed, error.reason, done) from error

    def undo(self, before: IptablesStanding) -> list[str]:
        """Put back the marks that stood; return what could not be."""
        failures = []
        for family, part in self.read().parts.items():
            text = self._text(family, part, before.marks)
            try:
                if text:
                    self.iptables.apply(family, text)
            except ApplyFailed as error:
                failures.append(str(error.reason))
        return failures + [f"{part} was not whole before" for part in before.faults]

    def _part(self, family: int) -> FamilyPart:
        chains: Chains = {}
        jumps: dict[str, list[list[str]]] = {}
        for table in TABLES:
            for chain, rules in _chains(self.iptables.read(family, table)).items():
                if chain.startswith(self.prefix):
                    chains.setdefault(table, {})[chain] = [_option(rule, "--comment") for rule in rules]
                else:
                    targets = [(_option(rule, "-j") or _option(rule, "-g") or "", rule) for rule in rules]
                    found = [[chain, *rule] for target, rule in targets if target.startswith(self.prefix)]
                    jumps.setdefault(table, []).extend(found)
        return FamilyPart(chains, jumps)

    def _wanted_jumps(self, rules: Rules) -> dict[str, list[list[str]]]:
        jumps: dict[str, list[list[str]]] = {table: [] for table in TABLES}
        for name, (table, base) in HOOKS.items():
            if self.prefix + name in rules.get(table, {}):
                jumps[table].append([base, "-j", self.prefix + name])
        return jumps

    def _differences(self, family: int, part: FamilyPart, marks: Marks) -> Iterator[str]:
        rules = rules_of(marks, family, self.prefix) if marks else {}
        wanted_jumps = self._wanted_jumps(rules)
        for table in TABLES:
            wanted = {chain: [_note(rule) for rule in held] for chain, held in rules.get(table, {}).items()}
            here = part.chains.get(table, {})
            for chain in sorted({*wanted, *here}):
                if wanted.get(chain) != here.get(chain):
                    yield f"chain {chain}"
            if sorted(wanted_jumps[table]) != sorted(map(list, part.jumps.get(table, []))):
                yield f"jumps of table {table}"

    def _text(self, family: int, part: FamilyPart, marks: Marks) -> str:
        """Return the file for iptables-restore that puts ``marks`` in place of a family's part."""
        rules = rules_of(marks, family, self.prefix) if marks else {}
        jumps = self._wanted_jumps(rules)
        lines = []
        for table in TABLES:
            wanted, here = rules.get(table, {}), part.chains.get(table, {})
            standing = [list(jump) for jump in part.jumps.get(table, [])]
            kept = [jump for jump in jumps[table] if standing.count(jump) == 1]
            if not wanted and not here and not standing:
                continue
            lines.append(f"*{table}")
            # A chain that is declared is emptied.
            lines += [f":{chain} - [0:0]" for chain in dict.fromkeys([*wanted, *here])]
            lines += [f"-D {_words(jump)}" for jump in standing if jump not in kept]
            for chain, held in wanted.items():
                lines += [f"-A {chain} {_written(rule)}" for rule in held]
            # In front of rules that accept or translate.
            lines += [f"-I {base} 1 {_words(rest)}" for base, *rest in jumps[table] if [base, *rest] not in kept]
            lines += [f"-X {chain}" for chain in here if chain not in wanted]
            lines.append("COMMIT")
        return "".join(f"{line}\n" for line in lines)


def _chains(lines: Sequence[str]) -> dict[str, list[list[str]]]:
    """Return the rules of each chain that iptables-save prints, without counters, as words."""
    chains: dict[str, list[list[str]]] = {}
    for line in lines:
        if line.startswith(":"):
            chains.setdefault(line[1:].split()[0], [])
            continue
        rule = _RULE.fullmatch(line)
        if rule:
            chains.setdefault(rule[1], []).append(split(rule[2]))
    return chains


def _words(words: Sequence[str]) -> str:
    return " ".join(word if re.fullmatch(r"[\w.:/!=,+-]+", word) else quoted(word) for word in words)


def _option(words: Sequence[str], name: str) -> str | None:
    return words[words.index(name) + 1] if name in words[:-1] else None


def _note(rule: str) -> str:
    """Return a rule's comment: a record's own text, or the checksum of a rule that does something."""
    return rule[1:] if rule.startswith("#") else f"{zlib.crc32(rule.encode()):08x}"


def _written(rule: str) -> str:
    comment = f'-m comment --comment "{_note(rule)}"'
    return comment if rule.startswith("#") else f"{comment} {rule}"


def rules_of(marks: Marks, family: int, prefix: str) -> Rules:
    """Return the rules of a family. One that begins with "#" is a record and does nothing."""
    mask = f"0x{marks.mask:x}"
    restore = f"-m connmark ! --mark 0x0/{mask} -j CONNMARK --restore-mark --nfmask {mask} --ctmask {mask}"
    asked = "-m conntrack --ctdir ORIGINAL"
    by_neighbour = {mark.neighbour: mark.mark for mark in marks.marks if mark.neighbour}
    by_interface = {mark.in_interface: mark.mark for mark in marks.marks if mark.in_interface and not mark.gateway}
    by_source = {m.source: m.mark for m in marks.marks if m.source and fields.family_of(m.source) == family}
    # What a connection's mark is on already is left out.
    sources = [
        f"-s {source} -m mark --mark 0x0/{mask} -j MARK --set-xmark 0x{number:x}/{mask}"
        for source, number in sorted(by_source.items(), key=str)
    ]
    mangle = {
        f"{prefix}pre": [
            *(
                f'-i "{found.interface}" -m mac --mac-source {found.address} {asked} -g {prefix}{number:x}'
                for found, number in sorted(by_neighbour.items(), key=str)
            ),
            *(f'-i "{name}" {asked} -g {prefix}{number:x}' for name, number in sorted(by_interface.items(), key=str)),
            restore,
            *sources,
        ],
        f"{prefix}out": [restore, *sources],
    }
    for number in sorted({mark.mark for mark in marks.marks}):
        mangle[f"{prefix}{number:x}"] = [f"-j CONNMARK --set-xmark 0x{number:x}/{mask}"]
    rules = {"mangle": mangle}
    if marks.balance:
        rules["nat"] = {f"{prefix}post": []}
        _add_balance(rules, marks, family, prefix)
    if family == 4:
        mangle[f"{prefix}list"] = [f"#{note}" for note in record(marks)]
    return rules


def _add_balance(rules: Rules, marks: Marks, family: int, prefix: str) -> None:
    mask = f"0x{marks.mask:x}"
    mangle = rules["mangle"]
    sources = [source for source in marks.balance_from if fields.family_of(source) == family]
    lines = sorted((line for line in marks.balance if line.source(family)), key=lambda line: line.mark)
    begun = [line for line in lines if line.weight]
    if begun:
        # Only the first packet of a connection is not confirmed yet.
        state = "-m conntrack --ctdir ORIGINAL ! --ctstatus CONFIRMED"
        free = f"-m connmark --mark 0x0/{mask} -m mark --mark 0x0/{mask} -m addrtype --dst-type UNICAST"
        mangle[f"{prefix}out"] += [f"-s {source} {state} {free} -j {prefix}new" for source in sources]
        prefixes = [p for p in marks.balance_exclude if fields.family_of(p) == family]
        mangle[f"{prefix}new"] = [f"-d {excluded} -j RETURN" for excluded in prefixes]
        rest = sum(line.weight for line in begun)
        for line in begun:
            chance = (
                "" if line.weight == rest else f"-m statistic --mode random --probability {line.weight / rest:.8f} "
            )
            mangle[f"{prefix}new"].append(f"{chance}-g {prefix}new_{line.mark:x}")
            rest -= line.weight
            mangle[f"{prefix}new_{line.mark:x}"] = [
                f"-j {target} --set-xmark 0x{line.mark:x}/{mask}" for target in ("CONNMARK", "MARK")
            ]
    local = "-m addrtype --src-type LOCAL -j SNAT --to-source"
    rules["nat"][f"{prefix}post"] += [
        f"-s {source} -m connmark --mark 0x{line.mark:x}/{mask} {local} {line.source(family)}"
        for source in sources
        for line in lines
    ]


def record(marks: Marks) -> list[str]:
    """Return everything that was declared or learned, a line a fact."""
    notes = [f"mask 0x{marks.mask:x}"]
    for mark in sorted(marks.marks, key=lambda mark: (mark.gateway or "", mark.in_interface or "")):
        if mark.source:
            note = f"mark {mark.mark} from {mark.source}"
        elif mark.gateway is None:
            note = f"mark {mark.mark} in {mark.in_interface}"
        else:
            found = f"at {mark.neighbour.address} on {mark.neighbour.interface}" if mark.neighbour else "unknown"
            note = f"mark {mark.mark} via {mark.gateway} on {mark.in_interface or '/'} {found}"
        notes.append(f"{note}; {mark.name}" if mark.name else note)
    for line in sorted(marks.balance, key=lambda line: line.mark):
        note = f"balance {line.mark} weight {line.weight} as {','.join(line.sources)}"
        notes.append(f"{note}; {line.name}" if line.name else note)
    notes += [f"from {source}" for source in marks.balance_from]
    return notes + [f"exclude {prefix}" for prefix in marks.balance_exclude]


def recover(notes: Sequence[str]) -> Marks:
    """Return the marks that a record tells of; what it cannot tell is left out, and shows as a difference."""
    marks: list[ConnectionMark] = []
    balance: list[BalanceLine] = []
    facts: dict[str, list[str]] = {"mask": [], "from": [], "exclude": []}
    for note in notes:
        gateway, interface = _GATEWAY.fullmatch(note), _INTERFACE.fullmatch(note)
        source, share, fact = _SOURCE.fullmatch(note), _BALANCE.fullmatch(note), _FACT.fullmatch(note)
        if gateway:
            number, address, on, hardware, found, name = gateway.groups()
            neighbour = Neighbour(found, hardware) if hardware else None
            marks.append(ConnectionMark(int(number), None if on == "/" else on, address, name, neighbour))
        elif interface:
            marks.append(ConnectionMark(int(interface[1]), interface[2], name=interface[3]))
        elif source:
            marks.append(ConnectionMark(int(source[1]), name=source[3], source=source[2]))
        elif share:
            balance.append(BalanceLine(int(share[1]), tuple(share[3].split(",")), int(share[2]), share[4]))
        elif fact:
            facts[fact[1]].append(fact[2])
    values: dict[str, Any] = {"mask": int(facts["mask"][0], 0)} if facts["mask"] else {}
    return Marks(
        **values,
        marks=tuple(marks),
        balance=tuple(balance),
        balance_from=tuple(facts["from"]),
        balance_exclude=tuple(facts["exclude"]),
    )
