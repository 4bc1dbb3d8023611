# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The executor of addresses, routes and policy rules: reads them from the kernel, and carries plans out."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Callable

from ..host.files import Files
from ..netlink.rtnetlink import Message, Netlink, Socket, dump, interfaces
from ..plan import Action, Model
from .iproute_names import NameFiles
from .model import Alias
from .owner_records import AddressRecords, tagged
from .snapshot import Snapshot

# Reads routes from a socket, given the names of interfaces by index.
RouteReader = Callable[[Socket, Mapping[int, str]], list[Message]]


class Executor:
    """Reads addresses, routes and policy rules and carries out plans for them, over one netlink socket per call.

    ``names`` are the files with names for the numbers in them; ``files`` are those of the host. ``announce`` tells the
    neighbours where addresses are.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Socket]] = Netlink,
        list_interfaces: Callable[[], dict[str, int]] = interfaces,
        settings: str = "/proc/sys/net/ipv4/conf",
        files: Files | None = None,
        announce: Callable[[Iterable[Alias]], None] | None = None,
    ) -> None:
        self._connect = connect
        self._list_interfaces = list_interfaces
        self._settings = settings
        self._announce = announce
        files = files or Files()
        self._records = AddressRecords(files)
        self.names = NameFiles(files)

    def read(self, *kinds: str, routes: RouteReader | None = None) -> Snapshot:
        """Return a snapshot of the kinds: one dump each, but of routes what ``routes`` returns where it is given."""
        with tagged(self._connect, self._records) as socket:
            snapshot = Snapshot(self._list_interfaces(), {})
            for kind in kinds:
                chosen = routes(socket, snapshot.names) if routes and kind == "route" else dump(socket, kind)
                snapshot.messages[kind] = chosen
            return snapshot

    def with_alternative_names(self, current: Snapshot, named: Collection[str]) -> Snapshot:
        """Return a snapshot that also holds the interfaces, if one of those named is there by another name or not."""
        if "link" in current.messages or all(name in current.interfaces for name in named):
            return current
        return replace(current, messages={**self.read("link").messages, **current.messages})

    def apply(
        self, actions: Sequence[Action[Model]], snapshot: Snapshot, owner: int, moved: Collection[Alias] = ()
    ) -> None:
        """Carry the actions out in order; raises StepFailed once a request was sent.

        Before anything is removed, the neighbours learn where the ``moved`` addresses are now.
        """
        # Most runs change nothing. A module is compiled on the host in every run, so this part is left out then.
        from . import changes  # noqa: PLC0415 - as said

        with tagged(self._connect, self._records) as socket:
            changes.apply(socket, actions, snapshot, owner, self._settings, moved, self._announce)

    def repair(self, actions: Sequence[Action[Model]], snapshot: Snapshot, owner: int) -> dict[Hashable, str]:
        """Carry out each action that can be, independently; return the reasons of the others, by their keys.

        This does not wait for the end of duplicate address detection.
        """
        from . import changes  # noqa: PLC0415 - as in apply()

        with tagged(self._connect, self._records) as socket:
            return changes.repair(socket, actions, snapshot, owner, self._settings)

    def restore(self, actions: Sequence[Action[Model]], snapshot: Snapshot, owner: int) -> list[str]:
        """Restore the snapshot after any part of ``actions``; return what could not be restored."""
        from . import changes  # noqa: PLC0415 - as in apply()

        try:
            return changes.restored(
                lambda: tagged(self._connect, self._records), actions, snapshot, owner, self._settings
            )
        finally:
            self._records.unwritten.clear()
