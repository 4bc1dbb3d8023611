# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine of stored state does besides what every run asks of it: be stored, and repair a part by itself."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from ..plan import Action
from ..rollback import apply_or_restore

E = TypeVar("E", bound="Persistable")


class Persistable:
    """Base of the engines whose state is stored. ``entry_lists`` names their lists of entries, each may be None."""

    entry_lists: tuple[str, ...] = ("desired",)

    def without(self: E, keys: Collection[Any]) -> E:
        """Return the same engine without the entries of these keys."""
        other = copy.copy(self)
        for name in self.entry_lists:
            entries = getattr(self, name)
            setattr(other, name, entries and [entry for entry in entries if entry.object.key not in keys])
        return other

    def to_store(self, older: Any, plan: Any) -> dict[str, Any]:
        """Return the options to store, lists and settings, that ``plan`` leads to.

        ``older`` is an engine of what was stored, None when nothing was.
        """
        raise NotImplementedError

    def steps(self, plan: Any) -> Sequence[Action[Any]]:
        """Return the actions of a plan that the keeper carries out."""
        return list(plan.actions)

    def repair(self, plan: Any, current: Any) -> Mapping[Any, str]:
        """Carry out what can be of those; return why not, by the keys of the others.

        By default all or nothing: raises ApplyFailed.
        """
        apply_or_restore(self, plan, current)  # type: ignore[arg-type]  # every engine has apply and restore
        return {}

    def waiting(self) -> Mapping[str, str]:
        """Return what is not yet as it should be, each with the reason."""
        return {}
