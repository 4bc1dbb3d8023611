# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of addresses: joins the planner and the executor for converge()."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from ..entries import Entry, Faults, Form, Options, parse_list
from ..plan import Action, Plan, plan
from ..store.format import merged
from ..store.persistable import Persistable
from .executor import Executor
from .model import Alias
from .owner import parse_owner
from .rtnetlink_mapping import SECONDARY
from .snapshot import Snapshot


class AliasEngine(Persistable[Snapshot, Plan[Alias]]):
    """Converges the addresses of a host's interfaces. ``aliases`` are entries as in the module's option.

    With ``keep_moved``, ``purge`` keeps an address that is now listed on another interface on its old one as well.
    """

    def __init__(
        self,
        aliases: Sequence[object],
        owner: int = 109,
        purge: bool = False,
        executor: Executor | None = None,
        keep_moved: bool = False,
    ) -> None:
        faults = Faults()
        desired = faults.take(lambda: parse_list(aliases, "aliases", Alias.parse, "address", lambda alias: alias.key))
        tag = faults.take(lambda: parse_owner(owner))
        faults.refuse()
        self.desired, self.owner = desired.value, tag.value
        self.purge, self.keep_moved = purge, keep_moved
        self.executor = executor or Executor()

    @classmethod
    def from_options(cls, options: Options) -> AliasEngine:
        """Return the engine for the options of ip_aliases; raises InvalidInput."""
        # Stored options do not have it.
        keep_moved = bool(options.get("keep_moved"))
        return cls(options["aliases"], options["protocol"], options["purge"], keep_moved=keep_moved)

    def read(self) -> Snapshot:
        """Return the addresses of this host."""
        return self.executor.read("address")

    def plan(self, current: Snapshot) -> Plan[Alias]:
        """Return the plan; raises InvalidInput for an interface that does not exist, ForeignObject on conflict."""
        existing = current.addresses()
        ours = [item.object for item in existing if item.owner == self.owner] if self.keep_moved else []
        kept = [Entry(alias, "") for alias in self.moved(ours)]
        result = plan([*self.desired, *kept], existing, self.owner, self.purge)
        current.missing_interfaces(result.actions, {entry.object: entry.where for entry in self.desired})
        # Remove secondaries before their primaries, so that a rollback finds the primaries in place.
        removing = sorted(result.removing(), key=lambda action: not _is_secondary(action))
        return Plan((*result.adding(), *removing), result.before, result.after)

    def apply(self, plan: Plan[Alias], current: Snapshot) -> None:
        """Carry the plan out; raises StepFailed once a request was sent."""
        left = {action.object.bare: action.object.interface for action in plan.removing()}
        moved = [alias for alias in plan.after if left.get(alias.bare, alias.interface) != alias.interface]
        self.executor.apply(plan.actions, current, self.owner, moved)

    def moved(self, existing: Iterable[Alias]) -> list[Alias]:
        """Return those that are not listed on their interface, but on another one."""
        places = {(entry.object.bare, entry.object.interface) for entry in self.desired}
        addresses = {address for address, _interface in places}
        return [alias for alias in existing if alias.bare in addresses and (alias.bare, alias.interface) not in places]

    def restore(self, plan: Plan[Alias], current: Snapshot) -> list[str]:
        """Restore the addresses of ``current``; return what could not be restored."""
        return self.executor.restore(plan.actions, current, self.owner)

    def repair(self, plan: Plan[Alias], current: Snapshot) -> dict[Hashable, str]:
        """Carry out each action that can be; return the reasons of the others, by their keys."""
        return self.executor.repair(plan.actions, current, self.owner)

    def before(self, plan: Plan[Alias]) -> list[Form]:
        """Return the listed or owned addresses as entries of ``aliases``."""
        return [alias.as_input() for alias in plan.before]

    def after(self, plan: Plan[Alias]) -> list[Form]:
        """Return the addresses listed or owned after the plan as entries of ``aliases``."""
        return [alias.as_input() for alias in plan.after]

    def lines(self, plan: Plan[Alias]) -> dict[str, list[str]]:
        """Return one line an address for the diff."""
        return {
            "before": [str(alias) for alias in plan.before],
            "after": [str(alias) for alias in plan.after],
        }

    def to_store(self, older: AliasEngine | None, _plan: Plan[Alias]) -> Form:
        """Return the addresses to store; ``older`` is an engine of those that were stored."""
        kept = merged(older.desired if older else [], self.desired, self.purge, lambda alias: alias.key)
        return {"aliases": [alias.as_input() for alias in kept]}


def _is_secondary(action: Action[Alias]) -> bool:
    return bool(action.existing and action.existing.handle.get("IFA_FLAGS", 0) & SECONDARY)
