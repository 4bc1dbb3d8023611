# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of addresses: joins the planner and the executor for converge()."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from ..entries import Entry, Faults, Form, Options, parse_list
from ..plan import Action, Plan, plan
from ..store.format import merged
from ..store.persistable import Persistable
from .executor import Executor
from .interface_availability import Skipped, available_aliases, renamed, resolved
from .model import Alias
from .owner_tag import parse_owner
from .rtnetlink_mapping import SECONDARY
from .snapshot import Snapshot


class AliasEngine(Persistable[Snapshot, Plan[Alias]]):
    """Converges the addresses of a host's interfaces. ``aliases`` are entries as in the module's option.

    With ``keep_moved``, ``purge`` keeps an address that is now listed on another interface on its old one as well. With
    ``skip_unavailable`` an address whose interface is missing is skipped; without it, it is an error.
    """

    def __init__(
        self,
        aliases: Sequence[object],
        owner: int = 109,
        purge: bool = False,
        executor: Executor | None = None,
        keep_moved: bool = False,
        skip_unavailable: bool = False,
    ) -> None:
        faults = Faults()
        desired = faults.take(lambda: parse_list(aliases, "aliases", Alias.parse, "address", lambda alias: alias.key))
        tag = faults.take(lambda: parse_owner(owner))
        faults.refuse()
        self.desired, self.owner = desired.value, tag.value
        self.purge, self.keep_moved, self.skip_unavailable = purge, keep_moved, skip_unavailable
        self.warn_skipped, self.allow_disconnect = True, True
        self.executor = executor or Executor()
        self._written = self.desired
        self._alternative_names: Mapping[str, str] = {}
        self._skipped = Skipped()

    @classmethod
    def from_options(cls, options: Options) -> AliasEngine:
        """Return the engine for the options of ip_aliases; raises InvalidInput."""
        # Stored options do not have it.
        keep_moved = bool(options.get("keep_moved"))
        # Nor do they say this: the keeper always waits for interfaces.
        skip = options.get("skip_unavailable", True)
        owner, purge = options["protocol"], options["purge"]
        engine = cls(options["aliases"], owner, purge, keep_moved=keep_moved, skip_unavailable=skip)
        engine.warn_skipped = options.get("warn_skipped", True)
        # The keeper never purges.
        engine.allow_disconnect = options.get("allow_disconnect", True)
        return engine

    def read(self) -> Snapshot:
        """Return the addresses of this host; from then on the entries have each interface under its own name."""
        named = {entry.object.interface for entry in self.desired}
        current = self.executor.with_alternative_names(self.executor.read("address"), named)
        if not self._alternative_names:
            self._alternative_names = current.alternative_names
            self.desired = resolved(self.desired, self._alternative_names)
        return current

    def plan(self, current: Snapshot) -> Plan[Alias]:
        """Return the plan; raises InvalidInput for an interface that does not exist, ForeignObject on conflict.

        Raises WouldDisconnect for the removal of the controller's address, unless that is allowed.
        """
        if not self.executor.has_ipv6:
            # Only hosts without it pay for the code.
            from .without_ipv6 import refuse_ipv6  # noqa: PLC0415 - as said

            refuse_ipv6(self.desired)
        existing = current.addresses()
        self._skipped = skipped = Skipped()
        desired = self.desired
        if self.skip_unavailable:
            desired = available_aliases(desired, current.interfaces, skipped)
        ours = [item.object for item in existing if item.owner == self.owner] if self.keep_moved else []
        kept = [Entry(alias, "") for alias in self.moved(ours)]
        result = plan([*desired, *kept], existing, self.owner, self.purge)
        current.missing_interfaces(result.actions, {entry.object: entry.where for entry in self.desired})
        # Remove secondaries before their primaries, so that a rollback finds the primaries in place.
        removing = sorted(result.removing(), key=lambda action: not _is_secondary(action))
        if removing and not self.allow_disconnect:
            # Only a run that removes something needs it.
            from .disconnection import refuse_addresses  # noqa: PLC0415 - as said

            refuse_addresses(result)
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

    def waiting(self) -> dict[str, str]:
        """Return the addresses that the last plan skipped, each with the reason."""
        return self._skipped.waiting()

    def remarks(self) -> Form:
        """Return additional results: the addresses that the last plan ``skipped``, and ``warnings`` of them."""
        skipped = self._skipped
        if not skipped.places:
            return {}
        return {"warnings": skipped.warnings() if self.warn_skipped else [], "skipped": skipped.as_result()}

    def state_before(self, plan: Plan[Alias]) -> Form:
        """Return the addresses before the plan as options."""
        return {"aliases": self.before(plan)}

    def to_store(self, older: AliasEngine | None, _plan: Plan[Alias]) -> Form:
        """Return the addresses to store; ``older`` is an engine of those that were stored."""
        names = self._alternative_names
        older_entries = older.desired if older else []
        kept = merged(older_entries, self._written, self.purge, lambda alias: renamed(alias, names).key)
        return {"aliases": [alias.as_input() for alias in kept]}


def _is_secondary(action: Action[Alias]) -> bool:
    return bool(action.existing and action.existing.handle.get("IFA_FLAGS", 0) & SECONDARY)
