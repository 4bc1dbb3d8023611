# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores the objects of a snapshot.

A rollback is not a list of inverse steps but a comparison with the snapshot: missing objects are added again, and new
ones of this collection are removed. That also restores objects that the kernel removed by itself, such as the routes
of a removed address.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Callable

from ..errors import ReadFailed
from ..netlink.rtnetlink import Message, RequestFailed, Socket, dump
from . import rtnetlink_encoding, rtnetlink_mapping
from .interface_groups import group_message
from .model import Rule
from .rule_identity import matches_on_delete
from .rule_sequence import RuleSequence
from .snapshot import Snapshot

Send = Callable[[str, Message], None]
# Seconds; duplicate address detection takes one to two (RFC 4862, RETRANS_TIMER and a random delay).
_PATIENCE = 5.0


def restore(socket: Socket, snapshot: Snapshot, owner: int) -> list[str]:
    """Restore every kind that the snapshot holds; return what could not be restored, one line each."""
    failures: list[str] = []

    def send(operation: str, message: Message) -> None:
        try:
            socket.send(operation, message)
        except RequestFailed as error:
            failures.append(f"{operation} {snapshot.shown(message)}: {error}")

    # Routes need the addresses, and policy rules should find their routes.
    for kind, restore_kind in (("link", _links), ("address", _addresses), ("route", _routes), ("rule", _rules)):
        if kind in snapshot.messages:
            try:
                restore_kind(socket, snapshot, owner, send)
            except ReadFailed as error:
                failures.append(str(error))
    return failures


def bring_back_routes(socket: Socket, snapshot: Snapshot) -> None:
    """Add again the routes of the snapshot that are gone or changed; raises RequestFailed or ReadFailed."""
    _bring_back(socket, snapshot, socket.send)


def _bring_back(socket: Socket, snapshot: Snapshot, send: Send) -> None:
    now = dump(socket, "route")
    existing = {rtnetlink_mapping.route_key(message) for message in now}
    for message in _missing(snapshot.messages["route"], now):
        # The kernel's own routes follow the addresses: a missing one belongs to an address as it was, or comes in an
        # instant. But one that changed, as the source of a network's route does when its primary address is away for
        # a moment, is corrected.
        if not rtnetlink_mapping.is_made_by_kernel(message) or rtnetlink_mapping.route_key(message) in existing:
            _await_source(socket, message)
            send("replace", rtnetlink_encoding.again(message))


def _await_source(socket: Socket, route: Message) -> None:
    """Wait while the source of a route is tentative: until then, a new IPv6 address cannot be a source."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        source = route.get("RTA_PREFSRC")
        if source is None or not any(rtnetlink_mapping.is_tentative(m, source) for m in dump(socket, "address")):
            return
        time.sleep(0.02)


def _missing(before: Sequence[Message], now: Sequence[Message]) -> list[Message]:
    """Return the messages of ``before`` that ``now`` does not have."""
    existing = {repr(rtnetlink_encoding.lasting(message)) for message in now}
    return [message for message in before if repr(rtnetlink_encoding.lasting(message)) not in existing]


def _extra(before: Sequence[Message], now: Sequence[Message], owner: int) -> list[Message]:
    """Return the messages of ``now`` that are ours and that ``before`` does not have."""
    return _missing([message for message in now if rtnetlink_mapping.owner_of(message) == owner], before)


def _links(socket: Socket, snapshot: Snapshot, _owner: int, send: Send) -> None:
    """Restore the groups of interfaces; those that came or went meanwhile are left as they are."""
    before = {message.header["index"]: message.get("IFLA_GROUP", 0) for message in snapshot.messages["link"]}
    for message in dump(socket, "link"):
        index = message.header["index"]
        if before.get(index, message.get("IFLA_GROUP", 0)) != message.get("IFLA_GROUP", 0):
            send("replace", group_message(index, before[index]))


def _addresses(socket: Socket, snapshot: Snapshot, owner: int, send: Send) -> None:
    before, now = snapshot.messages["address"], dump(socket, "address")
    # One key holds one address: the new one has to be removed before the old one can be added again. Secondaries are
    # listed behind their primaries, and are removed first.
    for message in reversed(_extra(before, now, owner)):
        send("remove", rtnetlink_encoding.lasting(message))
    for message in _missing(before, now):
        send("add", rtnetlink_encoding.again(message))
    _order_of_addresses(socket, snapshot, send)


def _order_of_addresses(socket: Socket, snapshot: Snapshot, send: Send) -> None:
    """Restore the order of IPv4 addresses: the first one of a subnet is its primary, the source of what is sent.

    An address added again is the last one, so all behind the first one out of place are added again. The order of IPv6
    addresses has no meaning, and each would need duplicate address detection once more.
    """
    here = dump(socket, "address")
    for index in snapshot.interfaces.values():
        now = [message for message in here if rtnetlink_mapping.is_ipv4_on(message, index)]
        before = [message for message in snapshot.messages["address"] if rtnetlink_mapping.is_ipv4_on(message, index)]
        # Addresses that could not be restored, or that another program added meanwhile, have no place.
        before, now = _common(before, now), _common(now, before)
        same = 0
        while same < len(before) and rtnetlink_encoding.lasting(before[same]) == rtnetlink_encoding.lasting(now[same]):
            same += 1
        for message in reversed(now[same:]):
            send("remove", rtnetlink_encoding.lasting(message))
        for message in before[same:]:
            send("add", rtnetlink_encoding.again(message))


def _common(messages: Sequence[Message], others: Sequence[Message]) -> list[Message]:
    known = {repr(rtnetlink_encoding.lasting(message)) for message in others}
    return [message for message in messages if repr(rtnetlink_encoding.lasting(message)) in known]


def _routes(socket: Socket, snapshot: Snapshot, owner: int, send: Send) -> None:
    _bring_back(socket, snapshot, send)
    for message in _extra(snapshot.messages["route"], dump(socket, "route"), owner):
        send("remove", rtnetlink_encoding.lasting(message))


def _rules(socket: Socket, snapshot: Snapshot, owner: int, send: Send) -> None:
    # Only ours: the kernel removes no policy rule by itself, so a missing foreign one was removed by its owner.
    def ours(messages: Iterable[Message]) -> list[Rule]:
        return [item.object for item in snapshot.rules(messages) if item.owner == owner]

    before, now = ours(snapshot.messages["rule"]), ours(dump(socket, "rule"))
    known, existing = set(before), set(now)
    extra = [rule for rule in now if rule not in known]
    missing = [rule for rule in before if rule not in existing]
    steps = RuleSequence(now, extra)

    def carry_out(requests: Iterable[tuple[str, Rule]]) -> None:
        for operation, rule in requests:
            send(operation, rtnetlink_encoding.encode_rule(rule, owner))

    for operation, rules in (("add", missing), ("remove", extra)):
        for rule in rules:
            carry_out(steps.of(operation, rule))
    # A rule added again is the last of its priority: move those that were behind it behind it again.
    now = ours(dump(socket, "rule"))
    steps = RuleSequence(now, ())
    for rule in _behind_their_place(before, now):
        carry_out(steps.to_end(rule))


def _behind_their_place(before: Sequence[Rule], now: Sequence[Rule]) -> list[Rule]:
    """Return the rules of ``before`` from the first one of each priority that is not in its place."""

    def by_priority(rules: Sequence[Rule], known: set[Rule]) -> dict[tuple[int, int], list[Rule]]:
        groups: dict[tuple[int, int], list[Rule]] = {}
        for rule in rules:
            if rule in known:
                groups.setdefault((rule.family, rule.priority), []).append(rule)
        return groups

    result: list[Rule] = []
    found = by_priority(now, set(before))
    for place, desired in by_priority(before, set(now)).items():
        same = next((at for at, pair in enumerate(zip(desired, found[place])) if pair[0] != pair[1]), len(desired))
        # A rule that the kernel would find instead of one of those moves with it: see rule_sequence.py.
        last = len(desired)
        while same < last:
            moved, last = desired[same:last], same
            same = next((at for at in range(same) if any(matches_on_delete(one, desired[at]) for one in moved)), same)
        result += desired[same:]
    return result
