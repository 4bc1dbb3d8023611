# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection marks in iptables and ip6tables: own chains, one jump to each that is hooked.

A chain of the table mangle without a jump to it holds the record of the declaration, one rule a fact, in comments; IPv4
has it for both families. The comment of every other rule is a checksum of its text, because iptables-save prints rules
in a form of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .. import fields
from ..errors import ApplyFailed, InvalidInput, StepFailed
from ..filters.backend import checksum
from ..filters.iptables import NAMES, Iptables
from ..filters.iptables_save import quoted, split
from ..routing.model import Neighbour
from .backend import State
from .model import FAMILIES, BalanceLine, ConnectionMark, Marks

TABLES = ("mangle", "nat")
# Chain names have at most 28 bytes, of which "_marks_new_" and eight digits are taken.
MAX_TABLE_NAME = 9
# Own chain -> table and chain that jumps to it.
HOOKS = {"pre": ("mangle", "PREROUTING"), "out": ("mangle", "OUTPUT"), "post": ("nat", "POSTROUTING")}
HOOKS["left"] = ("mangle", "POSTROUTING")
# Table -> chain -> comments of its rules.
Chains = dict[str, dict[str, list["str | None"]]]
# A family's rules: table -> chain -> rules as written, without comment.
Rules = dict[str, dict[str, list[str]]]

_GATEWAY = re.compile(r"mark (\d+) via (\S+) on (\S+) (?:unknown|at ([0-9a-f:]{17}) on (\S+))(?:; (.*))?")
_INTERFACE = re.compile(r"mark (\d+) in (\S+)(?:; (.*))?")
_SOURCE = re.compile(r"mark (\d+) from (\S+)(?:; (.*))?")
_BALANCE = re.compile(r"balance (\d+) weight (\d+) as (\S+)(?:; (.*))?")
_RULE = re.compile(r"(?:\[\d+:\d+\] )?-A (\S+) (.*)")
_FACT = re.compile(r"(mask|from|exclude|networks|keep) (\S+)")


@dataclass(frozen=True)
class FamilyState:
    """The own chains of one family, and the jumps to them as words of a rule."""

    chains: Chains = field(default_factory=dict)
    jumps: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class IptablesState(State):
    """The marks in both families."""

    families: Mapping[int, FamilyState] = field(default_factory=lambda: {family: FamilyState() for family in FAMILIES})


class IptablesChange(NamedTuple):
    """The transactions by family, and whether they configure marks or only remove them."""

    texts: Mapping[int, str]
    has_marks: bool


class IptablesMarks:
    """Reads and writes marks in chains whose names begin with ``PREFIX_marks_``."""

    name = "iptables"

    def __init__(self, prefix: str, iptables: Iptables | None = None) -> None:
        if not re.fullmatch(rf"[A-Za-z_][A-Za-z0-9_]{{0,{MAX_TABLE_NAME - 1}}}", prefix):
            allowed = f'letters, digits and "_", a letter first, at most {MAX_TABLE_NAME}'
            raise InvalidInput([f'table "{prefix}": iptables chains are named after it: {allowed}'])
        self.prefix = f"{prefix}_marks_"
        self.place = f"iptables chains {self.prefix}*"
        self.iptables = iptables or Iptables()

    def read(self) -> IptablesState:
        """Return the marks; raises Unsupported when a program is missing, ReadFailed when it may not read."""
        families = {family: self._family(family) for family in self.iptables.families()}
        notes = families[4].chains.get("mangle", {}).get(f"{self.prefix}list", [])
        marks = recover([note for note in notes if note])
        faults = [
            f"{NAMES[family]}: {difference}"
            for family, state in families.items()
            for difference in self._differences(family, state, marks)
        ]
        return IptablesState(marks, tuple(faults), families)

    def change(self, current: IptablesState, desired: Marks) -> IptablesChange | None:
        """Return the transactions, None when there is nothing to send."""
        texts = {family: self._transaction(state, desired, family) for family, state in current.families.items()}
        sent = {family: text for family, text in texts.items() if text}
        return IptablesChange(sent, bool(desired)) if sent else None

    def apply(self, change: IptablesChange, _current: IptablesState) -> None:
        """Send the transactions; raises StepFailed when one is refused.

        Each has one part for every table, of which the first may have been applied before the second was refused.
        """
        if change.has_marks:
            self.iptables.refuse_mixture()
        done: list[str] = []
        for family, text in change.texts.items():
            try:
                self.iptables.apply(family, text)
            except ApplyFailed as error:
                raise StepFailed(error.failed, error.reason, done) from error
            done.append(NAMES[family])

    def restore(self, before: IptablesState) -> list[str]:
        """Restore the marks of ``before``; return what could not be restored."""
        now = self.read()
        if now == before:
            return []
        failures = []
        for family, state in now.families.items():
            text = self._transaction(state, before.marks, family)
            try:
                if text:
                    self.iptables.apply(family, text)
            except ApplyFailed as error:
                failures.append(str(error.reason))
        return failures + [f"{part} was incomplete before" for part in before.faults]

    def _family(self, family: int) -> FamilyState:
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
        return FamilyState(chains, jumps)

    def _desired_jumps(self, rules: Rules) -> dict[str, list[list[str]]]:
        jumps: dict[str, list[list[str]]] = {table: [] for table in TABLES}
        for name, (table, base) in HOOKS.items():
            if self.prefix + name in rules.get(table, {}):
                jumps[table].append([base, "-j", self.prefix + name])
        return jumps

    def _differences(self, family: int, state: FamilyState, marks: Marks) -> Iterator[str]:
        rules = rules_of(marks, family, self.prefix) if marks else {}
        jumps = self._desired_jumps(rules)
        for table in TABLES:
            desired = {chain: [_note(rule) for rule in held] for chain, held in rules.get(table, {}).items()}
            here = state.chains.get(table, {})
            for chain in sorted({*desired, *here}):
                if desired.get(chain) != here.get(chain):
                    yield f"chain {chain}"
            if sorted(jumps[table]) != sorted(map(list, state.jumps.get(table, []))):
                yield f"jumps of table {table}"

    def _transaction(self, current: FamilyState, desired: Marks, family: int) -> str:
        """Return the text for iptables-restore that turns a family's state into the ``desired`` marks."""
        rules = rules_of(desired, family, self.prefix) if desired else {}
        jumps = self._desired_jumps(rules)
        lines = []
        for table in TABLES:
            chains, here = rules.get(table, {}), current.chains.get(table, {})
            existing = [list(jump) for jump in current.jumps.get(table, [])]
            kept = [jump for jump in jumps[table] if existing.count(jump) == 1]
            if not chains and not here and not existing:
                continue
            lines.append(f"*{table}")
            # A chain that is declared is emptied.
            lines += [f":{chain} - [0:0]" for chain in dict.fromkeys([*chains, *here])]
            lines += [f"-D {_words(jump)}" for jump in existing if jump not in kept]
            for chain, held in chains.items():
                lines += [f"-A {chain} {_written(rule)}" for rule in held]
            # In front of rules that accept or translate.
            lines += [f"-I {base} 1 {_words(rest)}" for base, *rest in jumps[table] if [base, *rest] not in kept]
            lines += [f"-X {chain}" for chain in here if chain not in chains]
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
    """Return a rule's comment: the text of a record, or the checksum of a rule that does something."""
    return rule[1:] if rule.startswith("#") else checksum(rule)


def _written(rule: str) -> str:
    comment = f'-m comment --comment "{_note(rule)}"'
    return comment if rule.startswith("#") else f"{comment} {rule}"


def rules_of(marks: Marks, family: int, prefix: str) -> Rules:
    """Return the rules of a family. One that begins with "#" is a record and does nothing."""
    mask = f"0x{marks.mask:x}"
    restore = f"-m connmark ! --mark 0x0/{mask} -j CONNMARK --restore-mark --nfmask {mask} --ctmask {mask}"
    original = "-m conntrack --ctdir ORIGINAL"
    by_neighbour = {mark.neighbour: mark.mark for mark in marks.marks if mark.neighbour}
    by_interface = {mark.in_interface: mark.mark for mark in marks.marks if mark.in_interface and not mark.gateway}
    by_source = {m.source: m.mark for m in marks.marks if m.source and fields.family_of(m.source) == family}
    # Packets that carry their connection's mark are left out.
    sources = [
        f"-s {source} -m mark --mark 0x0/{mask} -j MARK --set-xmark 0x{number:x}/{mask}"
        for source, number in sorted(by_source.items(), key=str)
    ]
    mangle = {
        f"{prefix}pre": [
            *(
                f'-i "{found.interface}" -m mac --mac-source {found.address} {original} -g {prefix}{number:x}'
                for found, number in sorted(by_neighbour.items(), key=str)
            ),
            *(
                f'-i "{name}" {original} -g {prefix}{number:x}'
                for name, number in sorted(by_interface.items(), key=str)
            ),
            restore,
            *sources,
        ],
        f"{prefix}out": [restore, *sources],
    }
    if marks.keep_networks:
        mangle[f"{prefix}left"] = [
            f'-s {network} -o "{name}" {original} -m connmark --mark 0x0/{mask} -g {prefix}{number:x}'
            for network in marks.keep_networks
            if fields.family_of(network) == family
            for name, number in sorted(by_interface.items(), key=str)
        ]
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
    sharing = [line for line in lines if line.weight]
    if sharing:
        # Only the first packet of a connection is not confirmed yet.
        state = "-m conntrack --ctdir ORIGINAL ! --ctstatus CONFIRMED"
        free = f"-m connmark --mark 0x0/{mask} -m mark --mark 0x0/{mask} -m addrtype --dst-type UNICAST"
        mangle[f"{prefix}out"] += [f"-s {source} {state} {free} -j {prefix}new" for source in sources]
        networks = [network for network in marks.balance_networks if fields.family_of(network) == family]
        mangle[f"{prefix}pre"] += [f"-s {network} {state} {free} -j {prefix}new" for network in networks]
        prefixes = [p for p in marks.balance_exclude if fields.family_of(p) == family]
        mangle[f"{prefix}new"] = [f"-d {excluded} -j RETURN" for excluded in prefixes]
        rest = sum(line.weight for line in sharing)
        for line in sharing:
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
    """Return everything that was declared or learned, one line a fact."""
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
    notes += [f"exclude {prefix}" for prefix in marks.balance_exclude]
    notes += [f"networks {prefix}" for prefix in marks.balance_networks]
    return notes + [f"keep {prefix}" for prefix in marks.keep_networks]


def recover(notes: Sequence[str]) -> Marks:
    """Return the marks of a record; an unreadable line is left out, and shows as a difference."""
    marks = [mark for note in notes for mark in _recover_mark(note)]
    balance = []
    facts: dict[str, list[str]] = {"mask": [], "from": [], "exclude": [], "networks": [], "keep": []}
    for note in notes:
        share, fact = _BALANCE.fullmatch(note), _FACT.fullmatch(note)
        if share:
            balance.append(BalanceLine(int(share[1]), tuple(share[3].split(",")), int(share[2]), share[4]))
        elif fact:
            facts[fact[1]].append(fact[2])
    return Marks(
        int(facts["mask"][0], 0) if facts["mask"] else Marks.mask,
        tuple(marks),
        tuple(balance),
        balance_from=tuple(facts["from"]),
        balance_networks=tuple(facts["networks"]),
        keep_networks=tuple(facts["keep"]),
        balance_exclude=tuple(facts["exclude"]),
    )


def _recover_mark(note: str) -> list[ConnectionMark]:
    """Return the mark of a line of the record, nothing for another line."""
    gateway, interface, source = _GATEWAY.fullmatch(note), _INTERFACE.fullmatch(note), _SOURCE.fullmatch(note)
    if gateway:
        number, address, on, hardware, found, name = gateway.groups()
        neighbour = Neighbour(found, hardware) if hardware else None
        return [ConnectionMark(int(number), None if on == "/" else on, address, name, neighbour)]
    if interface:
        return [ConnectionMark(int(interface[1]), interface[2], name=interface[3])]
    return [ConnectionMark(int(source[1]), name=source[3], source=source[2])] if source else []
