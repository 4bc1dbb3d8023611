# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of addresses: what converge() drives, over the one planner and the one executor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..entries import Entry, collect, parse_list
from ..plan import Action, Plan, plan
from ..store.format import merged
from ..store.persistable import Keepable
from .executor import Kernel
from .model import Alias
from .owner import parse_owner
from .rtnetlink_mapping import SECONDARY
from .snapshot import Snapshot


class AliasEngine(Keepable):
    """Converges the addresses of a host's interfaces. ``aliases`` are entries as in the module's option.

    With ``keep_moved``, ``purge`` leaves what is listed on another interface where it stood as well.
    """

    def __init__(
        self,
        aliases: Sequence[Any],
        owner: int = 109,
        purge: bool = False,
        kernel: Kernel | None = None,
        keep_moved: bool = False,
    ) -> None:
        parts: list[Any] = [
            lambda: parse_list(aliases, "aliases", Alias.parse, "address", lambda alias: alias.key),
            lambda: parse_owner(owner),
        ]
        self.desired, self.owner = collect(*parts)
        self.purge, self.keep_moved = purge, keep_moved
        self.kernel = kernel or Kernel()

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> AliasEngine:
        """Return the engine for the options of ip_aliases; raises InvalidInput."""
        # Stored options say nothing of what moves.
        keep_moved = bool(options.get("keep_moved"))
        return cls(options["aliases"], options["protocol"], options["purge"], keep_moved=keep_moved)

    def read(self) -> Snapshot:
        """Return the addresses of this host."""
        return self.kernel.read("address")

    def plan(self, current: Snapshot) -> Plan[Alias]:
        """Return the plan; raises InvalidInput for an interface that does not exist, ForeignObject on conflict."""
        existing = current.existing("address")
        ours = [item.object for item in existing if item.owner == self.owner] if self.keep_moved else []
        kept = [Entry(alias, "") for alias in self.moved(ours)]
        result = plan([*self.desired, *kept], existing, self.owner, self.purge)
        current.missing_interfaces(result.actions, {entry.object: entry.where for entry in self.desired})
        # Secondaries go before their primaries, so that undo after a refused removal finds the primaries in place.
        removing = sorted(result.removing(), key=lambda action: not _is_secondary(action))
        return Plan((*result.adding(), *removing), result.before, result.after)

    def apply(self, plan: Plan[Alias], current: Snapshot) -> None:
        """Carry the plan out, all or nothing."""
        left = {action.object.bare: action.object.interface for action in plan.removing()}
        moved = [alias for alias in plan.after if left.get(alias.bare, alias.interface) != alias.interface]
        self.kernel.apply(plan.actions, current, self.owner, moved)

    def moved(self, standing: Iterable[Alias]) -> list[Alias]:
        """Return those that are not listed where they stand, but on another interface."""
        places = {(entry.object.bare, entry.object.interface) for entry in self.desired}
        addresses = {address for address, _interface in places}
        return [alias for alias in standing if alias.bare in addresses and (alias.bare, alias.interface) not in places]

    def undo(self, _plan: Plan[Alias], current: Snapshot) -> list[str]:
        """Put back the addresses of ``current``."""
        return self.kernel.undo(current, self.owner)

    def repair(self, plan: Plan[Alias], current: Snapshot) -> dict[Any, str]:
        """Carry out what can be of the plan; return why not, by the keys of the others."""
        return self.kernel.repair(plan.actions, current, self.owner)

    def before(self, plan: Plan[Alias]) -> list[dict[str, Any]]:
        """Return the listed or owned addresses as entries of ``aliases``."""
        return [alias.as_input() for alias in plan.before]

    def after(self, plan: Plan[Alias]) -> list[dict[str, Any]]:
        """Return the addresses listed or owned after the plan as entries of ``aliases``."""
        return [alias.as_input() for alias in plan.after]

    def lines(self, plan: Plan[Alias]) -> dict[str, list[str]]:
        """Return one line an address for the diff."""
        return {
            "before": [str(alias) for alias in plan.before],
            "after": [str(alias) for alias in plan.after],
        }

    def to_store(self, older: AliasEngine | None, _plan: Plan[Alias]) -> dict[str, Any]:
        """Return the addresses to store; ``older`` is an engine of those that were stored."""
        kept = merged(older.desired if older else [], self.desired, self.purge, lambda alias: alias.key)
        return {"aliases": [alias.as_input() for alias in kept]}


def _is_secondary(action: Action[Alias]) -> bool:
    return bool(action.standing and action.standing.handle.get("IFA_FLAGS", 0) & SECONDARY)
