# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The declaration and the inventory -> the variables of both roles on one host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._declaration.model import Declaration
from .._dns import name_servers
from .._firewall import variables as firewall
from .._inventory.additions import FIREWALL, SERVER, additions, with_inventory
from .._server import variables as server

_FIREWALL: dict[str, Callable[[Declaration, str], Sequence[Any]]] = {
    "lines": firewall.lines,
    "forwards": firewall.forwards,
    "hairpins": firewall.hairpins,
    "snat": firewall.snat,
    "inside_networks": firewall.inside_networks,
    "networks": firewall.networks,
}


def host_variables(declaration: Declaration, host: str, inventory: object = None) -> dict[str, Any]:
    """The roles' variables on a host; ``inventory`` has its variables there.

    The lists there add to what the declaration gives. ``multihomed_web_reply`` there takes precedence.
    """
    added = additions(inventory, "isp_firewall", (*FIREWALL, "server_lines"))
    found: dict[str, Any] = {
        f"isp_firewall_{name}": with_inventory(derive(declaration, host), added.get(name))
        for name, derive in _FIREWALL.items()
    }
    found["isp_firewall_other_lines"] = name_servers.other_lines(declaration, host)
    found["isp_firewall_zones_on_lines_only"] = name_servers.zones_on_lines_only(declaration, host)
    lines = additions(inventory, "multihomed_web", SERVER).get("lines")
    found["multihomed_web_lines"] = with_inventory(server.lines(declaration, host), lines)
    # A host that terminates lines is configured by role isp_firewall alone.
    served = found["multihomed_web_lines"] if found["isp_firewall_lines"] else []
    found["isp_firewall_server_lines"] = with_inventory(served, added.get("server_lines"))
    reply = inventory.get("multihomed_web_reply") if isinstance(inventory, Mapping) else None
    found["multihomed_web_reply"] = server.reply(declaration, host) if reply is None else reply
    return found
