# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is forwarded, as a chain of one family's filter table, with one tagged jump to it.

Other people's rules in that table drop what they do not know, and an accept in front of them is the last word there.
The jump stands first in FORWARD, or in DOCKER-USER where Docker sends everything through it first: that is where it
leaves room for others, and what it puts back in front when it starts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .. import fields
from ..errors import InvalidInput
from ..filters.iptables import MAX_CHAIN_NAME, NAMES, TAG, Iptables
from ..filters.iptables_save import interface_faults, quoted, split
from ..filters.rulesets import Table, read_iptables
from ..filters.verdicts import BEGUN_INSIDE, MAPPED, Way, fates
from .backend import Standing, checksum
from .model import DROP, LEAVE, Forwarding, Passage

FORWARD, DOCKER_USER = "FORWARD", "DOCKER-USER"
_RULE = re.compile(r"(?:\[\d+:\d+\] )?(-A (\S+) (.*))")
_JUMP = f"-m comment --comment {quoted(TAG)} -j"


def chain_name(table: str) -> str:
    """Return the name of our chain; raises InvalidInput when the table's name makes it too long."""
    name = f"{table}-forward"
    if len(name) > MAX_CHAIN_NAME:
        most = MAX_CHAIN_NAME - len("-forward")
        raise InvalidInput(
            [f'table "{table}": with iptables at most {most} characters, as the chain is named after it']
        )
    return name


@dataclass(frozen=True)
class IptablesStanding(Standing):
    """What stands in a filter table: ``jumps`` to our chain (chain, position from 1, text) and where one belongs.

    ``others`` is the table without what is ours, None where there is no such table.
    """

    exists: bool = False
    jumps: tuple[tuple[str, int, str], ...] = ()
    place: str = FORWARD
    others: Table | None = None

    def drops(self, wanted: Forwarding, /) -> bool:
        """Tell whether others drop something of what is wanted here."""
        if self.others is None or FORWARD not in self.others.chains:
            return False
        lines = wanted.out_interfaces()
        servers = [address for address in wanted.mapped_to() if "/" not in address]
        ways = [Way(in_interfaces=lines, destinations=servers, states=MAPPED)] if wanted.mapped_to() else []
        ways += [Way(out_interfaces=lines, states=BEGUN_INSIDE)] if wanted.outbound() else []
        forward = self.others.chains[FORWARD]
        return any("drop" in fates(self.others, forward, way) for way in ways)


class IptablesForward:
    """The chain of one family. ``in_charge`` says that the policy is enforced by iptables."""

    backend = "iptables"

    def __init__(self, table: str, family: int, iptables: Iptables | None = None, in_charge: bool = False) -> None:
        self.iptables = iptables or Iptables()
        self.family = family
        self._in_charge = in_charge
        self.families: tuple[int, ...] = (family,)
        self.chain = chain_name(table)
        self.name = f"{NAMES[family]} table filter, chain {self.chain}"

    def read(self) -> IptablesStanding:
        """Return what stands; raises Unsupported when iptables is missing or not in charge of the table.

        So it does when iptables enforces the policy and its other variant holds rules.
        """
        if self._in_charge:
            self.iptables.refuse_mixture()
        return read_filter(self.iptables.read(self.family, "filter"), self.chain, self.family)

    def faults(self, wanted: Forwarding) -> list[str]:
        """Return which interfaces iptables cannot match."""
        return [fault for name in wanted.out_interfaces() for fault in interface_faults(out_interface=name)]

    def write(self, standing: IptablesStanding, wanted: Forwarding | None) -> None:
        """Put ``wanted`` in place of what stands, in one transaction; raises ApplyFailed."""
        text = transaction(self.chain, standing, wanted)
        if text:
            self.iptables.apply(self.family, text)


def transaction(chain: str, standing: IptablesStanding, wanted: Forwarding | None) -> str:
    """Return the text for ``iptables-restore --noflush``; a chain that is declared there is emptied first."""
    jump = f"{_JUMP} {chain}"
    lines = ["*filter"]
    if wanted is not None:
        lines.append(f":{chain} - [0:0]")
        lines += [f'-A {chain} -m comment --comment "{checksum(rule)}" {rule}' for rule in rules_of(wanted)]
    if wanted is None or not _is_right(standing.jumps, standing.place, jump):
        # By what they say and not by their positions, which somebody may have moved meanwhile.
        lines += [f"-D {builtin} {text}" for builtin, _position, text in standing.jumps]
        lines += [f"-I {standing.place} 1 {jump}"] if wanted is not None else []
    if wanted is None and standing.exists:
        lines += [f"-F {chain}", f"-X {chain}"]
    return "\n".join([*lines, "COMMIT", ""]) if len(lines) > 1 else ""


def _is_right(jumps: Sequence[tuple[str, int, str]], place: str, text: str) -> bool:
    """Tell whether there is one jump, and it is the first rule of its place."""
    return [(chain, position, split(found)) for chain, position, found in jumps] == [(place, 1, split(text))]


def rules_of(forwarding: Forwarding) -> list[str]:
    """Return the rules of the chain, of one family. Only a connection's first packet meets more than the first one."""
    rules = ["-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"]
    for target in forwarding.mapped_to():
        # Where a connection was translated to is where its replies come from.
        to = "" if fields.is_everything(target) else f" --ctreplsrc {target}"
        rules.append(f"-m conntrack --ctstate DNAT{to} -j ACCEPT")
    rest = "DROP" if forwarding.policy == DROP else "RETURN"
    # What comes in by a line with an address of the inside is forged.
    rules += [f"-i {interface} -j {rest}" for interface in forwarding.out_interfaces()]
    for passage in forwarding.outbound():
        source = "" if fields.is_everything(passage.address) else f"-s {passage.source} "
        rules.append(f"{source}-o {passage.out_interface} -j ACCEPT")
    return [*rules, f"-j {rest}"]


def read_filter(saved: Sequence[str], chain: str, family: int) -> IptablesStanding:
    """Return what the lines of ``iptables-save -c -t filter`` say."""
    held: list[list[str]] = []
    jumps: list[tuple[str, int, str]] = []
    foreign: list[str] = []
    positions: dict[str, int] = {}
    exists = False
    for line in saved:
        match = _RULE.fullmatch(line)
        if line.startswith(f":{chain} "):
            exists = True
        elif match is None:
            foreign.append(line)
        elif match[2] == chain:
            held.append(split(match[3]))
        else:
            positions[match[2]] = positions.get(match[2], 0) + 1
            if split(match[3])[-2:] in (["-j", chain], ["-g", chain]):
                jumps.append((match[2], positions[match[2]], match[3]))
            else:
                foreign.append(match[1])
    others = next((table for table in read_iptables("\n".join(foreign), family) if table.name == "filter"), None)
    place = _place(others)
    found, faults = None, []
    if exists:
        found = _recover(held, family)
        comments = [words[words.index("--comment") + 1] if "--comment" in words else None for words in held]
        if comments != [checksum(rule) for rule in rules_of(found)]:
            faults.append(f"chain {chain} is not what it must be")
    if (exists or jumps) and not _is_right(jumps, place, f"{_JUMP} {chain}"):
        faults.append(f"no jump to {chain} alone and first in {place}")
    return IptablesStanding(found, tuple(faults), exists, tuple(jumps), place, others)


def _place(others: Table | None) -> str:
    """Return the chain that the jump belongs in."""
    if others is None or DOCKER_USER not in others.chains or FORWARD not in others.chains:
        return FORWARD
    is_sent = any(r.target == DOCKER_USER and not r.matches for r in others.chains[FORWARD].rules)
    return DOCKER_USER if is_sent else FORWARD


def _recover(held: Sequence[Sequence[str]], family: int) -> Forwarding:
    """Return the forwarding that rules of our chain stand for; what is none of rules_of() is left out."""
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
    return fields.short_prefix(prefix) if "/" in prefix else prefix
