# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses and next hops that interfaces got from other programs, such as an ISP's DHCP or PPPoE."""

from __future__ import annotations

from ..netlink.rtnetlink import Message
from . import rtnetlink_mapping
from .model import MAIN_TABLE, Route
from .snapshot import Snapshot

# linux/if_addr.h, linux/rtnetlink.h. IFA_F_TEMPORARY of an IPv6 address is the bit of IFA_F_SECONDARY.
_TEMPORARY, _UNUSABLE, _GLOBAL_SCOPE = 0x01, 0x08 | 0x20 | 0x40, 0


def learned_addresses(snapshot: Snapshot, owner: int) -> dict[str, dict[str, list[str]]]:
    """Return ``{interface: {"addresses": [ADDRESS/LENGTH, ...], "gateways": [ADDRESS, ...], ...}}`` from one read.

    Addresses are foreign ones of global scope, in the kernel's order, without tentative, deprecated or temporary ones
    (RFC 8981). There is at most one gateway per family: that of the best foreign default route of the table main by
    the interface, else the other end of a point-to-point link, else none. ``without_gateway`` are the families without
    a gateway that have a default route by the interface alone, as a tunnel has; ``onlink`` are the gateways that no
    network of the interface contains, as the route itself says.
    """
    found: dict[str, dict[str, list[str]]] = {
        name: {"addresses": [], "gateways": [], "without_gateway": [], "onlink": []} for name in snapshot.interfaces
    }
    peers: dict[tuple[str, int], str] = {}
    for existing in snapshot.addresses():
        message, alias = existing.handle, existing.object
        if existing.owner != owner and _is_usable(message):
            found[alias.interface]["addresses"].append(alias.address)
            if message.get("IFA_ADDRESS") != message.get("IFA_LOCAL", message.get("IFA_ADDRESS")):
                peers.setdefault((alias.interface, alias.family), message.get("IFA_ADDRESS"))
    gateways: dict[tuple[str, int], str] = {}
    alone: set[tuple[str, int]] = set()
    for route in sorted(_defaults(snapshot, owner), key=lambda route: route.metric):
        for gateway, interface in _ways(route):
            if interface in found and gateway:
                first = gateways.setdefault((interface, route.family), gateway)
                if route.onlink and first == gateway:
                    found[interface]["onlink"].append(gateway)
            elif interface in found:
                alone.add((interface, route.family))
    known = {**peers, **gateways}
    for (interface, _family), gateway in sorted(known.items()):
        found[interface]["gateways"].append(gateway)
    for interface, family in sorted(alone - known.keys()):
        found[interface]["without_gateway"].append(f"ipv{family}")
    return found


def _defaults(snapshot: Snapshot, owner: int) -> list[Route]:
    return [
        existing.object
        for existing in snapshot.routes()
        if existing.owner != owner
        and existing.object.table == MAIN_TABLE
        and existing.object.type == "unicast"
        and existing.object.destination in ("0.0.0.0/0", "::/0")
    ]


def _ways(route: Route) -> list[tuple[str | None, str | None]]:
    return [(hop.gateway, hop.interface) for hop in route.nexthops] or [(route.gateway, route.interface)]


def _is_usable(message: Message) -> bool:
    flags = message.get("IFA_FLAGS", message.header["flags"])
    is_ipv6 = message.header["family"] == rtnetlink_mapping.AF[6]
    return message.header["scope"] == _GLOBAL_SCOPE and not flags & (_UNUSABLE | (_TEMPORARY if is_ipv6 else 0))
