# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which replies only a rule of another program selects: by protocol, port, user or destination. No I/O.

The kernel is asked about them besides plain replies. Marks and interfaces are apart: a packet has the mark of another
program only where that program set it, and comes in by another interface only where something is translated to there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .model import Rule
from .reply_destinations import FAR, host_of
from .rule_walk import ANY_TRAFFIC, ListedRule, Traffic

_KERNEL = 2  # RTPROT_KERNEL
_TCP = 6
# No client on the Internet has such an address: a rule for these networks is for networks inside.
_INSIDE = [
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("0.0.0.0/8", "224.0.0.0/3", "::/8", "fc00::/7", "fe80::/10", "ff00::/8"),
    )
]


@dataclass(frozen=True)
class SelectedTraffic:
    """Traffic that a rule of another program selects, and a destination where it selects one."""

    rule: Rule
    traffic: Traffic
    destination: str | None


def selected_traffic(rules: Sequence[ListedRule], owner: int) -> list[SelectedTraffic]:
    """Return what rules of other programs select that come before our last one, besides what plain replies are."""
    found = []
    for rule in _before_ours(rules, owner):
        traffic, destination = _traffic(rule), _destination(rule)
        outside = destination or rule.destination is None
        if outside and (destination or traffic != ANY_TRAFFIC):
            found.append(SelectedTraffic(rule, traffic, destination))
    return found


def conditional_traffic(rules: Sequence[ListedRule], owner: int) -> list[SelectedTraffic]:
    """Return what such rules select by a mark, or by an interface that packets come in by."""
    found = []
    for rule in _before_ours(rules, owner):
        destination = _destination(rule)
        outside = destination or rule.destination is None
        if outside and ((rule.mark and rule.mark[0]) or rule.in_interface not in (None, "lo")):
            found.append(SelectedTraffic(rule, _traffic(rule), destination))
    return found


def _before_ours(rules: Sequence[ListedRule], owner: int) -> Iterator[Rule]:
    """Give the rules of other programs that come before our last one, but for inverted ones: these select the rest."""
    last: dict[int, int] = {}
    for listed in rules:
        if listed.owner == owner and listed.rule:
            last[listed.rule.family] = max(last.get(listed.rule.family, 0), listed.priority)
    for listed in rules:
        rule = listed.selector
        if rule is None or listed.owner in (owner, _KERNEL) or listed.priority > last.get(rule.family, -1):
            continue
        if not rule.invert:
            yield rule


def _traffic(rule: Rule) -> Traffic:
    source, destination = rule.source_port and rule.source_port[0], rule.destination_port and rule.destination_port[0]
    protocol = rule.ip_protocol
    if protocol is None and (source, destination) != (None, None):
        protocol = _TCP
    return Traffic(protocol, source, destination, rule.tos, rule.uid_range and rule.uid_range[0])


def _destination(rule: Rule) -> str | None:
    """Return an address that only this rule's destination contains, None where it contains none outside."""
    if rule.destination is None:
        return None
    network = ipaddress.ip_network(rule.destination)
    far = (text for choices in FAR[rule.family] for text in choices if ipaddress.ip_address(text) in network)
    text = next(far, None) or host_of(rule.destination, ())
    address = ipaddress.ip_address(text)
    inside = any(address in one for one in _INSIDE if one.version == address.version)
    return None if inside else text
