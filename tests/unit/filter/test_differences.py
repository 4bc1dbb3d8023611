# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists that are not the same on all hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.plugin_utils._inventory.differences import different_lists

LINES = [{"name": "unicom", "id": 1}, {"name": "interlink", "id": 2}]
MANY = ("a", "b", "c")


def found(own: Any, name: str = "multihome_lines", usual: Any = None) -> list[str]:
    """The differences where host c has a list of its own; ``None`` leaves it undefined."""
    inventory: dict[str, Any] = {host: {name: LINES if usual is None else usual} for host in MANY}
    inventory["c"] = {} if own is None else {name: own}
    return different_lists(inventory, MANY)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (None, "it is not defined there"),
        ("text", "it is not a list"),
        (LINES[:1], "[1] (interlink) exists only elsewhere"),
        ([*LINES, {"name": "third"}], "[2] (third) exists only there"),
        ([LINES[0], {"name": "interlink", "id": 3}], '[1] (interlink): id is "3" there, and "2" elsewhere'),
        ([LINES[0], "text"], '[1]: "text" there, and {"name": "interlink", "id": 2} elsewhere'),
        ([{"id": 1, "name": "other"}, LINES[1]], '[0] (other): name is "other" there, and "unicom" elsewhere'),
    ],
)
def test_the_hosts_and_the_first_difference_are_named(own: Any, said: str) -> None:
    assert found(own) == [f"multihome_lines must be the same for all hosts, and c has another one than a, b: {said}"]


def test_equal_lists_are_no_difference_whatever_the_order_of_their_keys() -> None:
    assert found([{"id": 1, "name": "unicom"}, LINES[1]]) == []
    assert different_lists({"a": {"multihome_lines": LINES}, "unknown": None}, ["a", "unknown", "absent"]) == []


def test_the_secret_of_a_zone_is_not_shown() -> None:
    usual, other = ([{"zone": "example.com", "key": {"secret": secret}}] for secret in ("hush", "quiet"))
    (said,) = found(other, "multihome_zones", usual)
    assert said.endswith("[0] (example.com): key is another one")
