# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An address is not put on an interface that has none before the network manager had its turn.

Right after the boot that holds for every interface, later for those that had an address of somebody else.

The first IPv4 address of a subnet is its primary, the source of what the host sends: a host whose own address and an
alias are of one subnet would send as somebody else when the alias came first. And NetworkManager takes an interface
that has any address but a link-local one for configured by somebody else, and leaves it switched off.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from ..routing import duplicate_address_detection
from ..routing.model import Alias

# Seconds since the keeper's start that count as the boot, and how long an interface is waited for that is up.
STARTING, TURN = 30.0, 2.0


class StartupDelay:
    """Remembers since when each interface is up without an address, and which had one of somebody else.

    ``is_up`` tells of an interface whether it is up.
    """

    def __init__(self, begun: float, is_up: Callable[[str], bool] = duplicate_address_detection.is_running) -> None:
        self._begun, self._is_up = begun, is_up
        self._up_since: dict[tuple[str, int], float] = {}
        self._managed: set[str] = set()

    def unsettled(self, aliases: list[Alias], current: Any, owner: int, now: float) -> dict[Alias, str]:
        """Return the aliases that have to wait, each with the reason; ``owner`` is the tag of our own addresses."""
        addresses = [existing for existing in current.addresses() if not _is_link_local(existing.object)]
        self._managed.update(existing.object.interface for existing in addresses if existing.owner != owner)
        # Before an IPv4 alias there has to be an IPv4 address, before an IPv6 alias any.
        having = {(existing.object.interface, 6) for existing in addresses}
        having |= {(existing.object.interface, 4) for existing in addresses if existing.object.family == 4}
        for known in having:
            self._up_since.pop(known, None)
        waiting: dict[Alias, str] = {}
        for alias in aliases:
            interface, place = alias.interface, (alias.interface, alias.family)
            if place in having or interface not in current.interfaces:
                continue
            if now > self._begun + STARTING and interface not in self._managed:
                continue
            if not self._is_up(interface):
                self._up_since.pop(place, None)
                waiting[alias] = f"{interface} is not up yet"
            elif now < self._up_since.setdefault(place, now) + TURN:
                waiting[alias] = f"whoever manages {interface} gives it the host's own address first"
        return waiting


def _is_link_local(alias: Alias) -> bool:
    return ipaddress.ip_interface(alias.address).is_link_local
