# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Variables of role multihomed_web in the inventory that cannot hold on a host that is a firewall too."""

from __future__ import annotations

from collections.abc import Mapping

from .._declaration.model import Declaration
from .._roles import line_routing
from .._server import variables as server

# The variables that both roles have, with their defaults: such a host has one value of each.
_SHARED: Mapping[str, object] = {
    "table_base": line_routing.TABLE_BASE,
    "priority_base": line_routing.PRIORITY_BASE,
    "source_priority_base": line_routing.SOURCE_PRIORITY_BASE,
    "mark_mask": line_routing.MARK_MASK,
    "interface_group": line_routing.INTERFACE_GROUP,
    "backend": "auto",
    "purge": True,
    "persist": True,
}
# Those that only servers have, and the values that a firewall has no place for.
_REFUSED = {
    "default_route": ("balance", "its own connections leave by its own lines, the preferred one first"),
    "reply": ("mark", "each line has an address of its own there"),
}


def both_role_faults(declaration: Declaration, host: str, variables: object) -> list[str]:
    """The faults of a host that terminates a line, and is a server on lines of other firewalls."""
    if not isinstance(variables, Mapping):
        return []
    if not server.lines(declaration, host) and not variables.get("multihomed_web_lines"):
        return []
    start = f"{host} is a firewall and a server, which role isp_firewall configures"
    faults = []
    for name, default in _SHARED.items():
        own, its = variables.get(f"isp_firewall_{name}", default), variables.get(f"multihomed_web_{name}")
        if its is not None and str(its) != str(own):
            faults.append(f"{start}: multihomed_web_{name} is {its} there, and isp_firewall_{name} is {own}")
    for name, (value, reason) in _REFUSED.items():
        if variables.get(f"multihomed_web_{name}") == value:
            faults.append(f"{start}: multihomed_web_{name} cannot be {value} there: {reason}")
    return faults
