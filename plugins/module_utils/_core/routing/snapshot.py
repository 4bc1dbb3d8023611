# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of addresses, routes and policy rules, as one read of the kernel found it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from ..errors import InvalidInput
from ..fields import listed, shown
from ..netlink.rtnetlink import Message
from ..plan import Action, Existing, M, Model
from . import rtnetlink_mapping
from .interface_availability import NOT_THERE, Link, decode_link
from .iproute_names import NameState
from .model import Alias, Route, Rule

# An IPv6 address on an interface: the interface's index, and the address's key.
Place = tuple[int, tuple[object, ...]]
Decode = Callable[[Message, Mapping[int, str]], Optional[Existing[M]]]
_DECODE: dict[str, Decode[Alias | Route | Rule]] = {
    "address": rtnetlink_mapping.decode_alias,
    "route": rtnetlink_mapping.decode_route,
    "rule": rtnetlink_mapping.decode_rule,
}


@dataclass(frozen=True)
class Snapshot:
    """One read: interfaces by name, and the messages of each kind that was asked for.

    ``names_given`` are the names of routing tables and owner tags, if they were asked for. ``usable_before`` are the
    IPv6 addresses, in the form of duplicate_address_detection.usable(), that were usable at the read before.
    """

    interfaces: Mapping[str, int]
    messages: dict[str, Sequence[Message]]
    names_given: NameState | None = None
    usable_before: frozenset[Place] = frozenset()

    def existing(self, kind: str) -> list[Existing[Alias | Route | Rule]]:
        """Return the objects of a kind that the model can express."""
        return self._decoded(_DECODE[kind], self.messages[kind])

    def addresses(self, messages: Iterable[Message] | None = None) -> list[Existing[Alias]]:
        """Return the addresses that the model can express, of this snapshot or of other messages."""
        return self._decoded(rtnetlink_mapping.decode_alias, self.messages["address"] if messages is None else messages)

    def routes(self, messages: Iterable[Message] | None = None) -> list[Existing[Route]]:
        """Return the routes that the model can express, of this snapshot or of other messages."""
        return self._decoded(rtnetlink_mapping.decode_route, self.messages["route"] if messages is None else messages)

    def rules(self, messages: Iterable[Message] | None = None) -> list[Existing[Rule]]:
        """Return the policy rules that the model can express, of this snapshot or of other messages."""
        return self._decoded(rtnetlink_mapping.decode_rule, self.messages["rule"] if messages is None else messages)

    def _decoded(self, decode: Decode[M], messages: Iterable[Message]) -> list[Existing[M]]:
        names = self.names
        decoded = (decode(message, names) for message in messages)
        return [item for item in decoded if item is not None]

    @property
    def names(self) -> dict[int, str]:
        """The names of the interfaces by index."""
        return {index: name for name, index in self.interfaces.items()}

    @property
    def links(self) -> list[Link]:
        """The interfaces with all that is known of them; none where they were not asked for."""
        return [decode_link(message) for message in self.messages.get("link", ())]

    @property
    def alternative_names(self) -> dict[str, str]:
        """The names of interfaces by their alternative names, where interfaces were asked for."""
        return {other: link.name for link in self.links for other in link.alternative_names}

    def shown(self, message: Message) -> str:
        """Return an object as it is named in messages to users."""
        existing = _DECODE[message.kind](message, self.names) if message.kind in _DECODE else None
        return str(existing.object) if existing else f"{message.kind} {dict(message.attributes)}"

    def missing_interfaces(self, actions: Iterable[Action[Model]], where: Mapping[Model, str]) -> None:
        """Raise InvalidInput for each added object on an interface that this host does not have."""
        faults: list[str] = []
        objects: dict[Model, str] = {}
        for action in actions:
            for name in rtnetlink_mapping.interfaces_of(action.object) if action.op != "remove" else ():
                if name not in self.interfaces:
                    reason = f"interface {shown(name)} {NOT_THERE}"
                    faults.append(f"{where[action.object]}: {reason}; it has {listed(sorted(self.interfaces))}")
                    objects[action.object] = reason
        if faults:
            raise InvalidInput(faults, objects)
