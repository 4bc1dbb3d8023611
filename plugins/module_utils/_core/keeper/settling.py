# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Right after the boot an address is not put on an interface before the network manager had its turn.

The first IPv4 address of a subnet is its primary, the source of what the host sends: a host whose own address and an
alias are of one subnet would send as somebody else when the alias came first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import duplicate_addresses, wire
from ..model import Alias

# Seconds since the keeper's start during which this holds, and how long an interface is waited for that is up.
STARTING, TURN = 30.0, 2.0


class Settling:
    """Remembers since when each interface is up; ``is_up`` tells of an interface whether it is."""

    def __init__(self, begun: float, is_up: Callable[[str], bool] = duplicate_addresses.is_running) -> None:
        self._begun, self._is_up = begun, is_up
        self._up_since: dict[str, float] = {}

    def unsettled(self, aliases: list[Alias], current: Any, now: float) -> dict[Alias, str]:
        """Return the aliases that have to wait, each with the reason; none once the start is over."""
        if now > self._begun + STARTING:
            return {}
        names = current.names
        others = {
            names.get(message.header["index"])
            for message in current.messages["address"]
            if message.header["family"] == wire.AF[4]
        }
        waiting: dict[Alias, str] = {}
        for alias in aliases:
            interface = alias.interface
            if alias.family != 4 or interface in others or interface not in current.interfaces:
                continue
            if not self._is_up(interface):
                self._up_since.pop(interface, None)
                waiting[alias] = f"{interface} is not up yet"
            elif now < self._up_since.setdefault(interface, now) + TURN:
                waiting[alias] = f"whoever manages {interface} gives it the host's own address first"
        return waiting
