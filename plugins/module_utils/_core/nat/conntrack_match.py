# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which translation made a tracked connection, judged by its match and by its result. Pure.

Connection tracking does not keep the interface by which a connection arrived. Where two translations differ in nothing
else, either may have made the connection.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Collection, Iterable, Sequence

from .conntrack import DESTINATION_TRANSLATED, SOURCE_TRANSLATED, End, Flow
from .entry_faults import TO_DESTINATION, Ports
from .model import NatRule
from .nftables_text import target_port

# Whether destinations are translated, the new address and the new port; None where it is not a single one.
Result = tuple[bool, "str | None", "int | None"]
# Addresses of an interface, or of all of them for None.
Addresses = Callable[["str | None"], Collection[str]]


def is_translated(flow: Flow, is_destination: bool) -> bool:
    """Return whether the destination of a connection is translated, or its source."""
    return bool(flow.status & (DESTINATION_TRANSLATED if is_destination else SOURCE_TRANSLATED))


def removed_rules(before: Iterable[NatRule], after: Iterable[NatRule]) -> list[NatRule]:
    """Return the translations of ``before`` that ``after`` removes or changes; a new name is no change."""
    kept = {rule.key: (rule.to_address, rule.to_port) for rule in after}
    return [rule for rule in before if kept.get(rule.key) != (rule.to_address, rule.to_port)]


class FlowOrigins:
    """The translations in the order they were tried, found by the result that a connection shows."""

    def __init__(self, ordered: Sequence[NatRule], leaving: Iterable[NatRule], addresses: Addresses) -> None:
        self._ordered = ordered
        self._leaving = set(leaving)
        self._addresses = addresses
        self._index: dict[Result, list[int]] = {}
        for position, rule in enumerate(ordered):
            self._index.setdefault(_result(rule), []).append(position)

    def may_have_translated(self, flow: Flow, is_destination: bool) -> bool:
        """Return whether one of the translations, not another program, can have made the connection as it is."""
        positions = self._candidates(flow, is_destination) if is_translated(flow, is_destination) else []
        return any(self._may_have_made(self._ordered[position], flow) for position in positions)

    def is_orphaned(self, flow: Flow, is_destination: bool) -> bool:
        """Return whether a removed translation made a connection, and none that stays can have made it."""
        if not is_translated(flow, is_destination):
            return False
        possible = []
        for position in self._candidates(flow, is_destination):
            rule = self._ordered[position]
            if self._may_have_made(rule, flow):
                possible.append(rule)
                if rule.in_interface is None and rule.out_interface is None:
                    # It certainly matched, and is the first that did.
                    break
        return bool(possible) and self._leaving.issuperset(possible)

    def _candidates(self, flow: Flow, is_destination: bool) -> list[int]:
        reply = flow.reply
        address = reply.source if is_destination else reply.destination
        port = reply.source_port if is_destination else None
        results: set[Result] = {
            (is_destination, address, port),
            (is_destination, address, None),
            (is_destination, None, None),
        }
        return sorted(position for result in results for position in self._index.get(result, ()))

    def _may_have_made(self, rule: NatRule, flow: Flow) -> bool:
        original, reply = flow.original, flow.reply
        # Sources are translated when destinations have been: the answer then comes from the new destination.
        matched = original
        if rule.type not in TO_DESTINATION:
            matched = End(original.source, reply.source, original.source_port, reply.source_port)
        if rule.type == "exempt" or not matches(rule, flow, matched):
            return False
        if rule.type in TO_DESTINATION:
            is_here = rule.type == "redirect" and reply.source in self._addresses(None)
            is_there = rule.type == "dnat" and reply.source == moved(rule, original.destination)
            return reply.source_port == moved_port(rule, original) and (is_here or is_there)
        if rule.to_port is not None and not among(reply.destination_port, rule.to_port):
            return False
        if rule.type == "masquerade":
            return reply.destination in self._addresses(rule.out_interface)
        return reply.destination == moved(rule, original.source)


def _result(rule: NatRule) -> Result:
    """Return the result of a translation, for an index."""
    is_destination = rule.type in TO_DESTINATION
    if rule.to_address is None or "/" in rule.to_address:
        return is_destination, None, None
    ports = rule.destination_port
    port = target_port(rule, ports[0]) if is_destination and ports and ports[0] == ports[1] else None
    return is_destination, rule.to_address, port


def matches(rule: NatRule, flow: Flow, matched: End) -> bool:
    """Return whether a translation matches a packet, but for its interface."""
    return (
        rule.family == flow.family
        and rule.protocol in ("any", flow.protocol)
        and _within(matched.source, rule.source)
        and _within(matched.destination, rule.destination)
        and (rule.source_port is None or among(matched.source_port, rule.source_port))
        and (rule.destination_port is None or among(matched.destination_port, rule.destination_port))
    )


def _within(address: str, prefix: str | None) -> bool:
    if prefix is None or "/" not in prefix:
        return prefix in (None, address)
    return ipaddress.ip_address(address) in _network(prefix)


@functools.cache
def _network(prefix: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(prefix)


def among(port: int | None, ports: Ports) -> bool:
    """Return whether a port is within a range."""
    return port is not None and ports[0] <= port <= ports[1]


def moved(rule: NatRule, address: str) -> str:
    """Return the translated address: another one, or the same host of another prefix."""
    target = str(rule.to_address)
    if "/" not in target:
        return target
    network = _network(target)
    return str(network.network_address + (int(ipaddress.ip_address(address)) & int(network.hostmask)))


def moved_port(rule: NatRule, original: End) -> int | None:
    """Return the translated port; None where the protocol has none."""
    return None if original.destination_port is None else target_port(rule, original.destination_port)
