# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owners of addresses on a kernel that does not keep their owner tag (IFA_PROTO, Linux before 5.18).

Such a kernel ignores the tag and lists the address without it. So after adding addresses, the executor checks whether
the kernel kept their tags, and only if it did not, writes them down here. An address is identified by interface index,
address, prefix length and the instant of its creation (``cstamp``): one that another program adds in its place later,
or after a boot, is not ours.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from typing import Callable

from ..errors import ApplyFailed, ReadFailed
from ..host.files import Files
from ..netlink.rtnetlink import Filters, Message, Socket, dump

FILE = "/var/lib/multihome/addresses.json"
_BOOT = "/proc/sys/kernel/random/boot_id"
Identity = tuple[int, str, int]  # index, address with length, creation
Place = tuple[int, str]  # index, address with length


class AddressRecords:
    """The file with the owner tags that the kernel does not keep.

    ``unwritten`` are the owners of addresses that were added and are not in the file yet: a rollback needs them too.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.unwritten: dict[Place, int] = {}

    def owners(self) -> dict[Identity, int]:
        """Return the owner of each address written down since the last boot; raises ReadFailed."""
        try:
            text = self._files.load(FILE)
            if text is None:
                return {}
            written = json.loads(text)
            if written["boot"] != self._boot():
                return {}
            return {(index, address, created): owner for index, address, created, owner in written["addresses"]}
        except PermissionError:
            # A user without the right to read it may change nothing either.
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReadFailed(f"cannot read the owners of addresses: {FILE}: {error}; move it away") from error

    def save(self, owners: Mapping[Identity, int]) -> None:
        """Write exactly these owners; without any there is no file. Raises OSError."""
        written = [[*identity, owner] for identity, owner in sorted(owners.items())]
        text = json.dumps({"boot": self._boot(), "addresses": written}) + "\n"
        self._files.save(FILE, text if written else None, 0o600)

    def _boot(self) -> str:
        return (self._files.load(_BOOT) or "").strip()


class TaggedAddresses:
    """A socket by which all our addresses have their owner tag, whether or not the kernel keeps it."""

    def __init__(self, socket: Socket, records: AddressRecords) -> None:
        self._socket = socket
        self._records = records
        self._owners: dict[Identity, int] | None = None
        self._in_doubt = False

    def dump(self, kind: str, only: Filters | None = None) -> list[Message]:
        """Return every object of a kind, or the selected routes."""
        messages = self._socket.dump(kind) if only is None else self._socket.dump(kind, only)
        return [self._tagged(message) for message in messages] if kind == "address" else messages

    def send(self, operation: str, message: Message) -> None:
        """Add, replace or remove one object."""
        self._socket.send(operation, message)
        if message.kind == "address":
            self._in_doubt = True
            self._records.unwritten.pop(_place(message), None)
            if operation != "remove" and message.get("IFA_PROTO"):
                self._records.unwritten[_place(message)] = message.get("IFA_PROTO")

    def write_down(self) -> None:
        """Write down the tags that the kernel did not keep; raises OSError, or ReadFailed."""
        if not self._in_doubt:
            return
        known, owners = self._known(), {}
        for message in dump(self._socket, "address"):
            owner = self._records.unwritten.get(_place(message), known.get(_identity(message)))
            if owner is not None and "IFA_PROTO" not in message.attributes:
                owners[_identity(message)] = owner
        if owners != known:
            self._records.save(owners)
            self._owners = owners
        self._records.unwritten.clear()
        self._in_doubt = False

    def _tagged(self, message: Message) -> Message:
        if "IFA_PROTO" in message.attributes:
            return message
        owner = self._records.unwritten.get(_place(message), self._known().get(_identity(message)))
        return message if owner is None else replace(message, attributes={**message.attributes, "IFA_PROTO": owner})

    def _known(self) -> dict[Identity, int]:
        if self._owners is None:
            self._owners = self._records.owners()
        return self._owners


@contextmanager
def tagged(connect: Callable[[], AbstractContextManager[Socket]], records: AddressRecords) -> Iterator[TaggedAddresses]:
    """Connect; however the work ends, the owners of the added addresses are written down."""
    with connect() as socket:
        addresses = TaggedAddresses(socket, records)
        try:
            yield addresses
        except BaseException:
            with suppress(OSError, ReadFailed):
                addresses.write_down()
            raise
        try:
            addresses.write_down()
        except OSError as error:
            records.unwritten.clear()
            raise ApplyFailed(f"cannot write {FILE}", str(error)) from error


def _place(message: Message) -> Place:
    # The C library writes ::ffff:192.0.2.1 where a request may have ::ffff:c000:201.
    address = ipaddress.ip_address(message.get("IFA_LOCAL") or message.get("IFA_ADDRESS"))
    return message.header["index"], f"{address}/{message.header['prefixlen']}"


def _identity(message: Message) -> Identity:
    created = (message.get("IFA_CACHEINFO") or {}).get("cstamp", 0)
    return (*_place(message), created)
