# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backend of address translation is: nftables and iptables take the same list and mean the same by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .model import NatRule

# Packets and bytes.
Counted = tuple[int, int]


class Standing(Protocol):
    """What of ours stands in a backend."""

    @property
    def faults(self) -> list[str]:
        """Why the fixed part, which is no entry's, is not what it must be."""

    @property
    def stands(self) -> bool:
        """Whether anything of ours is there."""

    def rules(self) -> list[tuple[NatRule, int]]:
        """Return the translations in the order they are tried; what is tried at once has one position."""

    def strays(self) -> list[str]:
        """Return what stands in our part without being anybody's entry, one text each."""

    def leaving_strays(self, purge: bool) -> list[str]:
        """Return the strays that the next change takes away."""

    def counters(self) -> dict[Any, Counted]:
        """Return packets and bytes by the key of a translation."""


@dataclass(frozen=True)
class Wanted:
    """What shall stand: translations whose first match counts, and for each the positions of earlier overlaps.

    The counters of those whose key is in ``fresh`` begin anew. ``purge`` tells whether strays go.
    """

    rules: Sequence[NatRule]
    overlaps: Mapping[int, Sequence[int]]
    fresh: frozenset[Any]
    purge: bool


class Backend(Protocol):
    """One way to translate. ``name`` is that of the module's option, ``place`` says where its objects are."""

    name: str
    place: str

    def faults(self, rule: NatRule) -> list[str]:
        """Return why this backend cannot carry a translation out."""

    def read(self) -> Any:
        """Return what stands (Standing)."""

    def change(self, current: Any, wanted: Wanted) -> Any:
        """Return what has to be sent, as much as differs; None when nothing does."""

    def apply(self, change: Any, current: Any) -> None:
        """Carry a change out, all or nothing; raises ApplyFailed."""

    def put_back(self, before: Any) -> list[str]:
        """Make stand what ``before`` holds; return what could not be put back."""


@dataclass(frozen=True)
class Current:
    """What stands in the chosen backend, and in the other one where that can be read."""

    here: Any
    elsewhere: Any | None = None
