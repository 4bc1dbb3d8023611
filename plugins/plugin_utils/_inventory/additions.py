# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Variables of the roles in the inventory, which add to what the lists give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The variables that both give, by role.
FIREWALL = ("lines", "forwards", "hairpins", "snat", "inside_networks", "networks")
SERVER = ("lines",)


def with_inventory(declared: Sequence[Any], added: object = None) -> list[Any]:
    """What the lists give, and then what a variable of the inventory has besides."""
    return [*declared, *(entry for entry in as_list(added) if entry not in declared)]


def as_list(added: object) -> list[Any]:
    """The entries of a variable; one that is no list is one entry, so that it is reported as such."""
    if added is None:
        return []
    if isinstance(added, str):
        # As Ansible turns text into a list.
        return [text.strip() for text in added.split(",")]
    return list(added) if isinstance(added, Sequence) else [added]


def additions(variables: object, role: str, names: Sequence[str]) -> dict[str, list[Any]]:
    """The variables of one host in the inventory that add to the lists, by their names without the role's."""
    if not isinstance(variables, Mapping):
        return {}
    return {name: as_list(variables[f"{role}_{name}"]) for name in names if f"{role}_{name}" in variables}
