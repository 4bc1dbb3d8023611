# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out the changes of addresses, routes, policy rules and groups, and restores what was there before them.

The executor loads this only when there is something to change.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Collection, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Callable

from ..errors import ApplyFailed, ReadFailed, StepFailed
from ..netlink.rtnetlink import Message, RequestFailed, Socket, dump
from ..plan import Action, Model
from . import duplicate_address_detection, gratuitous_arp, rtnetlink_encoding, rtnetlink_mapping
from .loopback_placeholders import LoopbackPlaceholders
from .model import Alias, Route, Rule
from .owner_records import FILE as RECORD
from .owner_records import TaggedAddresses
from .restore import bring_back_routes, restore
from .rule_sequence import RuleSequence
from .snapshot import Snapshot

_HINTS = {
    errno.EPERM: "run as root (CAP_NET_ADMIN is needed)",
    errno.ENETUNREACH: "no address of this host reaches the gateway; give its interface an address and set it up, or "
    "set onlink",
    errno.EHOSTUNREACH: "the gateway is not on the link of this interface, or the interface is switched off",
    errno.EINVAL: "the kernel finds it invalid; is the gateway on the link, the source an address of this host?",
    errno.ENETDOWN: "the interface is switched off; set it up (its cable may be unplugged) and run again",
    errno.ENODEV: "the interface is gone, or has no such family switched on",
    errno.EEXIST: "another program added the same at this moment, or two next hops are one; correct that and run again",
    errno.EACCES: "the kernel does not allow it here; is the family disabled on this interface?",
    errno.EADDRNOTAVAIL: "the interface cannot have this address, or another program removed it at this moment",
    errno.ESRCH: "it is not there any more; another program removed it at this moment; run again",
    errno.ENOENT: "it is not there any more; another program removed it at this moment; run again",
}
_RULE_HINTS = {
    errno.EEXIST: "the kernel cannot tell it from an existing one that differs only in source, destination, tos or "
    "invert; give it another priority, or purge",
}


def apply(
    socket: TaggedAddresses,
    actions: Sequence[Action[Model]],
    snapshot: Snapshot,
    owner: int,
    settings: str,
    moved: Collection[Alias] = (),
    announce: Callable[[Iterable[Alias]], None] | None = None,
) -> None:
    """Carry the actions out in order; raises StepFailed once a request was sent. As Executor.apply()."""
    if "address" in snapshot.messages and any(action.op != "add" for action in actions):
        # The kernel removes routes along with an address: know them, to restore them.
        snapshot.messages["route"] = dump(socket, "route")
    with _PromotedSecondaries(settings, _interfaces_that_lose_a_primary(actions, snapshot)):
        steps = _Steps(socket, actions, snapshot, owner)
        for number, action in enumerate(actions):
            if moved and action.op == "remove":
                (announce or gratuitous_arp.announce)(moved)
                moved = ()
            try:
                steps.carry_out(action)
            except (RequestFailed, ReadFailed) as error:
                raise StepFailed(_failed(action), _reason(error, action), actions[:number]) from error
        _finish(socket, actions, snapshot)


def repair(
    socket: Socket, actions: Sequence[Action[Model]], snapshot: Snapshot, owner: int, settings: str
) -> dict[Hashable, str]:
    """Carry out each action that can be, independently; return the reasons of the others. As Executor.repair()."""
    refused: dict[Hashable, str] = {}
    requests = _Requests(actions, snapshot, owner)
    with _PromotedSecondaries(settings, _interfaces_that_lose_a_primary(actions, snapshot)):
        for action in actions:
            try:
                for operation, message in requests.of(action):
                    socket.send(operation, message)
            except RequestFailed as error:
                refused[action.object.key] = _reason(error, action)
    return refused


def restored(
    connect: Callable[[], AbstractContextManager[Socket]],
    actions: Sequence[Action[Model]],
    snapshot: Snapshot,
    owner: int,
    settings: str,
) -> list[str]:
    """Restore the snapshot after any part of ``actions``; return what could not be restored."""
    failures: list[str] = []
    try:
        with contextlib.ExitStack() as stack:
            socket = stack.enter_context(connect())
            for name in _interfaces_with_ipv4_changes(actions):
                # Without it, secondaries that go with their primary are only restored, a moment later.
                with contextlib.suppress(ApplyFailed):
                    stack.enter_context(_PromotedSecondaries(settings, [name]))
            failures += restore(socket, snapshot, owner)
    except ApplyFailed as error:
        failures.append(f"{error.failed}: {error.reason}")
    return failures


class _Steps:
    """Carries out the actions of a plan one by one, with what they need beside their own requests."""

    def __init__(self, socket: Socket, actions: Sequence[Action[Model]], snapshot: Snapshot, owner: int) -> None:
        self._socket, self._snapshot = socket, snapshot
        self._requests = _Requests(actions, snapshot, owner)
        self._placeholders = LoopbackPlaceholders(socket, actions, snapshot, owner)
        replacing = [action for action in actions if action.op == "replace"]
        self._first, self._last = replacing[:1], replacing[-1:]

    def carry_out(self, action: Action[Model]) -> None:
        """Send the requests of one action; raises RequestFailed or ReadFailed."""
        if self._first and action is self._first[0]:
            self._placeholders.add()
        for operation, message in self._requests.of(action):
            self._socket.send(operation, message)
        if self._last and action is self._last[0] and "address" in self._snapshot.messages:
            # A placeholder has a route of its own, which was not there before.
            self._placeholders.remove()
            # An interface that lost its only address for a moment lost all its routes with it.
            bring_back_routes(self._socket, self._snapshot)


def _finish(socket: TaggedAddresses, actions: Sequence[Action[Model]], snapshot: Snapshot) -> None:
    """Wait until the added addresses are usable, and write down their owners; raises StepFailed."""
    added = [action.object for action in actions if isinstance(action.object, Alias) and action.op != "remove"]
    try:
        duplicates = duplicate_address_detection.wait(socket, snapshot, added)
        socket.write_down()
    except OSError as error:
        raise StepFailed(f"cannot write {RECORD}", str(error), actions) from error
    except ReadFailed as error:
        raise StepFailed("cannot check the added addresses", str(error), actions) from error
    duplicate_address_detection.refuse(duplicates, actions)


class _Requests:
    """The requests of each action; call ``of`` in the order of the plan."""

    def __init__(self, actions: Sequence[Action[Model]], snapshot: Snapshot, owner: int) -> None:
        self._indexes, self._usable_before, self._owner = snapshot.interfaces, snapshot.usable_before, owner
        self._held = duplicate_address_detection.held(snapshot)
        has_rules = any(isinstance(action.object, Rule) for action in actions)
        ours = [item.object for item in snapshot.rules() if item.owner == owner] if has_rules else []
        # What a replace removes later may be in the way of an earlier addition as well.
        leaving = [action.existing.object for action in actions if action.op != "add" and action.existing is not None]
        removed = [item for item in leaving if isinstance(item, Rule)]
        self._rule_steps = RuleSequence(ours, removed)

    def of(self, action: Action[Model]) -> list[tuple[str, Message]]:
        """Return the requests ``(operation, message)`` of one action."""
        item = action.object
        if isinstance(item, Rule):
            replaced = action.existing.object if action.existing else None
            steps = self._rule_steps.of(action.op, item, replaced if isinstance(replaced, Rule) else None)
            return [(operation, rtnetlink_encoding.encode_rule(rule, self._owner)) for operation, rule in steps]
        requests = rtnetlink_encoding.requests(action, self._indexes, self._owner)
        if isinstance(item, Alias) and action.op != "remove":
            operation, message = requests[-1]
            place = duplicate_address_detection.place(item, message)
            # Until now it had another prefix length or interface, or was usable when it was last read.
            here = action.existing is not None or item.key[1] in self._held
            known = operation == "add" and (here or place in self._usable_before)
            requests[-1] = (operation, duplicate_address_detection.usable_request(item, message, known))
        return requests


def _failed(action: Action[Model]) -> str:
    """Return which step failed: the entry, and the object with its gateway."""
    shown = action.object.described if isinstance(action.object, Route) else str(action.object)
    return f"{action.where}: cannot {action.op} {shown}" if action.where else f"cannot {action.op} {shown}"


def _reason(error: RequestFailed | ReadFailed, action: Action[Model]) -> str:
    hints = {**_HINTS, **_RULE_HINTS} if isinstance(action.object, Rule) else _HINTS
    hint = hints.get(error.code) if isinstance(error, RequestFailed) else None
    return f"{error} ({hint})" if hint else str(error)


def _interfaces_that_lose_a_primary(actions: Iterable[Action[Model]], snapshot: Snapshot) -> set[str]:
    """Return the interfaces on which a primary IPv4 address is removed: its secondaries must not go with it."""
    names = {index: name for name, index in snapshot.interfaces.items()}
    removed = [action.existing.handle for action in actions if action.op != "add" and action.existing is not None]
    return {
        names[message.header["index"]]
        for message in removed
        if message.kind == "address"
        and message.header["family"] == rtnetlink_mapping.AF[4]
        and not message.get("IFA_FLAGS", 0) & rtnetlink_mapping.SECONDARY
    }


def _interfaces_with_ipv4_changes(actions: Iterable[Action[Model]]) -> list[str]:
    aliases = [action.object for action in actions if isinstance(action.object, Alias)]
    return sorted({alias.interface for alias in aliases if alias.family == 4})


class _PromotedSecondaries:
    """While it is entered, the kernel promotes secondaries instead of deleting them with their primary.

    Source: Linux Documentation/networking/ip-sysctl.rst, promote_secondaries. The setting is restored afterwards.
    """

    def __init__(self, settings: str, names: Iterable[str]) -> None:
        self._paths = [os.path.join(settings, name, "promote_secondaries") for name in sorted(names)]
        self._changed: list[str] = []

    def __enter__(self) -> None:
        for path in self._paths:
            try:
                with open(path, encoding="ascii") as setting:
                    if setting.read().strip() != "0":
                        continue
                _write(path, "1")
            except OSError as error:
                self.__exit__()
                reason = f"{error}; let it be written, or set it to 1"
                raise ApplyFailed("cannot keep secondary addresses while their primary is removed", reason) from error
            self._changed.append(path)

    def __exit__(self, *_exception: object) -> None:
        for path in self._changed:
            # The interface may be gone by now, and its settings with it.
            with contextlib.suppress(FileNotFoundError):
                _write(path, "0")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as setting:
        setting.write(text)
