# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two backends of address translation have in common: both take the same list and give it the same meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..filters.backend import Backend
from ..filters.nftables_json import Counted
from .model import NatRule, RuleKey


class State(Protocol):
    """The collection's own part of a backend."""

    @property
    def faults(self) -> list[str]:
        """Why the fixed part, which belongs to no entry, is not as required."""

    @property
    def is_present(self) -> bool:
        """Whether anything of the collection's own exists."""

    def rules(self) -> list[tuple[NatRule, int]]:
        """Return the translations in the order they are tried; those tried at the same time have one position."""

    def unmanaged(self) -> list[str]:
        """Return the objects in the collection's own part that belong to no entry, one text each."""

    def unmanaged_to_remove(self, purge: bool) -> list[str]:
        """Return the unmanaged objects that the next change removes."""

    def counters(self) -> dict[RuleKey, Counted]:
        """Return packets and bytes by the key of a translation."""


@dataclass(frozen=True)
class Desired:
    """The translations to configure, of which the first match counts, and for each the positions of earlier overlaps.

    The counters of those whose key is in ``fresh`` start at zero. ``purge`` says whether unmanaged objects are removed.
    """

    rules: Sequence[NatRule]
    overlaps: Mapping[int, Sequence[int]]
    fresh: frozenset[object]
    purge: bool


# State and change are each backend's own.
class NatBackend(Backend[Any, Desired, Any], Protocol):
    """One way to translate."""

    def faults(self, rule: NatRule) -> list[str]:
        """Return why this backend cannot carry out a translation."""
