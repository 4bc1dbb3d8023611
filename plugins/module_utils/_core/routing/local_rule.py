# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the rule ``lookup local`` comes before the rules of the lines. No I/O.

A packet for an address of the host would be looked up in main first, whose connected network says that it is somewhere
on the link: the host cannot be reached any more.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..netlink.rtnetlink import Message
from . import rtnetlink_mapping
from .model import LOCAL_TABLE, Rule


def local_rule_first(rules: Iterable[Message], ours: Iterable[tuple[Rule, str]]) -> list[str]:
    """Return a fault for each family in which the rule ``lookup local`` does not come before ours.

    ``rules`` are those of a dump. ``ours`` are our rules, each with how messages name it, as they are or are to be.
    """
    given = list(ours)
    first = {rule.family: place for rule, place in sorted(given, key=lambda one: -one[0].priority)}
    return [
        f"{first[family]}: {reason}; ip -{family} rule add priority 0 lookup local"
        for family, reason in local_rule_behind(rules, given)
    ]


def local_rule_behind(rules: Iterable[Message], ours: Iterable[tuple[Rule, str]]) -> list[tuple[int, str]]:
    """Return the same as families with the reason."""
    faults = []
    first: dict[int, tuple[int, str]] = {}
    listed_local = set()
    for rule, place in ours:
        if _is_local(rule):
            listed_local.add((rule.family, rule.priority))
        elif rule.family not in first or rule.priority < first[rule.family][0]:
            first[rule.family] = (rule.priority, place)
    existing = _local_priorities(rules)
    for family, (priority, _place) in sorted(first.items()):
        # Without any rule of a family the kernel has none of it.
        found = existing.get(family)
        if found is None:
            continue
        local = found + [number for of, number in listed_local if of == family]
        if not any(number <= priority for number in local):
            there = f"has priority {local[0]}" if local else "is missing"
            reason = f'the IPv{family} rule "lookup local" {there}, and has to come first, or this host cannot be '
            faults.append((family, f"{reason}reached at its own addresses"))
    return faults


def _local_priorities(rules: Iterable[Message]) -> dict[int, list[int]]:
    """Return the priorities of the rules ``lookup local`` for each family that has rules."""
    found: dict[int, list[int]] = {}
    for message in rules:
        priorities = found.setdefault(rtnetlink_mapping.VERSION[message.header["family"]], [])
        # Only these are decoded: a host of many lines has thousands of rules.
        if message.get("FRA_TABLE", message.header["table"]) == LOCAL_TABLE:
            existing = rtnetlink_mapping.decode_rule(message, {})
            if existing is not None and _is_local(existing.object):
                priorities.append(existing.object.priority)
    return found


def _is_local(rule: Rule) -> bool:
    return rule.table == LOCAL_TABLE and rule == Rule(rule.priority, rule.family, table=LOCAL_TABLE)
