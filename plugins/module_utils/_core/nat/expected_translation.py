# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tracked connections are older than a translation that they need. Pure, but for the lookup of routes.

The kernel translates a connection by its first packet. One that began before its translation was configured is never
translated, as long as its packets renew the entry: a UDP client that keeps its port stays without an answer for ever.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from .conntrack import End, Flow
from .conntrack_match import Addresses, among, matches, moved, moved_port
from .entry_faults import TO_DESTINATION
from .model import NatRule, hook

# The address and the port that select entries; None selects those that have no single one.
_Place = tuple["str | None", "int | None"]


class Paths(Protocol):
    """The interfaces that packets use."""

    def is_local(self, address: str) -> bool:
        """Return whether an address is one of this host."""

    def arrival(self, source: str, destination: str) -> str | None:
        """Return the interface that packets of ``source`` arrive by, None where that is not known."""

    def departure(self, source: str, destination: str) -> str | None:
        """Return the interface that packets leave by; None where that is not known, or where they stay here."""


def arriving_rules(before: Iterable[NatRule], after: Iterable[NatRule]) -> list[NatRule]:
    """Return the translations of ``after`` that are new or changed; a new name is no change."""
    known = {rule.key: (rule.to_address, rule.to_port) for rule in before}
    return [rule for rule in after if known.get(rule.key) != (rule.to_address, rule.to_port)]


def rules_moved_ahead(before: Sequence[NatRule], after: Sequence[NatRule]) -> list[NatRule]:
    """Return the translations of ``after`` that now come before one which they followed."""
    places = {rule.key: place for place, rule in enumerate(before)}
    moved, first = [], len(before)
    for rule in reversed(after):
        place = places.get(rule.key)
        if place is None:
            continue
        if place > first:
            moved.append(rule)
        first = min(first, place)
    return moved


def may_end_exemptions(before: Sequence[NatRule], after: Sequence[NatRule]) -> bool:
    """Return whether an exemption of ``before`` may no longer be the first match of its connections."""
    if not any(rule.type == "exempt" for rule in before):
        return False
    return [rule.key for rule in before] != [rule.key for rule in after[: len(before)]]


class ExpectedTranslations:
    """The translations in the order they are tried, and which of them are new (``arriving``)."""

    def __init__(
        self, ordered: Sequence[NatRule], arriving: Collection[NatRule], addresses: Addresses, paths: Paths
    ) -> None:
        self._ordered, self._arriving = ordered, frozenset(arriving)
        self._addresses, self._paths = addresses, paths
        self._hooks = {hook(rule) == "destination" for rule in arriving}
        self._index: dict[tuple[bool, _Place], list[int]] = {}
        for position, rule in enumerate(ordered):
            self._index.setdefault((hook(rule) == "destination", _place(rule)), []).append(position)

    def is_missing(self, flow: Flow, is_destination: bool) -> bool:
        """Return whether a new translation would give the connection's destination (source) another result."""
        if is_destination not in self._hooks:
            return False
        rule = self._first_match(flow, is_destination)
        return rule is not None and rule in self._arriving and not self._has_result(rule, flow)

    def is_same(self, flow: Flow, is_destination: bool) -> bool:
        """Return whether the connection would be translated again as it is now, possibly by another translation."""
        rule = self._first_match(flow, is_destination)
        return rule is not None and self._has_result(rule, flow)

    def is_exempt(self, flow: Flow, is_destination: bool) -> bool:
        """Return whether an exemption matches the connection first, and it has the addresses that it began with.

        Its status does not tell: the kernel may count a translation to the same address as one.
        """
        rule = self._first_match(flow, is_destination)
        return rule is not None and rule.type == "exempt" and self._has_result(rule, flow)

    def is_different(self, flow: Flow, is_destination: bool) -> bool:
        """Return whether the connection would be translated now, to another result than it has."""
        rule = self._first_match(flow, is_destination)
        return rule is not None and not self._has_result(rule, flow)

    def _first_match(self, flow: Flow, is_destination: bool) -> NatRule | None:
        """Return the translation of a connection that began now; None without one, and where it is not known."""
        if _is_loopback(flow.original.destination):
            return None
        for position in self._candidates(flow, is_destination):
            rule = self._ordered[position]
            if not matches(rule, flow, _matched(flow, is_destination)):
                continue
            passes = self._passes(rule, flow)
            if passes is not False:
                return rule if passes else None
        return None

    def _candidates(self, flow: Flow, is_destination: bool) -> list[int]:
        if is_destination:
            address, port = flow.original.destination, flow.original.destination_port
        else:
            address, port = flow.original.source, None
        places: set[_Place] = {(address, port), (address, None), (None, port), (None, None)}
        return sorted(position for place in places for position in self._index.get((is_destination, place), ()))

    def _passes(self, rule: NatRule, flow: Flow) -> bool | None:
        """Return whether the connection's packets pass the hook of a rule, by its interface; None if not known."""
        source, destination = flow.original.source, flow.original.destination
        if hook(rule) == "source":
            # Packets to this host itself never leave, so their source stays.
            leaving = self._paths.departure(source, flow.reply.source)
            return None if leaving is None else rule.out_interface in (None, leaving)
        if self._paths.is_local(source):
            # Its own connections are translated only if they are to itself, and come in by no interface.
            return rule.in_interface is None and self._paths.is_local(destination)
        if rule.in_interface is None:
            return True
        arriving = self._paths.arrival(source, destination)
        return None if arriving is None else rule.in_interface == arriving

    def _has_result(self, rule: NatRule, flow: Flow) -> bool:
        original, reply = flow.original, flow.reply
        if rule.type == "exempt":
            ends = (original.destination, reply.source) if hook(rule) == "destination" else _sources(flow)
            return ends[0] == ends[1]
        if rule.type in TO_DESTINATION:
            is_here = rule.type == "redirect" and self._paths.is_local(reply.source)
            is_there = rule.type == "dnat" and reply.source == moved(rule, original.destination)
            return reply.source_port == moved_port(rule, original) and (is_here or is_there)
        if rule.to_port is not None and not among(reply.destination_port, rule.to_port):
            return False
        if rule.type == "masquerade":
            leaving = rule.out_interface or self._paths.departure(original.source, reply.source)
            return reply.destination in self._addresses(leaving)
        return reply.destination == moved(rule, original.source)


def _sources(flow: Flow) -> tuple[str, str]:
    return flow.original.source, flow.reply.destination


def _place(rule: NatRule) -> _Place:
    is_destination = hook(rule) == "destination"
    address = rule.destination if is_destination else rule.source
    ports = rule.destination_port if is_destination else None
    single = ports[0] if ports is not None and ports[0] == ports[1] else None
    return (None if address is None or "/" in address else address), single


def _matched(flow: Flow, is_destination: bool) -> End:
    """Return the packet as a hook sees it: sources are translated when destinations have been."""
    original, reply = flow.original, flow.reply
    if is_destination:
        return original
    return End(original.source, reply.source, original.source_port, reply.source_port)


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or (":" in address and ipaddress.ip_address(address).is_loopback)
