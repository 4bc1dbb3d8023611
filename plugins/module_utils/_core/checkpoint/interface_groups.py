# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The groups of interfaces of a checkpoint: recorded and restored.

An interface has no owner tag. A group belongs to this collection when its number is an owner tag, or when a policy rule
of an owner passes over it. Where another program moved an interface from or to such a group meanwhile, that looks like
a change of the run, and the recorded group is restored. An interface that is in a third group by now keeps it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..netlink.rtnetlink import Message
from ..routing.executor import Executor
from ..routing.interface_groups import DEFAULT, group_message
from ..routing.rtnetlink_mapping import UNLIMITED, owner_of
from ..routing.snapshot import Snapshot

_PASSED_OVER = "FRA_SUPPRESS_IFGROUP"


def capture(executor: Executor) -> dict[str, int]:
    """Return the groups of all interfaces by name; raises ReadFailed."""
    return {link.name: link.group for link in executor.read("link").links}


def restore(captured: Mapping[str, Any], owners: Collection[int], executor: Executor) -> list[str]:
    """Restore the groups; return what could not be restored. Call it before the policy rules are restored."""
    now = executor.read("link", "rule")
    moved = _moved(captured, owners, now)
    if not moved:
        return []
    messages = [group_message(now.interfaces[name], group) for name, group in moved.items() if name in now.interfaces]
    # Which owner this is called for makes no difference to interfaces.
    return executor.restore([], Snapshot(now.interfaces, {"link": messages}), next(iter(owners), 0))


def differences(captured: Mapping[str, Any], owners: Collection[int], executor: Executor) -> list[str]:
    """Return the groups that are not as recorded, one line each."""
    moved = _moved(captured, owners, executor.read("link", "rule"))
    return [f"not restored: group {group} of interface {name}" for name, group in moved.items()]


def _moved(captured: Mapping[str, Any], owners: Collection[int], now: Snapshot) -> dict[str, int]:
    """Return the recorded groups of the interfaces that are in another one, where both are ours or the default."""
    before: Mapping[str, int] | None = captured.get("groups")
    if before is None:
        # Earlier versions recorded none.
        return {}
    recorded = [Message(*ast.literal_eval(text)) for text in captured["messages"]["rule"]]
    ours = {*owners, *_passed_over([*recorded, *now.messages["rule"]], owners)}
    found = {}
    for link in now.links:
        earlier = before.get(link.name, DEFAULT)
        # At least one is ours then, since the default is not.
        if link.group != earlier and {link.group, earlier} <= ours | {DEFAULT}:
            found[link.name] = earlier
    return found


def _passed_over(rules: Iterable[Message], owners: Collection[int]) -> set[int]:
    return {int(rule.get(_PASSED_OVER, DEFAULT)) for rule in rules if owner_of(rule) in owners} - {DEFAULT, UNLIMITED}
