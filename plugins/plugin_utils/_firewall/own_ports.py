# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The mappings that take ports which the firewall itself needs, such as that of ssh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...module_utils._core.fields import port_range
from ...module_utils._core.nat import protocols
from .._roles.module_lists import TakenPort
from . import nat


def taken_ports(lines: object, forwards: Iterable[object] = (), ports: Iterable[object] = (22,)) -> list[TakenPort]:
    """The option ``taken_ports`` of preflight: the addresses of a firewall whose own tcp ``ports`` go to a server.

    One entry for each address, port and server.
    """
    own = sorted({int(str(port)) for port in ports})
    # Of ten thousand forwards only a few take one of these.
    taking = [forward for forward in forwards if _takes(forward, own)]
    found: dict[tuple[str, int, str], TakenPort] = {}
    for rule in nat.nat_rules(lines, taking):
        if rule["type"] != "dnat":
            continue
        first, last = port_range(rule["destination_port"]) if "destination_port" in rule else (0, 65535)
        for port in own:
            if first <= port <= last:
                address, server = rule["destination"], rule["to_address"]
                entry: TakenPort = {"name": rule["name"], "address": address, "port": port, "server": server}
                found.setdefault((address, port, server), entry)
    return list(found.values())


def _takes(forward: object, own: Iterable[int]) -> bool:
    """Whether an entry is for one of the ports; a faulty one is refused elsewhere."""
    if not isinstance(forward, Mapping):
        return False
    try:
        protocol = protocols.parse(str(forward.get("protocol")))
        if protocol == "any":
            return forward.get("port") is None
        first, last = port_range(forward.get("port"))
    except ValueError:
        return False
    return protocol == "tcp" and any(first <= port <= last for port in own)
