# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's addresses, routes and policy rules: read them, apply a plan, put back what was.

Undo is no list of inverse steps but a comparison: what stood before is in the snapshot, so whatever is missing is
added again and whatever of ours is new is removed. That also brings back what the kernel took along by itself, as it
does with routes when an address goes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Callable, Protocol

from . import wire
from .errors import ApplyFailed, InvalidInput
from .netlink import Message, Netlink, RequestFailed, interfaces
from .plan import Action, Existing

KINDS = ("address", "route", "rule")
_DECODE: dict[str, Callable[[Message, Mapping[int, str]], Existing[Any] | None]] = {
    "address": wire.decode_alias,
    "route": wire.decode_route,
    "rule": wire.decode_rule,
}
_HINTS = {
    errno.EPERM: "run as root (CAP_NET_ADMIN is needed)",
    errno.ENETUNREACH: "no address of this host reaches the gateway; give its interface an address first",
    errno.EHOSTUNREACH: "the gateway is not on the link of this interface",
    errno.EINVAL: "the kernel finds it invalid; is the gateway on the link, the source an address of this host?",
    errno.ENETDOWN: "the interface is switched off; set it up (its cable may be unplugged) and run again",
    errno.ENODEV: "the interface is gone, or has no such family switched on",
    errno.EEXIST: "another program added the same at this moment; run again",
    errno.EACCES: "the kernel does not allow it here; is the family disabled on this interface?",
    errno.EADDRNOTAVAIL: "the address is not there any more; another program removed it at this moment; run again",
    errno.ESRCH: "it is not there any more; another program removed it at this moment; run again",
}


class Socket(Protocol):
    """What is needed of a netlink socket; tests put a stateful fake in its place."""

    def dump(self, kind: str) -> list[Message]:
        """Return every object of a kind."""

    def send(self, operation: str, message: Message) -> None:
        """Add, replace or remove one object."""


@dataclass(frozen=True)
class Snapshot:
    """What one read found: interfaces by name, and the messages of each kind that was asked for."""

    interfaces: Mapping[str, int]
    messages: Mapping[str, Sequence[Message]]

    def existing(self, kind: str) -> list[Existing[Any]]:
        """Return the objects of a kind that the model has words for."""
        names = {index: name for name, index in self.interfaces.items()}
        decoded = (_DECODE[kind](message, names) for message in self.messages[kind])
        return [item for item in decoded if item is not None]

    def missing_interfaces(self, actions: Iterable[Action[Any]], where: Mapping[Any, str]) -> None:
        """Raise InvalidInput for each added object on an interface that this host does not have."""
        faults = []
        for action in actions:
            for name in wire.interfaces_of(action.object) if action.op != "remove" else ():
                if name not in self.interfaces:
                    there = ", ".join(sorted(self.interfaces))
                    faults.append(
                        f'{where[action.object]}: interface "{name}" does not exist on this host; it has {there}'
                    )
        if faults:
            raise InvalidInput(faults)


class Kernel:
    """Reads and writes through one netlink socket, made anew for each piece of work."""

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Socket]] = Netlink,
        list_interfaces: Callable[[], dict[str, int]] = interfaces,
        settings: str = "/proc/sys/net/ipv4/conf",
    ) -> None:
        self._connect = connect
        self._list_interfaces = list_interfaces
        self._settings = settings

    def read(self, *kinds: str) -> Snapshot:
        """Return a snapshot of the kinds: one dump each."""
        with self._connect() as socket:
            return Snapshot(self._list_interfaces(), {kind: socket.dump(kind) for kind in kinds})

    def apply(self, actions: Sequence[Action[Any]], snapshot: Snapshot, owner: int) -> None:
        """Carry out the actions in order; after a refused one, undo all and raise ApplyFailed."""
        with self._connect() as socket:
            if "address" in snapshot.messages and any(action.op != "add" for action in actions):
                # The kernel drops routes along with an address; know them, so that undo can bring them back.
                snapshot = replace(snapshot, messages={**snapshot.messages, "route": socket.dump("route")})
            done: list[str] = []
            with _PromotedSecondaries(self._settings, _interfaces_that_lose_a_primary(actions, snapshot)):
                for action in actions:
                    try:
                        for operation, message in wire.requests(action, snapshot.interfaces, owner):
                            socket.send(operation, message)
                    except RequestFailed as error:
                        hint = _HINTS.get(error.code)
                        reason = f"{error} ({hint})" if hint else str(error)
                        not_undone = _restore(socket, snapshot, owner)
                        raise ApplyFailed(f"cannot {action}", reason, done, not_undone) from error
                    except BaseException:
                        # An interrupt, or a fault of our own: nothing half-done may stay for that either.
                        _restore(socket, snapshot, owner)
                        raise
                    done.append(str(action))

    def undo(self, snapshot: Snapshot, owner: int) -> list[str]:
        """Put back what the snapshot holds; return what could not be."""
        with self._connect() as socket:
            return _restore(socket, snapshot, owner)


def _restore(socket: Socket, snapshot: Snapshot, owner: int) -> list[str]:
    failures: list[str] = []

    def send(operation: str, message: Message) -> None:
        try:
            socket.send(operation, message)
        except RequestFailed as error:
            failures.append(f"{operation} {_shown(message, snapshot)}: {error}")

    def compare(kind: str) -> tuple[list[Message], list[Message]]:
        before = [wire.lasting(message) for message in snapshot.messages[kind]]
        now = [wire.lasting(message) for message in socket.dump(kind)]
        missing = [message for message in before if message not in now]
        extra = [message for message in now if message not in before and _owner(message) == owner]
        return missing, extra

    for kind in (kind for kind in KINDS if kind in snapshot.messages):
        missing, extra = compare(kind)
        if kind == "address":
            # One key holds one address: the new one has to go before the old one can come back.
            for message in extra:
                send("remove", message)
        for message in missing:
            send("replace" if kind == "route" else "add", message)
        if kind != "address":
            for message in compare(kind)[1]:
                send("remove", message)
    return failures


def _owner(message: Message) -> int:
    if message.kind == "route":
        return message.header["proto"]
    return int(message.get("IFA_PROTO" if message.kind == "address" else "FRA_PROTOCOL", 0))


def _shown(message: Message, snapshot: Snapshot) -> str:
    names = {index: name for name, index in snapshot.interfaces.items()}
    existing = _DECODE[message.kind](message, names)
    return str(existing.object) if existing else f"{message.kind} {dict(message.attributes)}"


def _interfaces_that_lose_a_primary(actions: Iterable[Action[Any]], snapshot: Snapshot) -> set[str]:
    """Return the interfaces on which a primary IPv4 address is removed: its secondaries must not go with it."""
    names = {index: name for name, index in snapshot.interfaces.items()}
    return {
        names[action.standing.handle.header["index"]]
        for action in actions
        if action.op != "add"
        and action.standing is not None
        and action.standing.handle.kind == "address"
        and action.standing.handle.header["family"] == wire.AF[4]
        and not action.standing.handle.get("IFA_FLAGS", 0) & wire.SECONDARY
    }


class _PromotedSecondaries:
    """While it is entered, the kernel promotes secondaries instead of deleting them with their primary.

    Source: Linux Documentation/networking/ip-sysctl.rst, promote_secondaries. The setting is put back afterwards.
    """

    def __init__(self, settings: str, names: Iterable[str]) -> None:
        self._paths = [os.path.join(settings, name, "promote_secondaries") for name in sorted(names)]
        self._changed: list[str] = []

    def __enter__(self) -> None:
        for path in self._paths:
            with open(path, encoding="ascii") as setting:
                if setting.read().strip() != "0":
                    continue
            _write(path, "1")
            self._changed.append(path)

    def __exit__(self, *_exception: object) -> None:
        for path in self._changed:
            _write(path, "0")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as setting:
        setting.write(text)
