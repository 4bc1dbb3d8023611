# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's addresses, routes and policy rules: read them, apply a plan, all or nothing."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Callable

from ..errors import ApplyFailed, ReadFailed
from ..host.files import Files
from ..netlink.rtnetlink import Message, Netlink, RequestFailed, Socket, dump, interfaces
from ..plan import Action
from . import duplicate_address_detection, gratuitous_arp, rtnetlink_mapping
from .iproute_names import NameFiles
from .loopback_placeholders import LoopbackPlaceholders
from .model import Alias, Rule
from .owner_records import FILE as RECORD
from .owner_records import TaggedAddresses, tagged
from .rollback import bring_back_routes, restore
from .rule_sequence import RuleSequence
from .snapshot import Snapshot

_HINTS = {
    errno.EPERM: "run as root (CAP_NET_ADMIN is needed)",
    errno.ENETUNREACH: "no address of this host reaches the gateway; give its interface an address, and set it up",
    errno.EHOSTUNREACH: "the gateway is not on the link of this interface, or the interface is switched off",
    errno.EINVAL: "the kernel finds it invalid; is the gateway on the link, the source an address of this host?",
    errno.ENETDOWN: "the interface is switched off; set it up (its cable may be unplugged) and run again",
    errno.ENODEV: "the interface is gone, or has no such family switched on",
    errno.EEXIST: "another program added the same at this moment, or two next hops are one; see to it and run again",
    errno.EACCES: "the kernel does not allow it here; is the family disabled on this interface?",
    errno.EADDRNOTAVAIL: "the interface cannot have this address, or another program removed it at this moment",
    errno.ESRCH: "it is not there any more; another program removed it at this moment; run again",
    errno.ENOENT: "it is not there any more; another program removed it at this moment; run again",
}
_RULE_HINTS = {
    errno.EEXIST: "the kernel cannot tell it from one of ours that stands and differs only in source, destination or "
    "invert; give it another priority, or purge",
}


class Kernel:
    """Reads and writes through one netlink socket, made anew for each piece of work.

    ``names`` are the files that tell people what the numbers in it mean; ``files`` are those of the host. ``announce``
    tells the neighbours where addresses are.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Socket]] = Netlink,
        list_interfaces: Callable[[], dict[str, int]] = interfaces,
        settings: str = "/proc/sys/net/ipv4/conf",
        files: Files | None = None,
        announce: Callable[[Iterable[Alias]], None] = gratuitous_arp.announce,
    ) -> None:
        self._connect = connect
        self._list_interfaces = list_interfaces
        self._settings = settings
        self._announce = announce
        self._files = files or Files()
        self.names = NameFiles(self._files)

    def read(self, *kinds: str) -> Snapshot:
        """Return a snapshot of the kinds: one dump each."""
        with tagged(self._connect, self._files) as socket:
            return Snapshot(self._list_interfaces(), {kind: dump(socket, kind) for kind in kinds})

    def apply(
        self, actions: Sequence[Action[Any]], snapshot: Snapshot, owner: int, moved: Collection[Alias] = ()
    ) -> None:
        """Carry the actions out in order; after a refused one, undo all and raise ApplyFailed.

        Before anything is removed, the neighbours are told where the ``moved`` addresses are now.
        """
        with tagged(self._connect, self._files) as socket:
            if "address" in snapshot.messages and any(action.op != "add" for action in actions):
                # The kernel drops routes along with an address: know them, to bring them back.
                snapshot.messages["route"] = dump(socket, "route")
            with _PromotedSecondaries(self._settings, _interfaces_that_lose_a_primary(actions, snapshot)):
                self._apply(socket, actions, snapshot, owner, moved)

    def _apply(
        self,
        socket: TaggedAddresses,
        actions: Sequence[Action[Any]],
        snapshot: Snapshot,
        owner: int,
        moved: Collection[Alias],
    ) -> None:
        done: list[Action[Any]] = []
        requests = _Requests(actions, snapshot, owner)
        stand_ins = LoopbackPlaceholders(socket, actions, snapshot, owner)
        changed = [action for action in actions if action.op == "replace"]
        for action in actions:
            if moved and action.op == "remove":
                self._announce(moved)
                moved = ()
            try:
                if changed and action is changed[0]:
                    stand_ins.take()
                for operation, message in requests.of(action):
                    socket.send(operation, message)
                if "address" in snapshot.messages and changed and action is changed[-1]:
                    # A stand-in has a route of its own, which is none of those of before.
                    stand_ins.leave()
                    # An interface that lost its only address for a moment lost all its routes with it.
                    bring_back_routes(socket, snapshot)
            except (RequestFailed, ReadFailed) as error:
                not_undone = restore(socket, snapshot, owner)
                raise ApplyFailed(f"cannot {action}", _reason(error, action), _shown(done), not_undone) from error
            except BaseException:
                # An interrupt, or a fault of our own: nothing half-done may stay for that either.
                restore(socket, snapshot, owner)
                raise
            done.append(action)
        try:
            taken = duplicate_address_detection.wait(socket, snapshot, [a.object for a in actions if _adds_address(a)])
            socket.write_down()
        except OSError as error:
            not_undone = restore(socket, snapshot, owner)
            raise ApplyFailed(f"cannot write {RECORD}", str(error), _shown(done), not_undone) from error
        except BaseException:
            restore(socket, snapshot, owner)
            raise
        if taken:
            not_undone = restore(socket, snapshot, owner)
            failed = f"cannot add {', '.join(map(str, taken))}"
            raise ApplyFailed(failed, "another host on this link has the address already", _shown(done), not_undone)

    def repair(self, actions: Sequence[Action[Any]], snapshot: Snapshot, owner: int) -> dict[Any, str]:
        """Carry out what can be of actions that stand each for itself; return why not, by the keys of the others.

        Nobody waits for the end of duplicate address detection here.
        """
        refused: dict[Any, str] = {}
        with tagged(self._connect, self._files) as socket:
            requests = _Requests(actions, snapshot, owner)
            with _PromotedSecondaries(self._settings, _interfaces_that_lose_a_primary(actions, snapshot)):
                for action in actions:
                    try:
                        for operation, message in requests.of(action):
                            socket.send(operation, message)
                    except RequestFailed as error:
                        refused[action.object.key] = _reason(error, action)
        return refused

    def undo(self, snapshot: Snapshot, owner: int) -> list[str]:
        """Put back what the snapshot holds; return what could not be."""
        with tagged(self._connect, self._files) as socket:
            return restore(socket, snapshot, owner)


class _Requests:
    """The requests of each action, asked for in the order of the plan."""

    def __init__(self, actions: Sequence[Action[Any]], snapshot: Snapshot, owner: int) -> None:
        self._indexes, self._stood, self._owner = snapshot.interfaces, snapshot.stood, owner
        self._held = duplicate_address_detection.held(snapshot)
        ours = [item.object for item in snapshot.existing("rule") if item.owner == owner] if _has_rules(actions) else []
        removed = [action.object for action in actions if action.op == "remove" and isinstance(action.object, Rule)]
        self._rule_steps = RuleSequence(ours, removed)

    def of(self, action: Action[Any]) -> list[tuple[str, Message]]:
        """Return the requests ``(operation, message)`` of one action."""
        if not isinstance(action.object, Rule):
            requests = rtnetlink_mapping.requests(action, self._indexes, self._owner)
            if _adds_address(action):
                operation, message = requests[-1]
                place = duplicate_address_detection.place(action.object, message)
                # Until now with another prefix length or on another interface, or as whoever made the snapshot knows.
                here = action.standing is not None or action.object.key[1] in self._held
                stood = operation == "add" and (here or place in self._stood)
                requests[-1] = (operation, duplicate_address_detection.usable_request(action.object, message, stood))
            return requests
        return [
            (operation, rtnetlink_mapping.encode_rule(rule, self._owner))
            for operation, rule in self._rule_steps.of(action)
        ]


def _shown(actions: Iterable[Action[Any]]) -> list[str]:
    return [str(action) for action in actions]


def _adds_address(action: Action[Any]) -> bool:
    return isinstance(action.object, Alias) and action.op != "remove"


def _has_rules(actions: Iterable[Action[Any]]) -> bool:
    return any(isinstance(action.object, Rule) for action in actions)


def _reason(error: RequestFailed | ReadFailed, action: Action[Any]) -> str:
    hints = {**_HINTS, **_RULE_HINTS} if isinstance(action.object, Rule) else _HINTS
    hint = hints.get(error.code) if isinstance(error, RequestFailed) else None
    return f"{error} ({hint})" if hint else str(error)


def _interfaces_that_lose_a_primary(actions: Iterable[Action[Any]], snapshot: Snapshot) -> set[str]:
    """Return the interfaces on which a primary IPv4 address is removed: its secondaries must not go with it."""
    names = {index: name for name, index in snapshot.interfaces.items()}
    return {
        names[action.standing.handle.header["index"]]
        for action in actions
        if action.op != "add"
        and action.standing is not None
        and action.standing.handle.kind == "address"
        and action.standing.handle.header["family"] == rtnetlink_mapping.AF[4]
        and not action.standing.handle.get("IFA_FLAGS", 0) & rtnetlink_mapping.SECONDARY
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
            try:
                with open(path, encoding="ascii") as setting:
                    if setting.read().strip() != "0":
                        continue
                _write(path, "1")
            except OSError as error:
                self.__exit__()
                reason = f"{error}; let it be written, or set it to 1"
                raise ApplyFailed("cannot keep secondary addresses while their primary goes", reason) from error
            self._changed.append(path)

    def __exit__(self, *_exception: object) -> None:
        for path in self._changed:
            # The interface may be gone by now, and its settings with it.
            with contextlib.suppress(FileNotFoundError):
                _write(path, "0")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as setting:
        setting.write(text)
