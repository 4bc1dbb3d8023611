# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Lists that are not the same on all hosts: each host would configure its part of another network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...module_utils._core.fields import listed, short, shown
from .._declaration.lists import LISTS
from .._roles.texts import plain


def different_lists(inventory: Mapping[str, object], hosts: Iterable[str]) -> list[str]:
    """The lists of the inventory that hosts see differently, each with these hosts and the first difference."""
    variables = {host: inventory.get(host) for host in hosts}
    seen = {host: own for host, own in variables.items() if isinstance(own, Mapping)}
    return [fault for name in LISTS for fault in _differences(f"multihome_{name}", seen)]


def _differences(name: str, seen: Mapping[str, Mapping[str, object]]) -> list[str]:
    lists = {host: plain(own[name]) if name in own else None for host, own in seen.items()}
    groups: list[tuple[Any, list[str]]] = []
    for host, value in lists.items():
        for known, hosts in groups:
            if known == value:
                hosts.append(host)
                break
        else:
            groups.append((value, [host]))
    if len(groups) < 2:
        return []
    # Most hosts have the right one.
    right, others = max(groups, key=lambda group: len(group[1]))
    return [
        f"{name} must be the same for all hosts, and {listed(hosts)} has another one than {listed(others)}:"
        f" {_first_difference(value, right)}"
        for value, hosts in groups
        if hosts is not others
    ]


def _first_difference(value: Any, right: Any) -> str:
    if value is None or right is None:
        return f"it is {'not defined' if value is None else 'defined'} there"
    if not isinstance(value, list) or not isinstance(right, list):
        return "it is not a list" if not isinstance(value, list) else "it is a list there"
    for index, (one, other) in enumerate(zip(value, right, strict=False)):
        if one != other:
            return f"[{index}]{_label(one)}: {_of_entry(one, other)}"
    longer, number = (value, len(right)) if len(value) > len(right) else (right, len(value))
    only = "there" if longer is value else "elsewhere"
    return f"[{number}]{_label(longer[number])} exists only {only}"


def _label(entry: Any) -> str:
    name = entry.get("name") or entry.get("zone") if isinstance(entry, Mapping) else None
    return f" ({short(name)})" if isinstance(name, str) else ""


def _of_entry(one: Any, other: Any) -> str:
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return f"{shown(one)} there, and {shown(other)} elsewhere"
    key = next(key for key in (*other, *one) if one.get(key) != other.get(key) or (key in one) != (key in other))
    if key == "key":
        # It contains a secret.
        return "key is another one"
    sides: Sequence[str] = [shown(entry[key]) if key in entry else "missing" for entry in (one, other)]
    return f"{key} is {sides[0]} there, and {sides[1]} elsewhere"
