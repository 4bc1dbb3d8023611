# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delays adding an address to an interface without one until the network manager has configured it.

During the boot this applies to every interface, later to those that had an address of another program.

The first IPv4 address of a subnet is its primary, the source of the host's packets: if an alias of the same subnet
came before the host's own address, the host would send from the alias. And NetworkManager leaves an
interface down that already has an address other than a link-local one: it assumes that another program configures it.
"""

from __future__ import annotations

from collections.abc import Callable

from ..routing import duplicate_address_detection
from ..routing.model import Alias
from ..routing.snapshot import Snapshot

# Seconds since the keeper's start that count as the boot, and the longest wait for an interface that is up.
STARTING, TURN = 30.0, 2.0
# 169.254.0.0/16 and fe80::/10, as the kernel writes them; ipaddress takes half of a check's time.
_LINK_LOCAL = ("169.254.", "fe8", "fe9", "fea", "feb")


class StartupDelay:
    """Remembers since when each interface is up without an address, and which had one of another program.

    ``is_up`` tells whether an interface is up.
    """

    def __init__(self, started: float, is_up: Callable[[str], bool] = duplicate_address_detection.is_running) -> None:
        self._started, self._is_up = started, is_up
        self._up_since: dict[tuple[str, int], float] = {}
        self._managed: set[str] = set()

    def delayed(self, aliases: list[Alias], current: Snapshot, owner: int, now: float) -> dict[Alias, str]:
        """Return the aliases that have to wait, each with the reason; ``owner`` is our owner tag."""
        addresses = [existing for existing in current.addresses() if not _is_link_local(existing.object)]
        self._managed.update(existing.object.interface for existing in addresses if existing.owner != owner)
        # An IPv4 alias waits for an IPv4 address, an IPv6 alias for any address.
        having = {(existing.object.interface, 6) for existing in addresses}
        having |= {(existing.object.interface, 4) for existing in addresses if existing.object.family == 4}
        for known in having:
            self._up_since.pop(known, None)
        waiting: dict[Alias, str] = {}
        for alias in aliases:
            interface, place = alias.interface, (alias.interface, alias.family)
            if place in having or interface not in current.interfaces:
                continue
            if now > self._started + STARTING and interface not in self._managed:
                continue
            if not self._is_up(interface):
                self._up_since.pop(place, None)
                waiting[alias] = f"{interface} is not up yet"
            elif now < self._up_since.setdefault(place, now) + TURN:
                waiting[alias] = f"waiting for the network manager to give {interface} the host's own address first"
        return waiting


def _is_link_local(alias: Alias) -> bool:
    return alias.address.startswith(_LINK_LOCAL)
