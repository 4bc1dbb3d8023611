# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loopback interface holds an address while its own interface is without it.

The kernel changes the label of an IPv4 address, and the prefix length of an IPv6 address, only by removing it. Packets
that arrive meanwhile are lost, and a lost SYN costs a second. But a host answers for an address whichever interface
holds it (RFC 1122, section 3.3.4.2, the weak model), and routes that have it as their source remain.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..netlink.rtnetlink import Socket, dump
from ..plan import Action, Model
from . import rtnetlink_encoding, rtnetlink_mapping
from .model import Alias
from .snapshot import Snapshot

_LOOPBACK = 1  # LOOPBACK_IFINDEX, net/flow.h: its index in every network namespace
_NAME = "lo"
_WHOLE = {4: 32, 6: 128}
_PATIENCE, _INTERVAL = 1.0, 0.002  # seconds; the kernel makes an IPv6 address usable in a task of its own, at once


class LoopbackPlaceholders:
    """Placeholders for the addresses that ``actions`` remove and add again: ``add`` them before, ``remove`` them after.

    Both raise RequestFailed or ReadFailed.
    """

    def __init__(self, socket: Socket, actions: Iterable[Action[Model]], snapshot: Snapshot, owner: int) -> None:
        self._socket, self._interfaces, self._owner = socket, snapshot.interfaces, owner
        changed = [action.object for action in actions if rtnetlink_encoding.is_added_again(action)]
        aliases = [item for item in changed if isinstance(item, Alias)]
        self._aliases: Sequence[Alias] = _replaceable(aliases, snapshot) if aliases else ()

    def add(self) -> None:
        """Add them, and wait until the host answers for them."""
        self._send("add")
        self._await(dict.fromkeys(self._aliases, _LOOPBACK))

    def remove(self) -> None:
        """Wait until the interfaces themselves answer, and remove the placeholders."""
        self._await({alias: self._interfaces[alias.interface] for alias in self._aliases})
        self._send("remove")

    def _send(self, operation: str) -> None:
        for alias in self._aliases:
            whole = f"{alias.bare}/{_WHOLE[alias.family]}"
            placeholder = replace(alias, interface=_NAME, address=whole, label=None)
            self._socket.send(operation, rtnetlink_encoding.encode_alias(placeholder, _LOOPBACK, self._owner))

    def _await(self, indexes: Mapping[Alias, int]) -> None:
        awaited: set[tuple[str | None, int] | None] = {
            (alias.bare, index) for alias, index in indexes.items() if alias.family == 6
        }
        deadline = time.monotonic() + _PATIENCE
        while awaited and time.monotonic() < deadline:
            awaited -= {rtnetlink_mapping.answered_for(route) for route in dump(self._socket, "route")}
            time.sleep(_INTERVAL if awaited else 0)


def _replaceable(aliases: Iterable[Alias], snapshot: Snapshot) -> list[Alias]:
    """Return those that the loopback interface can hold, and does not hold already."""
    on_loopback = [item.object for item in snapshot.addresses() if item.handle.header["index"] == _LOOPBACK]
    held = {alias.bare for alias in on_loopback}
    # If it has no address of a family, that family is switched off there, or the whole interface is down.
    families = {alias.family for alias in on_loopback}
    return [alias for alias in aliases if alias.family in families and alias.bare not in held]
