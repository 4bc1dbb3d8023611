# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked: an address, a service, a port or a line becomes a list of cases, each of one line and one family."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ... import fields
from ...nat.conntrack_match import moved
from ...nat.model import NatRule
from ...nat.nftables_text import target_port
from ...nat.protocols import WITH_PORTS
from ...routing.reply_destinations import FAR
from ..failure import CommandFailed
from ..lines import LineWay

MAPPED, LOCAL, OUTGOING = "mapped", "local", "outgoing"


@dataclass(frozen=True)
class Question:
    """The words of the administrator; ``remote`` is the other end, ``families`` those to ask for."""

    target: str
    remote: str | None = None
    families: tuple[int, ...] = (4, 6)


@dataclass(frozen=True)
class Case:
    """One thing to explain.

    MAPPED: connections to ``address`` that ``rule`` maps to another host, by ``line``. LOCAL: connections to an address
    of this host. OUTGOING: to ``remote``, from ``address`` (None: this host chooses one).
    """

    kind: str
    family: int
    remote: str
    line: LineWay | None = None
    address: str | None = None
    rule: NatRule | None = None
    protocol: str | None = None
    port: int | None = None
    missing: bool = False

    @property
    def mapped_to(self) -> str:
        """The address of the server behind this host."""
        return moved(self.rule, str(self.address)) if self.rule else str(self.address)

    @property
    def mapped_port(self) -> int | None:
        """The port of the server behind this host."""
        return target_port(self.rule, self.port) if self.rule and self.port is not None else self.port


@dataclass(frozen=True)
class Known:
    """What targets are looked up in. ``stored`` are the translations that should exist, ``live`` those that do."""

    lines: Sequence[LineWay]
    live: Sequence[NatRule]
    stored: Sequence[NatRule]
    is_local: Callable[[str], bool]

    @property
    def services(self) -> list[str]:
        """The names of the services that this host maps."""
        rules = (*self.live, *self.stored)
        return list(dict.fromkeys(rule.name for rule in rules if rule.type == "dnat" and rule.name))

    def line_of(self, address: str) -> LineWay | None:
        """Return the line that an address belongs to; None where it is of none, or of several."""
        found = [line for line in self.lines if line.family == fields.family_of(address) and address in line.addresses]
        return found[0] if len(found) == 1 else None

    def networks(self) -> list[str]:
        """Return the networks of the lines, in which no far address must be."""
        return [network for line in self.lines for network in line.networks]


def cases(question: Question, known: Known) -> list[Case]:
    """Return the cases of a question; raises CommandFailed when the target is nothing that this host knows."""
    target = question.target
    address = _address(target)
    if address is not None:
        found = _of_address(address, question, known)
    elif "/" in target:
        found = _of_port(target, question, known)
    else:
        found = [*_of_service(target, question, known), *_of_line(target, question, known)]
    found = [case for case in found if case.family in question.families]
    if not found:
        services, lines = fields.listed(known.services) or "none", list(dict.fromkeys(x.name for x in known.lines))
        raise CommandFailed(
            f"{fields.shown(target)} is no address, and no service, port or line of this host; services: {services}; "
            f"lines: {fields.listed(lines) or 'none'}"
        )
    if question.remote is not None:
        family = fields.family_of(question.remote)
        found = [case for case in found if case.family == family]
        if not found:
            raise CommandFailed(f"--from {question.remote} is IPv{family}, and {fields.short(target)} has none of that")
    return found


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _remote(question: Question, family: int, known: Known) -> str:
    """Return the other end: as given, else an address that is in no network of a line."""
    if question.remote is not None:
        return question.remote
    networks = [ipaddress.ip_network(network) for network in known.networks()]
    choices = (text for pair in FAR[family] for text in pair)
    return next(text for text in choices if not any(ipaddress.ip_address(text) in one for one in networks))


def _of_address(address: str, question: Question, known: Known) -> list[Case]:
    family = fields.family_of(address)
    mapped = _mapped(lambda rule: address in (rule.destination, rule.to_address), question, known)
    if known.is_local(address):
        local = Case(LOCAL, family, _remote(question, family, known), known.line_of(address), address)
        return [*mapped, local]
    if mapped:
        return mapped
    lines = [line for line in known.lines if line.family == family and line.addresses]
    own = [source for line in lines for source in line.addresses[:1] if known.is_local(source)]
    return [
        Case(OUTGOING, family, address),
        *(Case(OUTGOING, family, address, known.line_of(source), source) for source in dict.fromkeys(own)),
    ]


def _of_service(name: str, question: Question, known: Known) -> list[Case]:
    return _mapped(lambda rule: rule.name == name, question, known)


def _of_port(text: str, question: Question, known: Known) -> list[Case]:
    number, _slash, protocol = text.partition("/")
    if not number.isdecimal() or protocol not in WITH_PORTS:
        return []
    port = int(number)

    def selected(rule: NatRule) -> bool:
        ports = rule.destination_port
        return rule.protocol in (protocol, "any") and (ports is None or ports[0] <= port <= ports[1])

    mapped = _mapped(selected, question, known, protocol, port)
    covered = {case.address for case in mapped}
    for line in known.lines:
        for address in line.addresses:
            if address not in covered and known.is_local(address):
                remote = _remote(question, line.family, known)
                mapped.append(Case(LOCAL, line.family, remote, line, address, protocol=protocol, port=port))
    return mapped


def _of_line(name: str, question: Question, known: Known) -> list[Case]:
    found = []
    for line in known.lines:
        if line.name == name:
            addresses: Iterable[str | None] = [each for each in line.addresses if known.is_local(each)][:1] or [None]
            remote = _remote(question, line.family, known)
            found += [Case(LOCAL, line.family, remote, line, address) for address in addresses]
            # What it maps takes another way through this host; one translation stands for all.
            found += _mapped(functools.partial(_is_of_line, line), question, known)[:1]
    return found


def _is_of_line(line: LineWay, rule: NatRule) -> bool:
    return rule.destination in line.addresses


def _mapped(
    selected: Callable[[NatRule], bool],
    question: Question,
    known: Known,
    protocol: str | None = None,
    port: int | None = None,
) -> list[Case]:
    """Return a case for each translation of destinations that is selected, also for those that are missing."""
    found = []
    configured = {rule.key for rule in known.live}
    absent = [rule for rule in known.stored if rule.key not in configured]
    for rule, missing in (*((rule, False) for rule in known.live), *((rule, True) for rule in absent)):
        if rule.type != "dnat" or not selected(rule):
            continue
        address = rule.destination
        if address is None or "/" in address or "-" in address or address.startswith("!"):
            continue
        ports = rule.destination_port
        one = port if port is not None else ports[0] if ports else None
        of = protocol or (None if rule.protocol == "any" else rule.protocol)
        remote = _remote(question, rule.family, known)
        found.append(Case(MAPPED, rule.family, remote, known.line_of(address), address, rule, of, one, missing))
    return found
