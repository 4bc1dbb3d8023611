# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, routes and policy rules of a checkpoint: recorded as the kernel lists them, and restored.

Only objects with an owner tag of this collection are restored or removed. The kernel removes routes of other owners
along with an address; those that it removed with one of this collection's addresses are added again.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..netlink.rtnetlink import Message
from ..plan import Action, Model
from ..routing.executor import Executor
from ..routing.rtnetlink_encoding import lasting
from ..routing.rtnetlink_mapping import AF, owner_of
from ..routing.snapshot import Snapshot

KINDS = ("address", "route", "rule")
_LOCAL_TABLE = 255
# linux/if_addr.h
_NO_DETECTION, _FAILED, _TENTATIVE = 0x02, 0x08, 0x40
# linux/rtnetlink.h: RTPROT_GATED, MRT, ZEBRA, BIRD, DNROUTED, XORP, NTK, MROUTED, BABEL, BGP, ISIS, OSPF, RIP, EIGRP
_DAEMONS = frozenset((8, 10, 11, 12, 13, 14, 15, 17, 42, 186, 187, 188, 189, 192))
# A policy rule can keep a route from being added, and is removed only after that.
_PASSES = 3


def capture(executor: Executor, owners: Collection[int]) -> dict[str, Any]:
    """Return all addresses, routes and policy rules as plain data; raises ReadFailed.

    Routes of routing daemons, maybe hundreds of thousands, are left out: the daemons add them again themselves.
    """
    snapshot = executor.read(*KINDS)
    messages = {
        kind: [_text(m) for m in snapshot.messages[kind] if owner_of(m) in owners or owner_of(m) not in _DAEMONS]
        for kind in KINDS
    }
    return {"interfaces": dict(snapshot.interfaces), "messages": messages}


def restore(captured: Mapping[str, Any], owners: Collection[int], executor: Executor) -> list[str]:
    """Restore all objects of the owners; return what could not be restored."""
    now = executor.read(*KINDS)
    disturbed = _interfaces_with_changed_addresses(captured, owners, now)
    failures: list[str] = []
    for _pass in range(_PASSES):
        wanted = _wanted(captured, owners, now, disturbed)
        left = [owner for owner in owners if _differences(wanted, now, [owner])]
        if not left:
            return []
        failures = []
        for owner in left:
            here = now.addresses() + wanted.addresses()
            touched: list[Action[Model]] = [Action("remove", item.object, item) for item in here if item.owner == owner]
            failures += executor.restore(touched, wanted, owner)
        now = executor.read(*KINDS)
    # A failed request whose object is as it was after all is no failure.
    left_over = _differences(_wanted(captured, owners, now, disturbed), now, owners)
    return [*failures, *left_over] if left_over else []


def differences(captured: Mapping[str, Any], owners: Collection[int], executor: Executor) -> list[str]:
    """Return the objects of the owners that are not as recorded, one line each."""
    now = executor.read(*KINDS)
    return _differences(_wanted(captured, owners, now, frozenset()), now, owners)


def changes(before: Mapping[str, Any], after: Mapping[str, Any], owners: Collection[int]) -> dict[str, tuple[int, int]]:
    """Return for each kind how many objects of the owners were added and removed between two records."""
    found = {}
    sides = [_messages(captured, after["interfaces"]) for captured in (before, after)]
    for kind in KINDS:
        old, new = ({_key(message) for message in side[kind] if owner_of(message) in owners} for side in sides)
        found[kind] = (len(new - old), len(old - new))
    return found


def _wanted(
    captured: Mapping[str, Any], owners: Collection[int], now: Snapshot, disturbed: Collection[int]
) -> Snapshot:
    """Return the recorded objects to restore, with the interfaces as they are numbered now.

    From the ``disturbed`` interfaces the kernel may have removed routes of other owners.
    """
    before = _messages(captured, now.interfaces)
    still = {kind: {_key(message) for message in now.messages[kind]} for kind in KINDS}
    wanted: dict[str, Sequence[Message]] = {"rule": [m for m in before["rule"] if owner_of(m) in owners]}
    for kind in ("address", "route"):
        # Other owners' objects that exist as they did keep their place in the order.
        wanted[kind] = [
            message
            for message in before[kind]
            if owner_of(message) in owners
            or _key(message) in still[kind]
            or (kind == "route" and _uses(message, disturbed) and message.get("RTA_TABLE") != _LOCAL_TABLE)
        ]
    here = {_key(message): message for message in now.messages["address"]}
    wanted["address"] = [here.get(_key(message)) or _at_once(message) for message in wanted["address"]]
    return Snapshot(now.interfaces, wanted)


def _at_once(message: Message) -> Message:
    """Return an address to add again: one that was usable is usable at once, without a search for duplicates."""
    flags = message.get("IFA_FLAGS", 0)
    if message.header["family"] != AF[6] or flags & (_FAILED | _TENTATIVE):
        return message
    return replace(message, attributes={**message.attributes, "IFA_FLAGS": flags | _NO_DETECTION})


def _interfaces_with_changed_addresses(captured: Mapping[str, Any], owners: Collection[int], now: Snapshot) -> set[int]:
    """Return the interfaces on which an address of the owners is gone, new, or was removed for a time."""

    def identity(message: Message) -> str:
        created = (message.get("IFA_CACHEINFO") or {}).get("cstamp")
        return repr((message.header["index"], message.get("IFA_ADDRESS"), message.header["prefixlen"], created))

    ours = [message for message in _messages(captured, now.interfaces)["address"] if owner_of(message) in owners]
    before = {identity(message): message.header["index"] for message in ours}
    here = {identity(m): m.header["index"] for m in now.messages["address"] if owner_of(m) in owners}
    changed = before.keys() ^ here.keys()
    return {index for name, index in {**before, **here}.items() if name in changed}


def _uses(route: Message, interfaces: Collection[int]) -> bool:
    hops = route.get("RTA_MULTIPATH") or ()
    return route.get("RTA_OIF") in interfaces or any(hop.get("oif") in interfaces for hop in hops)


def _differences(wanted: Snapshot, now: Snapshot, owners: Collection[int]) -> list[str]:
    found = []
    for kind in KINDS:
        here = {_key(message) for message in now.messages[kind]}
        listed = {_key(message) for message in wanted.messages[kind]}
        missing = [m for m in wanted.messages[kind] if _key(m) not in here and owner_of(m) in owners]
        extra = [m for m in now.messages[kind] if _key(m) not in listed and owner_of(m) in owners]
        found += [f"not restored: {wanted.shown(message)}" for message in missing]
        found += [f"not removed: {now.shown(message)}" for message in extra]
    return found


def _key(message: Message) -> str:
    kept = lasting(message)
    if message.kind == "address":
        # Whether duplicates were searched for says nothing of the address.
        flags = kept.get("IFA_FLAGS", 0) & ~_NO_DETECTION
        kept = replace(kept, attributes={**kept.attributes, "IFA_FLAGS": flags})
    return repr(kept)


def _text(message: Message) -> str:
    # JSON knows neither tuples nor bytes, and both are in messages.
    return repr((message.kind, _plain(message.header), _plain(message.attributes)))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return tuple(_plain(part) for part in value)
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value


def _messages(captured: Mapping[str, Any], interfaces: Mapping[str, int]) -> dict[str, list[Message]]:
    """Return the recorded messages; those on an interface that is gone are left out."""
    indexes = {number: interfaces.get(name) for name, number in captured["interfaces"].items()}
    found: dict[str, list[Message]] = {kind: [] for kind in KINDS}
    for kind in KINDS:
        for text in captured["messages"][kind]:
            message = _renumbered(Message(*ast.literal_eval(text)), indexes)
            if message is not None:
                found[kind].append(message)
    return found


def _renumbered(message: Message, indexes: Mapping[int, int | None]) -> Message | None:
    header, attributes = dict(message.header), dict(message.attributes)
    if message.kind == "address":
        header["index"] = indexes.get(header["index"]) or 0
        return Message(message.kind, header, attributes) if header["index"] else None
    if message.kind == "route" and "RTA_OIF" in attributes:
        attributes["RTA_OIF"] = indexes.get(attributes["RTA_OIF"])
        return Message(message.kind, header, attributes) if attributes["RTA_OIF"] else None
    if message.kind == "route" and attributes.get("RTA_MULTIPATH"):
        hops = [{**hop, "oif": indexes.get(hop.get("oif"))} for hop in attributes["RTA_MULTIPATH"]]
        attributes["RTA_MULTIPATH"] = hops
        return Message(message.kind, header, attributes) if all(hop["oif"] for hop in hops) else None
    return message
