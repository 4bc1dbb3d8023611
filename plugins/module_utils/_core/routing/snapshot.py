# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one read of the kernel found, and the little that reading and writing need of a netlink socket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from ..errors import InvalidInput
from ..netlink.rtnetlink import Message
from ..plan import Action, Existing
from . import rtnetlink_mapping
from .iproute_names import NameState

_DECODE: dict[str, Callable[[Message, Mapping[int, str]], Existing[Any] | None]] = {
    "address": rtnetlink_mapping.decode_alias,
    "route": rtnetlink_mapping.decode_route,
    "rule": rtnetlink_mapping.decode_rule,
}


@dataclass(frozen=True)
class Snapshot:
    """What one read found: interfaces by name, and the messages of each kind that was asked for.

    ``names_given`` is what routing tables and owner tags are called, where that was asked for. ``stood`` are the IPv6
    addresses, as duplicate_address_detection.usable() gives them, that were usable at the previous look.
    """

    interfaces: Mapping[str, int]
    messages: dict[str, Sequence[Message]]
    names_given: NameState | None = None
    stood: frozenset[Any] = frozenset()

    def existing(self, kind: str) -> list[Existing[Any]]:
        """Return the objects of a kind that the model has words for."""
        return self.decoded(kind, self.messages[kind])

    def decoded(self, kind: str, messages: Iterable[Message]) -> list[Existing[Any]]:
        """Return the objects of some messages that the model has words for."""
        decode, names = _DECODE[kind], self.names
        decoded = (decode(message, names) for message in messages)
        return [item for item in decoded if item is not None]

    @property
    def names(self) -> dict[int, str]:
        """The names of the interfaces by index."""
        return {index: name for name, index in self.interfaces.items()}

    def shown(self, message: Message) -> str:
        """Return an object as messages name it."""
        existing = _DECODE[message.kind](message, self.names)
        return str(existing.object) if existing else f"{message.kind} {dict(message.attributes)}"

    def missing_interfaces(self, actions: Iterable[Action[Any]], where: Mapping[Any, str]) -> None:
        """Raise InvalidInput for each added object on an interface that this host does not have."""
        faults: list[str] = []
        objects: dict[Any, str] = {}
        for action in actions:
            for name in rtnetlink_mapping.interfaces_of(action.object) if action.op != "remove" else ():
                if name not in self.interfaces:
                    there = ", ".join(sorted(self.interfaces))
                    faults.append(
                        f'{where[action.object]}: interface "{name}" does not exist on this host; it has {there}'
                    )
                    objects[action.object] = f'interface "{name}" does not exist on this host'
        if faults:
            raise InvalidInput(faults, objects)
