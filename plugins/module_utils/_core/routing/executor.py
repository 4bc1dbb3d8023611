# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The executor of addresses, routes and policy rules: reads them from the kernel, and carries plans out."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Callable

from ..host.files import Files
from ..netlink.rtnetlink import Message, Netlink, Socket, dump, has_ipv6, interfaces
from ..plan import Action, Model
from .iproute_names import NameFiles
from .model import Alias
from .snapshot import Snapshot

if TYPE_CHECKING:
    from .owner_records import AddressRecords, TaggedAddresses

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
        self._files = files or Files()
        self._records: AddressRecords | None = None
        self.names = NameFiles(self._files)

    @property
    def has_ipv6(self) -> bool:
        """Whether the kernel has IPv6; one that tests pretend has it."""
        return self._connect is not Netlink or has_ipv6()

    def read(self, *kinds: str, routes: RouteReader | None = None) -> Snapshot:
        """Return a snapshot of the kinds: one dump each, but of routes what ``routes`` returns where it is given."""
        connect: Callable[[], AbstractContextManager[Socket]] = self._tagged if "address" in kinds else self._connect
        with connect() as socket:
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

        with self._tagged() as socket:
            changes.apply(socket, actions, snapshot, owner, self._settings, moved, self._announce)

    def repair(self, actions: Sequence[Action[Model]], snapshot: Snapshot, owner: int) -> dict[Hashable, str]:
        """Carry out each action that can be, independently; return the reasons of the others, by their keys.

        This does not wait for the end of duplicate address detection.
        """
        from . import changes  # noqa: PLC0415 - as in apply()

        with self._tagged() as socket:
            return changes.repair(socket, actions, snapshot, owner, self._settings)

    def restore(self, actions: Sequence[Action[Model]], snapshot: Snapshot, owner: int) -> list[str]:
        """Restore the snapshot after any part of ``actions``; return what could not be restored."""
        from . import changes  # noqa: PLC0415 - as in apply()

        try:
            return changes.restored(self._tagged, actions, snapshot, owner, self._settings)
        finally:
            if self._records:
                self._records.unwritten.clear()

    def _tagged(self) -> AbstractContextManager[TaggedAddresses]:
        """Connect to change something, or to read addresses."""
        # Loaded only where it is needed: a module is compiled on the host in every run.
        from .owner_records import AddressRecords, tagged  # noqa: PLC0415 - as said

        self._records = self._records or AddressRecords(self._files)
        return tagged(self._connect, self._records)
