# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds gateways: interface and hardware address, from the kernel's own neighbour table.

The kernel itself looks for those that are not in the table (ARP, neighbour discovery): NTF_USE makes it start without
a packet to the gateway. That refreshes a cache; no configuration changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from .. import fields
from ..errors import ReadFailed
from ..netlink.rtnetlink import Message, Netlink, RequestFailed, interfaces
from .duplicate_address_detection import is_detecting
from .model import Neighbour

# linux/neighbour.h
_REACHABLE, _FAILED, _PERMANENT = 0x02, 0x20, 0x80
_HAS_ADDRESS = 0x02 | 0x04 | 0x08 | 0x10 | 0x80  # reachable, stale, delay, probe, permanent
_NO_ADDRESS = 0x40  # no hardware addresses on this link
_USE = 0x01  # NTF_USE
_UNICAST, _LOCAL = 1, 2  # RTN_UNICAST, RTN_LOCAL
_AF = {4: 2, 6: 10}
_DETECTION = 3.0  # seconds; an interface that came up asks whether its address is free for two at most
_PAUSE = 0.02  # seconds between two looks at the table

# (gateway, its interface if that is given)
Gateway = tuple[str, "str | None"]
# (gateway, index of its interface)
Key = tuple[str, int]


class NeighbourSocket(Protocol):
    """The part of a netlink socket that is needed here."""

    def dump(self, kind: str) -> list[Message]:
        """Return every object of a kind."""

    def send(self, operation: str, message: Message) -> None:
        """Add, replace or remove one object."""

    def look_up(self, header: Mapping[str, int], attributes: Mapping[str, Any]) -> Message:
        """Return the kernel's answer for one packet."""


@dataclass(frozen=True)
class Resolution:
    """The neighbour of each gateway, or the reason why there is none."""

    neighbours: Mapping[Gateway, Neighbour]
    reasons: Mapping[Gateway, str]


def resolve(
    gateways: Iterable[Gateway],
    timeout: float = 1.1,  # the kernel asks once a second
    connect: Callable[[], AbstractContextManager[NeighbourSocket]] = Netlink,
    list_interfaces: Callable[[], dict[str, int]] = interfaces,
) -> Resolution:
    """Return the place of each gateway that answers within ``timeout`` seconds, for all together.

    The time of an IPv6 gateway begins when its interface may ask: at most _DETECTION seconds later.

    Raises ReadFailed when neighbours or routes cannot be read.
    """
    asked = list(dict.fromkeys(gateways))
    if not asked:
        return Resolution({}, {})
    indexes = list_interfaces()
    names = {index: name for name, index in indexes.items()}
    reasons: dict[Gateway, str] = {}
    places: dict[Gateway, int] = {}
    try:
        with connect() as socket:
            routes = _Routes(socket)
            for gateway, interface in asked:
                place = _place(routes, gateway, interface, indexes)
                if isinstance(place, str):
                    reasons[gateway, interface] = place
                else:
                    places[gateway, interface] = place
            known = _wait(socket, places, names, timeout)
    except RequestFailed as error:
        raise ReadFailed(f"cannot read the neighbours and routes of this host: {error}") from error
    neighbours: dict[Gateway, Neighbour] = {}
    for key, index in places.items():
        state, address = known.get((key[0], index), (0, None))
        if state & _HAS_ADDRESS and address:
            neighbours[key] = Neighbour(names[index], address)
        else:
            reasons[key] = f"no answer on {names[index]}"
    return Resolution(neighbours, reasons)


class _Routes:
    """The routes of the host, dumped only if a gateway is not on the link of a connected network."""

    def __init__(self, socket: NeighbourSocket) -> None:
        self.socket = socket
        self._interfaces: dict[str, int] | None = None

    def interface_of_next_hop(self, gateway: str) -> int | None:
        """Return the interface of a route, in any table, that has this gateway."""
        if self._interfaces is None:
            self._interfaces = {}
            for message in self.socket.dump("route"):
                for hop in (message.attributes, *hops(message)):
                    if "RTA_GATEWAY" in hop and "RTA_OIF" in hop:
                        self._interfaces.setdefault(str(hop["RTA_GATEWAY"]), int(hop["RTA_OIF"]))
        return self._interfaces.get(gateway)


def hops(message: Message) -> list[dict[str, Any]]:
    """Return the attributes of each next hop of a route that has several."""
    found = message.get("RTA_MULTIPATH") or []
    return [{"RTA_OIF": hop.get("oif"), **dict(hop.get("attrs", []))} for hop in found]


def _place(routes: _Routes, gateway: str, interface: str | None, indexes: Mapping[str, int]) -> int | str:
    """Return the index of a gateway's interface, or the reason why there is none."""
    if interface is not None:
        return indexes.get(interface, f"interface {interface} does not exist")
    family = fields.family_of(gateway)
    try:
        answer = routes.socket.look_up(
            {"family": _AF[family], "dst_len": 32 if family == 4 else 128}, {"RTA_DST": gateway}
        )
        if answer.header["type"] == _LOCAL:
            return "it is an address of this host"
        if answer.header["type"] == _UNICAST and answer.get("RTA_GATEWAY") is None:
            return int(answer.get("RTA_OIF"))
    except RequestFailed:
        # No route, or one of type unreachable: it may still be the next hop of a line's own table.
        pass
    # Not on the link of a connected network: a next hop that is declared to be on the link.
    found = routes.interface_of_next_hop(gateway)
    return found if found is not None else "it is on the link of no interface"


def _wait(
    socket: NeighbourSocket, places: Mapping[Gateway, int], names: Mapping[int, str], timeout: float
) -> dict[Key, tuple[int, str | None]]:
    """Return the neighbours by address and interface, once all answered or the time is over."""
    pending = {(gateway, index) for (gateway, _interface), index in places.items()}
    deadline = time.monotonic() + timeout
    latest = time.monotonic() + _DETECTION
    known = _table(socket, pending)
    # A stale entry is good enough for now; asking makes the kernel verify it for later.
    pending -= _ask(socket, {key for key in pending if not _state(known, key) & (_REACHABLE | _PERMANENT)})
    detecting = True
    while silent := {key for key in pending if not _state(known, key) & (_HAS_ADDRESS | _NO_ADDRESS)}:
        now = time.monotonic()
        detecting = detecting and now < latest and _is_detecting(socket, silent, names)
        deadline = now + timeout if detecting else deadline
        if now >= deadline:
            break
        time.sleep(_PAUSE)
        known = _table(socket, pending)
        # An entry that failed within this time was asked for before it began.
        pending -= _ask(socket, {key for key in pending if _state(known, key) & _FAILED})
    return known


def _is_detecting(socket: NeighbourSocket, silent: Iterable[Key], names: Mapping[int, str]) -> bool:
    """Tell whether an interface of these IPv6 gateways cannot ask for them yet."""
    asking = {index: names[index] for gateway, index in silent if fields.family_of(gateway) == 6}
    return bool(asking) and is_detecting(socket.dump("address"), asking)


def _state(known: Mapping[Key, tuple[int, str | None]], key: Key) -> int:
    return known[key][0] if key in known else 0


def _ask(socket: NeighbourSocket, keys: set[Key]) -> set[Key]:
    """Let the kernel ask for neighbours; return those that it refuses, as on an interface that is down."""
    refused = set()
    for gateway, index in sorted(keys):
        header = {"family": _AF[fields.family_of(gateway)], "ifindex": index, "state": 0, "flags": _USE}
        try:
            socket.send("replace", Message("neighbour", header, {"NDA_DST": gateway}))
        except RequestFailed:
            refused.add((gateway, index))
    return refused


def _table(socket: NeighbourSocket, pending: set[Key]) -> dict[Key, tuple[int, str | None]]:
    """Return state and hardware address of these neighbours."""
    table: dict[Key, tuple[int, str | None]] = {}
    for message in socket.dump("neighbour") if pending else ():
        key = (str(message.get("NDA_DST")), message.header["ifindex"])
        if key in pending:
            table[key] = (message.header["state"], _hardware_address(message.get("NDA_LLADDR")))
    return table


def _hardware_address(value: object) -> str | None:
    # Links without Ethernet addresses (a tunnel) give none, or one of another length.
    return value.lower() if isinstance(value, str) and value.count(":") == 5 else None
