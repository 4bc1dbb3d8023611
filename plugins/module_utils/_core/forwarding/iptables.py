# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forward policy as a chain of one family's filter table, with one tagged jump to it.

Third-party rules in that table may drop unknown traffic; an accept before them is final there. The jump is the first
rule of FORWARD, or of DOCKER-USER where Docker sends everything through it first: Docker leaves that chain to others,
and restores the jump to it when it starts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .. import fields
from ..errors import InvalidInput
from ..filters.backend import checksum
from ..filters.iptables import MAX_CHAIN_NAME, NAMES, TAG, Iptables
from ..filters.iptables_save import interface_faults, quoted, split
from ..filters.rulesets import Table, read_iptables
from ..filters.verdicts import INITIATED_INSIDE, MAPPED, Traffic, possible_verdicts
from .backend import State, restore
from .model import DROP, LEAVE, Forwarding, Passage

FORWARD, DOCKER_USER = "FORWARD", "DOCKER-USER"
_RULE = re.compile(r"(?:\[\d+:\d+\] )?(-A (\S+) (.*))")
_JUMP = f"-m comment --comment {quoted(TAG)} -j"


def chain_name(table: str) -> str:
    """Return the name of the own chain; raises InvalidInput when the table's name makes it too long."""
    name = f"{table}-forward"
    if len(name) > MAX_CHAIN_NAME:
        most = MAX_CHAIN_NAME - len("-forward")
        raise InvalidInput(
            [f'table "{table}": with iptables at most {most} characters, as the chain is named after it']
        )
    return name


@dataclass(frozen=True)
class IptablesState(State):
    """The own chain in a filter table, ``jumps`` to it (chain, position from 1, text) and the chain they belong in.

    ``others`` is the table without the own part, None where there is no such table.
    """

    exists: bool = False
    jumps: tuple[tuple[str, int, str], ...] = ()
    place: str = FORWARD
    others: Table | None = None

    def drops(self, desired: Forwarding, /) -> bool:
        """Return whether other rules drop traffic of ``desired``."""
        if self.others is None or FORWARD not in self.others.chains:
            return False
        lines = desired.out_interfaces()
        servers = [address for address in desired.mapped_to() if "/" not in address]
        kinds = [Traffic(in_interfaces=lines, destinations=servers, states=MAPPED)] if desired.mapped_to() else []
        kinds += [Traffic(out_interfaces=lines, states=INITIATED_INSIDE)] if desired.outbound() else []
        forward = self.others.chains[FORWARD]
        return any("drop" in possible_verdicts(self.others, forward, traffic) for traffic in kinds)


class IptablesForward:
    """The chain of one family. ``in_charge`` says that the policy is enforced by iptables."""

    name = "iptables"
    clamps = False

    def __init__(self, table: str, family: int, iptables: Iptables | None = None, in_charge: bool = False) -> None:
        self.iptables = iptables or Iptables()
        self.family = family
        self._in_charge = in_charge
        self.families: tuple[int, ...] = (family,)
        self.chain = chain_name(table)
        self.place = f"{NAMES[family]} table filter, chain {self.chain}"

    def read(self) -> IptablesState:
        """Return the state; raises Unsupported when iptables is missing or not in charge of the table.

        It also does when iptables enforces the policy and its other variant holds rules.
        """
        if self._in_charge:
            self.iptables.refuse_mixture()
        return read_filter(self.iptables.read(self.family, "filter"), self.chain, self.family)

    def faults(self, desired: Forwarding) -> list[str]:
        """Return the interfaces that iptables cannot match."""
        return [fault for name in desired.out_interfaces() for fault in interface_faults(out_interface=name)]

    def change(self, current: IptablesState, desired: Forwarding | None) -> str | None:
        """Return the transaction, None when there is nothing to send."""
        return transaction(current, desired, self.chain) or None

    def apply(self, change: str, _current: IptablesState) -> None:
        """Send the transaction; raises ApplyFailed."""
        self.iptables.apply(self.family, change)

    def restore(self, before: IptablesState) -> list[str]:
        """Restore the forwarding of ``before``; return what could not be restored."""
        return restore(self, before)


def transaction(current: IptablesState, desired: Forwarding | None, chain: str) -> str:
    """Return the text for ``iptables-restore --noflush`` that turns ``current`` into ``desired``.

    A chain that is declared there is emptied first.
    """
    jump = f"{_JUMP} {chain}"
    lines = ["*filter"]
    if desired is not None:
        lines.append(f":{chain} - [0:0]")
        lines += [f'-A {chain} -m comment --comment "{checksum(rule)}" {rule}' for rule in rules_of(desired)]
    if desired is None or not _is_right(current.jumps, current.place, jump):
        # By their text and not by their positions, which may have changed meanwhile.
        lines += [f"-D {builtin} {text}" for builtin, _position, text in current.jumps]
        lines += [f"-I {current.place} 1 {jump}"] if desired is not None else []
    if desired is None and current.exists:
        lines += [f"-F {chain}", f"-X {chain}"]
    return "\n".join([*lines, "COMMIT", ""]) if len(lines) > 1 else ""


def _is_right(jumps: Sequence[tuple[str, int, str]], place: str, text: str) -> bool:
    """Return whether there is one jump, and it is the first rule of its place."""
    return [(chain, position, split(found)) for chain, position, found in jumps] == [(place, 1, split(text))]


def rules_of(forwarding: Forwarding) -> list[str]:
    """Return the rules of the chain, of one family. Only a connection's first packet gets past the first rule."""
    rules = ["-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"]
    for target in forwarding.mapped_to():
        # Replies come from the address that a connection was translated to.
        to = "" if fields.is_everything(target) else f" --ctreplsrc {target}"
        rules.append(f"-m conntrack --ctstate DNAT{to} -j ACCEPT")
    rest = "DROP" if forwarding.policy == DROP else "RETURN"
    # A packet that arrives by a line with an address of the inside is forged.
    rules += [f"-i {interface} -j {rest}" for interface in forwarding.out_interfaces()]
    for passage in forwarding.outbound():
        source = "" if fields.is_everything(passage.address) else f"-s {passage.source} "
        rules.append(f"{source}-o {passage.out_interface} -j ACCEPT")
    return [*rules, f"-j {rest}"]


def read_filter(saved: Sequence[str], chain: str, family: int) -> IptablesState:
    """Return the state that the lines of ``iptables-save -c -t filter`` show."""
    found = _Lines.sorted(saved, chain)
    others = next((table for table in read_iptables("\n".join(found.foreign), family) if table.name == "filter"), None)
    place = _place(others)
    forwarding, faults = None, []
    if found.exists:
        forwarding = _recover(found.own, family)
        comments = [words[words.index("--comment") + 1] if "--comment" in words else None for words in found.own]
        if comments != [checksum(rule) for rule in rules_of(forwarding)]:
            faults.append(f"chain {chain} is not what it must be")
    if (found.exists or found.jumps) and not _is_right(found.jumps, place, f"{_JUMP} {chain}"):
        faults.append(f"no jump to {chain} alone and first in {place}")
    return IptablesState(forwarding, tuple(faults), found.exists, tuple(found.jumps), place, others)


@dataclass
class _Lines:
    """The lines of a filter table: rules of the own chain as words, jumps to it, and all others."""

    exists: bool = False
    own: list[list[str]] = field(default_factory=list)
    jumps: list[tuple[str, int, str]] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    @classmethod
    def sorted(cls, saved: Sequence[str], chain: str) -> _Lines:
        """Return the lines by what they belong to."""
        found = cls()
        positions: dict[str, int] = {}
        for line in saved:
            match = _RULE.fullmatch(line)
            if line.startswith(f":{chain} "):
                found.exists = True
            elif match is None:
                found.foreign.append(line)
            elif match[2] == chain:
                found.own.append(split(match[3]))
            else:
                positions[match[2]] = positions.get(match[2], 0) + 1
                if split(match[3])[-2:] in (["-j", chain], ["-g", chain]):
                    found.jumps.append((match[2], positions[match[2]], match[3]))
                else:
                    found.foreign.append(match[1])
        return found


def _place(others: Table | None) -> str:
    """Return the chain that the jump belongs in."""
    if others is None or DOCKER_USER not in others.chains or FORWARD not in others.chains:
        return FORWARD
    is_sent = any(r.target == DOCKER_USER and not r.matches for r in others.chains[FORWARD].rules)
    return DOCKER_USER if is_sent else FORWARD


def _recover(held: Sequence[Sequence[str]], family: int) -> Forwarding:
    """Return the forwarding of the own chain; a rule that is none of rules_of() is left out."""
    everything = "::/0" if family == 6 else "0.0.0.0/0"
    passages = []
    for words in held:
        options = dict(zip(words, words[1:]))
        if options.get("-j") != "ACCEPT":
            continue
        if options.get("--ctstate") == "DNAT":
            passages.append(Passage(mapped_to=_short(options.get("--ctreplsrc", everything))))
        elif "-o" in options:
            passages.append(Passage(source=_short(options.get("-s", everything)), out_interface=options["-o"]))
    return Forwarding.of(DROP if held and list(held[-1])[-1] == "DROP" else LEAVE, passages)


def _short(prefix: str) -> str:
    # In the one form of the model: ip6tables-save writes ::1.2.3.4 for ::102:304.
    try:
        return fields.short_prefix(fields.prefix(prefix))
    except ValueError:
        # A mask with gaps, in a rule that is not ours.
        return prefix
