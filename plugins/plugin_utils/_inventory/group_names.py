# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The groups of the playbooks: names that lead to no host would end a run without a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...module_utils._core.fields import shown
from .._declaration.checks import FIREWALL_GROUP, SERVER_GROUP

FIREWALLS, SERVERS = "multihome_firewall_group", "multihome_server_group"
_DEFAULTS = {FIREWALLS: FIREWALL_GROUP, SERVERS: SERVER_GROUP}


def group_faults(
    groups: Mapping[str, Iterable[str]], inventory: Mapping[str, object], firewalls: object, servers: object
) -> list[str]:
    """The faults of the names of groups.

    ``inventory`` has the variables of the host that the playbooks read these names from; ``firewalls`` and ``servers``
    are the names that their tasks see.
    """
    faults = []
    for variable, seen in ((FIREWALLS, firewalls), (SERVERS, servers)):
        read = inventory.get(variable, _DEFAULTS[variable])
        if not isinstance(seen, str):
            faults.append(f"{variable} must be the name of one group, not {shown(seen)}")
        elif seen != read:
            faults.append(
                f"{variable} is {shown(seen)} in the play and {shown(read)} in the inventory, which selects the hosts: "
                "define it in the inventory, in group_vars/all, or with --extra-vars"
            )
    if faults or any(list(groups.get(str(name), ())) for name in (firewalls, servers)):
        return faults
    remedy = f"put the hosts into these groups, or name your own in {FIREWALLS} and {SERVERS}, in group_vars/all"
    return [f"no host is in group {firewalls} or {servers}: {remedy}"]
