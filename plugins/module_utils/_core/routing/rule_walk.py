# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which policy rule decided about a packet: the kernel does not tell, so the dumped rules are walked in its order."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .. import fields
from ..netlink.rtnetlink import Message
from . import rtnetlink_mapping
from .model import Rule


@dataclass(frozen=True)
class Traffic:
    """What a rule can select of a packet besides addresses, mark and interface; ``user`` is who sends it here."""

    ip_protocol: int | None = None
    source_port: int | None = None
    destination_port: int | None = None
    tos: int | None = None
    user: int | None = None

    def __str__(self) -> str:
        parts = [
            self.ip_protocol is not None and fields.ip_protocol_text(self.ip_protocol),
            self.source_port is not None and f"from port {self.source_port}",
            self.destination_port is not None and f"to port {self.destination_port}",
            self.tos is not None and f"tos 0x{self.tos:02x}",
            self.user is not None and f"of user {self.user}",
        ]
        return ", ".join(part for part in parts if part)


ANY_TRAFFIC = Traffic()


@dataclass(frozen=True)
class Packet:
    """A packet as policy rules see it; without ``in_interface`` the host itself sends it."""

    destination: str
    source: str | None = None
    mark: int = 0
    in_interface: str | None = None
    traffic: Traffic = ANY_TRAFFIC

    @property
    def family(self) -> int:
        """4 or 6."""
        return fields.family_of(self.destination)

    def selected_by(self, rule: Rule) -> bool:
        """Tell whether a policy rule selects this packet (Linux ``fib_rule_match``)."""
        if rule.family != self.family:
            return False
        hit = (
            _within(self.source, rule.source)
            and _within(self.destination, rule.destination)
            and rule.in_interface in (None, self.in_interface or "lo")
            and rule.out_interface is None
            and (rule.mark is None or self.mark & rule.mark[1] == rule.mark[0])
            and rule.ip_protocol in (None, self.traffic.ip_protocol)
            and _port_within(self.traffic.source_port, rule.source_port)
            and _port_within(self.traffic.destination_port, rule.destination_port)
            and rule.tos in (None, self.traffic.tos)
            and self._of_user(rule.uid_range)
        )
        return hit != rule.invert

    def _of_user(self, uids: tuple[int, int] | None) -> bool:
        if uids is None or self.in_interface is not None:
            return uids is None  # A forwarded packet has no user.
        # Asked without a user, the kernel takes the one who asks.
        user = os.getuid() if self.traffic.user is None else self.traffic.user
        return uids[0] <= user <= uids[1]


@dataclass(frozen=True)
class ListedRule:
    """A rule of a dump; ``rule`` is None where the model has no words for it.

    Of a jump ``jumping`` is what it selects, and ``target`` the priority to continue at.
    """

    priority: int
    owner: int
    rule: Rule | None
    message: Message
    jumping: Rule | None = None
    target: int = 0

    @property
    def selector(self) -> Rule | None:
        """A rule that selects the same packets, None where the model has no words for them."""
        return self.rule or self.jumping

    def __str__(self) -> str:
        if self.rule is None:
            kind = f"goto {self.target}" if self.target else "special"
            return f"IPv{rtnetlink_mapping.VERSION[self.message.header['family']]} rule {self.priority} ({kind})"
        return str(self.rule)


@dataclass(frozen=True)
class Found:
    """The route that was found: the table and prefix length, and the group of the interface that it leaves by."""

    table: int
    length: int
    group: int = 0


def listed_rules(messages: Iterable[Message]) -> list[ListedRule]:
    """Return the rules of a dump in the kernel's order."""
    listed = []
    for message in messages:
        existing = rtnetlink_mapping.decode_rule(message, {})
        rule = existing.object if existing else None
        owner = int(message.get("FRA_PROTOCOL", 0))
        jumping = None if rule else rtnetlink_mapping.decode_jump(message)
        target = int(message.get("FRA_GOTO", 0)) if jumping else 0
        listed.append(ListedRule(int(message.get("FRA_PRIORITY", 0)), owner, rule, message, jumping, target))
    return listed


def jump_target(rules: Sequence[ListedRule], jump: ListedRule) -> int | None:
    """Return the place of the rule where a jump continues; None where there is none, so that nothing jumps."""
    family = jump.message.header["family"]
    for place, listed in enumerate(rules):
        if listed.message.header["family"] == family and listed.priority == jump.target:
            return place
    return None


def which_rule(rules: Sequence[ListedRule], packet: Packet, found: Found) -> ListedRule | None:
    """Return the rule by which the kernel came to this route: the first one that selects the packet and gives it.

    Where a jump led there, the jump is named. Only where no rule that the model knows gives the route, one of another
    kind is named.
    """
    for listed, jump in walk(rules, packet):
        rule = listed.rule
        if rule and rule.action == "lookup" and rule.table == found.table:
            suppressed = rule.suppress_prefix_length is not None and found.length <= rule.suppress_prefix_length
            if not suppressed and rule.suppress_interface_group != found.group:
                return jump or listed
    return next((listed for listed in rules if listed.rule is None and _may_lead_to(listed, packet, found)), None)


def refusing_rule(rules: Sequence[ListedRule], packet: Packet) -> ListedRule | None:
    """Return the first rule that refuses the packet, or the jump that led it there or past all of them."""
    passed: ListedRule | None = None
    for listed, jump in walk(rules, packet):
        passed = jump
        if listed.rule and listed.rule.action != "lookup":
            return jump or listed
    return passed


def walk(rules: Sequence[ListedRule], packet: Packet) -> Iterator[tuple[ListedRule, ListedRule | None]]:
    """Give the rules that select a packet in the kernel's order, each with the first jump that led there."""
    jump: ListedRule | None = None
    start = 0
    for place, listed in enumerate(rules):
        selector = listed.selector
        if place < start or selector is None or not packet.selected_by(selector):
            continue
        if listed.rule is not None:
            yield listed, jump
            continue
        target = jump_target(rules, listed)
        if target is not None:
            jump, start = jump or listed, target
            # Also where no rule follows.
            yield listed, jump


def _may_lead_to(listed: ListedRule, packet: Packet, found: Found) -> bool:
    message = listed.message
    if listed.jumping or message.header["family"] != rtnetlink_mapping.AF[packet.family]:
        return False
    table = message.get("FRA_TABLE", message.header["table"])
    # A rule of VRF (l3mdev) names no table.
    return table in (0, found.table)


def _within(address: str | None, prefix: str | None) -> bool:
    if prefix is None:
        return True
    return address is not None and ipaddress.ip_address(address) in ipaddress.ip_network(prefix)


def _port_within(port: int | None, ports: tuple[int, int] | None) -> bool:
    return ports is None or (port is not None and ports[0] <= port <= ports[1])


def rule_of(listed: ListedRule) -> dict[str, Any]:
    """Return a rule as results tell it: priority, selector, table, and whose it is."""
    shown = listed.rule.as_input() if listed.rule else {"priority": listed.priority}
    if listed.jumping:
        shown = {**listed.jumping.as_input(), "action": "goto", "goto": listed.target}
    return {**shown, "owner": fields.owner_name(listed.owner)}
