# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Duplicate address detection (RFC 4862, section 5.4): a new IPv6 address is usable once no neighbour claims it.

Until then it is tentative, and the kernel takes it neither as the source of a route nor of a packet. So a run that
adds addresses ends when they are usable: the next one may set routes that need them.
"""

from __future__ import annotations

import fcntl
import socket as sockets
import struct
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ..errors import StepFailed
from ..netlink.rtnetlink import Message, Socket, dump
from ..plan import Action, Model
from . import rtnetlink_mapping
from .model import Alias
from .snapshot import Place, Snapshot

# linux/if_addr.h
_NO_DETECTION, _FAILED, _TENTATIVE = 0x02, 0x08, 0x40
# linux/sockios.h, linux/if.h: running means that the interface is up and its cable is plugged in.
_GET_FLAGS, _RUNNING = 0x8913, 0x40
_LINK = 253  # RT_SCOPE_LINK
_PATIENCE = 5.0  # seconds; a probe is sent within one second, and answers are awaited for another one
_INTERVAL = 0.05


def is_running(interface: str) -> bool:
    """Tell whether an interface can send; assumed if the kernel does not say."""
    request = struct.pack("16sH14x", interface.encode(), 0)
    try:
        with sockets.socket(sockets.AF_INET, sockets.SOCK_DGRAM) as any_socket:
            answer = fcntl.ioctl(any_socket, _GET_FLAGS, request)
    except OSError:
        return True
    return bool(struct.unpack("16sH14x", answer)[1] & _RUNNING)


def is_detecting(addresses: Iterable[Message], interfaces: Mapping[int, str]) -> bool:
    """Tell whether the link-local address of an interface, by index, is still tentative, and its detection runs.

    Until it ends the kernel sends no neighbour solicitation by that interface (ndisc_send_ns), unless for a packet
    with another source. Without a carrier detection does not begin.
    """
    return any(
        message.header["index"] in interfaces
        and message.header["family"] == rtnetlink_mapping.AF[6]
        and message.header["scope"] == _LINK
        and message.get("IFA_FLAGS", 0) & (_TENTATIVE | _FAILED) == _TENTATIVE
        and is_running(interfaces[message.header["index"]])
        for message in addresses
    )


def wait(socket: Socket, snapshot: Snapshot, added: Collection[Alias], patience: float = _PATIENCE) -> list[Alias]:
    """Wait until the added addresses are usable; return those that a neighbour has already.

    After ``patience`` seconds an address is left as it is: the kernel continues by itself, once a cable is plugged in.
    """
    waited_for = {alias.key for alias in added if alias.family == 6}
    deadline = time.monotonic() + patience
    while waited_for:
        existing = snapshot.addresses(dump(socket, "address"))
        flags = {item.object: item.handle.get("IFA_FLAGS", 0) for item in existing if item.object.key in waited_for}
        failed = [alias for alias in flags if flags[alias] & _FAILED]
        if failed or time.monotonic() > deadline or not any(value & _TENTATIVE for value in flags.values()):
            return failed
        time.sleep(_INTERVAL)
    return []


def refuse(duplicates: Sequence[Alias], done: Sequence[Action[Model]]) -> None:
    """Raise StepFailed for addresses that another host has already; ``done`` are the actions up to now.

    IPv4 has no detection in the kernel: preflight asks for these before (preflight/link_probe.py).
    """
    if duplicates:
        failed = f"cannot add {', '.join(map(str, duplicates))}"
        raise StepFailed(failed, "another host on this link has the address already", done)


def usable(snapshot: Snapshot) -> frozenset[Place]:
    """Return the usable IPv6 addresses: their detection is over, and no neighbour has them.

    Each has the index of its interface: a new interface of the same name may be on another link.
    """
    found = [item for item in snapshot.addresses() if item.object.family == 6]
    unusable = _FAILED | _TENTATIVE
    return frozenset(
        place(item.object, item.handle) for item in found if not item.handle.get("IFA_FLAGS", 0) & unusable
    )


def held(snapshot: Snapshot) -> frozenset[str]:
    """Return the IPv6 addresses, without lengths, that are usable on any interface of this host.

    One of these that moves to another interface needs no detection there: it would find this host.
    """
    return frozenset(str(key[1]) for _index, key in usable(snapshot)) if "address" in snapshot.messages else frozenset()


def place(alias: Alias, message: Message) -> Place:
    """Return the place of an address that ``message`` is about."""
    return (message.header["index"], alias.key)


def usable_request(alias: Alias, message: Message, known: bool) -> Message:
    """Return the request to add ``alias``, such that the address will be usable also where no cable is plugged in.

    One that was ``known`` to be usable a moment ago needs no detection: it must not be unusable for a second now.
    """
    if message.header["family"] == rtnetlink_mapping.AF[6] and (known or not is_running(alias.interface)):
        return replace(message, header={**message.header, "flags": message.header["flags"] | _NO_DETECTION})
    return message
