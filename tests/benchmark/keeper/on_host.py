# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host of the benchmark: `repairs COUNT` deletes objects of ours, `storm SECONDS` changes foreign routes.

`repairs` waits for the kernel's own message of each object's return, so that neither a program nor polling counts.
Prints JSON.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time

from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message, Netlink
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding, rtnetlink_mapping

OWNER = 109
# RTNLGRP_IPV4_IFADDR, _IPV4_ROUTE, _IPV4_RULE
_GROUPS = sum(1 << (group - 1) for group in (5, 7, 8))
_NEW = {"address": 20, "route": 24, "rule": 32}
_HEADER = struct.Struct("=IHHII")
# Longer than any pause of the keeper: deletions that come faster than one a second are the storm's business.
_APART = 0.12


def repairs(count: int) -> list[float]:
    """Delete an address, a route and a rule in turn; return the seconds until each was back."""
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    events.bind((0, _GROUPS))
    seconds: list[float] = []
    with Netlink() as kernel:
        by_kind = {kind: [m for m in kernel.dump(kind) if _is_ours(m)] for kind in _NEW}
        objects = [message for group in zip(*by_kind.values(), strict=True) for message in group]
        for number in range(count):
            message = objects[number % len(objects)]
            time.sleep(_APART)
            _drain(events)
            begin = time.monotonic()
            kernel.send("remove", rtnetlink_encoding.lasting(message))
            _await(events, _NEW[message.kind], begin)
            seconds.append(time.monotonic() - begin)
    return seconds


def _is_ours(message: Message) -> bool:
    return message.header["family"] == socket.AF_INET and rtnetlink_mapping.owner_of(message) == OWNER


def _drain(events: socket.socket) -> None:
    while select.select([events], [], [], 0)[0]:
        events.recv(1 << 16)


def _await(events: socket.socket, kind: int, begin: float) -> None:
    while time.monotonic() < begin + 30:
        if select.select([events], [], [], 30)[0] and _HEADER.unpack_from(events.recv(1 << 16))[1] == kind:
            return
    raise SystemExit("an object did not come back")


def storm(seconds: float) -> float:
    """Add and remove foreign routes, a thousand changes a second; return the changes made a second."""
    with Netlink() as kernel:
        found = next(m for m in kernel.dump("route") if m.header["proto"] == 186 and m.header["dst_len"] == 32)
        foreign = rtnetlink_encoding.lasting(found)
        begin, changes = time.monotonic(), 0
        while time.monotonic() < begin + seconds:
            for operation in ("remove", "add"):
                kernel.send(operation, foreign)
                changes += 1
            time.sleep(max(0.0, begin + changes / 1000 - time.monotonic()))
        return changes / (time.monotonic() - begin)


if __name__ == "__main__":
    what, value = sys.argv[1:]
    json.dump(repairs(int(value)) if what == "repairs" else storm(float(value)), sys.stdout)
