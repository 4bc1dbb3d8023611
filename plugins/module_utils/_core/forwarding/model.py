# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The traffic that a firewall forwards from interface to interface, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .. import fields
from ..entries import Entry, Form, parse_fields, parse_list, without_none
from ..errors import InvalidInput
from ..nat.model import NatRule
from .clamps import Clamp

LEAVE, DROP = "leave", "drop"
POLICIES = (LEAVE, DROP)


@dataclass(frozen=True)
class Passage:
    """Allowed new connections: those translated to an address, or those of a source that leave by an interface.

    ``mapped_to`` and ``source`` are canonical prefixes; a prefix of full length is its address. Exactly one of the two
    is given, and ``out_interface`` only with ``source``.
    """

    mapped_to: str | None = None
    source: str | None = None
    out_interface: str | None = None

    FIELDS = {
        "mapped_to": NatRule.FIELDS["destination"],
        "source": NatRule.FIELDS["source"],
        "out_interface": NatRule.FIELDS["out_interface"],
    }

    @classmethod
    def parse(cls, entry: object) -> Passage:
        """Return the passage of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, cls.FIELDS, "mapped_to")
        if isinstance(entry, Mapping):
            given = {name for name in cls.FIELDS if entry.get(name) is not None}
            if given not in ({"mapped_to"}, {"source", "out_interface"}):
                faults.append("needs either mapped_to alone, or both source and out_interface")
        if faults:
            raise InvalidInput(faults)
        return cls(**values)

    @property
    def address(self) -> str:
        """The prefix or address of the passage."""
        return str(self.mapped_to or self.source)

    @property
    def family(self) -> int:
        """4 or 6."""
        return fields.family_of(self.address)

    @property
    def key(self) -> tuple[object, ...]:
        """All of it."""
        return (self.mapped_to, self.source, self.out_interface)

    def satisfied_by(self, other: Passage) -> bool:
        """Return whether ``other`` is the same."""
        return self == other

    def as_input(self) -> Form:
        """Return the passage as an entry of ``accept``."""
        return without_none(mapped_to=self.mapped_to, source=self.source, out_interface=self.out_interface)

    def __str__(self) -> str:
        return "accept " + ", ".join(f"{name} {value}" for name, value in self.as_input().items())


@dataclass(frozen=True)
class Forwarding:
    """The forwarded traffic: the passages, sorted, and the ``policy`` for everything else; and limits of segments."""

    policy: str = LEAVE
    passages: tuple[Passage, ...] = ()
    clamps: tuple[Clamp, ...] = ()

    @classmethod
    def of(cls, policy: str, passages: Iterable[Passage], clamps: Iterable[Clamp] = ()) -> Forwarding:
        """Return the forwarding with passages and limits in any order."""
        limits = tuple(sorted(set(clamps), key=lambda clamp: clamp.interface))
        return cls(policy, tuple(sorted(set(passages), key=_order)), limits)

    def of_family(self, family: int) -> Forwarding:
        """Return the same with only the passages of one family."""
        return Forwarding(self.policy, tuple(passage for passage in self.passages if passage.family == family))

    def mapped_to(self) -> list[str]:
        """Return the prefixes and addresses that connections are translated to."""
        return [passage.mapped_to for passage in self.passages if passage.mapped_to is not None]

    def outbound(self) -> list[Passage]:
        """Return the passages of sources."""
        return [passage for passage in self.passages if passage.mapped_to is None]

    def out_interfaces(self) -> list[str]:
        """Return the interfaces that sources leave by: packets that arrive there do not come from the inside."""
        return sorted({passage.out_interface for passage in self.passages if passage.out_interface is not None})


def _order(passage: Passage) -> tuple[object, ...]:
    return (passage.family, *("" if part is None else part for part in passage.key))


def parse_accept(entries: Sequence[object] | None) -> list[Entry[Passage]]:
    """Return the entries of the module's list; raises InvalidInput with every fault."""
    return parse_list(entries, "accept", Passage.parse, "mapped_to", lambda passage: passage.key)
